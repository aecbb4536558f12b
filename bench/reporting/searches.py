"""Finds searches in the records: trials on the dev form of a track, and the contenders that won them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from statistics import fmean
from typing import TYPE_CHECKING

from .. import recorded
from ..contenders import parse_contender
from ..datasets.errors import DataError
from ..datasets.spec import Spec, parse_spec
from ..limits import FIRST_TRIAL_SEED
from ..methods import registry
from ..metrics import HEADLINE
from ..records import Record

if TYPE_CHECKING:
    from .leaderboard import Leaderboard

WORST = 0.0  # accuracy of a trial that failed or collapsed


@dataclass(frozen=True)
class Trial:
    """A contender that was tried, its records, and its mean accuracy on the held-out tenth of train."""

    contender: str
    records: Sequence[Record]

    @property
    def failed(self) -> bool:
        return any(record.status != "ok" or record.collapsed or HEADLINE not in record.metrics for record in self.records)

    @property
    def accuracy(self) -> float:
        return WORST if self.failed else fmean(record.metrics[HEADLINE] for record in self.records)


@dataclass(frozen=True)
class Search:
    """The first trials around the contender ``base``, as many as have records without a gap."""

    track: str  # the track, without dev, on which the winner competes
    backbone: str
    budget: str  # of a trial
    base: str
    trials: Sequence[Trial]

    @property
    def winner(self) -> str:
        """The contender of the best trial; the first of equals."""
        return max(self.trials, key=lambda trial: trial.accuracy).contender

    def first(self, number: int) -> Search:
        """The search with its first ``number`` trials only."""
        return replace(self, trials=self.trials[:number])

    def expected_best(self) -> list[float]:
        """The expected accuracy of the best of 1, 2, ... trials drawn with replacement from these (Dodge et al. 2019, eq. 6)."""
        values, count = sorted(trial.accuracy for trial in self.trials), len(self.trials)
        return [
            sum(value * (((i + 1) / count) ** drawn - (i / count) ** drawn) for i, value in enumerate(values))
            for drawn in range(1, count + 1)
        ]


def of_boards(boards: Sequence[Leaderboard]) -> list[Search]:
    """Every search with records of at least two trials."""
    return [search for board in boards if (spec := _spec(board.track)) and spec.dev for search in _of_board(board, spec)]


def is_dev(track: str) -> bool:
    """Whether the track is a dev form, where trials are run."""
    spec = _spec(track)
    return spec is not None and spec.dev


def _spec(track: str) -> Spec | None:
    try:
        return parse_spec(track)
    except DataError:
        return None


def _of_board(board: Leaderboard, spec: Spec) -> list[Search]:
    found = {row.contender: [r for r in row.records if r.seed >= FIRST_TRIAL_SEED] for row in board.ranked + board.unranked}
    tried = {name: Trial(name, records) for name, records in found.items() if records}
    searches = []
    for base in tried:
        names = _names(tried, base)
        if len(set(names)) > 1:
            track = str(replace(spec, dev=False))
            searches.append(Search(track, board.backbone, board.budget, base, [tried[name] for name in names]))
    trials = {trial.contender for search in searches for trial in search.trials[1:]}
    return [search for search in searches if search.base not in trials]


def _names(tried: dict[str, Trial], base: str) -> list[str]:
    """The trials of a search around ``base``, up to the first that has no record."""
    method = parse_contender(base).method
    if method not in registry():
        return []
    most = sum(parse_contender(name).method == method for name in tried)
    names = recorded.trials(tried[base].records[0], base, most)
    missing = next((i for i, name in enumerate(names) if name not in tried), len(names))
    return names[:missing]


def grouped(searches: Sequence[Search]) -> list[list[Search]]:
    """The searches grouped by track, backbone and budget of trials, each group in the order of its contenders."""
    found = sorted(searches, key=lambda search: (*_place(search), search.base))
    return [list(group) for _, group in groupby(found, _place)]


def _place(search: Search) -> tuple[str, str, str]:
    return search.track, search.backbone, search.budget


def finals(group: Sequence[Search], boards: Sequence[Leaderboard]) -> list[Leaderboard]:
    """The leaderboards on which winners of a group compete, without those where all of these are defaults."""
    ours = [board for board in boards if (board.track, board.backbone) == (group[0].track, group[0].backbone)]
    winners = {search.winner for search in group}
    changed = winners - {search.base for search in group} or winners
    return [board for board in ours if changed & {row.contender for row in board.rows}]


def mark(boards: Sequence[Leaderboard]) -> None:
    """Set `Row.tuned` of the winners' rows."""
    for group in grouped(of_boards(boards)):
        trials = {search.winner: len(search.trials) for search in group}
        for row in (row for board in finals(group, boards) for row in board.rows):
            row.tuned = max(row.tuned, trials.get(row.contender, 0))
