"""Two methods, or two result folders (before and after a change), as one table with intervals and verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

import pandas as pd

from . import records, stale, stats, tables
from .errors import UserError
from .leaderboard import COMPARED, METRICS
from .records import Record
from .stats import Pair, Values

Board = tuple[str, str, str]  # track, backbone, budget
WORSE, GONE = "worse", "gone"


@dataclass(frozen=True)
class Comparison:
    """B against A in one metric on one leaderboard, paired by seed."""

    board: Board
    subject: str
    metric: str
    a: Values
    b: Values
    pair: Pair | None  # of b - a
    p: float | None  # after Holm's correction over the whole table
    verdict: str  # better, worse, no difference shown, too few seeds, or gone: A had values, B has none


def compare(a: str, b: str, out: Path, filters: Board, metrics: Sequence[str] = COMPARED) -> list[Comparison]:
    """Compare what ``a`` and ``b`` name: two folders of records, or two methods of ``out`` (stale records left out).

    ``filters`` are names or wildcards of track, backbone and budget. `UserError` where there is nothing to compare.
    """
    if Path(a).is_dir() and Path(b).is_dir():
        left, right = _by_subject(_read(Path(a)), filters), _by_subject(_read(Path(b)), filters)
    else:
        fresh = _fresh(_read(out))
        _check_methods((a, b), fresh, out)
        name = f"{b} against {a}"
        left, right = (_renamed(_by_subject(fresh, filters), method, name) for method in (a, b))
    found = [_compared(key, metric, left[key], right.get(key, [])) for key in sorted(left) for metric in metrics]
    found = [one for one in found if one.a and (one.b or one.verdict == GONE)]
    if not found:
        raise UserError(f"nothing to compare: {a} and {b} share no leaderboard with values that fits the filters")
    return _corrected(found)


def is_worse(found: Iterable[Comparison]) -> bool:
    """Whether B is significantly worse than A anywhere, or has lost what A had."""
    return any(one.verdict in (WORSE, GONE) for one in found)


def table(found: Sequence[Comparison]) -> pd.DataFrame:
    """The comparisons as text."""
    return pd.DataFrame(
        [
            {
                "leaderboard": ", ".join(one.board),
                "method": one.subject,
                "metric": METRICS[one.metric],
                "A": _mean(one.a),
                "B": _mean(one.b),
                "B - A": tables.difference(one.pair) if one.pair else tables.NONE,
                "P(B > A)": tables.number(one.pair.improvement if one.pair else None, "{:.2f}"),
                "p (Holm)": tables.number(one.p, "{:.3f}"),
                "pairs": str(one.pair.n if one.pair else 0),
                "verdict": one.verdict,
            }
            for one in found
        ]
    )


def _mean(values: Values) -> str:
    return tables.percent(stats.interval(list(values.values())) if values else None)


def _read(out: Path) -> list[Record]:
    if not out.is_dir():
        raise UserError(f"{out} is not a folder of records")
    found, problems = records.read_all(out)
    if problems:
        raise UserError(problems[0])  # a record that cannot be read may be the one that tells of a loss
    return found


def _fresh(found: Sequence[Record]) -> list[Record]:
    return [record for record, why in zip(found, stale.reasons(found), strict=True) if not why]


def _check_methods(names: Iterable[str], found: Sequence[Record], out: Path) -> None:
    known = sorted({record.method for record in found})
    for name in names:
        if name not in known:
            raise UserError(
                f"{name!r} is neither a folder nor a method with records in {out}; it has {', '.join(known) or 'none'}"
            )


def _by_subject(found: Iterable[Record], filters: Board) -> dict[tuple[Board, str], list[Record]]:
    grouped: dict[tuple[Board, str], list[Record]] = {}
    for record in found:
        board = (record.track, record.backbone, record.budget)
        if all(map(fnmatchcase, board, filters)):
            grouped.setdefault((board, record.method), []).append(record)
    return grouped


def _renamed(grouped: dict[tuple[Board, str], list[Record]], method: str, name: str) -> dict[tuple[Board, str], list[Record]]:
    return {(board, name): of for (board, subject), of in grouped.items() if subject == method}


def _compared(key: tuple[Board, str], metric: str, left: list[Record], right: list[Record]) -> Comparison:
    a, b = ({r.seed: r.metrics[metric] for r in side if r.status == "ok" and metric in r.metrics} for side in (left, right))
    verdict = GONE if right and not b else ""  # its cells ran, and failed; cells that never ran say nothing
    return Comparison(*key, metric, a, b, stats.compare(b, a), None, verdict)


def _corrected(found: Sequence[Comparison]) -> list[Comparison]:
    """The verdicts, with Holm's correction over all of them."""
    adjusted = stats.adjusted({position: one.pair for position, one in enumerate(found) if one.pair})
    ps = [adjusted.get(position) for position in range(len(found))]
    return [replace(one, p=p, verdict=one.verdict or _verdict(one.pair, p)) for one, p in zip(found, ps, strict=True)]


def _verdict(pair: Pair | None, p: float | None) -> str:
    if pair is None or p is None:
        return "too few seeds"
    if not stats.is_significant(p):
        return "no difference shown"
    return "better" if pair.difference > 0 else WORSE
