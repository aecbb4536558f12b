"""A bank of the projections that training steps computed, one row for each train image."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Bank(nn.Module):
    """The latest projection of each of N images: of an augmented view, by the network of the step that computed it."""

    features: Tensor
    seen: Tensor

    def __init__(self, images: int, dimension: int):
        super().__init__()
        self.register_buffer("features", torch.zeros(images, dimension))
        self.register_buffer("seen", torch.zeros(images, dtype=torch.bool))

    @torch.no_grad()
    def store(self, index: Tensor, projections: Tensor) -> None:
        """Keep ``projections`` float [B, D] of the images ``index`` int64 [B]."""
        self.features.index_copy_(0, index, projections)
        self.seen.index_fill_(0, index, True)
