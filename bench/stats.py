"""Statistics over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

LEVEL = 0.95
ENOUGH = 3  # seeds, below which nothing is claimed


class Interval(NamedTuple):
    """A mean over n seeds with the half width of its 95% interval; None below ENOUGH seeds."""

    mean: float
    half: float | None
    n: int


def interval(values: Sequence[float]) -> Interval:
    """Student's interval of the mean."""
    mean, n = float(np.mean(values)), len(values)
    if n < ENOUGH:
        return Interval(mean, None, n)
    half = stats.t.ppf((1 + LEVEL) / 2, n - 1) * stats.sem(values)
    return Interval(mean, float(half), n)


def differs(a: dict[int, float], b: dict[int, float]) -> bool | None:
    """Whether two methods differ, paired by seed (t-test, 5%); None where fewer than ENOUGH seeds pair."""
    seeds = sorted(a.keys() & b.keys())
    if len(seeds) < ENOUGH:
        return None
    differences = np.array([a[s] - b[s] for s in seeds])
    if np.ptp(differences) == 0:
        return bool(differences[0] != 0)
    return bool(stats.ttest_1samp(differences, 0).pvalue < 1 - LEVEL)
