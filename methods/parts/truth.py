"""The true labels, asked as pseudo labels are asked. For methods that use labels only."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..base import TrainData
from .pseudo_labels import same_label


class Truth(nn.Module):
    """Which candidates are of an anchor's class; an image whose label is held back (-1) is in no class.

    Raises ValueError where the data came without labels.
    """

    labels: Tensor

    def __init__(self, data: TrainData):
        super().__init__()
        if data.labels is None:
            raise ValueError("the true labels are needed: the method must set uses_labels = True")
        nobody = data.labels.new_full((1,), -1)  # answers for index -1, no image
        self.register_buffer("labels", torch.cat([data.labels, nobody])[None])

    def same(self, anchors: Tensor, images: Tensor) -> Tensor:
        """Which images [M] are of the class of which anchors [A]: bool [A, M]."""
        return same_label(self.labels, anchors, images)[0]
