"""Statistics over seeds: intervals, paired comparisons, Holm's correction, ranks.

Values are keyed by seed, so that two methods are compared on the seeds that both have run.
Nothing is claimed from fewer than ENOUGH seeds.
"""

from __future__ import annotations

import math
import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple, TypeVar

import numpy as np
from scipy import special, stats

LEVEL = 0.95
ENOUGH = 3  # seeds, below which nothing is claimed
ENOUGH_FOR_BOOTSTRAP = 8  # below it a resample holds too few distinct values
RESAMPLES = 2000
BOOTSTRAP_SEED = 20211017  # one set of resamples for everybody: same records, same numbers

Values = Mapping[int, float]  # by seed
Key = TypeVar("Key")


class Interval(NamedTuple):
    """A mean over n seeds with the half width of its 95% interval; None below ENOUGH seeds."""

    mean: float
    half: float | None
    n: int


class Bounds(NamedTuple):
    """The two ends of an interval."""

    low: float
    high: float


class Pair(NamedTuple):
    """Method a against method b, paired by seed; None where fewer than ENOUGH seeds pair."""

    difference: float  # mean of a - b over the n seeds of both
    half: float | None  # of Student's 95% interval
    p: float | None  # paired t-test, two-sided
    improvement: float | None  # probability that a run of a beats a run of b
    n: int


def interval(values: Sequence[float]) -> Interval:
    """Student's interval of the mean."""
    mean, n = float(np.mean(values)), len(values)
    if n < ENOUGH:
        return Interval(mean, None, n)
    return Interval(mean, _quantile(n) * float(np.std(values, ddof=1)) / math.sqrt(n), n)


@cache
def _quantile(n: int) -> float:
    """Student's quantile for n values; kept, as thousands of pairs share it."""
    return float(stats.t.ppf((1 + LEVEL) / 2, n - 1))


def bootstrap(samples: Sequence[Sequence[float]]) -> list[Bounds | None]:
    """The BCa bootstrap interval of each sample's mean; None below ENOUGH_FOR_BOOTSTRAP values.

    Samples of one length are resampled together, which changes no number and is many times faster.
    """
    found: list[Bounds | None] = [None] * len(samples)
    by_length: dict[int, list[int]] = defaultdict(list)
    for position, sample in enumerate(samples):
        if len(sample) >= ENOUGH_FOR_BOOTSTRAP:
            if np.ptp(sample) == 0:
                found[position] = Bounds(float(sample[0]), float(sample[0]))
            else:
                by_length[len(sample)].append(position)
    for positions in by_length.values():
        ends = _bca(np.array([samples[i] for i in positions], dtype=float))
        for i, low, high in zip(positions, ends.low, ends.high, strict=True):
            found[i] = Bounds(float(low), float(high))
    return found


def _bca(rows: np.ndarray) -> Any:
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


def compare(a: Values, b: Values) -> Pair | None:
    """Two methods on the seeds that both have; None where there is no such seed."""
    seeds = sorted(a.keys() & b.keys())
    if not seeds:
        return None
    left, right = np.array([a[s] for s in seeds]), np.array([b[s] for s in seeds])
    mean, half, n = interval(left - right)
    if half is None:
        return Pair(mean, None, None, None, n)
    return Pair(mean, half, _p(left - right), probability_of_improvement(left, right), n)


def _p(differences: np.ndarray) -> float:
    """Two-sided p of Student's t-test that the mean is zero; what scipy.stats.ttest_1samp gives, for many pairs quickly."""
    if np.ptp(differences) == 0:
        return float(differences[0] == 0)
    n = len(differences)
    t = differences.mean() / (differences.std(ddof=1) / math.sqrt(n))
    return float(2 * special.stdtr(n - 1, -abs(t)))


def probability_of_improvement(a: Sequence[float] | np.ndarray, b: Sequence[float] | np.ndarray) -> float:
    """Share of all pairs of runs in which a's is better, ties counting half (Agarwal et al. 2021, section 4.3)."""
    return float(np.mean(np.sign(np.subtract.outer(a, b)) + 1) / 2)


def holm(p: Sequence[float]) -> list[float]:
    """Holm's (1979) step-down adjustment: reject what is at most 1 - LEVEL."""
    order = np.argsort(p, kind="stable")
    factors = len(p) - np.arange(len(p))
    stepped = np.minimum(1.0, np.maximum.accumulate(np.asarray(p, dtype=float)[order] * factors))
    adjusted = np.empty(len(p))
    adjusted[order] = stepped
    return [float(value) for value in adjusted]


def adjusted(pairs: Mapping[Key, Pair]) -> dict[Key, float]:
    """Holm's p of every pair that has one."""
    tested = {key: pair.p for key, pair in pairs.items() if pair.p is not None}
    return dict(zip(tested, holm(list(tested.values())), strict=True))


def is_significant(p: float) -> bool:
    return p <= 1 - LEVEL + 1e-12  # 1 - 0.95 is a little less than 0.05


def wilson(accuracy: float, images: int) -> Bounds:
    """Wilson's 95% interval of an accuracy measured on so many test images: what another test split might have given."""
    found = stats.binomtest(round(accuracy * images), images).proportion_ci(LEVEL, method="wilson")
    return Bounds(float(found.low), float(found.high))


@dataclass(frozen=True)
class Standing:
    """Where a method stands among its rivals."""

    rank: int  # by the mean
    best: int  # ends of the rank's interval
    worst: int
    top: bool  # not significantly different from the best


def standings(methods: Mapping[str, Values]) -> dict[str, Standing]:
    """The standing of every method that has ENOUGH seeds.

    Top group: the others against the best, Holm over those tests. Interval of a rank: one more than the rivals that
    are significantly better, to all but those that are significantly worse, Holm over all pairs (after Al Mohamad,
    Goeman and van Zwet 2022).
    """
    claimed = {name: values for name, values in methods.items() if len(values) >= ENOUGH}
    names = sorted(claimed, key=lambda name: (-float(np.mean(list(claimed[name].values()))), name))
    pairs = {(a, b): compare(claimed[a], claimed[b]) for i, a in enumerate(names) for b in names[i + 1 :]}
    better = _significant(pairs)
    beaten_by_best = _significant({key: pair for key, pair in pairs.items() if key[0] == names[0]})
    return {
        name: Standing(
            rank=position,
            best=1 + sum(b == name for _, b in better),
            worst=len(names) - sum(a == name for a, _ in better),
            top=(names[0], name) not in beaten_by_best and _comparable(pairs, names[0], name),
        )
        for position, name in enumerate(names, 1)
    }


def _comparable(pairs: Mapping[tuple[str, str], Pair | None], best: str, name: str) -> bool:
    pair = pairs.get((best, name))
    return name == best or (pair is not None and pair.p is not None)


def _significant(pairs: Mapping[tuple[str, str], Pair | None]) -> set[tuple[str, str]]:
    """Pairs that differ after Holm's correction, the better method first."""
    known = {key: pair for key, pair in pairs.items() if pair is not None}
    differing = [key for key, p in adjusted(known).items() if is_significant(p)]
    return {key if known[key].difference > 0 else (key[1], key[0]) for key in differing}
