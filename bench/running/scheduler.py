"""Runs the cells that are due, each in a child process, and writes a record for each, also where it failed."""

from __future__ import annotations

import math
import multiprocessing
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

import torch

from .. import environment, records, standstill
from ..cells import Cell, OnExisting
from ..datasets.workers import starting
from ..errors import StorageError, UserError
from ..evaluation.evaluator import Evaluator, lacking
from ..events import (
    Computed,
    Ending,
    Event,
    Failed,
    Interrupted,
    Phase,
    Progress,
    Recorded,
    Started,
    StorageFailed,
    Waiting,
    Warned,
)
from ..records import Record
from ..storage import sweep
from ..training import checkpoint
from . import places, worker
from .cell import Job, blank
from .claims import Claim, Claims, is_stopped
from .signals import Stop, name_of

LOOK = 0.2  # seconds between two looks at signals, time limits and claims
LOST = 30.0  # seconds without a look after which the claim may be another run's
WAIT = 1.0  # seconds between two looks at cells that another run computes
GRACE = 5.0  # seconds that a cell has to end when it is asked to
PATIENCE = 20.0  # seconds that a step of training and a checkpoint have after SIGTERM: SLURM kills after 30
OnEvent = Callable[["Task", Event], None]


@dataclass(frozen=True)
class Task:
    """The job that computes a cell, and the record that the cell has already, if any."""

    job: Job
    existing: Record | None
    stale: tuple[str, ...] = ()  # why the existing record is not what this cell would give today
    lacks: tuple[Evaluator, ...] = ()  # of those asked for, what a good record of today has not been judged by
    identity: str = ""  # of the cell on the data of today
    stamp: places.Stamp | None = None  # of the existing record's file
    done: bool = False  # the existing record is of the run of which this one is a share

    @property
    def cell(self) -> Cell:
        return self.job.cell

    def due(self, on_existing: OnExisting) -> bool:
        if self.existing is None or self.job.completes is not None:
            return True
        if on_existing == "rerun":
            return not self.done
        if on_existing == "stale":
            return bool(self.stale)
        return on_existing == "failed" and self.existing.status != "ok" and not self.done

    def completing(self) -> Task:
        """This task as one that does no more than add to the record what it lacks, where its encoder is still there."""
        encoder, before = self.cell.encoder_path, self.cell.before(self.cell.encoder_path)
        there = not self.cell.recipe.method.trains or any((self.job.runs / path).is_file() for path in (encoder, before))
        return replace(self, job=replace(self.job, evaluators=self.lacks, completes=self.existing)) if there else self

    def left(self, out: Path) -> Task | None:
        """What of this task is left: nothing where another run has written the record since this run was planned.

        Where the record that it wrote, or added to, lacks what this task was to find, it is to add that.
        """
        found = places.find(self.cell, out)
        if (found and found.stamp) == self.stamp:
            return self
        if found is None or found.record.status != "ok" or (self.existing is not None and self.job.completes is None):
            return None
        lacks = lacking(found.record.metrics, found.record.evaluators, self.job.evaluators)
        more = replace(self, existing=found.record, stamp=found.stamp, lacks=lacks).completing()
        return more if lacks and more.job.completes is not None else None


def run_all(
    tasks: Sequence[Task], out: Path, on_event: OnEvent, stop: Stop, timeout: float | None = None, campaign: str = ""
) -> None:
    """Run ``tasks`` in order, leaving to other runs on ``out`` what they have begun, until each has a record.

    ``on_event(task, event)`` follows them; ``timeout`` is in seconds a cell; claims name the ``campaign``. Raises `Stopped`
    when a signal came, and `StorageError`; the cell that was running then has a checkpoint and no record.
    """
    claims, waiting = Claims(campaign), False
    while tasks:
        elsewhere = []
        for task in tasks:
            stop.check()
            if not task.left(out):
                continue
            claim = claims.take(out / task.cell.record_path)
            if claim is None:
                elsewhere.append(task)
                continue
            with claim:
                left = task.left(out)  # the record may have been written before the claim was free
                if left and not _compute(left, out, on_event, stop, timeout, claim):
                    elsewhere.append(task)
        tasks = [task for task in elsewhere if task.left(out)]
        if tasks:
            if not waiting:
                on_event(tasks[0], Waiting(len(tasks)))
            waiting = True
            time.sleep(WAIT)


def _compute(task: Task, out: Path, on_event: OnEvent, stop: Stop, timeout: float | None, claim: Claim) -> bool:
    """Compute the cell of ``task``; False where another run has taken it over meanwhile."""
    path = out / task.cell.record_path
    sweep(path)
    sweep(task.job.runs / task.cell.encoder_path)
    on_event(task, Started())
    record = _Process(task, on_event, stop, timeout, claim).result()
    if not claim.held():
        on_event(task, Warned("another run took this cell over, as this machine gave no sign of life; its record counts"))
        return False
    if task.job.completes is not None and record.status != "ok":
        on_event(task, Warned(f"the record stays as it is: {(record.error or {}).get('exception')}"))
        return True
    records.write(record, path)
    if record.status == "ok":
        checkpoint.discard(task.job.runs / task.cell.checkpoint_path)
    on_event(task, Recorded(record))
    return True


class _Process:
    """A cell's process, and the parent's end of the messages between them."""

    def __init__(self, task: Task, on_event: OnEvent, stop: Stop, timeout: float | None, claim: Claim):
        self.task, self.on_event, self.stop, self.timeout, self.claim = task, on_event, stop, timeout, claim
        self.ending: Ending | None = None
        self.training = self.late = self.given_up = False
        standstill.watch()
        self.begun, self.asked = standstill.now(), 0.0  # when the process was asked to end, if it was
        self.looked, self.awake = self.begun, time.time()

    def result(self) -> Record:
        """Its record, when it has ended."""
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([f"{__package__}.preload"])
        ours, theirs = context.Pipe(duplex=False)
        self.process = context.Process(target=worker.main, args=(self.task.job, theirs), daemon=True)
        try:
            with starting():
                self.process.start()
        except (EOFError, ConnectionError):  # of the fork server
            self.stop.check()  # a signal to the whole group of processes ends it too
            raise UserError("the process that starts cells has ended (out of memory?); the same command goes on") from None
        theirs.close()
        try:
            while not self._ended(ours):
                self._look()
            self.process.join(GRACE)
        finally:
            if self.process.is_alive():
                self.process.kill()
                self.process.join()
        return self._record()

    def _ended(self, pipe: Connection) -> bool:
        """Take a message, if one comes within LOOK seconds; whether the process has closed the pipe."""
        if not pipe.poll(LOOK):
            return False
        try:
            event = pipe.recv()
        except (EOFError, OSError):  # also when it was killed in the middle of a message
            return True
        self._take(event)
        return False

    def _take(self, event: Event) -> None:
        match event:
            case Phase(name, progress):
                self.training = name == "train"
                self.claim.beat(at_once=True, phase=name, progress=progress)
            case Progress(progress=progress, images_per_second=rate):
                self.claim.beat(progress=progress, images_per_second=rate)
            case Computed() | Failed() | StorageFailed() | Interrupted():
                self.ending = event
        self.on_event(self.task, event)

    def _look(self) -> None:
        now, clock = standstill.now(), time.time()
        if clock - self.awake > LOST and not self.claim.held():  # after a sleep another run may have this cell, and its encoder
            self.process.kill()
        self.awake = clock
        self.claim.beat()
        if is_stopped(self.process.pid):
            self.begun += now - self.looked  # the time limit is of the time that it could use
        self.looked = now
        self.late = self.late or (not self.asked and self.timeout is not None and now - self.begun > self.timeout)
        if (self.late or self.stop.look()) and not self.asked:
            self.asked = now
            self.process.terminate()
        patient = self.training and not self.late  # a step may take longer; a second SIGINT need not wait for it
        if self.asked and now - self.asked > self._patience(patient):
            if patient and not self.given_up:
                self.given_up = True
                self.on_event(self.task, Warned(f"no end of the step after {PATIENCE:.0f} s: the last checkpoint is relied on"))
            self.process.kill()

    def _patience(self, training: bool) -> float:
        """Seconds that the process has to end: a person can wait for the step after Ctrl-C, a cluster kills after 30 s."""
        if not training:
            return GRACE
        return PATIENCE if self.stop.number == signal.SIGTERM else math.inf

    def _record(self) -> Record:
        match self.ending:
            case Computed(record):
                return record
            case StorageFailed(why):
                raise StorageError(why)
        if not self.late:
            self.stop.check()  # before any failure: what ends a whole group of processes makes some of them stumble
        failed = replace(blank(self.task.cell), environment=environment.describe(torch.device(self.task.job.device)))
        if isinstance(self.ending, Failed):
            return replace(failed, status=self.ending.status, error=dict(self.ending.error))
        if self.late:
            return replace(failed, status="timeout", error=_plain(f"the cell ran longer than --cell-timeout {self.timeout:g}s"))
        why = self.ending.why if isinstance(self.ending, Interrupted) else _how_it_ended(self.process.exitcode)
        return replace(failed, status="killed", error=_plain(why))


def _plain(why: str) -> dict[str, str]:
    return {"exception": why, "traceback": ""}


def _how_it_ended(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        name = name_of(-exitcode)
        return f"the cell's process was ended by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
    return f"the cell's process ended with exit code {exitcode} and no record"
