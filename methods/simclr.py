"""SimCLR (Chen et al. 2020, arXiv 2002.05709): contrast the two views of an image with the rest of the batch."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from .base import Positive
from .parts import in_batch_base
from .parts.in_batch_base import InBatchBase
from .parts.info_nce import info_nce


@dataclass(frozen=True)
class Config(in_batch_base.Config):
    temperature: Positive = 0.2  # solo-learn's CIFAR recipe; 0.2 to 0.5 in use on small images


class SimCLR(InBatchBase):
    name = "simclr"
    summary = "SimCLR: in-batch InfoNCE (Chen et al. 2020)"
    config_type = Config
    baseline = True

    def loss(self, views: list[Tensor], index: Tensor) -> Tensor:
        return info_nce(self.source.pairs(views, index), self.config.temperature)
