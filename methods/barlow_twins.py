"""Barlow Twins (Zbontar et al. 2021, arXiv 2103.03230): push the cross-correlation of the two views towards the identity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from lightly.loss import BarlowTwinsLoss
from lightly.models.modules.heads import BarlowTwinsProjectionHead
from torch import Tensor

from . import base
from .base import Encoder, Fraction, Log, Method, NonNegative, Policy, Positive, TrainData, View, Width
from .parts.crops import second_solarized
from .parts.single import single


@dataclass(frozen=True)
class Config(base.Config):
    dimension: Width = 2048  # of every layer of the projector; lightly's and solo-learn's for CIFAR. The paper: 8192
    off_diagonal: Annotated[NonNegative, Log(5e-4, 5e-2)] = 5e-3  # weight of the redundancy term; section 2.2
    scale: Positive = 5e-4  # of the loss, a sum over units, so nearly their mean: our choice, for SGD. The paper, with LARS: 1
    solarize: Fraction = 0.0  # of the second view; the paper: 0.2. 0: both views are the track's


class BarlowTwins(Method[Config]):
    name = "barlow_twins"
    summary = "Barlow Twins: push the views' cross-correlation to the identity (Zbontar et al. 2021)"

    def __init__(self, encoder: Encoder, config: Config, data: TrainData):
        super().__init__(encoder, config, data)
        self.head = BarlowTwinsProjectionHead(encoder.num_features, config.dimension, config.dimension)
        self.criterion = BarlowTwinsLoss(config.off_diagonal)

    @classmethod
    def views(cls, config: Config, policy: Policy, size: int) -> tuple[View, ...]:
        return second_solarized(policy, size, config.solarize)

    def loss(self, views: list[Tensor], index: Tensor) -> Tensor:
        projected = [self.head(self.encoder(view)) for view in views]
        return self.config.scale * single(self.criterion, *projected)
