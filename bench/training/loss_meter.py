"""Collects losses in a buffer on the device; each full buffer is read one buffer later, so that the host does not wait."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..errors import Diverged

SLOTS = 64


class LossMeter:
    """The mean of the losses since the last reading; raises `Diverged` when it reads a loss that is not finite."""

    def __init__(self, device: torch.device):
        self.buffer = torch.zeros(SLOTS, device=device)
        self.filled, self.total, self.count = 0, 0.0, 0
        self._late: tuple[Tensor, torch.cuda.Event] | None = None

    def add(self, loss: Tensor) -> None:
        self.buffer[self.filled] = loss.detach()
        self.filled += 1
        if self.filled == SLOTS:
            self.flush()

    def flush(self) -> None:
        """Read the buffer; on CUDA it is copied in the background and read at the next flush."""
        if self.buffer.device.type == "cpu":
            self._read(self.buffer[: self.filled])
        else:
            self._settle()
            copy = torch.empty(self.filled, pin_memory=True)
            copy.copy_(self.buffer[: self.filled], non_blocking=True)
            event = torch.cuda.Event()
            event.record()
            self._late = (copy, event)
        self.filled = 0

    def read(self) -> float:
        """The mean since the last reading; waits for the device."""
        self.flush()
        self._settle()
        mean = self.total / self.count if self.count else math.nan
        self.total, self.count = 0.0, 0
        return mean

    def state(self) -> dict:
        self.flush()
        self._settle()
        return {"total": self.total, "count": self.count}

    def restore(self, state: dict) -> None:
        self.total, self.count, self.filled = state["total"], state["count"], 0

    def _settle(self) -> None:
        if self._late is not None:
            copy, event = self._late
            event.synchronize()
            self._late = None
            self._read(copy)

    def _read(self, losses: Tensor) -> None:
        for loss in losses.tolist():
            if not math.isfinite(loss):
                raise Diverged(f"the loss became {loss}")
            self.total += loss
            self.count += 1
