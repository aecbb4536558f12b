"""Steadiness: whether the accuracy of one contender varies less between seeds than that of another."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from ..limits import MOST_SEEDS
from ..metrics import LINEAR_TOP1, Metric
from .paired import POWER, Sample
from .stats import ENOUGH, LEVEL


@dataclass(frozen=True)
class Steadiness:
    """The standard deviations over n seeds of a and b, compared by an F test (Snedecor and Cochran, 6.12), two-sided."""

    difference: float  # ln(b's / a's): above zero where a is steadier
    n: int
    metric: Metric = LINEAR_TOP1

    @property
    def p(self) -> float | None:
        if self.n < ENOUGH:
            return None
        return min(1.0, 2 * float(special.fdtrc(self.n - 1, self.n - 1, math.exp(2 * abs(self.difference)))))

    def __str__(self) -> str:
        """a's standard deviation over b's, with its 95% interval."""
        text = f"{math.exp(-self.difference):.2f} times"
        if self.n < ENOUGH:
            return text
        reach = math.log(self._critical(1 - LEVEL, self.n)) / 2
        return f"{text} ({math.exp(-self.difference - reach):.2f} to {math.exp(reach - self.difference):.2f})"

    def seeds_that_decide(self, level: float) -> int | None:
        """The least number of seeds with which such a ratio shows at ``level`` with probability POWER; None above MOST_SEEDS."""
        ratio = math.exp(2 * abs(self.difference))
        for n in range(max(self.n, ENOUGH), MOST_SEEDS + 1):
            if special.fdtrc(n - 1, n - 1, self._critical(level, n) / ratio) >= POWER:
                return n
        return None

    @staticmethod
    def _critical(level: float, n: int) -> float:
        return float(special.fdtri(n - 1, n - 1, 1 - level / 2))


def compare(a: Sample, b: Sample) -> Steadiness | None:
    """Compare a and b on the seeds that both have; None below two. A deviation counts as at least one test image."""
    seeds = sorted(a.values.keys() & b.values.keys())
    if len(seeds) < 2:
        return None
    deviations = [max(float(np.std([one.values[s] for s in seeds], ddof=1)), _least(one)) for one in (a, b)]
    return Steadiness(math.log(deviations[1] / deviations[0]), len(seeds), a.metric)


def _least(sample: Sample) -> float:
    return 1 / sample.images if sample.images else 1e-6
