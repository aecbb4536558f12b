"""Statistics of one sample: intervals over seeds and over test images, and Holm's correction.

Nothing is claimed from fewer than ENOUGH seeds.
"""

from __future__ import annotations

import math
import warnings
from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from scipy import special

LEVEL = 0.95
ENOUGH = 3  # seeds; nothing is claimed from fewer
ENOUGH_FOR_BOOTSTRAP = 8  # seeds; resamples of fewer have too few distinct values
RESAMPLES = 2000
ROUNDING = 1e-12  # relative differences that are none
BOOTSTRAP_SEED = 20211017  # fixed, so that the same records give the same numbers


class Interval(NamedTuple):
    """A mean over n seeds with the half width of its 95% interval, None below ENOUGH seeds."""

    mean: float
    half: float | None
    n: int

    def ends(self, lowest: float = -math.inf, highest: float = math.inf) -> Ends | None:
        """Where it begins and ends, within the limits of what is measured; None where it has no half width."""
        if self.half is None:
            return None
        return Ends(max(lowest, self.mean - self.half), min(highest, self.mean + self.half))


class Ends(NamedTuple):
    """The two ends of an interval."""

    low: float
    high: float


def interval(values: Sequence[float]) -> Interval:
    """Student's interval of the mean."""
    mean, n = float(np.mean(values)), len(values)
    if n < ENOUGH:
        return Interval(mean, None, n)
    return Interval(mean, _quantile(n) * float(np.std(values, ddof=1)) / math.sqrt(n), n)


@cache
def _quantile(n: int) -> float:
    """Student's quantile for n values; cached, as thousands of pairs use it."""
    return float(special.stdtrit(n - 1, (1 + LEVEL) / 2))


def bootstrap(samples: Sequence[Sequence[float]]) -> list[Ends | None]:
    """The BCa bootstrap interval of each sample's mean; None below ENOUGH_FOR_BOOTSTRAP values.

    Samples of one length are resampled together, which changes no number and is many times faster.
    """
    found: list[Ends | None] = [None] * len(samples)
    by_length: dict[int, list[int]] = defaultdict(list)
    for position, sample in enumerate(samples):
        if len(sample) >= ENOUGH_FOR_BOOTSTRAP:
            if np.ptp(sample) <= ROUNDING * np.abs(sample).max():
                found[position] = Ends(float(sample[0]), float(sample[0]))
            else:
                by_length[len(sample)].append(position)
    for positions in by_length.values():
        ends = _bca(np.array([samples[i] for i in positions], dtype=float))
        for i, low, high in zip(positions, ends.low, ends.high, strict=True):
            found[i] = Ends(float(low), float(high))
    return found


def _bca(rows: np.ndarray) -> Any:
    from scipy import stats  # slow to import, and few boards have so many seeds

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        return stats.bootstrap(
            (rows,),
            np.mean,
            n_resamples=RESAMPLES,
            confidence_level=LEVEL,
            method="BCa",
            axis=-1,
            batch=500,
            rng=np.random.default_rng(BOOTSTRAP_SEED),
        ).confidence_interval


def probability_of_improvement(a: Sequence[float] | np.ndarray, b: Sequence[float] | np.ndarray) -> float:
    """Share of all pairs of runs in which that of a is better; ties count half (Agarwal et al. 2021, section 4.3)."""
    return float(np.mean(np.sign(np.subtract.outer(a, b)) + 1) / 2)


def holm(p: Sequence[float]) -> list[float]:
    """Holm's (1979) step-down adjustment: reject what is at most 1 - LEVEL."""
    order = np.argsort(p, kind="stable")
    factors = len(p) - np.arange(len(p))
    stepped = np.minimum(1.0, np.maximum.accumulate(np.asarray(p, dtype=float)[order] * factors))
    adjusted = np.empty(len(p))
    adjusted[order] = stepped
    return [float(value) for value in adjusted]


def is_significant(p: float) -> bool:
    return p <= 1 - LEVEL + 1e-12  # 1 - 0.95 is a little less than 0.05


def wilson(accuracy: float, images: int) -> Ends:
    """Wilson's 95% interval of an accuracy on ``images`` test images: the range that another test split might give."""
    right, z = round(accuracy * images), float(special.ndtri((1 + LEVEL) / 2))
    share, scale = right / images, 2 * (images + z**2)
    centre, reach = (2 * right + z**2) / scale, z / scale * math.sqrt(4 * images * share * (1 - share) + z**2)
    return Ends(0.0 if right == 0 else centre - reach, 1.0 if right == images else centre + reach)
