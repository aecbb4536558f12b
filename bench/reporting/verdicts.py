"""Verdicts on an experiment's claims from the records: supported, refuted, undecided or not tested.

Each claim is one test on each of its leaderboards, except that grows_with is one test over all of them. The tests of an
experiment are one family (Holm, 5%), paired by seed and by test image as everywhere:

* better: a - b differs from zero, on the side that is better in the metric;
* equal_within: a - b is within so many points (units, for a metric that is no fraction); refuted where it is significantly
  beyond. The distance to the nearer end is tested two-sided, which is stricter than two one-sided tests;
* grows_with: for each seed the slope of a - b, by least squares, against log2 of the key: points per doubling. The variance
  over test images is summed over the tracks as if their images were independent;
* steadier: the standard deviation of a over the seeds is less than b's, by an F test.

Undecided: the test is not significant. Not tested: there are no records of both that are not stale, or too few seeds.
A claim on several leaderboards is supported if it is on each of them, refuted if it is on any, and not tested if on none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

import numpy as np
from scipy import special

from ..datasets.base import DataError
from ..datasets.registry import track_of
from ..datasets.spec import parse_spec
from ..experiment import Claim, Experiment
from ..folders import data_root
from ..limits import MOST_SEEDS
from . import paired, steadiness
from .leaderboard import Leaderboard, find_row
from .paired import POWER, Pair, Part, Sample
from .row import Row
from .stats import ENOUGH, LEVEL, holm, is_significant
from .steadiness import Steadiness

SUPPORTED, REFUTED, UNDECIDED, NOT_TESTED = "supported", "refuted", "undecided", "not tested"


@dataclass(frozen=True)
class Finding:
    """One test of a claim: an estimate in points (or points per doubling), or the reason why there is none."""

    claim: Claim
    where: str
    pair: Pair | Steadiness | None = None
    why: str = ""  # why nothing could be tested
    p: float | None = None  # Holm's
    seeds: int | None = None  # the number of seeds that would decide it

    @property
    def tested(self) -> Pair | Steadiness | None:
        """The quantity that is tested against zero: for equal_within, the distance to the nearer end."""
        if self.pair is None or isinstance(self.pair, Steadiness) or self.claim.claim == "grows_with":
            return self.pair
        if self.claim.claim == "better":
            return replace(self.pair, difference=self.pair.gain)
        return replace(self.pair, difference=self.claim.points / self.pair.metric.scale - abs(self.pair.difference))

    @property
    def verdict(self) -> str:
        if self.tested is None or self.p is None:
            return NOT_TESTED
        if not is_significant(self.p):
            return UNDECIDED
        return SUPPORTED if self.tested.difference > 0 else REFUTED


def findings(experiment: Experiment, boards: Sequence[Leaderboard]) -> list[Finding]:
    """Test every claim on the records that are not stale."""
    ours = boards_of(experiment, boards)
    found = [finding for claim in experiment.claims for finding in _findings(experiment, claim, ours)]
    tests = [i for i, one in enumerate(found) if one.tested is not None and one.tested.p is not None]
    adjusted = dict(zip(tests, holm([found[i].tested.p for i in tests]), strict=True))  # type: ignore[union-attr,misc]
    level = (1 - LEVEL) / max(1, len(tests))
    judged = [replace(one, p=adjusted.get(i)) for i, one in enumerate(found)]
    return [
        one if one.verdict in (SUPPORTED, REFUTED) else replace(one, seeds=seeds_that_decide(one.tested, level)) for one in judged
    ]


def overall(findings: Sequence[Finding]) -> str:
    """The verdict on a claim from all of its tests."""
    verdicts = {one.verdict for one in findings}
    if REFUTED in verdicts:
        return REFUTED
    return verdicts.pop() if len(verdicts) == 1 else UNDECIDED


def boards_of(experiment: Experiment, boards: Sequence[Leaderboard]) -> list[Leaderboard]:
    """The leaderboards that an experiment fills, in the order of its tracks."""
    fits = [
        board
        for board in boards
        if board.track in experiment.tracks and board.budget in experiment.budgets and _is_backbone_of(experiment, board)
    ]
    return sorted(fits, key=lambda board: (experiment.budgets.index(board.budget), experiment.tracks.index(board.track)))


def _is_backbone_of(experiment: Experiment, board: Leaderboard) -> bool:
    """Whether it is the one that the experiment names, else the track's default; any where the track is not known here."""
    if experiment.backbone:
        return board.backbone == experiment.backbone
    try:
        return board.backbone == track_of(parse_spec(board.track), data_root(None)).backbone
    except DataError:
        return True


def _findings(experiment: Experiment, claim: Claim, boards: Sequence[Leaderboard]) -> list[Finding]:
    tracks = [track for track in experiment.tracks if fnmatchcase(track, claim.on)]
    chosen = [board for board in boards if board.track in tracks]
    if not tracks:
        return [Finding(claim, claim.on, why="no track of the experiment fits")]
    if claim.claim == "grows_with":
        return [_slope(experiment, claim, budget, tracks, chosen) for budget in experiment.budgets]
    missing = [
        Finding(claim, f"{track}, {budget}", why="no records")
        for budget in experiment.budgets
        for track in tracks
        if not any((board.track, board.budget) == (track, budget) for board in chosen)
    ]
    return [_difference(experiment, claim, board) for board in chosen] + missing


def _difference(experiment: Experiment, claim: Claim, board: Leaderboard) -> Finding:
    known = samples(experiment, claim, board)
    where = f"{board.track}, {board.budget}"
    if _is_one(experiment, claim, board):
        return Finding(claim, where, why="both are one contender")
    pair: Pair | Steadiness | None
    if claim.claim == "steadier":
        pair = steadiness.compare(known[claim.a], known[claim.b]) if {claim.a, claim.b} <= known.keys() else None
    else:
        pair = paired.all_pairs(known).get((claim.a, claim.b))
    if claim.claim == "better" and isinstance(pair, Pair) and not pair.metric.better:
        return Finding(claim, where, why=f"neither more nor less of {pair.metric.title} is better")
    return Finding(claim, where, pair, "" if pair else _lack(experiment, claim, board))


def samples(experiment: Experiment, claim: Claim, board: Leaderboard) -> dict[str, Sample]:
    """The samples of the claim's contenders, then of all others, which improve the estimate of the variance over seeds.

    A contender that is written in two ways counts once.
    """
    rows = {name: find_row(board, experiment.spec(name)) for name in (claim.a, claim.b)}
    for name in experiment.contenders:
        row = find_row(board, name)
        if not any(row is one for one in rows.values()):
            rows[name] = row
    return {name: row.sample(claim.metric) for name, row in rows.items() if row and row.values[claim.metric]}


def _is_one(experiment: Experiment, claim: Claim, board: Leaderboard) -> bool:
    """Whether the claim's two sides are one contender, written in two ways."""
    a, b = (find_row(board, experiment.spec(name)) for name in (claim.a, claim.b))
    return a is not None and a is b


def _lack(experiment: Experiment, claim: Claim, board: Leaderboard) -> str:
    if not any(row.values[claim.metric] for row in board.rows):
        return f"no record has the metric {claim.metric}"
    old = [find_row(board, experiment.spec(name), board.stale) for name in (claim.a, claim.b)]
    return "no fresh records: they are stale" if any(old) else "no records of both on one seed"


def _slope(experiment: Experiment, claim: Claim, budget: str, tracks: Sequence[str], boards: Sequence[Leaderboard]) -> Finding:
    where = f"{len(tracks)} tracks, {budget}"
    chosen = [board for board in boards if board.budget == budget]
    if any(_is_one(experiment, claim, board) for board in chosen):
        return Finding(claim, where, why="both are one contender")
    sides = [[samples(experiment, claim, board).get(name) for name in (claim.a, claim.b)] for board in chosen]
    lacking = [board for board, pair in zip(chosen, sides, strict=True) if None in pair]
    if lacking or {board.track for board in chosen} != set(tracks):
        return Finding(claim, where, why=_lack(experiment, claim, lacking[0]) if lacking else "no records on every track")
    places = [value_of(board, claim.key) for board in chosen]
    if len(set(places)) < 2:
        return Finding(claim, where, why=f"the tracks do not differ in {claim.key}")
    return Finding(claim, where, slope(places, [(a, b) for a, b in sides if a and b]))


def value_of(board: Leaderboard, key: str) -> float:
    """The value of ``key`` on a board's track."""
    written = getattr(parse_spec(board.track), key)
    if written is not None:
        return float(written)
    row: Row = board.rows[0]
    record = row.records[0]
    usual = {"classes": record.data.get("classes"), "px": record.recipe.get("input_size")}
    return float(usual.get(key) or 1.0)


def slope(places: Sequence[float], sides: Sequence[tuple[Sample, Sample]]) -> Pair | None:
    """The slope of a - b against log2 of the places, over the seeds that all have; None where there are none."""
    seeds = sorted(set.intersection(*(set(one.values) for side in sides for one in side)))
    if not seeds:
        return None
    x = np.log2(np.asarray(places, dtype=float))
    weights = (x - x.mean()) / float(((x - x.mean()) ** 2).sum())
    by_seed = np.array([[a.values[s] - b.values[s] for a, b in sides] for s in seeds]) @ weights
    n, mean = len(seeds), float(by_seed.mean())
    if n < ENOUGH:
        return Pair(mean, n, metric=sides[0][0].metric)
    pairs = [paired.compare(_only(a, seeds), _only(b, seeds)) for a, b in sides]
    images = [pair.parts[1] for pair in pairs if pair and len(pair.parts) > 1]
    least = sum(w**2 / (a.images or math.inf) ** 2 for w, (a, _) in zip(weights, sides, strict=True))
    parts = [Part(max(float(np.var(by_seed, ddof=1)), least) / n, n - 1)]
    if len(images) == len(sides):
        variance = sum(w**2 * part.variance for w, part in zip(weights, images, strict=True))
        parts.append(Part(float(variance), min(part.freedom for part in images)))
    return Pair(mean, n, float(np.mean(np.sign(by_seed) + 1) / 2), tuple(parts), sides[0][0].metric)


def _only(sample: Sample, seeds: Sequence[int]) -> Sample:
    return replace(sample, values={s: sample.values[s] for s in seeds})


def seeds_that_decide(pair: Pair | Steadiness | None, level: float) -> int | None:
    """The smallest number of seeds that shows a difference of this size at ``level`` with probability POWER.

    None where there is no estimate of the variance yet, or where the variance over test images alone is too large.
    """
    if isinstance(pair, Steadiness):
        return pair.seeds_that_decide(level)
    if pair is None or not pair.parts or pair.difference == 0:
        return None
    seeds, *images = pair.parts
    for n in range(pair.n, MOST_SEEDS + 1):
        freedom = seeds.freedom * (n - 1) / (pair.n - 1)
        more = replace(pair, n=n, parts=(Part(seeds.variance * pair.n / n, freedom), *images))
        if (more.margin(level) or 0.0) + float(special.ndtri(POWER)) * more.error <= abs(pair.difference):
            return n
    return None
