"""Leaderboards as tables: text for Markdown, terminals and LaTeX, numbers for CSV."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import pandas as pd

from ..metrics import HEADLINE, METRICS, SPLITS, Metric
from . import columns, costs, stats
from .formats import NONE, number
from .leaderboard import Leaderboard
from .paired import Pair
from .row import Row
from .stats import Interval

RULE = "*not ranked: anchors and oracles*"
EXTERNAL_RULE = "*encoders from elsewhere: judged alike, trained otherwise*"
STALE_RULE = "*stale: made with other settings, protocol or data than today's*"


def table(board: Leaderboard, only: Sequence[str] = columns.ALL) -> pd.DataFrame:
    """The leaderboard as text, with the columns that match the patterns ``only``."""
    frame = _whole(board)
    return frame[columns.chosen(board, list(map(str, frame)), only)]


@lru_cache(maxsize=100)
def _whole(board: Leaderboard) -> pd.DataFrame:
    """All of its columns but the optional ones that no row has; made once, as several files of a report show it."""
    lines = [_line(board, row) for row in board.ranked]
    for rule, rows in ((RULE, board.unranked), (EXTERNAL_RULE, board.external), (STALE_RULE, board.stale)):
        lines += [{"rank": "", "method": rule}] if rows else []
        lines += [_line(board, row) for row in rows]
    frame = pd.DataFrame(lines).fillna("")
    unused = [name for name in (*SPLITS, "published") if name in frame and set(frame[name]) <= {"", NONE}]
    return frame.drop(columns=unused)


def _line(board: Leaderboard, row: Row) -> dict[str, Any]:
    failed = "".join(f"; {count} {status}" for status, count in row.failed.items())
    accuracies = {title: _accuracy(board, row, metric) for metric, title in board.metrics.items()}
    return {
        "rank": "" if row not in board.ranked else _rank(board, row),
        "method": row.contender + (f" ({', '.join(row.marks)})" if row.marks else ""),
        METRICS[HEADLINE]: accuracies.pop(METRICS[HEADLINE]),
        SPLITS[bool(board.judged_on)]: _ends(row.test_interval(HEADLINE)),
        **accuracies,
        "n": f"{len(row.values[HEADLINE])}{failed}",
        **costs.texts(row),
        "published": _published(board, row),
    }


def _rank(board: Leaderboard, row: Row) -> str:
    standing = board.standings[HEADLINE].get(row.contender)
    if standing is None:
        return NONE
    ends = f" ({standing.best}–{standing.worst})" if standing.best != standing.worst else ""
    return f"{standing.rank}{ends}"


def _accuracy(board: Leaderboard, row: Row, metric: str) -> str:
    text = mean(row, metric)
    return f"**{text}**" if metric == HEADLINE and board.bold(row, metric) else text


def _published(board: Leaderboard, row: Row) -> str:
    notes = published_notes(board)
    found = [p for p in board.published if p.method == row.contender]
    return ", ".join(f"{p.value:.1f} [{notes.index(p.note) + 1}]" for p in found) or NONE


def published_notes(board: Leaderboard) -> list[str]:
    """Metric, budget, protocol and source of each published number in the table."""
    shown = {row.contender for row in board.rows}
    return list(dict.fromkeys(p.note for p in board.published if p.method in shown))


def to_best(board: Leaderboard) -> pd.DataFrame | None:
    """Each contestant against the best; None where fewer than two have enough seeds."""
    standings = board.standings[HEADLINE]
    if len(standings) < 2:
        return None
    best, *others = sorted(standings, key=lambda name: standings[name].rank)
    judged = [(name, one) for name in others if (one := board.judged(HEADLINE, name, best))]
    lines = [
        {
            "method": name,
            f"difference to {best}": difference(one.pair),
            "probability of improvement": number(one.pair.improvement, "{:.2f}"),
            "p (Holm)": p_value(one.p),
            "pairs of seeds": str(one.pair.n),
            "verdict": one.verdict,
        }
        for name, one in judged
    ]
    return pd.DataFrame(lines) if lines else None


def numbers(boards: Sequence[Leaderboard]) -> pd.DataFrame:
    """Every row of every leaderboard with its numbers, accuracies and interval ends as fractions."""
    return pd.DataFrame([_numbers(board, row) for board in boards for row in board.rows])


def _numbers(board: Leaderboard, row: Row) -> dict[str, Any]:
    standing = board.standings[HEADLINE].get(row.contender) if row in board.ranked else None
    line: dict[str, Any] = {
        "track": board.track,
        "backbone": board.backbone,
        "budget": board.budget,
        "method": row.contender,
        "role": row.role,
        "uses_labels": row.uses_labels,
        "stale": "; ".join(row.stale),
        "n": len(row.values[HEADLINE]),
        "not_ok": sum(row.failed.values()),
        "rank": standing.rank if standing else None,
        "rank_best": standing.best if standing else None,
        "rank_worst": standing.worst if standing else None,
    }
    samples = [list(row.values[metric].values()) for metric in board.metrics]
    for metric, resampled in zip(board.metrics, stats.bootstrap(samples), strict=True):
        found = row.interval(metric)
        line[metric] = found.mean if found else None
        line[f"{metric}_half"] = found.half if found else None
        line[f"{metric}_bca_low"], line[f"{metric}_bca_high"] = resampled or (None, None)
        line[f"{metric}_top"] = board.bold(row, metric)
    line["test_split_low"], line["test_split_high"] = row.test_interval(HEADLINE) or (None, None)
    return line | row.cost | {"steady_times": row.steady, "pareto": row.contender in board.front}


def pair_numbers(boards: Sequence[Leaderboard]) -> pd.DataFrame:
    """Every pair of methods of every leaderboard: difference, interval, p, probability of improvement, verdict."""
    return pd.DataFrame(
        [
            {
                "track": board.track,
                "backbone": board.backbone,
                "budget": board.budget,
                "metric": metric,
                "a": a,
                "b": b,
                "difference": one.pair.difference,
                "half": one.pair.half,
                "p": one.pair.p,
                "improvement": one.pair.improvement,
                "n": one.pair.n,
                "p_holm": one.p,
                "half_all_pairs": one.margin,
                "verdict": one.verdict,
            }
            for board in boards
            for metric, pairs in board.pairs.items()
            for (a, b), one in pairs.items()
        ]
    )


def mean(row: Row, metric: str) -> str:
    return score(row.interval(metric), row.declared(metric))


def score(found: Interval | None, metric: Metric) -> str:
    """A mean over seeds with its interval, as text in the metric's display unit."""
    return percent(found, metric.lowest) if metric.is_fraction else plain(found)


def percent(found: Interval | None, lowest: float = 0.0) -> str:
    """A mean of fractions in percent; an interval that would go beyond ``lowest`` or 1 ends there."""
    if found is None:
        return NONE
    ends = found.ends(lowest, 1.0)
    if found.half is None or ends is None:
        return f"{100 * found.mean:.2f}"
    if ends == found.ends():
        return f"{100 * found.mean:.2f} ± {100 * found.half:.2f}"
    return f"{100 * found.mean:.2f} ({100 * ends.low:.2f}–{100 * ends.high:.2f})"


def plain(found: Interval | None) -> str:
    """A mean that is no fraction, to four digits."""
    if found is None:
        return NONE
    return f"{found.mean:.4g}" + (f" ± {found.half:.2g}" if found.half is not None else "")


def p_value(p: float | None) -> str:
    """Three decimals; below 0.0005 as < 0.001."""
    return NONE if p is None else "< 0.001" if p < 0.0005 else f"{p:.3f}"


def difference(pair: Pair) -> str:
    scale, (value, half) = pair.metric.scale, (".2f", ".2f") if pair.metric.is_fraction else (".4g", ".2g")
    return f"{scale * pair.difference:+{value}}" + (f" ± {scale * pair.half:{half}}" if pair.half is not None else "")


def to_markdown(frame: pd.DataFrame) -> str:
    """A table of texts, each as it is; a | in one, or in a title, ends no cell."""
    plain = frame.rename(columns=_in_a_cell).map(_in_a_cell)
    return plain.to_markdown(index=False, disable_numparse=True)


def _in_a_cell(content: Any) -> Any:
    return content.replace("|", "\\|") if isinstance(content, str) else content


def _ends(found: stats.Ends | None) -> str:
    return NONE if found is None else f"{100 * found.low:.1f}–{100 * found.high:.1f}"
