"""From records to leaderboards: one for each (track, backbone, budget)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from statistics import fmean, median

from . import curves, stale, stats
from .evaluation import labels
from .published import Published, of_board
from .records import Record
from .stats import Bounds, Interval, Pair, Standing

HEADLINE = "linear_top1"
METRICS = {"linear_top1": "linear", "linear_top5": "linear top-5", "knn_top1": "kNN (k = 20)", "knn200_top1": "kNN (k = 200)"}
COMPARED = ("linear_top1", "knn_top1")  # metrics whose every pair is written out
COSTS = ("images_per_second", "train_seconds", "detect_seconds", "eval_seconds", "peak_memory_bytes", "energy_joules")
SMALL_TEST = 5000  # images, up to which the test split's own interval is worth showing


@dataclass(eq=False)
class Row:
    """A method on a leaderboard: its records, its values by seed, and the median of what they cost."""

    method: str
    role: str
    uses_labels: bool
    records: list[Record]
    stale: list[str] = field(default_factory=list)  # why its records are kept out of ranks

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
    def failed(self) -> dict[str, int]:
        """How many cells ended otherwise than well, by their status."""
        return dict(sorted(Counter(r.status for r in self.records if r.status != "ok").items()))

    def interval(self, metric: str) -> Interval | None:
        values = list(self.values[metric].values())
        return stats.interval(values) if values else None

    def test_interval(self, metric: str) -> Bounds | None:
        """How far another test split of this size might move the mean; None where the split is large or unknown."""
        sizes = {r.data.get("test") for r in self.good}
        size, found = sizes.pop() if len(sizes) == 1 else None, self.interval(metric)
        return stats.wilson(found.mean, size) if found and size and size <= SMALL_TEST else None


@dataclass
class Leaderboard:
    """All methods under one budget, best first; anchors, oracles and stale records apart."""

    track: str
    backbone: str
    budget: str
    ranked: list[Row]
    unranked: list[Row]
    stale: list[Row] = field(default_factory=list)
    published: list[Published] = field(default_factory=list)

    @property
    def title(self) -> str:
        return f"{self.track}, {self.backbone}, {self.budget}"

    @property
    def rows(self) -> list[Row]:
        return self.ranked + self.unranked + self.stale

    @cached_property
    def metrics(self) -> dict[str, str]:
        """What its columns show, by key: the usual metrics, and those on a share of the labels that some record has."""
        return METRICS | labels.titles(key for row in self.rows for key in row.values)

    @cached_property
    def standings(self) -> dict[str, dict[str, Standing]]:
        """For each metric the standing of every contestant with enough seeds."""
        return {metric: stats.standings({row.method: row.values[metric] for row in self.ranked}) for metric in self.metrics}

    @cached_property
    def pairs(self) -> dict[str, dict[tuple[str, str], Pair]]:
        """For each of COMPARED every pair of rows that share a seed, the one listed first minus the other."""
        return {metric: self._pairs(metric) for metric in COMPARED}

    def _pairs(self, metric: str) -> dict[tuple[str, str], Pair]:
        rows = self.ranked + self.unranked
        compared = {(a.method, b.method): stats.compare(a.values[metric], b.values[metric]) for a, b in combinations(rows, 2)}
        return {key: pair for key, pair in compared.items() if pair is not None}

    def bold(self, row: Row, metric: str) -> bool:
        """Whether a contestant is not significantly worse than the best; never said where seeds are too few."""
        standing = self.standings[metric].get(row.method)
        return row in self.ranked and standing is not None and standing.top

    @cached_property
    def shortest(self) -> float | None:
        """Seconds of training that every contestant has had: those of the quickest."""
        times = [t for row in self.ranked if (t := row.cost["train_seconds"])]
        return min(times) if times else None

    def at_equal_time(self, row: Row) -> Interval | None:
        """Held-out kNN accuracy of ``row`` when the quickest contestant was done."""
        if self.shortest is None:
            return None
        found = [v for r in row.good if (v := curves.accuracy_at(r, self.shortest)) is not None]
        return stats.interval(found) if found else None

    @cached_property
    def front(self) -> set[str]:
        """Contestants on the Pareto front: no other is at least as accurate in at most the time, and better in one."""
        known = {
            row.method: (row.cost["train_seconds"] or 0.0, -fmean(row.values[HEADLINE].values()))
            for row in self.ranked
            if row.values[HEADLINE]
        }
        return {
            name
            for name, (time, loss) in known.items()
            if not any(other[0] <= time and other[1] <= loss and other != (time, loss) for other in known.values())
        }


def build(records: Sequence[Record], published: Sequence[Published] = ()) -> list[Leaderboard]:
    """Leaderboards in the order of their titles."""
    groups: dict[tuple[str, str, str], list[tuple[Record, list[str]]]] = defaultdict(list)
    for record, why in zip(records, stale.reasons(records), strict=True):
        groups[record.track, record.backbone, record.budget].append((record, why))
    return [_board(*key, group, published) for key, group in sorted(groups.items(), key=lambda item: item[0])]


def _board(
    track: str, backbone: str, budget: str, group: list[tuple[Record, list[str]]], published: Sequence[Published]
) -> Leaderboard:
    rows = _rows([record for record, why in group if not why])
    old = _rows([record for record, why in group if why])
    for row in old:
        row.stale = sorted({reason for record, why in group for reason in why if record.method == row.method})
    ranked = [row for row in rows if row.role == "contestant"]
    unranked = [row for row in rows if row.role != "contestant"]
    return Leaderboard(track, backbone, budget, ranked, unranked, old, of_board(list(published), track, backbone, budget))


def _rows(records: list[Record]) -> list[Row]:
    methods: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        methods[record.method].append(record)
    rows = [Row(name, of[0].role, of[0].uses_labels, sorted(of, key=lambda r: r.seed)) for name, of in methods.items()]
    return sorted(rows, key=_order)


def _order(row: Row) -> tuple[float, str]:
    found = row.interval(HEADLINE)
    return (-found.mean if found else 1.0, row.method)


def _median(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
