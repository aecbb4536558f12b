"""Writes the status file of a run in progress, which the report of `report --watch` shows."""

from __future__ import annotations

import json
import time
from pathlib import Path

from ..events import Event, Phase, Progress
from ..reporting.watch import FILE, StatusFile
from ..storage import write_atomically
from .scheduler import Task

WRITE_EVERY = 2.0  # seconds


class StatusSink:
    """A `Sink` that keeps the status file up to date; `close` removes it."""

    def __init__(self, out: Path):
        self.path, self._written = out / FILE, 0.0

    def on_event(self, task: Task, event: Event) -> None:
        status: StatusFile
        match event:
            case Progress(progress=progress, loss=loss, seconds=seconds):
                status = {"progress": progress, "seconds": seconds}
                if loss is not None:
                    status["loss"] = loss
            case Phase(name, float(progress)):
                status = {"progress": progress, "phase": name}
            case _:
                return
        if time.monotonic() - self._written >= WRITE_EVERY:
            self._written = time.monotonic()
            write_atomically(self.path, json.dumps({"cell": str(task.cell), **status}))

    def close(self) -> None:
        self.path.unlink(missing_ok=True)
