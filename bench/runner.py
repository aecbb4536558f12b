"""Runs the cells that are due, each in a child process, and writes a record for each, whatever became of it."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from . import cell as cell_module
from . import environment, records
from .cell import Job
from .plan import Cell, OnExisting
from .records import Record


@dataclass(frozen=True)
class Task:
    """A cell, the job that computes it, and the record it has already, if any."""

    cell: Cell
    job: Job
    existing: Record | None
    stale: tuple[str, ...] = ()  # why the existing record is not what this cell would give today

    def due(self, on_existing: OnExisting) -> bool:
        if self.existing is None or on_existing == "rerun":
            return True
        if on_existing == "stale":
            return bool(self.stale)
        return on_existing == "failed" and self.existing.status != "ok"


def run_all(tasks: Sequence[Task], out: Path, hear: Callable[[Task, dict[str, Any]], None]) -> list[Record]:
    """Run ``tasks`` in order; ``hear(task, event)`` follows them. Returns their records, which are written already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([f"{__package__}.warm"])
    done = []
    for task in tasks:
        hear(task, {"phase": "start"})
        record = _run(context, task, hear)
        records.write(record, out / task.cell.record_path)
        if record.status == "ok":
            checkpoint = task.job.runs / task.cell.folder / f"seed{task.cell.seed}.checkpoint"
            checkpoint.unlink(missing_ok=True)
        hear(task, {"phase": "done", "record": record})
        done.append(record)
    return done


def _run(context, task: Task, hear: Callable[[Task, dict[str, Any]], None]) -> Record:
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=cell_module.main, args=(task.job, theirs), daemon=True)
    child.start()
    theirs.close()
    last: dict[str, Any] = {}
    try:
        while True:
            event = ours.recv()
            last = event if "record" in event or "failure" in event else last
            hear(task, event)
    except EOFError:
        child.join()
    finally:
        if child.is_alive():
            child.terminate()
            child.join()
    if "record" in last:
        return last["record"]
    failed = replace(cell_module.blank(task.cell), environment=environment.describe(torch.device(task.job.device)))
    if "failure" in last:
        return replace(failed, status=last["status"], error=last["failure"])
    return replace(failed, status="killed", error={"exception": _fate(child.exitcode), "traceback": ""})


def _fate(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        name = signal.Signals(-exitcode).name
        return f"the cell's process was ended by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
    return f"the cell's process ended with exit code {exitcode} and no record"
