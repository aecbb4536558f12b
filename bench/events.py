"""Events of a cell while it is computed: from the worker to its parent, and from there to the display and the trackers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .records import Record, Status


@dataclass(frozen=True)
class Started:
    """The parent has claimed the cell and starts its process."""


@dataclass(frozen=True)
class Phase:
    """The worker begins a part of its work; ``progress`` is the share of the budget spent, where it is known."""

    name: str  # set up, train, evaluate, or evaluate with an evaluator's name
    progress: float | None = None


@dataclass(frozen=True)
class Resumed:
    """Training goes on from a checkpoint."""

    progress: float


@dataclass(frozen=True)
class Progress:
    """Training after ``step`` steps and ``seconds``; loss and speed are those of the curve's last point, None before."""

    progress: float
    step: int
    seconds: float
    loss: float | None = None
    images_per_second: float | None = None


@dataclass(frozen=True)
class Warned:
    """A line that the user must see; the cell goes on."""

    line: str


@dataclass(frozen=True)
class Waiting:
    """Another run computes the last ``cells`` of this one."""

    cells: int


@dataclass(frozen=True)
class Computed:
    """The worker has ended with a record."""

    record: Record


@dataclass(frozen=True)
class Failed:
    """The worker has ended with an exception."""

    status: Status  # of the record
    error: Mapping[str, str]  # exception, traceback


@dataclass(frozen=True)
class StorageFailed:
    """The worker has ended because a file could not be written."""

    why: str


@dataclass(frozen=True)
class Interrupted:
    """The worker has ended as a signal asked it to; its checkpoint is written."""

    why: str


@dataclass(frozen=True)
class Recorded:
    """The parent has written the cell's record."""

    record: Record


Ending = Computed | Failed | StorageFailed | Interrupted
Event = Started | Phase | Resumed | Progress | Warned | Waiting | Ending | Recorded
