"""BYOL (Grill et al. 2020, arXiv 2006.07733): predict a momentum network's projection of the other view."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from lightly.models.modules.heads import BYOLPredictionHead, BYOLProjectionHead
from torch import Tensor
from torch.nn.functional import cosine_similarity

from . import base
from .base import Choice, Encoder, Fraction, Method, Policy, TrainData, View, Width
from .parts.crops import second_solarized
from .parts.momentum import follow, rising, target_of
from .parts.single import single


@dataclass(frozen=True)
class Config(base.Config):
    hidden: Width = 1024  # lightly's CIFAR-10 benchmark; the paper, at 224 pixels: 4096
    dimension: Width = 256  # section 3.3
    # value at the start, rising to 1 at the end; solo-learn's CIFAR recipe. The paper: 0.996
    momentum: Annotated[Fraction, Choice((0.9, 0.97, 0.99, 0.996))] = 0.99
    solarize: Fraction = 0.0  # of the second view; the paper: 0.2. 0: both views are the track's


class Byol(Method[Config]):
    name = "byol"
    summary = "BYOL: predict a momentum network's view, no negatives (Grill et al. 2020)"

    def __init__(self, encoder: Encoder, config: Config, data: TrainData):
        super().__init__(encoder, config, data)
        self.head = BYOLProjectionHead(encoder.num_features, config.hidden, config.dimension)
        self.predictor = BYOLPredictionHead(config.dimension, config.hidden, config.dimension)
        self.target_encoder, self.target_head = target_of(encoder), target_of(self.head)

    @classmethod
    def views(cls, config: Config, policy: Policy, size: int) -> tuple[View, ...]:
        return second_solarized(policy, size, config.solarize)

    def loss(self, views: list[Tensor], index: Tensor) -> Tensor:
        predicted = [self.predictor(self.head(self.encoder(view))) for view in views]
        with torch.no_grad():
            targets = [self.target_head(self.target_encoder(view)) for view in views]
        return single(byol, *predicted, *targets)

    def after_step(self, progress: float) -> None:
        momentum = rising(self.config.momentum, progress)
        follow([self.target_encoder, self.target_head], [self.encoder, self.head], momentum)


def byol(first: Tensor, second: Tensor, first_target: Tensor, second_target: Tensor) -> Tensor:
    """Mean over images of 2 - 2 cos(prediction, the other view's target), both directions summed (eq. 2). Scalar."""
    cosines = cosine_similarity(first, second_target) + cosine_similarity(second, first_target)
    return (4 - 2 * cosines).mean()
