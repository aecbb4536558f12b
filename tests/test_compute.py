"""Floating-point operations: counted by hand, budgets of them, and nothing of a run changed by the counting."""

import time

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from bench.backbone import build_backbone
from bench.budget import parse_budget
from bench.datasets.augment import Policy
from bench.errors import UserError
from bench.methods import Method, TrainData, registry
from bench.methods.base import Config, Encoder
from bench.methods.parts.effort import reported_to
from bench.methods.parts.kmeans import kmeans
from bench.recipe import learning_rate
from bench.running import check
from bench.training import compute

CPU = torch.device("cpu")
B, SIDE, HIDDEN, OUT = 6, 4, 10, 5
PIXELS = 3 * SIDE * SIDE
TRAINING = [name for name, kind in registry().items() if kind.trains]


class Linear(Encoder):
    """Two linear layers, whose operations a hand can count."""

    num_features = OUT

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(PIXELS, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, OUT))

    def forward(self, images):
        return self.layers(images)


class Mean(Method[Config]):
    def loss(self, views, index):
        return torch.stack([self.encoder(view).mean() for view in views]).sum()


class Looks(Mean):
    """Looks at a value, as fake tensors do not let it, and draws random numbers."""

    def loss(self, views, index):
        assert float(views[0].sum()) != float(torch.rand(()))
        self.progress.add_(1)
        return super().loss(views, index)


def work_of(kind, views=2):
    return compute.of_step(kind(Linear(), Config(), TrainData(64, 4)), [(B, 3, SIDE, SIDE)] * views, (3, SIDE, SIDE))


@pytest.mark.parametrize("kind", [Mean, Looks])
def test_linear_layers_are_counted_as_by_hand(kind):
    forward = 2 * (PIXELS * HIDDEN + HIDDEN * OUT)  # a multiply-add is two
    backward = 2 * PIXELS * HIDDEN + 2 * (2 * HIDDEN * OUT)  # of weights, and of the second layer's input
    work = work_of(kind)
    assert work.forward == forward
    assert work.step == 2 * B * (forward + backward)
    assert (work.images, work.views) == (B, 2)
    assert work.per_image == 2 * (forward + backward)
    assert work_of(kind, 7).step == 7 * B * (forward + backward)


def work_of_method(name, size=32):
    kind = registry()[name]
    policy = Policy(mean=(0.5,) * 3, std=(0.25,) * 3)
    config = kind.config_type().resolved(5000, size)
    labels = torch.arange(5000) % 10 if kind.uses_labels else None
    method = kind(build_backbone("test_resnet", 3, size), config, TrainData(5000, 10, labels))
    views = [(64, 3, view.size, view.size) for view in method.views(config, policy, size) for _ in range(view.count)]
    return compute.of_step(method.train(), views, (3, size, size))


def test_a_key_has_no_backward_pass():
    """Forward and backward are three passes: MoCo's query 3, its key 1; SimCLR 3 a view; FNC's support views 1 each."""
    passes = {name: work_of_method(name).forward_passes for name in ("moco", "simclr", "fnc")}
    assert passes == pytest.approx({"moco": 4, "simclr": 6, "fnc": 14}, rel=0.03)
    assert passes["moco"] / passes["simclr"] == pytest.approx(2 / 3, rel=0.03)


def snapshot(run):
    tensors = {key: value.clone() if torch.is_tensor(value) else value for key, value in run.method.state_dict().items()}
    return tensors, torch.get_rng_state(), [parameter.grad for parameter in run.method.parameters()]


@pytest.mark.parametrize("name", TRAINING)
def test_counting_changes_nothing(name):
    run = check.trainer(registry()[name], "1ep")
    run.method.train()
    tensors, rng, gradients = snapshot(run)
    assert run.spending.work.step > 0
    after, rng_after, gradients_after = snapshot(run)
    assert all(torch.equal(a, b) if torch.is_tensor(a) else a == b for a, b in zip(tensors.values(), after.values(), strict=True))
    assert torch.equal(rng, rng_after)
    assert gradients == gradients_after == [None] * len(gradients)
    assert run.method.training and not run.method.progress.is_meta


def test_counting_on_a_real_copy_changes_nothing():
    method = Looks(Linear(), Config(), TrainData(64, 4))
    torch.manual_seed(3)
    compute.of_step(method, [(B, 3, SIDE, SIDE)] * 2, (3, SIDE, SIDE))
    drawn = torch.rand(4)
    torch.manual_seed(3)
    assert torch.equal(drawn, torch.rand(4))
    assert method.progress == 0 and all(parameter.grad is None for parameter in method.parameters())


def test_a_count_is_that_of_a_real_step():
    run = check.trainer(registry()["simclr"], "1ep")
    run.method.train()
    with FlopCounterMode(display=False) as counter:
        run.method.loss(*run.loader.batch(0)).backward()
    assert run.spending.work.step == counter.get_total_flops()


def test_k_means_tells_what_it_multiplies():
    points, told = torch.randn(500, 8), []
    with reported_to(told.append), FlopCounterMode(display=False) as counter:
        kmeans(points, 64, 5, torch.Generator(), points[:64])
    assert told == [counter.get_total_flops()] == [2 * 500 * 8 * 64 * 6]


def detector(budget):
    """A trainer of a method that detects before every epoch."""
    run = check.trainer(registry()["pcl"], budget)
    object.__setattr__(run.method.config, "warmup", 0.0)
    return run


def test_detection_is_embedding_and_clustering():
    run = detector("2ep")
    run.fit()
    head = run.method.source
    forward = compute.of_forward(head.target, (3, check.SIDE, check.SIDE), CPU)
    told = []
    with reported_to(told.append):
        run.method.prototypes.cluster(run.embed(head.target), 0.2, 10.0)
    clustering = sum(told)
    assert run.spending.detect - check.IMAGES * forward == 2 * (check.IMAGES * forward + clustering)  # embed above added one
    cost = run.spending.cost()
    assert cost["flops"] == run.step * run.spending.work.step + cost["detect_flops"]
    assert cost["views_per_image"] == 2


@pytest.mark.parametrize("name", ["simclr", "moco", "pcl", "ifnd_elim"])
def test_a_budget_of_operations_is_kept(name):
    step = check.trainer(registry()[name], "1ep").spending.work.step
    budget = 21 * step + step // 2
    run = check.trainer(registry()[name], f"{budget}FLOP")
    run.fit()
    assert run.progress == run.curve[-1]["progress"] == 1
    assert run.spending.total <= budget
    assert budget - run.spending.total < step or run.spending.over
    if not run.spending.detect:
        assert run.step == 21


def test_a_budget_that_pays_no_step_is_one_step():
    run = check.trainer(registry()["simclr"], "5FLOP")
    run.fit()
    assert run.step == 1 and run.progress == 1


def test_a_detection_that_does_not_fit_ends_the_run_or_is_left_out():
    step = check.trainer(registry()["pcl"], "1ep").spending.work.step
    once = detector("1ep")
    once.fit()
    dear = once.spending.detect
    tiny = detector(f"{dear - 1}FLOP")
    with pytest.raises(RuntimeError, match=f"the budget of {dear - 1}FLOP was spent before the first step; give a larger one"):
        tiny.fit()
    assert tiny.step == 0 and tiny.spending.total <= dear - 1
    run = detector(f"{dear + 4 * step + dear - 1}FLOP")  # after an epoch of four steps a detection no longer fits
    run.fit()
    assert run.step == 4 + (dear - 1) // step and run.spending.detect == dear


def test_the_learning_rate_follows_operations():
    step = check.trainer(registry()["simclr"], "1ep").spending.work.step
    run = check.trainer(registry()["simclr"], f"{8 * step}FLOP")
    seen = []
    run.method.after_step = seen.append
    run.fit()
    assert seen == pytest.approx([i / 8 for i in range(1, 9)])
    assert run.optimizer.param_groups[0]["lr"] == pytest.approx(learning_rate(check.TRAINING.lr, 0, 7 / 8))


def test_machines_of_any_speed_take_the_same_steps(monkeypatch):
    ends = []
    real = time.perf_counter
    for speed in (1.0, 500.0):
        run = detector("60MFLOP")
        with monkeypatch.context() as patch:
            patch.setattr(time, "perf_counter", lambda speed=speed: speed * real())
            run.fit()
        state = {key: value for key, value in run.method.state_dict().items() if torch.is_tensor(value)}
        ends.append((run.step, run.spending.total, [point["loss"] for point in run.curve], state))
    assert ends[0][:3] == ends[1][:3] and ends[0][0] > 8
    assert all(torch.equal(value, ends[1][3][key]) for key, value in ends[0][3].items())


@pytest.mark.parametrize("name", ["simclr", "pcl", "ifnd_elim"])
def test_a_resume_under_a_budget_of_operations_is_exact(name):
    def run(state=None):
        made = detector("60MFLOP") if name == "pcl" else check.trainer(registry()[name], "60MFLOP")
        saved = []
        if state is None:
            made.callbacks = check.keeping(saved, 10)
        else:
            made.restore(state)
        made.fit()
        return made, saved

    whole, saved = run()
    again, _ = run(saved[0])
    assert again.step == whole.step > 10
    assert again.spending.state() == whole.spending.state() and again.spending.total == whole.spending.total
    assert [p["progress"] for p in again.curve] == [p["progress"] for p in whole.curve]
    for a, b in zip(whole.method.state_dict().values(), again.method.state_dict().values(), strict=True):
        assert torch.equal(a, b) if torch.is_tensor(a) else a == b


def test_a_loss_that_cannot_be_counted_is_unknown_and_still_trains(monkeypatch):
    monkeypatch.setattr(compute, "of_step", lambda *_, **__: 1 / 0)
    run = check.trainer(registry()["simclr"], "2ep")
    run.fit()
    assert run.step == 8 and run.spending.total is None
    assert run.spending.cost()["flops"] is None and run.spending.cost()["views_per_image"] is None
    with pytest.raises(UserError, match="the operations of simclr cannot be counted, give another budget: ZeroDivisionError"):
        check.trainer(registry()["simclr"], "60MFLOP").fit()


def test_budgets_are_exact_numbers():
    assert parse_budget("1.1PFLOP").flops == 11 * 10**14
    assert parse_budget("0.3PFLOP").flops == 3 * 10**14
    assert str(parse_budget("500TFLOP")) == "500TFLOP" and parse_budget("2EFLOP").flops == 2 * 10**18
    assert parse_budget("3PFLOP").seconds is None and parse_budget("3PFLOP").steps(10, 32) == -1
    assert parse_budget("3PFLOP").steps(10, 32, 7 * 10**14) == 4


def test_attention_counts_by_hand():
    """17 tokens of 16 features: patches; three projections, scores, their use, the output; and a layer of four times 16."""
    n, width = 17, 16
    patches = 16 * (3 * 2 * 2) * width
    attention = n * width * 3 * width + 2 * n * n * width + n * width * width
    layers = 2 * n * width * 4 * width
    assert compute.of_forward(check.tiny_transformer(), (3, 8, 8), CPU) == 2 * (patches + attention + layers)
