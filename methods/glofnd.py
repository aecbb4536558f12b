"""GloFND: global false negative discovery (Balmaseda et al. 2025, arXiv 2502.20612): one learned threshold for each image.

The threshold lambda of an image estimates the (1 - alpha) quantile of its similarities to all images, from one batch at a
time: Adam with the gradient alpha - (share of similarities above lambda). Negatives above it are eliminated, and the sum
over the kept ones is scaled up to all. Thresholds are learned and used from ``start`` on. They start at 1, where nothing is
eliminated, so that a short budget eliminates hardly any; `from_quantile` starts each at its quantile in the first batch
instead, an option of the authors' code.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from .base import Encoder, Fraction, Positive, TrainData
from .parts import in_batch_base
from .parts.in_batch_base import InBatchBase
from .parts.info_nce import eliminate
from .parts.row_adam import RowAdam


@dataclass(frozen=True)
class Config(in_batch_base.Config):
    alpha: Fraction = 0.01  # share of images taken for false negatives; the authors' script for ImageNet-100
    threshold_lr: Positive = 0.05  # of Adam; the same script
    from_quantile: bool = field(default=False, metadata={"later": True})  # the authors' init_quantile, off by default there too
    start: Fraction = 0.35  # share of the budget before it begins: epoch 70 of 200, the same script


class GloFnd(InBatchBase[Config]):
    name = "glofnd"
    summary = "GloFND: negatives above a threshold learned per image eliminated (Balmaseda et al. 2025)"

    thresholds: Tensor
    active: Tensor

    def __init__(self, encoder: Encoder, config: Config, data: TrainData):
        super().__init__(encoder, config, data)
        self.register_buffer("thresholds", torch.ones(data.images))
        self.register_buffer("active", torch.tensor(config.start == 0))
        self.adam = RowAdam(data.images, config.threshold_lr)

    def loss(self, views: list[Tensor], index: Tensor) -> Tensor:
        pairs = self.source.pairs(views, index)
        similarity = pairs.candidates.detach()
        self.learn(similarity, pairs.negative, index)
        above = similarity > self.thresholds[pairs.anchors][:, None]
        return eliminate(pairs, self.config.temperature, above & self.active, rescale=True)

    @torch.no_grad()
    def learn(self, similarity: Tensor, negative: Tensor, index: Tensor) -> None:
        """One step of the thresholds of the images ``index`` [B]; similarity, negative [2B, M]: both views' rows."""
        active = self.active
        if self.config.from_quantile:
            first = active & (self.thresholds[index] == 1)
            found = quantile(similarity, negative, 1 - self.config.alpha).view(2, -1).mean(0)
            self.thresholds.index_copy_(0, index, torch.where(first, found, self.thresholds[index]))
            active = active & ~first
        above = (similarity > self.thresholds[index].repeat(2)[:, None]) & negative
        share = (above.sum(1) / negative.sum(1)).view(2, -1).mean(0)
        step = self.adam.step(index, self.config.alpha - share, active)
        self.thresholds.index_add_(0, index, step).clamp_(-1, 1)

    def after_step(self, progress: float) -> None:
        self.active.fill_(progress >= self.config.start)

    def extras(self) -> dict[str, float]:
        return {"threshold": float(self.thresholds.mean())}


def quantile(similarity: Tensor, negative: Tensor, share: float) -> Tensor:
    """The quantile of each anchor's similarities [A, M] to its M - 2 negatives, linearly interpolated: [A]."""
    values = similarity.masked_fill(~negative, -2.0).sort(1).values[:, 2:]  # all but the two views of the anchor's own image
    place = share * (values.shape[1] - 1)
    low = int(place)
    return values[:, low].lerp(values[:, min(low + 1, values.shape[1] - 1)], place - low)
