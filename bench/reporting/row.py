"""Rows of a leaderboard: the records of a contender, its values by seed, and its costs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import median

from .. import outcomes
from ..metrics import COSTS, HEADLINE, PROTOCOL_METRICS, Metric, columns, counts_test_images
from ..records import Record
from . import stats
from .paired import Sample
from .stats import Ends, Interval

STEADY = 1.2  # longest over shortest training time of a row; beyond it, other work on the machine disturbed the times
SMALL_TEST = 5000  # largest test split, in images, for which its own interval is shown


@dataclass(eq=False)
class Row:
    """A contender on a leaderboard: its records, its values by seed, and its median costs."""

    contender: str
    role: str
    uses_labels: bool
    records: list[Record]
    stale: list[str] = field(default_factory=list)  # why its records are stale, and so not ranked
    tuned: int = 0  # number of trials of the search that it won; 0 where it won none

    @cached_property
    def good(self) -> list[Record]:
        return [r for r in self.records if r.status == "ok"]

    @cached_property
    def values(self) -> defaultdict[str, dict[int, float]]:
        """Values by metric and seed; empty for a metric that no record has."""
        found: defaultdict[str, dict[int, float]] = defaultdict(dict)
        for r in self.good:
            for metric, value in r.metrics.items():
                found[metric][r.seed] = value
        return found

    @cached_property
    def cost(self) -> dict[str, float | None]:
        return {key: _median([r.cost.get(key) for r in self.good]) for key in COSTS}

    @property
    def detection_share(self) -> float | None:
        """The median over seeds of detection's share of training time; None where nothing was detected."""
        times = [(r.cost.get("detect_seconds"), r.cost.get("train_seconds")) for r in self.good]
        return _median([part / whole for part, whole in times if part and whole])

    @property
    def steady(self) -> bool:
        """Whether the seconds of training vary between seeds by a fifth at most."""
        seconds = [t for r in self.good if (t := r.cost.get("train_seconds"))]
        return not seconds or max(seconds) <= STEADY * min(seconds)

    @property
    def marks(self) -> list[str]:
        """Marks behind the row's name, such as stale or collapsed."""
        found = [
            f"tuned, T = {self.tuned}" if self.tuned else "",
            "uses labels" if self.uses_labels else "",
            "own recipe" if self.own_recipe else "",
            self._precisions,
            self._collapse,
            "stale" if self.stale else "",
        ]
        return [mark for mark in found if mark]

    @property
    def own_recipe(self) -> str:
        """The source of the method's own recipe; empty where it uses the track's."""
        return next((r.recipe["own_recipe"] for r in self.good if "own_recipe" in r.recipe), "")

    @property
    def precisions(self) -> list[str]:
        """The precisions of training that its records name: more than one where seeds were computed on a CPU and on a GPU."""
        return sorted({name for r in self.good if (name := r.environment.get("precision"))})

    @property
    def _precisions(self) -> str:
        return f"seeds in {' and '.join(self.precisions)}" if len(self.precisions) > 1 else ""

    @property
    def _collapse(self) -> str:
        """The mark for seeds with collapsed embeddings."""
        count = sum(r.collapsed for r in self.good)
        if not count:
            return ""
        return "collapsed" if count == len(self.good) else f"{count} of {len(self.good)} collapsed"

    @property
    def failed(self) -> dict[str, int]:
        """The number of cells that are not ok, by status."""
        return dict(sorted(Counter(r.status for r in self.records if r.status != "ok").items()))

    @cached_property
    def columns(self) -> dict[str, Metric]:
        """The columns of its records beyond the protocol's, by key."""
        return columns((key for r in self.good for key in r.metrics), (r.evaluators for r in self.good))

    def declared(self, metric: str) -> Metric:
        return PROTOCOL_METRICS.get(metric) or self.columns.get(metric) or Metric(metric, metric)

    def sample(self, metric: str) -> Sample:
        """The sample for tests of differences: values by seed and, for a metric that counts test images, their outcomes."""
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
        """Wilson's interval of a mean accuracy for another test split of this size; None where the split is large or unknown."""
        if not counts_test_images(metric):
            return None
        sizes = {r.data.get("test") for r in self.good}
        size, found = sizes.pop() if len(sizes) == 1 else None, self.interval(metric)
        return stats.wilson(found.mean, size) if found and size and size <= SMALL_TEST else None


def rows_of(records: Sequence[Record]) -> list[Row]:
    """A row for each contender and each encoder from elsewhere, best first; a backbone tells apart rows of one name."""
    found: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in records:
        found[record.contender, record.backbone if record.role == "external" else ""].append(record)
    times = Counter(name for name, _ in found)
    rows = [row_of(own, f"{name} ({of})" if of and times[name] > 1 else name) for (name, of), own in found.items()]
    return sorted(rows, key=_order)


def row_of(records: Sequence[Record], name: str = "") -> Row:
    """The row of the records of one contender, by default under its name."""
    first = records[0]
    return Row(name or first.contender, first.role, first.uses_labels, sorted(records, key=lambda r: r.seed))


def _order(row: Row) -> tuple[float, str]:
    found = row.interval(HEADLINE)
    return (-found.mean if found else 1.0, row.contender)


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
