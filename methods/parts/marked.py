"""The number of candidates that a method treats as false negatives."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .pairs import Pairs


class Marked(nn.Module):
    """Mean number for each anchor in the last step, over anchors and, where there are several, label sets."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(()), persistent=False)

    @torch.no_grad()
    def note(self, pairs: Pairs, false: Tensor) -> None:
        """Count the negatives among those marked ``false``, bool [..., A, M]."""
        self.mean.copy_((pairs.negative & false).sum(-1).to(self.mean.dtype).mean())
