"""The training loop, the same for every method, until the budget is spent."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from .. import standstill
from ..budget import Budget
from ..datasets.loader import Loader, evaluation_batches
from ..errors import BudgetSpent
from ..evaluation.detection import Detection, Rater
from ..evaluation.features import extract
from ..events import Progress
from ..methods import Method
from ..recipe import Training
from . import optimizer
from .clock import Clock
from .loss_call import LossCall, autocast, choose
from .loss_meter import LossMeter
from .spending import UNKNOWN, Spending

POINTS = 100  # most points of a learning curve; at most one an epoch, except under a budget of time
TELL_EVERY = 0.5  # seconds between two `Progress` events
AHEAD = 2  # steps that the host may run ahead of a GPU under a budget of time


@dataclass(frozen=True)
class Callbacks:
    """The callbacks of a `Trainer`; the budget clock runs only during ``tell``.

    ``measure(trainer, progress)`` returns further values for a point of the curve. ``save`` is called after each step for
    which ``save_due`` is true. ``rater`` rates the method's detections; the rating is in the next point of the curve.
    """

    tell: Callable[[Progress], None] = lambda event: None
    measure: Callable[[Trainer, float], dict[str, float]] = lambda trainer, progress: {}
    save_due: Callable[[Trainer], bool] = lambda trainer: False
    save: Callable[[Trainer], None] = lambda trainer: None
    rater: Rater | None = None


class Trainer:
    """Trains ``method`` until the budget is spent."""

    def __init__(
        self,
        method: Method,
        loader: Loader,
        training: Training,
        budget: Budget,
        device: torch.device,
        callbacks: Callbacks | None = None,
    ):
        self.callbacks = callbacks or Callbacks()
        self.method, self.loader, self.training, self.budget, self.device = method, loader, training, budget, device
        self.total_steps = budget.steps(loader.steps_per_epoch, training.batch_size)
        self.groups = optimizer.groups_of(method, training)
        self.optimizer = optimizer.build(self.groups, training, device)
        self.clock, self.meter = Clock(device), LossMeter(device)
        self.spending = Spending(method, loader, budget.flops, device)
        self.step = 0
        self.curve: list[dict[str, Any]] = []
        self.call = LossCall(method.loss)
        self._rating: Detection = {}
        self._told = 0.0
        self._last_detection = 0.0
        self._point_step, self._point_seconds = 0, 0.0
        self._events: deque[torch.cuda.Event] = deque()

    @property
    def progress(self) -> float:
        """Share of the budget spent, in [0, 1]."""
        if self.budget.seconds is not None:
            return min(1.0, self.clock.seconds() / self.budget.seconds)
        if self.budget.flops is not None:
            return self.spending.progress
        return min(1.0, self.step / self.total_steps)

    def fit(self) -> None:
        """Train to the end of the budget. Raises `Diverged`, and RuntimeError where it does not suffice for a step."""
        self.method.train()
        with self.clock.paused("compile"):
            self.spending.count()
            self.call = choose(self.method, self.training, lambda: self.loader.batch(self.step), self.device)
        try:
            while self.progress < 1:
                if self.step % self.loader.steps_per_epoch == 0:
                    self._before_epoch()
                    if self.spending.full:  # the detection took what the next step needs
                        break
                self.train_step()
                self._after_step()
        except BudgetSpent:
            pass
        if not self.step:
            raise RuntimeError(f"the budget of {self.budget} was spent before the first step; give a larger one")
        if self.step > self._point_step:
            self._point()
        elif self.curve:  # a detection took what was left
            self.curve[-1]["progress"] = self.progress
        self.clock.stop()

    def train_step(self) -> None:
        """One batch, one step of the optimizer."""
        progress = self.progress
        optimizer.set_rates(self.optimizer, self.groups, self.training, progress)
        self.method.progress.fill_(progress)
        views, index = self.loader.batch(self.step)
        with autocast(self.training, self.device):
            loss = self.call.loss(views, index)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.limit_gradients(self.groups, self.training, progress)
        self.optimizer.step()
        self.meter.add(loss)
        self.step += 1
        self.spending.steps = self.step
        self._limit_lead()
        self.method.after_step(self.progress)

    def _after_step(self) -> None:
        if self._point_due():
            self._point()
        if self.callbacks.save_due(self):
            with self.clock.paused("checkpoint"):
                self.callbacks.save(self)
        if time.perf_counter() - self._told > TELL_EVERY:
            self._told = time.perf_counter()
            latest = {key: self._last(key) for key in ("loss", "images_per_second")}
            event = Progress(self.progress, self.step, self.clock.seconds(), **latest)
            told = standstill.now()
            self.callbacks.tell(event)
            self.clock.exclude(standstill.now() - told)  # a stopped parent reads no messages, and the pipe fills up

    def _before_epoch(self) -> None:
        """Call the method's ``before_epoch``, which costs budget; it is left out where too little budget is left."""
        if self.budget.seconds is not None and self._last_detection > self.budget.seconds - self.clock.seconds():
            return
        if not self.spending.fits():
            return
        rater = self.callbacks.rater
        if rater is not None:
            with self.clock.paused("eval"):
                rater.before_detection()
        progress, begun = self.progress, self.clock.apart.get("detect", 0.0)
        with self.clock.part("detect"), self.spending.detecting():
            self.method.before_epoch(progress, self.embed)
        spent = self.clock.apart["detect"] - begun
        self._last_detection = max(self._last_detection, spent)
        if rater is not None:
            with self.clock.paused("eval"):
                rating = rater.rating()
            if rating is not None:
                rated = {"progress": progress, "seconds": spent, **rating}
                self._rating = {f"detect_{key}": value for key, value in rated.items()}

    def embed(self, network: nn.Module) -> Tensor:
        """Features [N, D] of the un-augmented train images in order, in the precision of training; this costs budget.

        Raises `BudgetSpent` when time runs out, or where too few operations are left.
        """
        with self.clock.paused("compile"):
            self.spending.embed(network)

        def check() -> None:
            if self.budget.seconds is not None and self.progress >= 1:
                raise BudgetSpent

        loader = self.loader
        batches = evaluation_batches(loader.store, loader.policy, loader.size, self.device)
        return extract(network, batches, self.device, check, partial(autocast, self.training))

    def _point_due(self) -> bool:
        if self.progress >= 1:  # before the last checkpoint, as methods tell of the last step without keeping it
            return True
        if self.step % self.loader.steps_per_epoch and self.budget.seconds is None:
            return False
        last = self.curve[-1]["progress"] if self.curve else 0.0
        return self.progress - last >= 1 / POINTS - 1e-9 or bool(self._rating)

    def _point(self) -> None:
        """Add a point to the curve."""
        seconds, steps = self.clock.seconds(), self.step
        elapsed = max(1e-9, seconds - self._point_seconds)
        point = {
            "progress": self.progress,
            "step": steps,
            "epoch": steps / self.loader.steps_per_epoch,
            "loss": self.meter.read(),
            "lr": self.optimizer.param_groups[0]["lr"],
            "seconds": seconds,
            "images_per_second": (steps - self._point_step) * self.training.batch_size / elapsed,
        }
        self._point_step, self._point_seconds = steps, seconds
        rating, self._rating = self._rating, {}
        with self.clock.paused("eval"):
            self.curve.append(point | rating | self.method.extras() | self.callbacks.measure(self, point["progress"]))

    def _last(self, key: str) -> float | None:
        return self.curve[-1].get(key) if self.curve else None

    def _limit_lead(self) -> None:
        """Under a budget of time, let the host run at most AHEAD steps ahead of the GPU, so that its clock is right."""
        if self.device.type != "cuda" or self.budget.seconds is None:
            return
        event = torch.cuda.Event()
        event.record()
        self._events.append(event)
        if len(self._events) > AHEAD:
            self._events.popleft().synchronize()

    def state(self) -> dict[str, Any]:
        """The complete state for a resume. The loader needs only ``step``."""
        return {
            "method": self.method.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "clock": self.clock.state(),
            "meter": self.meter.state(),
            "curve": self.curve,
            "point": [self._point_step, self._point_seconds],
            "last_detection": self._last_detection,
            "spending": self.spending.state(),
            "verdict": self._rating,
            "rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a `state` of the same recipe, seed and code."""
        self.method.load_state_dict(state["method"], strict=True)
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.curve = state["step"], list(state["curve"])
        self.clock.restore(state["clock"])
        self.meter.restore(state["meter"])
        self._point_step, self._point_seconds = state["point"]
        self._last_detection = state["last_detection"]
        self.spending.restore(self.step, state.get("spending", UNKNOWN))
        self._rating = state["verdict"]
        torch.set_rng_state(state["rng"])
        if state["cuda_rng"] is not None:
            torch.cuda.set_rng_state(state["cuda_rng"], self.device)
