"""The true labels, with the interface of pseudo labels; for methods with ``uses_labels`` only."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..base import TrainData
from .pseudo_labels import same_label


class Truth(nn.Module):
    """Finds the candidates of an anchor's class; a held-out image (label -1) is in no class.

    Raises ValueError where ``data`` has no labels.
    """

    labels: Tensor

    def __init__(self, data: TrainData):
        super().__init__()
        if data.labels is None:
            raise ValueError("the true labels are needed: the method must set uses_labels = True")
        none = data.labels.new_full((1,), -1)  # the entry of index -1, which is no image
        self.register_buffer("labels", torch.cat([data.labels, none])[None])

    def same(self, anchors: Tensor, images: Tensor) -> Tensor:
        """Whether anchor [A] and image [M] are of the same class: bool [A, M]."""
        return same_label(self.labels, anchors, images)[0]
