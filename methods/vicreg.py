"""VICReg (Bardes et al. 2022, arXiv 2105.04906): equal views, units of variance 1 and without correlation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from lightly.models.modules.heads import VICRegProjectionHead
from torch import Tensor
from torch.nn.functional import mse_loss, relu

from . import base
from .base import Encoder, Fraction, Log, Method, NonNegative, Policy, Positive, TrainData, View, Width
from .parts.crops import second_solarized
from .parts.single import single


@dataclass(frozen=True)
class Config(base.Config):
    dimension: Width = 2048  # of every layer of the projector; solo-learn's for CIFAR. The paper: 8192
    invariance: NonNegative = 25.0  # section 4.2
    variance: NonNegative = 25.0  # weight of the mean over both views, as the authors' code; eq. 6 and solo-learn take the sum
    covariance: Annotated[NonNegative, Log(0.1, 10)] = 1.0  # section 4.2
    scale: Positive = 0.04  # of the whole loss: under SGD it acts as a learning rate; our choice, 1 / 25. The paper, with LARS: 1
    # of the second view; the authors' code: 0.2 (their paper: 0.1 of both). 0: both views are the track's
    solarize: Fraction = 0.0


class VicReg(Method[Config]):
    name = "vicreg"
    summary = "VICReg: invariance, variance and covariance terms (Bardes et al. 2022)"

    def __init__(self, encoder: Encoder, config: Config, data: TrainData):
        super().__init__(encoder, config, data)
        self.head = VICRegProjectionHead(encoder.num_features, config.dimension, config.dimension)

    @classmethod
    def views(cls, config: Config, policy: Policy, size: int) -> tuple[View, ...]:
        return second_solarized(policy, size, config.solarize)

    def loss(self, views: list[Tensor], index: Tensor) -> Tensor:
        return single(self.criterion, *[self.head(self.encoder(view)) for view in views])

    def criterion(self, first: Tensor, second: Tensor) -> Tensor:
        """Weighted sum of three terms of projections [B, D], as the authors' code: eq. 6 with half of its variance. Scalar."""
        c = self.config
        spread = (variance(first) + variance(second)) / 2
        mixed = covariance(first) + covariance(second)
        return c.scale * (c.invariance * mse_loss(first, second) + c.variance * spread + c.covariance * mixed)


def variance(z: Tensor) -> Tensor:
    """How much the units' standard deviations fall short of one, on average (eq. 1)."""
    return relu(1 - (z.var(0) + 1e-4).sqrt()).mean()


def covariance(z: Tensor) -> Tensor:
    """Sum of the squared covariances between units, over D (eq. 4). lightly's boolean mask would make the host wait for a GPU."""
    z = z - z.mean(0)
    squares = (z.T @ z / (len(z) - 1)).square()
    return (squares.sum() - squares.diagonal().sum()) / z.shape[1]
