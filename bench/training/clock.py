"""The budget clock: it runs during training, and stops during evaluation, checkpoints, compilation and standstills."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch

from .. import standstill

MOMENT = 0.5  # seconds; shorter waits for the parent count as training


@dataclass
class Clock:
    """Seconds of training, and of each activity with an account of its own."""

    device: torch.device
    train: float = 0.0
    apart: dict[str, float] = field(default_factory=dict)  # by activity; ``detect`` is also part of train, the others are not
    _since: float | None = None
    _stood: float = field(default_factory=standstill.seconds)  # seconds that this process was stopped before

    def seconds(self) -> float:
        """Training time so far."""
        return self.train + (0.0 if self._since is None else standstill.now() - self._since)

    @property
    def stopped(self) -> float:
        """Seconds in which the process was stopped or waited for its parent; no other account includes them."""
        return self.apart.get("stopped", 0.0) + standstill.seconds() - self._stood

    def exclude(self, seconds: float) -> None:
        """Subtract ``seconds`` in which the run waited for its parent, if they are more than MOMENT."""
        if self._since is not None and seconds > MOMENT:
            self._since += seconds
            self.apart["stopped"] = self.apart.get("stopped", 0.0) + seconds

    def start(self) -> None:
        self._since = standstill.now()

    def stop(self) -> None:
        """Stop once the device has finished its work."""
        if self._since is not None:
            self._wait()
            self.train += standstill.now() - self._since
            self._since = None

    @contextlib.contextmanager
    def paused(self, name: str) -> Iterator[None]:
        """Account the block to ``name``, off the budget."""
        self.stop()
        try:
            with self._timed(name):
                yield
        finally:
            self.start()

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Account the block to ``name`` and to the budget, without the parts of it that are `paused`."""
        self._wait()
        begun = self.seconds()
        try:
            yield
        finally:
            self._wait()
            self.apart[name] = self.apart.get(name, 0.0) + self.seconds() - begun

    @contextlib.contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        begun = standstill.now()
        try:
            yield
        finally:
            self._wait()
            self.apart[name] = self.apart.get(name, 0.0) + standstill.now() - begun

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def state(self) -> dict:
        return {"train": self.train, "apart": self.apart | {"stopped": self.stopped}}

    def restore(self, state: dict) -> None:
        self.train, self.apart = state["train"], dict(state["apart"])
        self._stood = standstill.seconds()
