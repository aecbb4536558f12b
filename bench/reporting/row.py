"""Rows of a leaderboard: the records of a contender, its values by seed, and what they cost."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import median

from .. import outcomes
from ..metrics import COSTS, HEADLINE, PROTOCOL, Metric, columns, counts_test_images
from ..records import Record
from . import stats
from .paired import Sample
from .stats import Ends, Interval

STEADY = 1.2  # longest training time over shortest, beyond which other work on the machine has spoiled it
SMALL_TEST = 5000  # images, up to which the test split's own interval is worth showing


@dataclass(eq=False)
class Row:
    """A contender on a leaderboard: its records, its values by seed, and the median of what they cost."""

    contender: str
    role: str
    uses_labels: bool
    records: list[Record]
    stale: list[str] = field(default_factory=list)  # why its records are kept out of ranks
    tuned: int = 0  # of how many trials of a search it is the best

    @cached_property
    def good(self) -> list[Record]:
        return [r for r in self.records if r.status == "ok"]

    @cached_property
    def values(self) -> defaultdict[str, dict[int, float]]:
        """By metric and seed; nothing for a metric that no record has."""
        found: defaultdict[str, dict[int, float]] = defaultdict(dict)
        for r in self.good:
            for metric, value in r.metrics.items():
                found[metric][r.seed] = value
        return found

    @cached_property
    def cost(self) -> dict[str, float | None]:
        return {key: _median([r.cost.get(key) for r in self.good]) for key in COSTS}

    @property
    def steady(self) -> bool:
        """Whether the seconds of training vary between seeds by a fifth at most."""
        seconds = [t for r in self.good if (t := r.cost.get("train_seconds"))]
        return not seconds or max(seconds) <= STEADY * min(seconds)

    @property
    def marks(self) -> list[str]:
        """Marks at the row's name, such as stale or collapsed."""
        found = [
            f"tuned, T = {self.tuned}" if self.tuned else "",
            "uses labels" if self.uses_labels else "",
            "own recipe" if self.own_recipe else "",
            self._collapse,
            "stale" if self.stale else "",
        ]
        return [mark for mark in found if mark]

    @property
    def own_recipe(self) -> str:
        """The source of a recipe that is not the track's; empty where it is."""
        return next((r.recipe["own_recipe"] for r in self.good if "own_recipe" in r.recipe), "")

    @property
    def _collapse(self) -> str:
        """How many of its seeds ended with embeddings that are almost the same."""
        count = sum(r.collapsed for r in self.good)
        if not count:
            return ""
        return "collapsed" if count == len(self.good) else f"{count} of {len(self.good)} collapsed"

    @property
    def failed(self) -> dict[str, int]:
        """How many cells ended otherwise than well, by their status."""
        return dict(sorted(Counter(r.status for r in self.records if r.status != "ok").items()))

    @cached_property
    def columns(self) -> dict[str, Metric]:
        """Those that its records have beyond the protocol's, by key."""
        return columns((key for r in self.good for key in r.metrics), (r.evaluators for r in self.good))

    def declared(self, metric: str) -> Metric:
        return PROTOCOL.get(metric) or self.columns.get(metric) or Metric(metric, metric)

    def sample(self, metric: str) -> Sample:
        """What the tests of differences use of this row: seeds, and in a share of the test images these too."""
        declared = self.declared(metric)
        if not counts_test_images(metric):
            return Sample(self.values[metric], metric=declared)
        sizes = {r.data.get("test") for r in self.good}
        size = sizes.pop() if len(sizes) == 1 else None
        right = {r.seed: outcomes.unpack(r.outcomes[metric], size) for r in self.good if size and metric in r.outcomes}
        return Sample(self.values[metric], right, size, declared)

    def interval(self, metric: str) -> Interval | None:
        values = list(self.values[metric].values())
        return stats.interval(values) if values else None

    def test_interval(self, metric: str) -> Ends | None:
        """How far another test split of this size might move a mean accuracy; None where the split is large or unknown."""
        if not counts_test_images(metric):
            return None
        sizes = {r.data.get("test") for r in self.good}
        size, found = sizes.pop() if len(sizes) == 1 else None, self.interval(metric)
        return stats.wilson(found.mean, size) if found and size and size <= SMALL_TEST else None


def rows_of(records: Sequence[Record]) -> list[Row]:
    """A row for each contender, best first."""
    contenders: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        contenders[record.contender].append(record)
    return sorted(map(row_of, contenders.values()), key=_order)


def row_of(records: Sequence[Record]) -> Row:
    """The row of the records of one contender."""
    return Row(records[0].contender, records[0].role, records[0].uses_labels, sorted(records, key=lambda r: r.seed))


def _order(row: Row) -> tuple[float, str]:
    found = row.interval(HEADLINE)
    return (-found.mean if found else 1.0, row.contender)


def _median(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
