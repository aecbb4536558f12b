"""Decides when a training run saves its state, and restores a saved state."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable
from pathlib import Path

import torch

from ..budget import Budget
from ..errors import Stopped
from ..storage import sweep
from . import checkpoint
from .trainer import Trainer

SHARE, SECONDS = 0.05, 600.0  # default interval of checkpoints: this share of the budget or this time, whichever is shorter
INFINITE = math.inf
DEAREST = 0.02  # largest share of the time that checkpoints may take
Say = Callable[[str], None]


class Checkpointer:
    """Saves a trainer to ``path`` at an interval, near the end of training, and when ``stop()`` returns a signal's number.

    The interval is ``every``, else the shorter of 5% of the budget and 10 minutes; it is extended where writing took more
    than 2% of it, also at the end of training. After a save because of a signal, `Stopped` is raised.
    """

    def __init__(self, path: Path, identity: str, every: Budget | None, stop: Callable[[], int]):
        self.path, self.identity, self.every, self.stop = path, identity, every, stop
        self.share, self.seconds = (SHARE, SECONDS) if every is None else (INFINITE, every.seconds or INFINITE)
        self.steps = INFINITE
        self.cost, self.at, self.step, self.progress = 0.0, time.perf_counter(), 0, 0.0

    def resume(self, trainer: Trainer, say: Say) -> bool:
        """Restore ``trainer`` from a checkpoint, if any, and begin the first interval; returns whether there was one."""
        sweep(self.path)
        state = checkpoint.load(self.path, self.identity, trainer.device, say)
        if state is not None:
            trainer.restore(state)
        if self.every is not None:
            work = trainer.spending.work if self.every.flops else None
            steps = self.every.steps(trainer.loader.steps_per_epoch, trainer.training.batch_size, work.step if work else 0)
            self.steps = steps if steps > 0 else INFINITE
        self._mark(trainer)
        return state is not None

    def due(self, trainer: Trainer) -> bool:
        if self.stop():
            return True
        since = time.perf_counter() - self.at
        if since * DEAREST < self.cost:
            return False
        progress = trainer.progress
        reached = trainer.step - self.step >= self.steps or progress - self.progress >= self.share - 1e-9 or since >= self.seconds
        return reached or progress >= 1

    def save(self, trainer: Trainer) -> None:
        begun = time.perf_counter()
        checkpoint.save(self.path, self.identity, trainer.state())
        self.cost = time.perf_counter() - begun
        self._mark(trainer)
        if number := self.stop():
            raise Stopped(number)

    def _mark(self, trainer: Trainer) -> None:
        self.at, self.step, self.progress = time.perf_counter(), trainer.step, trainer.progress


def shape_of(module: torch.nn.Module) -> str:
    """A hash (eight digits) of the names, shapes and types in a module's state: only a state of equal shape can be restored."""
    described = [
        (key, tuple(value.shape), str(value.dtype)) if torch.is_tensor(value) else (key, type(value).__name__)
        for key, value in module.state_dict().items()
    ]
    return hashlib.sha256(repr(described).encode()).hexdigest()[:8]
