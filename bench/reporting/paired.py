"""Tests of differences: two methods on the same seeds and test images, and all pairs of a board.

Run k of a method classifies image i correctly or not. The difference of two methods varies with the seed and with the image,
and a claim should hold for other seeds and other test images. Its variance is therefore the sum of two parts:

* seeds: the variance of the paired differences, divided by their number n. Three seeds estimate it badly, so it is replaced by
  its mean over all pairs of the board's k methods if that is larger, with (k - 1)(n - 1) degrees of freedom (randomised block
  design);
* images: the variance over the m test images of the mean difference of their outcomes, divided by m, with m - 1
  degrees of freedom. The square of one image's weight is added, as few outcomes are not a normal sample. Where a
  record has no outcomes, the variance is that of two methods with independent errors, which is larger.

Variance that seeds and images share is in both parts, so that the sum is too large rather than too small
(the crossed design of Clark 1973, "The language-as-fixed-effect fallacy"). The critical value is Cochran and Cox's
(1950): the mean of both Student quantiles weighted by the variances, which does not exceed its level (Mickey and Brown
1966).

A board's family of tests is all pairs of its contestants in one metric, corrected by Holm. Nothing is claimed from fewer than
ENOUGH seeds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations
from statistics import median
from typing import NamedTuple, TypeVar

import numpy as np
from scipy import special

from ..metrics import LINEAR_TOP1, Metric
from .stats import ENOUGH, LEVEL, holm, is_significant, probability_of_improvement

Key = TypeVar("Key")
EQUIVALENT = 0.01  # in accuracy: methods whose simultaneous interval is within it are called equal within 1 point
POWER = 0.8
SMALLEST_P = 1e-12


@dataclass(frozen=True)
class Sample:
    """A metric of one method: its value by seed, the correct test images (bool [m]) by seed, and m, which is None if unknown."""

    values: Mapping[int, float]
    right: Mapping[int, np.ndarray] = field(default_factory=dict)
    images: int | None = None
    metric: Metric = LINEAR_TOP1


class Part(NamedTuple):
    """A part of a variance, and its degrees of freedom."""

    variance: float
    freedom: float


@dataclass(frozen=True)
class Pair:
    """Method a against method b on the n seeds of both; parts are empty where n is below ENOUGH."""

    difference: float  # mean of a - b
    n: int
    improvement: float | None = None  # probability that a run of a beats a run of b
    parts: tuple[Part, ...] = ()
    metric: Metric = LINEAR_TOP1

    @property
    def gain(self) -> float:
        """The difference with the sign that is positive where a is better."""
        return -self.difference if self.metric.better == "lower" else self.difference

    @property
    def error(self) -> float:
        """Standard error of the difference."""
        return math.sqrt(sum(part.variance for part in self.parts))

    def margin(self, level: float) -> float | None:
        """Half the width of the interval with a coverage of at least 1 - ``level``."""
        if not self.parts:
            return None
        total = sum(part.variance for part in self.parts)
        if total == 0:
            return 0.0
        return float(sum(part.variance * -special.stdtrit(part.freedom, level / 2) for part in self.parts)) / math.sqrt(total)

    @property
    def half(self) -> float | None:
        """Half the width of the 95% interval."""
        return self.margin(1 - LEVEL)

    @cached_property
    def p(self) -> float | None:
        """The two-sided p-value: the level at which the interval just reaches zero; at least SMALLEST_P."""
        if not self.parts:
            return None
        if self.difference == 0:
            return 1.0
        distance = abs(self.difference)
        if (self.margin(SMALLEST_P) or 0.0) < distance:
            return SMALLEST_P

        low, high = math.log(SMALLEST_P), 0.0
        while high - low > 1e-12:  # bisection, as the margin falls with the level; importing scipy.optimize takes longer
            middle = (low + high) / 2
            low, high = (middle, high) if (self.margin(math.exp(middle)) or 0.0) > distance else (low, middle)
        return math.exp((low + high) / 2)


def compare(a: Sample, b: Sample) -> Pair | None:
    """Compare two methods without a board, on the seeds that both have; None where there are none."""
    return all_pairs({"a": a, "b": b}).get(("a", "b"))


def all_pairs(methods: Mapping[str, Sample]) -> dict[tuple[str, str], Pair]:
    """Every pair of a board's ``methods`` that shares a seed, the one named first minus the other."""
    found = {(a, b): _compare(methods[a], methods[b]) for a, b in combinations(methods, 2)}
    pairs = {key: pair for key, pair in found.items() if pair is not None}
    of_seeds = [pair.n * pair.parts[0].variance for pair in pairs.values() if pair.parts]
    tested = {name for key, pair in pairs.items() if pair.parts for name in key}
    usual = float(np.mean(of_seeds)) if of_seeds else 0.0
    return {key: _pooled(pair, usual, len(tested) - 1) for key, pair in pairs.items()}


def _pooled(pair: Pair, usual: float, times: int) -> Pair:
    """``pair`` with at least the board's ``usual`` variance of one seed's difference, and ``times`` the degrees of freedom."""
    if not pair.parts:
        return pair
    seeds, *images = pair.parts
    return replace(pair, parts=(Part(max(seeds.variance, usual / pair.n), times * seeds.freedom), *images))


def _compare(a: Sample, b: Sample) -> Pair | None:
    seeds = sorted(a.values.keys() & b.values.keys())
    if not seeds:
        return None
    left, right = np.array([a.values[s] for s in seeds]), np.array([b.values[s] for s in seeds])
    mean, n = float(np.mean(left - right)), len(seeds)
    if n < ENOUGH:
        return Pair(mean, n, metric=a.metric)
    ascending = (right, left) if a.metric.better == "lower" else (left, right)
    improvement = probability_of_improvement(*ascending)
    return Pair(mean, n, improvement, (_seeds(left - right, a, b), *_images(a, b, seeds)), a.metric)


def _seeds(differences: np.ndarray, a: Sample, b: Sample) -> Part:
    """The part of the seeds, from a standard deviation of at least one test image."""
    n, sizes = len(differences), [size for size in (a.images, b.images) if size]
    least = 1 / min(sizes) if sizes else 0.0
    return Part(max(float(np.var(differences, ddof=1)), least**2) / n, n - 1)


def _images(a: Sample, b: Sample, seeds: Sequence[int]) -> tuple[Part, ...]:
    """The part of the test images; nothing where their number is unknown."""
    if not all(s in a.right and s in b.right and len(a.right[s]) == len(b.right[s]) for s in seeds):
        return _unrelated(a, b, seeds)
    differences = np.array([a.right[s].astype(np.float64) - b.right[s] for s in seeds])
    by_image: np.ndarray = differences.mean(axis=0)
    m = len(by_image)
    return (Part(float(np.var(by_image, ddof=1)) / m + 1 / m**2, m - 1),)


def _unrelated(a: Sample, b: Sample, seeds: Sequence[int]) -> tuple[Part, ...]:
    """The part of the test images under the assumption that the errors of a and b are independent."""
    if not (a.images and b.images):
        return ()
    m = min(a.images, b.images)
    shares = [float(np.mean([sample.values[s] for s in seeds])) for sample in (a, b)]
    return (Part(sum(share * (1 - share) for share in shares) / m + 1 / m**2, m - 1),)


@dataclass(frozen=True)
class Judged:
    """A pair with its results within a family of tests."""

    pair: Pair
    p: float | None  # Holm's
    margin: float | None  # half the width of the simultaneous interval for all pairs of the family (Bonferroni)

    @property
    def turned(self) -> Judged:
        """The same test of b against a."""
        pair, improvement = self.pair, self.pair.improvement
        other = replace(pair, difference=-pair.difference, improvement=None if improvement is None else 1 - improvement)
        return replace(self, pair=other)

    @property
    def verdict(self) -> str:
        """The verdict on a against b: better, worse, equal within 1 point, not distinguishable, or too few seeds.

        They differ where neither more nor less of the metric is better.
        """
        if self.p is None or self.margin is None:
            return "too few seeds"
        if is_significant(self.p):
            if not self.pair.metric.better:
                return "differs"
            return "better" if self.pair.gain > 0 else "worse"
        equal = self.pair.metric.is_fraction and abs(self.pair.difference) + self.margin <= EQUIVALENT
        return "equal within 1 point" if equal else "not distinguishable"


def family(pairs: Mapping[Key, Pair]) -> dict[Key, Judged]:
    """Judge every pair as a member of the family ``pairs``; pairs with too few seeds are not tested."""
    ps = {key: p for key, pair in pairs.items() if (p := pair.p) is not None}
    adjusted = dict(zip(ps, holm(list(ps.values())), strict=True))
    level = (1 - LEVEL) / max(1, len(ps))
    return {key: Judged(pair, adjusted.get(key), pair.margin(level)) for key, pair in pairs.items()}


def resolution(pairs: Sequence[Pair]) -> float | None:
    """The smallest difference that a board of these ``pairs`` detects with probability POWER, for its median pair.

    It is the margin of Holm's first step plus the normal quantile of POWER times the standard error.
    """
    level = (1 - LEVEL) / max(1, len(pairs))
    found = [margin + float(special.ndtri(POWER)) * pair.error for pair in pairs if (margin := pair.margin(level)) is not None]
    return median(found) if found else None
