"""Standings: ranks with intervals, and the top group, from a board's family of tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .paired import Judged, Sample
from .stats import ENOUGH


@dataclass(frozen=True)
class Standing:
    """The rank of a method and its interval."""

    rank: int  # by the mean
    best: int  # ends of the rank's interval
    worst: int

    @property
    def top(self) -> bool:
        """Whether no rival is significantly better."""
        return self.best == 1


def standings(methods: Mapping[str, Sample], judged: Mapping[tuple[str, str], Judged]) -> dict[str, Standing]:
    """The standing of every method with at least ENOUGH seeds, from the board's family of tests.

    The interval of a rank goes from 1 + the number of significantly better rivals to the number of methods minus that of
    significantly worse rivals (after Al Mohamad, Goeman and van Zwet 2022).
    """
    claimed = [name for name, sample in methods.items() if len(sample.values) >= ENOUGH]
    names = sorted(claimed, key=lambda name: (_to_sort(methods[name]), name))
    better = {_better_first(key, one) for key, one in judged.items() if one.verdict in ("better", "worse")}
    return {
        name: Standing(position, 1 + sum(b == name for _, b in better), len(names) - sum(a == name for a, _ in better))
        for position, name in enumerate(names, 1)
    }


def _to_sort(sample: Sample) -> float:
    """The mean, negated where more is better."""
    mean = float(np.mean(list(sample.values.values())))
    return mean if sample.metric.better == "lower" else -mean


def _better_first(key: tuple[str, str], judged: Judged) -> tuple[str, str]:
    return key if judged.pair.gain > 0 else (key[1], key[0])
