"""The training loop: budgets are kept, time is accounted for, nothing diverges unseen."""

import copy

import pytest
import torch

from bench.budget import parse_budget
from bench.errors import Diverged
from bench.methods import registry
from bench.recipe import learning_rate
from bench.running import check
from bench.training.clock import Clock
from bench.training.loss_meter import SLOTS, LossMeter
from bench.training.trainer import Callbacks

CPU = torch.device("cpu")
STEPS_PER_EPOCH = check.IMAGES // check.BATCH


@pytest.mark.parametrize(("budget", "steps"), [("3ep", 12), ("0.5ep", 2), ("7steps", 7), ("160img", 10)])
def test_a_budget_is_spent_exactly(budget, steps):
    run = check.trainer(registry()["simclr"], budget)
    run.fit()
    assert run.step == steps
    assert run.progress == 1
    assert run.curve[-1]["progress"] == 1


def timed(clocks, budget, seconds, **callbacks):
    """A trainer each of whose steps takes so many seconds of the made-up clock."""
    run = check.trainer(registry()["simclr"], budget, callbacks=Callbacks(**callbacks))
    loss = run.method.loss
    run.method.loss = lambda views, index: clocks(seconds) or loss(views, index)
    return run


def test_a_budget_of_time_is_kept_to_within_one_step(clocks):
    run = timed(clocks, "1s", 0.15, measure=lambda trainer, progress: clocks(0.3) or {})  # is not on the clock
    run.fit()
    assert run.step == 7 and run.clock.train == pytest.approx(7 * 0.15)


def test_checkpoints_cost_no_budget(clocks):
    run = timed(clocks, "1s", 0.15, save_due=lambda trainer: True, save=lambda trainer: clocks(5.0))
    run.fit()
    assert run.step == 7 and run.clock.train == pytest.approx(7 * 0.15)
    assert run.clock.apart["checkpoint"] == pytest.approx(7 * 5.0)


def test_detection_is_paid_from_a_budget_of_time(clocks):
    run = timed(clocks, "1s", 0.02)
    run.method.before_epoch = lambda progress, embed: clocks(0.3)
    run.fit()
    assert 1.0 <= run.clock.train < 1.0 + 0.02 + 1e-9
    assert run.clock.apart["detect"] == pytest.approx(run.clock.train - 0.02 * run.step) and run.clock.apart["detect"] >= 0.3


def test_a_detection_that_no_longer_fits_is_left_out(clocks):
    run = timed(clocks, "1s", 0.02)
    calls = []
    run.method.before_epoch = lambda progress, embed: calls.append(progress) or clocks(0.7)
    run.fit()
    assert len(calls) == 1
    assert run.clock.train < 1.2


def test_every_schedule_follows_progress():
    assert learning_rate(2.0, 0.1, 0.05) == pytest.approx(1.0)
    assert learning_rate(2.0, 0.1, 0.1) == pytest.approx(2.0)
    assert learning_rate(2.0, 0.0, 0.5) == pytest.approx(1.0)
    assert learning_rate(2.0, 0.5, 1.0) == pytest.approx(0.0)
    seen = []
    run = check.trainer(registry()["simclr"], "2ep")
    run.method.after_step = lambda progress: seen.append(progress)
    run.fit()
    assert seen == pytest.approx([i / 8 for i in range(1, 9)])
    assert run.optimizer.param_groups[0]["lr"] == pytest.approx(learning_rate(check.TRAINING.lr, 0, 7 / 8))


def test_divergence_ends_the_cell():
    run = check.trainer(registry()["simclr"], "400ep")
    loss = run.method.loss
    run.method.loss = lambda views, index: loss(views, index) * (float("nan") if run.step > 5 else 1.0)
    with pytest.raises(Diverged, match="nan"):
        run.fit()
    assert run.step <= 6 + SLOTS


def test_an_epoch_shows_every_image_once():
    loader = check.trainer(registry()["simclr"], "1ep").loader
    epochs = [torch.cat([loader.index(step) for step in range(e * STEPS_PER_EPOCH, (e + 1) * STEPS_PER_EPOCH)]) for e in range(2)]
    for epoch in epochs:
        assert sorted(epoch.tolist()) == list(range(check.IMAGES))
    assert not torch.equal(*epochs)


def test_a_batch_depends_on_seed_and_step_only():
    loader = check.trainer(registry()["simclr"], "1ep").loader
    first = loader.batch(5)
    loader.batch(2)
    again = check.trainer(registry()["moco"], "3ep").loader.batch(5)
    assert torch.equal(first[1], again[1])
    assert all(torch.equal(a, b) for a, b in zip(first[0], again[0], strict=True))
    loader.seed = 1
    assert not torch.equal(loader.batch(5)[1], first[1])


def test_embed_sees_the_train_images_in_order_and_in_eval_mode():
    run = check.trainer(registry()["simclr"], "1ep")
    run.method.train()
    features = run.embed(run.method.encoder)
    assert features.shape == (check.IMAGES, 16)
    assert run.method.encoder.training
    again = run.embed(run.method.encoder)
    assert torch.equal(features, again)


def test_the_clock_stands_still_while_paused(clocks):
    clock = Clock(CPU)
    clock.start()
    clocks(0.05)
    with clock.paused("eval"):
        clocks(0.2)
    with clock.part("detect"):
        clocks(0.05)
    clock.stop()
    assert clock.train == pytest.approx(0.1)
    assert clock.apart["eval"] == pytest.approx(0.2) and clock.apart["detect"] == pytest.approx(0.05)


def test_the_meter_means_what_it_was_given():
    meter = LossMeter(CPU)
    losses = torch.rand(SLOTS * 2 + 5)
    for loss in losses:
        meter.add(loss)
    assert meter.read() == pytest.approx(losses.mean().item(), rel=1e-6)
    meter.add(torch.tensor(3.0))
    assert meter.read() == 3.0


def test_budgets_of_time_have_no_step_limit():
    assert parse_budget("2h").steps(10, 32) == -1


def test_a_checkpoint_after_the_last_step_has_the_last_point():
    saved: list[dict] = []
    last = Callbacks(
        save_due=lambda trainer: trainer.progress >= 1, save=lambda trainer: saved.append(copy.deepcopy(trainer.state()))
    )
    whole, again = (check.trainer(registry()["oracle_elim"], "2ep", callbacks=callbacks) for callbacks in (last, None))
    whole.fit()
    again.restore(saved[0])
    again.fit()
    assert whole.curve[-1]["dropped"] > 0 and [p["dropped"] for p in again.curve] == [p["dropped"] for p in whole.curve]
