"""Adam (Kingma and Ba 2015) for a vector of which each step updates a few entries only."""

from __future__ import annotations

import torch
from torch import Tensor, nn

BETAS, EPSILON = (0.9, 0.98), 1e-8  # GloFND's


class RowAdam(nn.Module):
    """Moments and step counts of N entries; a step changes those of its own entries only."""

    mean: Tensor
    square: Tensor
    steps: Tensor

    def __init__(self, entries: int, lr: float):
        super().__init__()
        self.lr = lr
        for name in ("mean", "square", "steps"):
            self.register_buffer(name, torch.zeros(entries))

    def step(self, index: Tensor, gradient: Tensor, active: Tensor) -> Tensor:
        """The update [B] of the entries ``index`` int64 [B] for ``gradient`` [B]; 0 unless ``active`` (bool scalar or [B])."""
        first, second = BETAS
        mean = self.mean[index].lerp(gradient, 1 - first)
        square = self.square[index].lerp(gradient.square(), 1 - second)
        steps = self.steps[index] + 1
        for buffer, value in ((self.mean, mean), (self.square, square), (self.steps, steps)):
            buffer.index_copy_(0, index, torch.where(active, value, buffer[index]))
        moved = (mean / (1 - first**steps)) / ((square / (1 - second**steps)).sqrt() + EPSILON)
        return torch.where(active, -self.lr * moved, 0.0)
