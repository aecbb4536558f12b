"""Interleaved measurement: two things in turn, medians, and a ratio with its spread."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median, quantiles

Work = Callable[[], float]  # does the work once and returns its amount in the figure's unit


@dataclass(frozen=True)
class Measured:
    """A row of a figure. ``ratio``, how many times better ours is, is a median; ``low`` and ``high`` as in `spread`."""

    figure: str
    unit: str
    ours: float
    peer: float | None = None
    ratio: float | None = None
    low: float | None = None
    high: float | None = None


def rate(work: Work) -> float:
    """The amount of work per second."""
    gc.collect()
    begun = time.perf_counter()
    amount = work()
    return amount / (time.perf_counter() - begun)


def in_turn(figure: str, unit: str, ours: Work, peer: Work | None, repeats: int) -> Measured:
    """Measure the rates of ``ours`` and ``peer`` in turn, after one warm-up run of each."""
    rate(ours)
    if peer is None:
        return Measured(figure, unit, median(rate(ours) for _ in range(repeats)))
    rate(peer)
    pairs = [(rate(ours), rate(peer)) for _ in range(repeats)]
    return from_pairs(figure, unit, pairs)


def from_pairs(figure: str, unit: str, pairs: list[tuple[float, float]]) -> Measured:
    """The row of paired measurements (ours, peer) where larger is better."""
    ours, theirs, ratios = median(a for a, _ in pairs), median(b for _, b in pairs), [a / b for a, b in pairs]
    low, high = spread(ratios)
    return Measured(figure, unit, ours, theirs, median(ratios), low, high)


def spread(ratios: list[float]) -> tuple[float, float]:
    """First and third quartile; the extremes where there are fewer than four."""
    if len(ratios) < 4:
        return min(ratios), max(ratios)
    quarters = quantiles(ratios, n=4)
    return quarters[0], quarters[2]
