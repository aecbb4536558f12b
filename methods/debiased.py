"""Debiased contrastive learning (Chuang et al. 2020, arXiv 2007.00224): negatives corrected for the anchor's own class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from torch import Tensor

from .base import Bounds, Log, Positive
from .parts import in_batch_base
from .parts.debiased import debiased
from .parts.in_batch_base import InBatchBase

ClassPrior = Annotated[float, Bounds(0, 0.99)]  # the correction divides by 1 - tau


@dataclass(frozen=True)
class Config(in_batch_base.Config):
    temperature: Annotated[Positive, Log(0.05, 1)] = 0.5  # the authors' code, for STL-10
    tau: ClassPrior = 0.1  # chance that a negative is of the anchor's class; the authors' code, best of 0, 0.05, 0.1 on STL-10


class Debiased(InBatchBase[Config]):
    name = "debiased"
    summary = "in-batch InfoNCE, sum over negatives corrected for false negatives (Chuang et al. 2020)"

    def loss(self, views: list[Tensor], index: Tensor) -> Tensor:
        return debiased(self.source.pairs(views, index), self.config.temperature, self.config.tau)
