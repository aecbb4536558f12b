"""Leaderboards, built from records: one for each (track, backbone, budget)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import fmean

from .. import recorded
from ..metrics import COMPARED, FIXED, HEADLINE, METRICS, PROTOCOL_METRICS, Metric, columns
from ..records import Record, is_of_before
from . import paired, searches, stale
from .paired import Judged, Pair
from .published import Published, of_board
from .row import Row, rows_of
from .standings import Standing, standings


@dataclass(eq=False)  # one is itself alone, so that what is made of it can be kept
class Leaderboard:
    """The contenders of one track, backbone and budget, best first; anchors, oracles and stale records in lists of their own."""

    track: str
    backbone: str
    budget: str
    ranked: list[Row]
    unranked: list[Row]
    external: list[Row] = field(default_factory=list)  # encoders from elsewhere, of any backbone and budget
    stale: list[Row] = field(default_factory=list)
    published: list[Published] = field(default_factory=list)

    @property
    def key(self) -> tuple[str, str, str]:
        """Track, backbone and budget, as `Cell.board` has them."""
        return self.track, self.backbone, self.budget

    @property
    def title(self) -> str:
        return ", ".join(self.key)

    @property
    def judged_on(self) -> str | None:
        """The images that its accuracies are measured on, where they are not the test split."""
        return next((found for row in self.rows for r in row.good if (found := r.data.get("judged_on"))), None)

    @property
    def rows(self) -> list[Row]:
        return self.ranked + self.unranked + self.external + self.stale

    @cached_property
    def columns(self) -> dict[str, Metric]:
        """The columns beyond the protocol's that some record has, by key."""
        good = [record for row in self.rows for record in row.good]
        return columns((key for record in good for key in record.metrics), (record.evaluators for record in good))

    @cached_property
    def evaluators(self) -> dict[str, set[str]]:
        """By metric the evaluators that give it, by their names in the records."""
        found: dict[str, set[str]] = defaultdict(set)
        for record in (record for row in self.rows for record in row.good):
            for name, told in record.evaluators.items():
                for key in told.get("columns", {}):
                    found[key].add(name)
        return found

    @cached_property
    def metrics(self) -> dict[str, str]:
        """The titles of its metrics by key: the protocol's, and those of further evaluators that some record has.

        A title that another column has already is followed by the metric's key.
        """
        found, taken = dict(METRICS), {*METRICS.values(), *FIXED}
        for key, metric in self.columns.items():
            found[key] = metric.title if metric.title not in taken else f"{metric.title} ({key})"
            taken.add(found[key])
        return found

    @cached_property
    def standings(self) -> dict[str, dict[str, Standing]]:
        """By metric the standing of every contestant with enough seeds."""
        return {
            metric: standings({row.contender: row.sample(metric) for row in self.ranked}, contests) if contests else {}
            for metric, contests in self.contests.items()
        }

    @cached_property
    def contests(self) -> dict[str, dict[tuple[str, str], Judged]]:
        """By metric the board's family of tests: all pairs of contestants, the one listed first minus the other.

        Without metrics of which neither more nor less is better.
        """
        ranked = {key for key in self.metrics if key in PROTOCOL_METRICS or self.columns[key].better}
        return {key: paired.family(self._pairs(self.ranked, key)) if key in ranked else {} for key in self.metrics}

    @cached_property
    def pairs(self) -> dict[str, dict[tuple[str, str], Judged]]:
        """`all_pairs` for each metric in COMPARED."""
        return {metric: self.all_pairs(metric) for metric in COMPARED}

    def all_pairs(self, metric: str) -> dict[tuple[str, str], Judged]:
        """The pairs of contestants, and every pair with an anchor or an oracle, which are a second family."""
        return self.contests.get(metric, {}) | self._references(metric)

    def judged(self, metric: str, a: str, b: str) -> Judged | None:
        """The test of ``a`` against ``b``, in this order; None where they share no seed."""
        pairs = self.pairs[metric] if metric in COMPARED else self.all_pairs(metric)
        return pairs.get((a, b)) or (pairs[b, a].turned if (b, a) in pairs else None)

    def _references(self, metric: str) -> dict[tuple[str, str], Judged]:
        found = self._pairs(self.ranked + self.unranked, metric)
        return paired.family({key: pair for key, pair in found.items() if key not in self.contests.get(metric, {})})

    @staticmethod
    def _pairs(rows: Sequence[Row], metric: str) -> dict[tuple[str, str], Pair]:
        return paired.all_pairs({row.contender: row.sample(metric) for row in rows if row.values[metric]})

    @property
    def resolution(self) -> float | None:
        """The smallest difference in the headline metric that this board detects with probability 0.8."""
        return paired.resolution([judged.pair for judged in self.contests[HEADLINE].values()])

    def bold(self, row: Row, metric: str) -> bool:
        """Whether no other contestant is significantly better; never where seeds are too few."""
        standing = self.standings[metric].get(row.contender)
        return row in self.ranked and standing is not None and standing.top

    @property
    def steady(self) -> bool:
        """Whether times can be compared: no contestant's vary by more than a fifth between seeds."""
        return all(row.steady for row in self.ranked)

    @cached_property
    def front(self) -> set[str]:
        """Contestants on the Pareto front: no other is at least as accurate in at most the time, and better in one.

        Empty where times cannot be compared.
        """
        if not self.steady:
            return set()
        known = {
            row.contender: (seconds, -fmean(row.values[HEADLINE].values()))
            for row in self.ranked
            if row.values[HEADLINE] and (seconds := row.cost["train_seconds"])
        }
        return {
            name
            for name, (time, loss) in known.items()
            if not any(other[0] <= time and other[1] <= loss and other != (time, loss) for other in known.values())
        }


def build(records: Sequence[Record], published: Sequence[Published] = ()) -> list[Leaderboard]:
    """Leaderboards in the order of their titles."""
    groups: dict[tuple[str, str, str], list[tuple[Record, list[str]]]] = defaultdict(list)
    external: dict[str, list[tuple[Record, list[str]]]] = defaultdict(list)
    for record, why in zip(records, stale.reasons(records), strict=True):
        if record.role == "external":
            external[record.track].append((record, why))
            continue
        if is_of_before(record):
            record.contender = recorded.contender(record)
        groups[record.track, record.backbone, record.budget].append((record, why))
    for track in external.keys() - {track for track, _, _ in groups}:
        groups[track, "any backbone", "external"] = []
    found = sorted(groups.items(), key=lambda item: item[0])
    boards = [_board(*key, [*group, *external[key[0]]], published) for key, group in found]
    searches.mark(boards)
    return boards


def _board(
    track: str, backbone: str, budget: str, group: list[tuple[Record, list[str]]], published: Sequence[Published]
) -> Leaderboard:
    rows = rows_of([record for record, why in group if not why])
    old = rows_of([record for record, why in group if why])
    for row in old:
        own = set(map(id, row.records))
        row.stale = sorted({reason for record, why in group for reason in why if id(record) in own})
    ranked = [row for row in rows if row.role == "contestant"]
    unranked = [row for row in rows if row.role in ("anchor", "oracle")]
    external = [row for row in rows if row.role == "external"]
    return Leaderboard(
        track, backbone, budget, ranked, unranked, external, old, of_board(list(published), track, backbone, budget)
    )


def find_row(board: Leaderboard, text: str, among: Sequence[Row] | None = None) -> Row | None:
    """The row of the method spec ``text``; the spec need not be canonical, as it is resolved for this board."""
    rows = {row.contender: row for row in (board.ranked + board.unranked if among is None else among)}
    if text in rows or ":" not in text or not rows:
        return rows.get(text)
    return rows.get(recorded.called(text, next(iter(rows.values())).records[0]))
