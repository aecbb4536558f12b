"""Over several tracks: mean accuracy, mean rank and probability of improvement, with intervals from a stratified bootstrap.

As in Agarwal et al. 2021 (arXiv 2108.13264, section 4; their package rliable), with tracks as tasks: each resample draws the
seeds of every method on every track anew, with replacement. Intervals are percentiles. They cover the choice of seeds, not
the choice of tracks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..metrics import HEADLINE, METRICS
from . import searches, tables
from .leaderboard import Leaderboard
from .stats import BOOTSTRAP_SEED, ENOUGH, LEVEL, RESAMPLES, Ends

Samples = Mapping[str, Sequence[np.ndarray]]  # by method: for each track its values over seeds, float [n]


class Averaged(NamedTuple):
    """A number over tracks, and the ends of its interval, None below ENOUGH seeds."""

    value: float
    bounds: Ends | None


@dataclass(frozen=True)
class Summary:
    """The contestants that several tracks share, with one backbone and budget."""

    backbone: str
    budget: str
    tracks: Sequence[str]
    samples: Samples

    @property
    def seeds(self) -> int:
        """The smallest number of seeds of a method on a track."""
        return min(len(values) for of_method in self.samples.values() for values in of_method)

    @property
    def title(self) -> str:
        return f"{self.backbone}, {self.budget}: {', '.join(self.tracks)}"

    @property
    def note(self) -> str:
        return "" if self.seeds >= ENOUGH else f"Without intervals: a method has fewer than {ENOUGH} seeds on a track."


def of_boards(boards: Sequence[Leaderboard]) -> list[Summary]:
    """Summaries for each backbone and budget: of at least two tracks, all with the same two contestants or more."""
    groups: dict[tuple[str, str], list[Leaderboard]] = defaultdict(list)
    for board in boards:
        if _values(board) and not searches.is_dev(board.track):
            groups[board.backbone, board.budget].append(board)
    return [_summary(*key, alike) for key, group in sorted(groups.items()) for alike in _with_the_same(group) if len(alike) > 1]


def _values(board: Leaderboard) -> dict[str, Mapping[int, float]]:
    return {row.contender: row.values[HEADLINE] for row in board.ranked if row.values[HEADLINE]}


def _with_the_same(boards: Sequence[Leaderboard]) -> list[list[Leaderboard]]:
    """Boards in sets that share at least two contestants; from the board with the most on, each joins the first that it can."""
    sets: list[tuple[list[Leaderboard], set[str]]] = []
    for board in sorted(boards, key=lambda board: -len(_values(board))):
        names = set(_values(board))
        for members, shared in sets:
            if len(shared & names) > 1:
                members.append(board)
                shared &= names
                break
        else:
            sets.append(([board], names))
    return [members for members, _ in sets]


def _summary(backbone: str, budget: str, boards: Sequence[Leaderboard]) -> Summary:
    values = [_values(board) for board in boards]
    shared = [name for name in values[0] if all(name in of_board for of_board in values)]
    samples = {name: [np.array(list(of_board[name].values())) for of_board in values] for name in shared}
    return Summary(backbone, budget, [board.track for board in boards], samples)


def resampled(samples: Samples) -> dict[str, list[np.ndarray]]:
    """RESAMPLES draws with replacement of every method's values on every track: float [RESAMPLES, n] each."""
    rng = np.random.default_rng(BOOTSTRAP_SEED)
    return {
        name: [values[rng.integers(len(values), size=(RESAMPLES, len(values)))] for values in of_method]
        for name, of_method in samples.items()
    }


def mean_ranks(means: np.ndarray) -> np.ndarray:
    """Ranks of methods by their means float [..., methods, tracks], averaged over ties and over tracks: [..., methods]."""
    above = means[..., None, :, :] > means[..., :, None, :]
    alike = means[..., None, :, :] == means[..., :, None, :]
    return (above.sum(-2) + (alike.sum(-2) + 1) / 2).mean(-1)


def improvement(a: Sequence[np.ndarray], b: Sequence[np.ndarray]) -> np.ndarray:
    """Probability that a run of ``a`` beats one of ``b`` (ties count half), averaged over tracks; values [..., n], [..., m]."""
    by_track = [(np.sign(x[..., :, None] - y[..., None, :]) + 1).mean((-2, -1)) / 2 for x, y in zip(a, b, strict=True)]
    return np.mean(by_track, axis=0)


def bounds(draws: np.ndarray) -> Ends:
    """The percentile interval."""
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Ends(float(low), float(high))


class MethodLine(NamedTuple):
    """A method over the tracks; ``improvement`` is over the first method, and None for that one."""

    method: str
    mean: Averaged
    rank: Averaged
    improvement: Averaged | None


def numbers(summary: Summary) -> list[MethodLine]:
    """One line for each method, the best mean rank first."""
    names, samples = list(summary.samples), summary.samples
    found = np.array([[values.mean() for values in samples[name]] for name in names])
    ranks = mean_ranks(found)
    first = names[min(range(len(names)), key=lambda i: (ranks[i], -found[i].mean(), names[i]))]
    better = {name: float(improvement(samples[name], samples[first])) for name in names}
    ends = _bounds(samples, first) if summary.seeds >= ENOUGH else dict.fromkeys(names, (None, None, None))
    lines = [
        MethodLine(
            name,
            Averaged(float(mean), ends[name][0]),
            Averaged(float(rank), ends[name][1]),
            None if name == first else Averaged(better[name], ends[name][2]),
        )
        for name, mean, rank in zip(names, found.mean(1), ranks, strict=True)
    ]
    return sorted(lines, key=lambda line: (line.method != first, line.rank.value, line.method))


def _bounds(samples: Samples, first: str) -> dict[str, tuple[Ends | None, ...]]:
    """By method the intervals of its mean, mean rank and improvement over ``first``."""
    drawn = resampled(samples)
    means = np.stack([np.stack([values.mean(-1) for values in of_method], -1) for of_method in drawn.values()], -2)
    ranks = mean_ranks(means)
    return {
        name: (bounds(means[:, i].mean(-1)), bounds(ranks[:, i]), bounds(improvement(drawn[name], drawn[first])))
        for i, name in enumerate(samples)
    }


def table(summary: Summary) -> pd.DataFrame:
    """`numbers` as text."""
    found = numbers(summary)
    lines = [
        {
            "method": line.method,
            f"mean {METRICS[HEADLINE]}": _text(line.mean, "{:.2f}", 100),
            "mean rank": _text(line.rank, "{:.2f}"),
            f"P(better than {found[0].method})": _text(line.improvement, "{:.2f}") if line.improvement else tables.NONE,
        }
        for line in found
    ]
    return pd.DataFrame(lines)


def _text(one: Averaged, form: str, scale: float = 1) -> str:
    text = form.format(scale * one.value)
    return text if one.bounds is None else f"{text} ({'–'.join(form.format(scale * end) for end in one.bounds)})"


def markdown(summaries: Sequence[Summary]) -> list[str]:
    """The lines of a section; none where there is no summary."""
    if not summaries:
        return []
    lines = ["## Over tracks", "", LEGEND, ""]
    for one in summaries:
        lines += [f"**{one.title}**", "", tables.to_markdown(table(one)), ""]
        lines += [one.note, ""] if one.note else []
    return lines


def page(summaries: Sequence[Summary]) -> list[dict[str, Any]]:
    """The summaries as plain values, for the HTML page."""
    return [{"title": one.title, "lines": table(one).to_dict("records"), "note": one.note} for one in summaries]


LEGEND = (
    "Contestants that compete on every track named. Mean rank: by the mean over seeds on each track, averaged over tracks; 1 is "
    "best. P: probability that a run of the method beats one of the first, averaged over tracks. In brackets 95% intervals from "
    f"a bootstrap stratified by method and track ({RESAMPLES:,} resamples of the seeds, percentiles; Agarwal et al. 2021). They "
    "are about seeds, not about other tracks, and with few seeds they are too narrow."
)
