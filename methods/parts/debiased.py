"""Losses that correct the sum over negatives for false negatives on average, without detecting them.

A anchors, M candidates, t temperature; s+ is the cosine similarity to the positive, n = e^{s/t} of a negative.
"""

from __future__ import annotations

import math

from torch import Tensor

from .pairs import Pairs


def debiased(pairs: Pairs, temperature: float, tau: float, beta: float = 0.0) -> Tensor:
    """Mean over anchors of -log p / (p + N_g), p = e^{s+/t}. Scalar; at tau = beta = 0 this is InfoNCE.

    N_g = max((S - tau N p) / (1 - tau), N e^{-1/t}) estimates the sum over the N true negatives where a share
    ``tau`` of the candidates is of the anchor's class (Chuang et al. 2020, as in the authors' code). S is the sum of n; a
    ``beta`` above 0 gives hard negatives more weight: S = sum(w n) / mean(w), w = n^beta (Robinson et al. 2021, as in theirs).
    """
    count = pairs.negative.sum(1).to(pairs.positive.dtype)
    # every exponential is divided by e^{1/t}, their largest value: the ratio is the same and nothing overflows
    positive = ((pairs.positive - 1) / temperature).exp()
    negatives = ((pairs.candidates - 1) / temperature).exp() * pairs.negative
    total = hard_sum(pairs, negatives, temperature, beta) if beta else negatives.sum(1)
    least = count * math.exp(-2 / temperature)
    others = ((total - tau * count * positive) / (1 - tau)).clamp(min=least)
    return -(positive / (positive + others)).log().mean()


def hard_sum(pairs: Pairs, negatives: Tensor, temperature: float, beta: float) -> Tensor:
    """sum(w n) / mean(w) over each anchor's ``negatives`` n [A, M], w = n^beta, [A]."""
    weights = (beta * (pairs.candidates - 1) / temperature).exp() * pairs.negative
    return (weights * negatives).sum(1) * pairs.negative.sum(1) / weights.sum(1)
