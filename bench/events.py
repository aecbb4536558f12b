"""Events of a cell in progress. The worker sends them to its parent, which passes them on to the display and the trackers."""

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
    """Training continues from a checkpoint."""

    progress: float


@dataclass(frozen=True)
class Progress:
    """Progress of training; loss and speed are those of the last point of the curve, None before the first."""

    progress: float
    step: int
    seconds: float
    loss: float | None = None
    images_per_second: float | None = None


@dataclass(frozen=True)
class Warned:
    """A warning for the user; the cell continues."""

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
