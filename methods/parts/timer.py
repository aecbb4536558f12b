"""A timer for recurring work, counted in epochs or in progress; it survives a resume."""

from __future__ import annotations

from torch import nn

from ..base import Every


class Timer(nn.Module):
    """Counts the epochs and the progress since the work was last due."""

    def __init__(self, every: Every):
        super().__init__()
        self.every = every
        self.epochs, self.since = 0, 0.0
        self.begun = False

    def due(self, progress: float) -> bool:
        """Whether the work is due now; call this before each epoch. It is due at the first call, and restarts the interval."""
        self.epochs += 1
        share = self.every.share - 1e-9  # 3/50 - 2/50 is a little less than 0.02
        waited = self.epochs >= self.every.epochs if self.every.epochs else progress - self.since >= share
        if self.begun and not waited:
            return False
        self.epochs, self.since, self.begun = 0, progress, True
        return True

    def get_extra_state(self) -> dict:
        return {"epochs": self.epochs, "since": self.since, "begun": self.begun}

    def set_extra_state(self, state: dict) -> None:
        self.epochs, self.since, self.begun = state["epochs"], state["since"], state["begun"]
