"""Decoupled contrastive learning (Yeh et al. 2022, arXiv 2110.06848): InfoNCE without the positive in its denominator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from torch import Tensor

from .base import Log, Positive
from .parts import in_batch_base
from .parts.in_batch_base import InBatchBase
from .parts.pairs import Pairs


@dataclass(frozen=True)
class Config(in_batch_base.Config):
    temperature: Annotated[Positive, Log(0.05, 1)] = 0.1  # lightly's default; the authors' value for CIFAR is not known here
    weighted: bool = False  # True: DCLW, which gives positives of high similarity less weight
    sigma: Positive = 0.5  # of the weights; lightly's default


class Decoupled(InBatchBase[Config]):
    name = "decoupled"
    summary = "in-batch InfoNCE without the positive in the denominator (Yeh et al. 2022)"

    def loss(self, views: list[Tensor], index: Tensor) -> Tensor:
        c = self.config
        return decoupled(self.source.pairs(views, index), c.temperature, c.sigma if c.weighted else None)


def decoupled(pairs: Pairs, temperature: float, sigma: float | None) -> Tensor:
    """Mean over anchors of -w s+/t + log of the sum over negatives of e^{s/t}. Scalar.

    w = 1, or with ``sigma`` 2 - A softmax(s+/sigma) over the A anchors, without gradient: its mean is 1.
    """
    positive = pairs.positive / temperature
    if sigma is not None:
        positive = positive * (2 - len(positive) * (pairs.positive.detach() / sigma).softmax(0))
    negatives = (pairs.candidates / temperature).masked_fill(~pairs.negative, float("-inf"))
    return (negatives.logsumexp(1) - positive).mean()
