"""TensorBoard and Weights & Biases as places for the curves."""

import sys
import threading
from types import SimpleNamespace

import pytest

from bench.budget import parse_budget
from bench.cells import Cell
from bench.datasets.registry import tracks
from bench.datasets.spec import Spec
from bench.errors import UserError
from bench.events import Computed, Phase, Progress, Recorded, Started
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
    sink.on_event(task, Started())
    sink.on_event(task, Phase("set up"))
    sink.on_event(task, Progress(0.5, step=75, seconds=1.0, loss=3.0))
    record = made_up.record(made_up.FEW[0], 0)
    record.curve[-1] |= {"detect_nmi_by_set": [0.25, 0.5], "unknown": None}
    sink.on_event(task, Computed(record))
    sink.on_event(task, Recorded(record))
    sink.close()


def test_tensorboard(task, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (sink,) = trackers.open_sinks("tensorboard", tmp_path).values()
    tell(sink, task)
    events = EventAccumulator(str(tmp_path / "tensorboard" / task.cell.folder / "seed0"))
    events.Reload()
    assert len(events.Scalars("curve/loss")) == 12
    assert events.Scalars("live/loss")[0].step == 75
    assert events.Scalars("curve/detect_nmi_by_set/1")[0].value == 0.5
    assert events.Scalars("test/linear_top1")[0].value == pytest.approx(0.66, abs=0.02)


def test_weights_and_biases(task, tmp_path, monkeypatch):
    logged, run = [], SimpleNamespace(summary={}, define_metric=lambda *a, **k: None, finish=lambda: None)
    run.log = logged.append
    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=lambda **settings: run.__dict__.update(settings) or run))
    (sink,) = trackers.open_sinks("wandb", tmp_path).values()
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
    assert trackers.open_sinks("", tmp_path) == {}


FAILURES = [
    PermissionError("read-only"),
    ConnectionError("network is unreachable"),
    SystemExit(1),
    ValueError("no API key\nlog in"),
]


@pytest.mark.parametrize("error", FAILURES, ids=repr)
@pytest.mark.parametrize("when", [Started, Progress, Recorded, "close"])
def test_a_sink_that_fails_warns_once_and_harms_nothing(task, when, error):
    said, heard = [], []

    def on_event(task, event):
        heard.append(event)
        if type(event) is when:
            raise error

    def close():
        if when == "close":
            raise error

    sink = trackers.GuardedSink(SimpleNamespace(on_event=on_event, close=close), "the sink", said.append)
    for _ in range(3):
        tell(SimpleNamespace(on_event=sink.on_event, close=lambda: None), task)
    sink.close()
    (line,) = said
    assert line.startswith("the sink failed") and type(error).__name__ in line and "\n" not in line
    assert when == "close" or len(heard) < 3 * 5


def test_a_sink_that_hangs_holds_nothing_up(task, monkeypatch):
    monkeypatch.setattr(trackers, "PATIENCE", 0.05)
    said, released = [], threading.Event()
    stuck = SimpleNamespace(on_event=lambda task, event: released.wait(), close=lambda: None)
    sink = trackers.GuardedSink(stuck, "the sink", said.append)
    tell(sink, task)
    assert said == ["the sink has not finished after 0 s and is left behind; the records are complete"]
    released.set()


def test_a_folder_of_tensorboard_that_is_a_file(task, tmp_path):
    (tmp_path / "tensorboard").write_text("not a folder")
    (sink,) = trackers.open_sinks("tensorboard", tmp_path).values()
    said = []
    tell(trackers.GuardedSink(sink, "tensorboard", said.append), task)
    assert len(said) == 1 and said[0].startswith("tensorboard failed")


def test_a_package_that_does_not_import_is_one_line(tmp_path, monkeypatch):
    def broken(name):
        raise TypeError("Descriptors cannot be created directly")

    monkeypatch.setattr(trackers, "import_module", broken)
    with pytest.raises(UserError, match="--log wandb: the package does not import here: TypeError"):
        trackers.open_sinks("wandb", tmp_path)
