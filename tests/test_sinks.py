"""TensorBoard and Weights & Biases as places for the curves."""

import sys
from types import SimpleNamespace

import pytest

from bench.budget import parse_budget
from bench.cells import Cell
from bench.datasets.registry import tracks
from bench.datasets.spec import Spec
from bench.errors import UserError
from bench.methods import registry
from bench.recipe import resolve
from bench.running import trackers
from bench.running.cell import Job
from bench.running.scheduler import Task
from tests import made_up


@pytest.fixture
def task(monkeypatch):
    made_up.install(monkeypatch)
    recipe = resolve(Spec(made_up.TRACK), tracks()[made_up.TRACK], made_up.TRAIN, registry()["alpha"], parse_budget("10ep"))
    return Task(Job(cell=Cell(recipe, 0)), None)


def tell(sink, task):
    sink.hear(task, {"phase": "start"})
    sink.hear(task, {"phase": "set up"})
    sink.hear(task, {"progress": 0.5, "step": 75, "seconds": 1.0, "loss": 3.0})
    record = made_up.record(made_up.FEW[0], 0)
    sink.hear(task, {"record": record, "seconds": 2.0})
    sink.hear(task, {"phase": "done", "record": record})
    sink.close()


def test_tensorboard(task, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (sink,) = trackers.open_sinks("tensorboard", tmp_path)
    tell(sink, task)
    events = EventAccumulator(str(tmp_path / "tensorboard" / task.cell.folder / "seed0"))
    events.Reload()
    assert len(events.Scalars("curve/loss")) == 12
    assert events.Scalars("live/loss")[0].step == 75
    assert events.Scalars("test/linear_top1")[0].value == pytest.approx(0.66, abs=0.02)


def test_weights_and_biases(task, tmp_path, monkeypatch):
    logged, run = [], SimpleNamespace(summary={}, define_metric=lambda *a, **k: None, finish=lambda: None)
    run.log = logged.append
    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=lambda **settings: run.__dict__.update(settings) or run))
    (sink,) = trackers.open_sinks("wandb", tmp_path)
    tell(sink, task)
    assert run.config["method"] == "alpha" and run.summary == {"status": "ok"}
    assert logged[0] == {"live/loss": 3.0, "step": 75}
    assert len(logged) == 1 + 12 + 1 and logged[-1]["test/linear_top1"] == pytest.approx(0.66, abs=0.02)


def test_a_missing_package_is_one_line_before_anything_runs(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(UserError, match="--log wandb needs the package wandb: pip install wandb"):
        trackers.open_sinks("wandb", tmp_path)
    with pytest.raises(UserError, match="did you mean tensorboard"):
        trackers.open_sinks("tensorbord", tmp_path)
    assert trackers.open_sinks("", tmp_path) == []
