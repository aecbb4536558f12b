"""The budget clock: runs while training, stands still during evaluation, checkpoints and compilation."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch


@dataclass
class Clock:
    """Seconds of training, and of each thing that is accounted for by itself."""

    device: torch.device
    train: float = 0.0
    apart: dict[str, float] = field(default_factory=dict)  # detect is part of train, the others are not
    _since: float | None = None

    def seconds(self) -> float:
        """Training time so far."""
        return self.train + (0.0 if self._since is None else time.perf_counter() - self._since)

    def start(self) -> None:
        self._since = time.perf_counter()

    def stop(self) -> None:
        """Stop once the device has done what it was given."""
        if self._since is not None:
            self._wait()
            self.train += time.perf_counter() - self._since
            self._since = None

    @contextlib.contextmanager
    def paused(self, name: str) -> Iterator[None]:
        """Account the block to ``name``; it costs no budget."""
        self.stop()
        try:
            with self._timed(name):
                yield
        finally:
            self.start()

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Account the block to ``name`` too, less what is paused in it; it is paid from the budget."""
        self._wait()
        begun = self.seconds()
        try:
            yield
        finally:
            self._wait()
            self.apart[name] = self.apart.get(name, 0.0) + self.seconds() - begun

    @contextlib.contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        begun = time.perf_counter()
        try:
            yield
        finally:
            self._wait()
            self.apart[name] = self.apart.get(name, 0.0) + time.perf_counter() - begun

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def state(self) -> dict:
        return {"train": self.train, "apart": dict(self.apart)}

    def restore(self, state: dict) -> None:
        self.train, self.apart = state["train"], dict(state["apart"])
