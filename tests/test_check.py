from dataclasses import dataclass

import pytest
import torch

from bench.errors import UserError
from bench.methods import registry
from bench.methods.base import Config, Fraction
from bench.methods.simclr import SimCLR
from bench.running import check


@pytest.mark.parametrize("name", registry())
def test_a_contestants_whole_life(name):
    lines = list(check.check(registry()[name]))
    assert len(lines) == (6 if registry()[name].trains else 1)


class WaitsForTheDevice(SimCLR):
    def loss(self, views, index):
        loss = super().loss(views, index)
        return loss * (1.0 if loss.item() > 0 else 2.0)


class MixesDevices(SimCLR):
    def loss(self, views, index):
        return super().loss(views, index) * torch.ones(1, device="cpu").mean() + (views[0] * torch.ones(8)).mean() * 0


class MixesPrecisions(SimCLR):
    """Its average in fp32 moves towards what autocast gives in bf16."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.register_buffer("average", torch.zeros(16))

    def loss(self, views, index):
        self.average.lerp_(self.encoder(views[0]).mean(0).detach(), 0.1)
        return super().loss(views, index)


class Forgets(SimCLR):
    """Its loss depends on something that is not in the state."""

    calls = 0

    def loss(self, views, index):
        self.calls += 1
        return super().loss(views, index) / (1 + self.calls / 10)


class MovesOn(SimCLR):
    """It copies a buffer before it changes it, which is right until the loss is compiled."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.register_buffer("latest", torch.zeros(2 * check.BATCH, dtype=torch.int64))

    def loss(self, views, index):
        similar = self.encoder(views[0]) @ torch.ones(16, len(self.latest), device=index.device)
        masked = similar.masked_fill(index[:, None] == self.latest.clone(), 0.0)
        self.latest.index_copy_(0, torch.arange(len(index), device=index.device), index)
        return super().loss(views, index) + masked.logsumexp(1).mean()


class GivesVectors(SimCLR):
    def loss(self, views, index):
        return super().loss(views, index).repeat(2)


class GivesANumber(SimCLR):
    def loss(self, views, index):
        return super().loss(views, index).item()


class TrainsNoEncoder(SimCLR):
    """Its head alone has a gradient."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.on_top = torch.nn.Linear(16, 16)

    def loss(self, views, index):
        with torch.no_grad():
            first, second = (self.encoder(view) for view in views)
        return torch.nn.functional.cross_entropy(self.on_top(first) @ second.T, torch.arange(len(index), device=index.device))


class TellsATensor(SimCLR):
    def extras(self):
        return {"norm": torch.ones(2)}


class GivesNoLabels(SimCLR):
    def pseudo_labels(self):
        return 3


class Leaves(SimCLR):
    def loss(self, views, index):
        raise SystemExit(0)


class Raises(SimCLR):
    def loss(self, views, index):
        return {}["nothing"]


@pytest.mark.parametrize(
    ("method", "fault"),
    [
        (WaitsForTheDevice, "DataDependentOutput"),
        (MixesDevices, "but found at least two devices, cuda:0 and cpu"),
        (MixesPrecisions, "on a GPU the loss would fail.*bfloat16"),
        (Forgets, "must be in state_dict.*no plain attribute"),
        (TrainsNoEncoder, "weights of the encoder are after 40 epochs what they were"),
        (TellsATensor, r"extras\(\) gives .*not finite numbers by name"),
        (GivesNoLabels, "gives a int, not a PseudoLabelView"),
        (Leaves, "simclr raises SystemExit: 0"),
        (MovesOn, "compiled loss would have another gradient.*in after_step, not in loss"),
        (GivesVectors, "scalar"),
        (GivesANumber, "the loss is of type float, not a float32 scalar"),
        (Raises, "simclr raises KeyError: 'nothing' in test_check.py, line 1\\d\\d$"),
    ],
)
def test_each_fault_is_found(method, fault):
    with pytest.raises(UserError, match=fault):
        list(check.check(method))


@dataclass(frozen=True)
class Odd(Config):
    share: Fraction = 1.5


@dataclass(frozen=True)
class Unknown(Config):
    more: object = None


@pytest.mark.parametrize(("settings", "fault"), [(Odd, "share=1.5 does not fit"), (Unknown, "no text can set; what works: bool")])
def test_settings_that_cannot_be_set_are_found(settings, fault):
    kind = type("Made", (SimCLR,), {"config_type": settings})
    with pytest.raises(UserError, match=fault):
        list(check.check(kind))


def test_a_loss_that_does_not_stay_finite_is_one_line(bench_command):
    code, _, said = bench_command("check", "simclr", "--set", "lr=1e30")
    assert code == 2 and "check: the loss does not stay finite" in said and said.count("\n") == 1


def test_settings_are_those_of_the_method_and_of_its_training():
    run = check.trainer(SimCLR, "1ep", settings={"temperature": "0.3", "batch_size": "32", "lr": "0.01"})
    assert run.method.config.temperature == 0.3
    assert run.loader.steps_per_epoch == 2 and run.training.lr == 0.01
    with pytest.raises(UserError, match="batch_size=128 is more than the 64 images"):
        check.trainer(SimCLR, "1ep", settings={"batch_size": "128"})


def test_the_command_takes_settings_as_run_does(bench_command):
    for arguments in (["simclr", "--set", "temperature=-1"], ["simclr:temperature=-1"]):
        code, _, error = bench_command("check", *arguments)
        assert code == 2 and "temperature=-1 does not fit" in error
    code, said, _ = bench_command("check", "random_init,raw_pixels")
    assert code == 0 and said.split("\n")[::2] == ["random_init", "raw_pixels", ""]
