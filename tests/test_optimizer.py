"""Optimizers as the recipe asks for them, groups as the method does."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from bench.budget import parse_budget
from bench.datasets.registry import tracks
from bench.datasets.spec import Spec
from bench.methods import Group, OwnRecipe, registry
from bench.methods.simclr import SimCLR
from bench.recipe import Training, learning_rate, resolve
from bench.running import check
from bench.settings import parse_assignments
from bench.training import optimizer

TRAINING = check.TRAINING
CPU = torch.device("cpu")


def recipe(kind, *sets: str):
    settings = {a.key: a.value for a in parse_assignments(sets)}
    return resolve(Spec("digits"), tracks()["digits"], 1000, kind, parse_budget("1ep"), settings=settings)


def test_by_default_it_is_plain_sgd_to_the_bit():
    ours, plain = (check.trainer(registry()["simclr"], "2ep") for _ in range(2))
    ours.fit()
    parameters = list(plain.method.parameters())
    sgd = torch.optim.SGD(parameters, lr=1.0, momentum=0.9, weight_decay=TRAINING.weight_decay)
    for step in range(8):
        sgd.param_groups[0]["lr"] = learning_rate(TRAINING.lr, 0.0, step / 8)
        sgd.zero_grad()
        plain.method.loss(*plain.loader.batch(step)).backward()
        sgd.step()
    assert all(torch.equal(a, b) for a, b in zip(ours.method.parameters(), parameters, strict=True))


def test_later_fields_of_the_recipe_show_where_they_were_chosen():
    earlier = {"batch_size", "lr", "weight_decay", "sgd_momentum", "lr_warmup", "compile"}
    assert set(recipe(registry()["simclr"]).as_dict()["training"]) == earlier
    chosen = recipe(registry()["simclr"], "optimizer=lars", "clip_norm=3", "decay_norms=false", "precision=bf16")
    shown = chosen.as_dict()["training"]
    assert {key: shown[key] for key in set(shown) - earlier} == {
        "optimizer": "lars",
        "clip_norm": 3.0,
        "decay_norms": False,
        "precision": "bf16",
    }


class Grouped(SimCLR):
    """The encoder half as fast and without decay, the head frozen for a quarter of the budget and then unscheduled."""

    def groups(self):
        head = Group(list(self.source.head.parameters()), lambda progress: float(progress >= 0.25), scheduled=False)
        return [Group(list(self.encoder.parameters()), 0.5, weight_decay=0.0), head]


def test_groups_have_rates_and_decays_of_their_own():
    run = check.trainer(Grouped, "2ep")
    assert len(run.groups) == 2  # nothing is left over
    frozen = [p.clone() for p in run.method.source.head.parameters()]
    for step in range(8):
        if step == 2:
            assert all(torch.equal(a, b) for a, b in zip(frozen, run.method.source.head.parameters(), strict=True))
            assert all(p not in run.optimizer.state for p in run.method.source.head.parameters())
        run.train_step()
        rates = [group["lr"] for group in run.optimizer.param_groups]
        scheduled = learning_rate(TRAINING.lr, 0.0, step / 8)
        assert rates == pytest.approx([0.5 * scheduled, TRAINING.lr if step >= 2 else 0.0])
    assert not any(map(torch.equal, frozen, run.method.source.head.parameters()))
    assert [group["weight_decay"] for group in run.optimizer.param_groups] == [0.0, TRAINING.weight_decay]


def test_what_has_one_dimension_is_spared_from_decay_where_asked():
    method = check.make(registry()["moco"])
    groups = optimizer.groups_of(method, replace(TRAINING, decay_norms=False))
    assert [{p.ndim >= 2 for p in group.parameters} for group in groups] == [{True}, {False}]
    assert [group.weight_decay for group in groups] == [None, 0.0]
    trained = [p for p in method.parameters() if p.requires_grad]
    assert sum(len(group.parameters) for group in groups) == len(trained)


@pytest.mark.parametrize(("decay", "spare"), [(0.0, False), (0.0, True), (0.1, False), (0.1, True)])
def test_lars_adapts_what_was_not_spared(decay, spare):
    weight, bias = nn.Parameter(torch.full((2, 2), 3.0)), nn.Parameter(torch.full((2,), 3.0))
    training = replace(TRAINING, optimizer="lars", lr=1.0, weight_decay=decay, decay_norms=not spare)
    method = SimpleNamespace(groups=lambda: (), parameters=lambda: [weight, bias])
    made = optimizer.build(optimizer.groups_of(method, training), training, CPU)
    weight.grad, bias.grad = torch.full((2, 2), 4.0), torch.full((2,), 4.0)
    made.step()
    adapted = 3 - 0.001 * 3  # You et al. 2017, equation 6: a step is a thousandth of the weights' norm
    assert weight[0, 0].item() == pytest.approx(adapted, rel=1e-5)
    assert bias[0].item() == pytest.approx(3 - 4 if spare else adapted, rel=1e-5)


def test_gradients_are_clipped():
    run = check.trainer(registry()["simclr"], "1ep", training=replace(TRAINING, clip_norm=1e-3))
    run.train_step()
    norm = torch.stack([p.grad.norm() for p in run.method.parameters()]).norm()
    assert norm == pytest.approx(1e-3, rel=1e-4)


@pytest.mark.parametrize(
    "settings", [{"optimizer": "lars", "lr": 0.5}, {"optimizer": "adamw", "lr": 1e-3}, {"precision": "bf16"}]
)
def test_every_way_to_train_learns_and_resumes_bit_for_bit(settings):
    training = replace(TRAINING, **settings)
    check.resumes(registry()["simclr"], training)
    run = check.trainer(registry()["simclr"], "12ep", training=training)
    run.fit()
    assert run.curve[-1]["loss"] < run.curve[0]["loss"]


def test_bf16_is_what_the_loss_is_computed_in():
    seen = []

    class Watched(SimCLR):
        def loss(self, views, index):
            seen.append(self.encoder(views[0]).dtype)
            return super().loss(views, index)

    for precision, expected in (("auto", torch.float32), ("bf16", torch.bfloat16), ("fp32", torch.float32)):
        seen.clear()
        check.trainer(Watched, "1steps", training=replace(TRAINING, precision=precision)).fit()
        assert seen[-1] == expected  # what comes before counts operations


@pytest.mark.parametrize(("has", "said"), [({}, True), ({"avx512_bf16": True}, False), ({"amx_bf16": True}, False)])
def test_a_run_says_where_bf16_is_emulated(tmp_path, bench_command, monkeypatch, has, said):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"architecture": "x86_64"} | has)
    line = ["run", "--methods", "simclr", "--datasets", "digits", "--budget", "1steps", "--device", "cpu", "--dry-run"]
    line += ["--out", str(tmp_path / "results")]
    assert ("far slower here" in bench_command(*line, "--set", "precision=bf16")[1]) == said
    assert "far slower here" not in bench_command(*line)[1]


def test_a_methods_own_recipe_holds_unless_the_user_says_otherwise():
    class Own(SimCLR):
        own_recipe = OwnRecipe("someone et al.", lr=1e-3, settings={"optimizer": "adamw", "weight_decay": 0.05})

    made = recipe(Own)
    batch = tracks()["digits"].batch_size
    assert made.training == Training(batch, 1e-3 * batch / 256, 0.05, optimizer="adamw")
    assert made.as_dict()["own_recipe"] == "someone et al."
    assert recipe(Own, "lr=0.5").training.lr == 0.5
    assert "own_recipe" not in recipe(SimCLR).as_dict()
