"""Hard negative sampling (Robinson et al. 2021, arXiv 2010.04592): the debiased loss with more weight on similar negatives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from torch import Tensor

from . import debiased
from .base import Linear, NonNegative
from .parts.debiased import debiased as debiased_loss
from .parts.in_batch_base import InBatchBase


@dataclass(frozen=True)
class Config(debiased.Config):
    # concentration of the weights e^{beta s / t}; the authors' code, best of 0, 0.5, 1, 2 on STL-10
    beta: Annotated[NonNegative, Linear(0, 2)] = 1.0


class HardNegatives(InBatchBase[Config]):
    name = "hard_negatives"
    summary = "in-batch InfoNCE, debiased, more weight on hard negatives (Robinson et al. 2021)"

    def loss(self, views: list[Tensor], index: Tensor) -> Tensor:
        c = self.config
        return debiased_loss(self.source.pairs(views, index), c.temperature, c.tau, c.beta)
