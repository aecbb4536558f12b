"""Optional trackers of the curves: TensorBoard and Weights & Biases.

They receive the events of the parent process: the loss while a cell trains, and at its end the whole curve and the metrics.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Protocol

from ..errors import UserError
from ..events import Event, Progress, Recorded, Started
from ..records import Record
from ..reporting.curves import AXES
from ..settings import nearest
from .scheduler import Task

PROJECT = "ssl-bench"
PATIENCE = 30.0  # seconds that a sink has to finish when the run ends


class Sink(Protocol):
    """Follows the cells of a run."""

    def on_event(self, task: Task, event: Event) -> None: ...

    def close(self) -> None: ...


def open_sinks(names: str, folder: Path) -> dict[str, Sink]:
    """The sinks named with commas, by name; `UserError` as `check_log`."""
    return {name: kind(package, folder) for name, (package, kind) in _known(names).items()}


def check_log(names: str) -> None:
    """`UserError` for an unknown name, or a package that is not installed."""
    _known(names)


def _known(names: str) -> dict[str, tuple[Any, Callable[[Any, Path], Sink]]]:
    kinds: dict[str, tuple[str, Callable[[Any, Path], Sink]]] = {
        "tensorboard": ("torch.utils.tensorboard", TensorBoard),
        "wandb": ("wandb", WeightsAndBiases),
    }
    chosen = list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    for name in chosen:
        if name not in kinds:
            raise UserError(f"--log {name!r} is unknown: {nearest(name, kinds)}")
    return {name: (_package(name, kinds[name][0]), kinds[name][1]) for name in chosen}


def _package(name: str, module: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        why = "" if isinstance(error, ModuleNotFoundError) else f" ({error})"
        raise UserError(f"--log {name} needs the package {name}: pip install {name}{why}") from None
    except Exception as error:  # of versions that do not go together
        raise UserError(f"--log {name}: the package does not import here: {type(error).__name__}: {error}") from None


def scalars(record: Record) -> Iterator[tuple[int, dict[str, float]]]:
    """Step and values of each point of the curve, then the metrics at the last step."""
    step = 0
    for point in record.curve:
        step = int(point.get("step", step))
        yield step, {f"curve/{key}": value for key, value in _numbers(point) if key not in AXES}
    yield step, {f"test/{key}": value for key, value in record.metrics.items()}


def _numbers(point: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The numbers of a point; those of a list, such as one for each label set, by their place in it."""
    for key, value in point.items():
        values = {f"{key}/{place}": one for place, one in enumerate(value)} if isinstance(value, list) else {key: value}
        yield from ((name, one) for name, one in values.items() if isinstance(one, int | float))


class GuardedSink:
    """A sink that cannot harm the run: it works in a thread of its own, and is dropped after its first failure.

    ``warn`` is then called once; the records hold all that a sink shows.
    """

    def __init__(self, sink: Sink, name: str, warn: Callable[[str], None]):
        self.sink, self.name, self.warn = sink, name, warn
        self.failed = False
        self.events: SimpleQueue[tuple[Task, Event] | None] = SimpleQueue()
        self.thread = threading.Thread(target=self._follow, daemon=True)
        self.thread.start()

    def on_event(self, task: Task, event: Event) -> None:
        if not self.failed:
            self.events.put((task, event))

    def close(self) -> None:
        """Let it finish, which may take PATIENCE seconds."""
        self.events.put(None)
        self.thread.join(PATIENCE)
        if self.thread.is_alive() and not self.failed:
            self.failed = True
            self.warn(f"{self.name} has not finished after {PATIENCE:.0f} s and is left behind; the records are complete")

    def _follow(self) -> None:
        while (item := self.events.get()) is not None:
            if not self.failed:
                self._guard(self.sink.on_event, *item)
        self._guard(self.sink.close)

    def _guard(self, act: Callable[..., None], *arguments: Any) -> None:
        try:
            act(*arguments)
        except (Exception, SystemExit) as error:  # its package may raise anything
            if not self.failed:
                self.failed = True
                why = " ".join(f"{type(error).__name__}: {error}".split())
                self.warn(f"{self.name} failed and is left out from here on, the run goes on: {why}")


class TensorBoard:
    """Event files in ``<folder>/tensorboard/<cell>``."""

    def __init__(self, module: Any, folder: Path):
        self.module, self.folder = module, folder / "tensorboard"
        self.writer: Any = None

    def on_event(self, task: Task, event: Event) -> None:
        match event:
            case Started():
                self.close()
                self.writer = self.module.SummaryWriter(str(self.folder / task.cell.folder / f"seed{task.cell.seed}"))
            case Recorded(record):
                for step, values in scalars(record):
                    self._add(values, step)
                self.close()
            case Progress(step=step, loss=float(loss)):
                self._add({"live/loss": loss}, step)

    def _add(self, values: dict[str, float], step: int) -> None:
        for key, value in values.items():
            self.writer.add_scalar(key, value, step)

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()
            self.writer = None


class WeightsAndBiases:
    """One run a cell, in the project ``ssl-bench``; local files go below ``folder``."""

    def __init__(self, module: Any, folder: Path):
        self.module, self.folder = module, folder
        self.run: Any = None

    def on_event(self, task: Task, event: Event) -> None:
        match event:
            case Started():
                self.close()
                self._start(task)
            case Recorded(record):
                for step, values in scalars(record):
                    self.run.log(values | {"step": step})
                self.run.summary["status"] = record.status
                self.close()
            case Progress(step=step, loss=float(loss)):
                self.run.log({"live/loss": loss, "step": step})

    def _start(self, task: Task) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.run = self.module.init(
            project=PROJECT,
            name=str(task.cell),
            group=" / ".join(task.cell.board),
            job_type=str(task.cell.recipe.contender),
            config=task.cell.recipe.as_dict() | {"seed": task.cell.seed},
            dir=str(self.folder),
        )
        # the curve is logged at the end, after the live loss, with smaller steps: that needs a step metric of our own
        self.run.define_metric("*", step_metric="step")

    def close(self) -> None:
        if self.run is not None:
            self.run.finish()
            self.run = None
