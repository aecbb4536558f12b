"""The supervised anchor: cross-entropy on both views under the same budget. Uses labels."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from .base import Config, Encoder, Method, TrainData


class Supervised(Method[Config]):
    name = "supervised"
    summary = "cross-entropy on the true labels, with the same views and budget"
    role = "anchor"
    uses_labels = True

    labels: Tensor

    def __init__(self, encoder: Encoder, config: Config, data: TrainData):
        super().__init__(encoder, config, data)
        self.head = nn.Linear(encoder.num_features, data.classes)
        self.register_buffer("labels", data.labels)

    def loss(self, views: list[Tensor], index: Tensor) -> Tensor:
        logits = self.head(self.encoder(torch.cat(views)))
        labels = self.labels[index].repeat(2)
        total = cross_entropy(logits.float(), labels, ignore_index=-1, reduction="sum")  # -1: a label held back
        return total / (labels >= 0).sum().clamp(min=1)
