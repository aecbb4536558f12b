"""Other places for the curves, where somebody asks for them: TensorBoard and Weights & Biases.

They hear of what the parent process hears: the loss while a cell trains, and at its end the whole curve and the metrics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import UserError
from ..records import Record
from ..reporting.curves import AXES
from ..settings import nearest

if TYPE_CHECKING:  # reports are made without all that training needs
    from .scheduler import Task

PROJECT = "ssl-bench"


class Sink(Protocol):
    """Follows the cells of a run."""

    def hear(self, task: Task, event: dict[str, Any]) -> None: ...

    def close(self) -> None: ...


def open_sinks(names: str, folder: Path) -> list[Sink]:
    """The sinks named with commas; `UserError` for an unknown name or a package that is not installed."""
    kinds: dict[str, tuple[str, Callable[[Any, Path], Sink]]] = {
        "tensorboard": ("torch.utils.tensorboard", TensorBoard),
        "wandb": ("wandb", WeightsAndBiases),
    }
    chosen = list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    for name in chosen:
        if name not in kinds:
            raise UserError(f"--log {name!r} is unknown: {nearest(name, kinds)}")
    return [kinds[name][1](_package(name, kinds[name][0]), folder) for name in chosen]


def _package(name: str, module: str) -> Any:
    try:
        return import_module(module)
    except ImportError:
        raise UserError(f"--log {name} needs the package {name}: pip install {name}") from None


def scalars(record: Record) -> Iterator[tuple[int, dict[str, float]]]:
    """Step and values of each point of the curve, then the metrics at the last step."""
    step = 0
    for point in record.curve:
        step = int(point.get("step", step))
        yield step, {f"curve/{key}": value for key, value in point.items() if key not in AXES and value is not None}
    yield step, {f"test/{key}": value for key, value in record.metrics.items()}


class TensorBoard:
    """Event files in ``<folder>/tensorboard/<cell>``."""

    def __init__(self, module: Any, folder: Path):
        self.module, self.folder = module, folder / "tensorboard"
        self.writer: Any = None

    def hear(self, task: Task, event: dict[str, Any]) -> None:
        if event.get("phase") == "start":
            self.close()
            self.writer = self.module.SummaryWriter(str(self.folder / task.cell.folder / f"seed{task.cell.seed}"))
        elif "record" in event and event.get("phase") == "done":
            for step, values in scalars(event["record"]):
                self._add(values, step)
            self.close()
        elif event.get("loss") is not None and "step" in event:
            self._add({"live/loss": event["loss"]}, event["step"])

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

    def hear(self, task: Task, event: dict[str, Any]) -> None:
        if event.get("phase") == "start":
            self.close()
            self._start(task)
        elif "record" in event and event.get("phase") == "done":
            for step, values in scalars(event["record"]):
                self.run.log(values | {"step": step})
            self.run.summary["status"] = event["record"].status
            self.close()
        elif event.get("loss") is not None and "step" in event:
            self.run.log({"live/loss": event["loss"], "step": event["step"]})

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
        # the curve is told at the end, after the live loss: steps go back, which only a step of one's own allows
        self.run.define_metric("*", step_metric="step")

    def close(self) -> None:
        if self.run is not None:
            self.run.finish()
            self.run = None
