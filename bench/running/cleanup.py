"""Removes what a run leaves that was killed after it had written a record: the cell's checkpoints, and its claim."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..training import checkpoint
from .claims import Claims, generations
from .scheduler import Task


def remove(tasks: Iterable[Task], out: Path) -> None:
    """Remove the leftovers of those ``tasks`` that have a good record of today's settings and data.

    A checkpoint of other settings, another seed or other data stays, and so does all of a cell that another run is
    computing. Raises `StorageError` where no claim can be made.
    """
    for task in tasks:
        fingerprint = task.existing.data.get("fingerprint") if task.existing else None
        if task.existing is None or task.existing.status != "ok" or task.stale or not fingerprint:
            continue
        record, kept = out / task.cell.record_path, task.job.runs / task.cell.checkpoint_path
        if not (kept.exists() or checkpoint.previous(kept).exists() or generations(record)):
            continue
        claim = Claims(by_age=True).take(record)
        if claim is None:
            continue
        with claim:  # which removes dead claims when it ends
            if task.left(out):
                checkpoint.discard(kept, task.cell.identity(fingerprint))
