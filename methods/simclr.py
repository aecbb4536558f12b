"""SimCLR (Chen et al. 2020, arXiv 2002.05709): contrast the two views of an image with the rest of the batch."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from . import base
from .base import Count, Encoder, Method, Positive, TrainData
from .parts.info_nce import info_nce
from .parts.pairs import InBatch


@dataclass(frozen=True)
class Config(base.Config):
    temperature: Positive = 0.2  # solo-learn's CIFAR recipe; 0.2 to 0.5 in use on small images
    dimension: Count = 128  # SimCLR, section 4.2


class SimCLR(Method):
    name = "simclr"
    summary = "SimCLR: in-batch InfoNCE (Chen et al. 2020)"
    config_type = Config
    baseline = True

    def __init__(self, encoder: Encoder, config: Config, data: TrainData):
        super().__init__(encoder, config, data)
        self.config = config
        self.source = InBatch(encoder, config.dimension)

    def loss(self, views: list[Tensor], index: Tensor) -> Tensor:
        return info_nce(self.source.pairs(views, index), self.config.temperature)
