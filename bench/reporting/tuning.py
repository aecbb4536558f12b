"""Searches in the report: default and tuned results, the cost of tuning, and the expected best for each number of trials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, permutations
from statistics import fmean, median
from typing import Any

import pandas as pd

from ..contenders import parse_contender
from ..errors import counted
from ..metrics import HEADLINE, LINEAR_TOP1, METRICS
from . import searches, spent, tables
from .formats import duration, operations, rounded
from .leaderboard import Leaderboard, find_row
from .plots import COLOURS, DASHES, MARKERS, Figure, label, legend
from .row import Row
from .searches import Search
from .stats import is_significant
from .tables import to_markdown

LEGEND = (
    "T trials a method: its default settings, then points of one Halton sequence over its search space (`python -m bench list "
    "methods NAME` shows it). A trial trains on train less its held-out tenth and is judged by linear accuracy on that tenth; "
    "the test split is not opened. A trial that failed or collapsed counts as 0. Default and tuned: linear accuracy on the test "
    "split after training on all of train, with seeds that no trial had, mean and 95% interval. Gain: tuned minus default, "
    "paired by seed and test image. Images, operations and time: of all trials of the method together."
)
CURVE = (
    "Expected accuracy on the held-out tenth of the best of t trials that are drawn at random from those of the search (Dodge et "
    "al. 2019). Where two curves cross, the ranking depends on how much was tuned."
)


@dataclass(frozen=True)
class Tuned:
    """The searches of one track, backbone and budget of trials, and the leaderboards on which their winners compete."""

    searches: Sequence[Search]
    boards: Sequence[Leaderboard]

    @property
    def title(self) -> str:
        one = self.searches[0]
        return f"{one.track}, {one.backbone}, trials of {one.budget}"


def of_leaderboards(boards: Sequence[Leaderboard]) -> list[Tuned]:
    """One for each track, backbone and budget of trials."""
    return [Tuned(group, searches.finals(group, boards)) for group in searches.grouped(searches.of_boards(boards))]


def markdown(tuned: Tuned) -> str:
    """The tables of one group."""
    lines: list[str] = []
    for board in tuned.boards:
        if (frame := finals(tuned, board)) is not None:
            lines += [f"**{board.title}**", "", to_markdown(frame), "", verdict(tuned, board), ""]
    lines += [
        "**Trials**",
        "",
        to_markdown(trials(tuned)),
        "",
        "**Expected best of t trials**",
        "",
        to_markdown(expected(tuned)),
        "",
    ]
    return "\n".join(lines).rstrip()


def finals(tuned: Tuned, board: Leaderboard) -> pd.DataFrame | None:
    """Default and tuned on the leaderboard ``board``; None where no winner has been run there."""
    lines = [line for search in tuned.searches if (line := _final(search, board))]
    return pd.DataFrame(lines).fillna(tables.NONE) if lines else None  # where methods differ in T, so do their columns


def _rows(search: Search, board: Leaderboard) -> tuple[Row | None, Row | None]:
    return find_row(board, search.base), find_row(board, search.winner)


def _final(search: Search, board: Leaderboard) -> dict[str, str] | None:
    default, won = _rows(search, board)
    if default is None or won is None:
        return None
    judged = board.judged(HEADLINE, won.contender, default.contender) if won is not default else None
    return {
        "method": search.base,
        "default": tables.percent(default.interval(HEADLINE)),
        f"tuned, T = {len(search.trials)}": tables.percent(won.interval(HEADLINE)),
        "gain": tables.difference(judged.pair) if judged else "the default won" if won is default else tables.NONE,
        "n": str(len(won.values[HEADLINE])),
        "the winner's settings": ", ".join(f"{k} = {v}" for k, v in sorted(parse_contender(won.contender).settings.items())),
    }


def verdict(tuned: Tuned, board: Leaderboard) -> str:
    """Whether tuning changes the ranking on ``board``, in a sentence."""
    pairs = [(search, *_rows(search, board)) for search in tuned.searches]
    means = {
        search.base: (fmean(default.values[HEADLINE].values()), fmean(won.values[HEADLINE].values()))
        for search, default, won in pairs
        if default and won and default.values[HEADLINE] and won.values[HEADLINE]
    }
    if len(means) < 2:
        return ""
    default, won = (_order({name: pair[side] for name, pair in means.items()}) for side in (0, 1))
    turned = [
        f"{a} and {b}" for a, b in permutations(sorted(means), 2) if means[a][0] > means[b][0] and means[a][1] < means[b][1]
    ]
    changed = ", ".join(turned) or "no two methods"
    rows = [[row.contender for row in of_side if row] for of_side in zip(*[_rows(s, board) for s in tuned.searches], strict=True)]
    return (
        f"By the means, tuning changes the order of {changed}: {default} by default, {won} tuned. "
        f"Significant (5%, Holm): {_proven(rows[0], board)} between defaults, {_proven(rows[1], board)} between tuned methods."
    )


def _order(means: dict[str, float]) -> str:
    """Best first, as ``a > b = c``."""
    names = sorted(means, key=lambda name: (-means[name], name))
    signs = [" > " if means[a] > means[b] else " = " for a, b in pairwise(names)]
    return names[0] + "".join(sign + name for sign, name in zip(signs, names[1:], strict=True))


def _proven(contenders: Sequence[str], board: Leaderboard) -> str:
    """How many differences between the contenders are significant."""
    pairs = [one for pair, one in board.pairs[HEADLINE].items() if set(pair) <= set(contenders)]
    sure = sum(one.p is not None and is_significant(one.p) for one in pairs)
    return f"{sure or 'none'} of {counted(len(pairs), 'difference')}"


def trials(tuned: Tuned) -> pd.DataFrame:
    """The spread of each method's trials, and their cost."""
    return pd.DataFrame([_trials_line(search.base, _spread(search)) for search in tuned.searches])


def _trials_line(name: str, spread: dict[str, Any]) -> dict[str, str]:
    return {
        "method": name,
        "T": str(spread["trials"]),
        **{part: LINEAR_TOP1.shown(spread[f"trials_{part}"]) for part in ("default", "worst", "median", "best")},
        "failed": str(spread["trials_failed"]),
        "images": f"{spread['images']:,}",
        "operations": operations(spread["flops"]),
        "time": duration(spread["seconds"]),
    }


def _spread(search: Search) -> dict[str, Any]:
    """The accuracies of the trials on the held-out tenth, as fractions, and the costs of all of them together."""
    values = [trial.accuracy for trial in search.trials]
    costs = [record.cost for trial in search.trials for record in trial.records]
    flops = [cost.get("flops") for cost in costs]
    return {
        "trials": len(values),
        "trials_default": values[0],
        "trials_worst": min(values),
        "trials_median": median(values),
        "trials_best": max(values),
        "trials_failed": sum(trial.failed for trial in search.trials),
        "images": sum(cost.get("images") or 0 for cost in costs),
        "flops": sum(f for f in flops if f is not None) if None not in flops else None,
        "seconds": sum(spent.seconds(record) for trial in search.trials for record in trial.records),
    }


def numbers(found: Sequence[Tuned]) -> pd.DataFrame:
    """One row for each search and leaderboard of its winner, or for the search alone; accuracies are fractions."""
    lines: list[dict[str, Any]] = []
    for tuned in found:
        for one in tuned.searches:
            where = {"track": one.track, "backbone": one.backbone, "trial_budget": one.budget, "method": one.base}
            finals = [line for board in tuned.boards if (line := _final_numbers(one, board))]
            lines += [where | {"winner": one.winner} | _spread(one) | line for line in finals or [{}]]
    return pd.DataFrame(lines)


def _final_numbers(search: Search, board: Leaderboard) -> dict[str, Any]:
    """Default and winner on ``board``; empty where one of them has no good record there."""
    default, won = (row.interval(HEADLINE) if row else None for row in _rows(search, board))
    if default is None or won is None:
        return {}
    judged = board.judged(HEADLINE, search.winner, search.base) if search.winner != search.base else None
    return {
        "budget": board.budget,
        "default": default.mean,
        "default_half": default.half,
        "tuned": won.mean,
        "tuned_half": won.half,
        "gain": judged.pair.difference if judged else 0.0 if search.winner == search.base else None,
        "gain_half": judged.pair.half if judged else None,
        "p_holm": judged.p if judged else None,
        "n": won.n,
    }


def expected(tuned: Tuned) -> pd.DataFrame:
    """The expected best of 1, 2, ... trials of each method."""
    lines = [
        {"method": search.base, **{str(t): LINEAR_TOP1.shown(value) for t, value in enumerate(search.expected_best(), 1)}}
        for search in tuned.searches
    ]
    return pd.DataFrame(lines).fillna(tables.NONE)


def figure(tuned: Tuned) -> Figure:
    """The expected best as curves."""
    return Figure({"title": tuned.title, "lines": _curves(tuned)}, against_trials)


def _curves(tuned: Tuned) -> list[dict[str, Any]]:
    return [{"method": s.base, "percent": [rounded(100 * value) for value in s.expected_best()]} for s in tuned.searches]


def page(found: Sequence[Tuned]) -> list[dict[str, Any]]:
    """The searches as plain values, for the HTML page."""
    return [
        {
            "title": one.title,
            "finals": [
                {"title": board.title, "lines": frame.to_dict("records"), "verdict": verdict(one, board)}
                for board in one.boards
                if (frame := finals(one, board)) is not None
            ],
            "trials": trials(one).to_dict("records"),
            "curves": _curves(one),
        }
        for one in found
    ]


def against_trials(axes: Any, shows: dict[str, Any]) -> None:
    """The expected best accuracy against the number of trials: one line for each method."""
    for i, line in enumerate(shows["lines"]):
        style = MARKERS[i % len(MARKERS)] + DASHES[i // len(COLOURS) % len(DASHES)]
        numbers = range(1, len(line["percent"]) + 1)
        axes.plot(numbers, line["percent"], style, color=COLOURS[i % len(COLOURS)], label=line["method"])
    axes.set_xticks(range(1, 1 + max(len(line["percent"]) for line in shows["lines"])))
    label(axes, shows["title"], "trials", f"expected best {METRICS[HEADLINE]} top-1 [%]")
    legend(axes, len(shows["lines"]))
