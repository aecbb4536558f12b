"""Two methods, or two result folders (before and after a change), as one table with intervals and verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

import pandas as pd

from .. import records
from ..errors import UserError
from ..folders import expanded
from ..metrics import COMPARED
from ..records import Record
from ..settings import nearest
from . import confounds, leaderboard, paired, stats, tables
from .formats import number
from .leaderboard import Leaderboard, find_row
from .paired import Judged, Sample
from .row import Row, row_of

Board = tuple[str, str, str]  # track, backbone, budget
WORSE, GONE = "worse", "gone"


@dataclass(frozen=True)
class Comparison:
    """B against A in one metric on one leaderboard, paired by seed."""

    board: Board
    subject: str
    metric: str
    a: Sample
    b: Sample
    judged: Judged | None  # b against a; None where no seed is shared
    gone: bool = False  # A had values, and B's cells have none
    confounds: str = ""  # settings other than the method in which two contenders differ

    @property
    def verdict(self) -> str:
        """Better, worse, differs, equal within 1 point, not distinguishable, too few seeds, or gone."""
        return GONE if self.gone else self.judged.verdict if self.judged else "too few seeds"


def compare(a: str, b: str, out: Path, filters: Board, metrics: Sequence[str] = COMPARED) -> list[Comparison]:
    """Compare two folders of records, or two contenders of ``out`` (without stale records), as ``a`` and ``b`` name them.

    Two contenders are tested within their board's family of tests, as in every table; two folders within the family of
    all comparisons between them. ``filters`` are names or wildcards of track, backbone and budget. `UserError` where there
    is nothing to compare.
    """
    before, after = expanded(a), expanded(b)
    folders = before.is_dir() and after.is_dir()
    if folders and before.samefile(after):
        raise UserError(f"A and B are the same folder, {a}")
    found = _folders(before, after, filters, metrics) if folders else _methods(a, b, out, filters, metrics)
    found = [one for one in found if one.a.values and (one.b.values or one.gone)]
    if not found:
        raise UserError(
            f"nothing to compare: {a} and {b} share no leaderboard with values of {', '.join(metrics)} that fits the filters"
        )
    return found


def is_worse(found: Iterable[Comparison]) -> bool:
    """Whether B is significantly worse than A in any comparison, or lacks values that A has."""
    return any(one.verdict in (WORSE, GONE) for one in found)


def table(found: Sequence[Comparison]) -> pd.DataFrame:
    """The comparisons as text."""
    return pd.DataFrame(
        [
            {
                "leaderboard": ", ".join(one.board),
                "method": one.subject,
                "metric": one.a.metric.title,
                "A": _mean(one.a),
                "B": _mean(one.b),
                **_difference(one.judged),
                "verdict": one.verdict,
            }
            for one in found
        ]
    )


def _difference(judged: Judged | None) -> dict[str, str]:
    pair = judged.pair if judged else None
    return {
        "B - A": tables.difference(pair) if pair else tables.NONE,
        "P(B > A)": number(pair.improvement if pair else None, "{:.2f}"),
        "p (Holm)": tables.p_value(judged.p if judged else None),
        "pairs": str(pair.n if pair else 0),
    }


def _mean(sample: Sample) -> str:
    return tables.score(stats.interval(list(sample.values.values())) if sample.values else None, sample.metric)


def _read(out: Path) -> list[Record]:
    if not out.is_dir():
        raise UserError(f"{out} is not a folder of records")
    found, problems = records.read_all(out)
    if problems:
        raise UserError(problems[0])  # the unreadable record may be a worse one
    return found


def _check_found(boards: Sequence[Leaderboard], names: Sequence[str], out: Path) -> None:
    known = sorted({row.contender for board in boards for row in board.ranked + board.unranked})
    unknown = [name for name in names if not any(find_row(board, name) for board in boards)]
    for name in unknown:
        if not expanded(name).is_dir():
            raise UserError(
                f"{name!r} is neither a folder nor a contender with records in {out}; it has {', '.join(known) or 'none'}"
            )
    if unknown:
        raise UserError(
            f"A and B must be two contenders or two folders of records; of {' and '.join(names)}, only one is a folder"
        )


def _check_metrics(metrics: Sequence[str], found: Iterable[Record]) -> None:
    known = {metric for record in found for metric in record.metrics}
    for metric in metrics:
        if known and metric not in known:
            raise UserError(f"--metric: no record here has {metric!r}; {nearest(metric, sorted(known))}")


def _methods(a: str, b: str, out: Path, filters: Board, metrics: Sequence[str]) -> list[Comparison]:
    read = _read(out)
    boards = leaderboard.build(read)
    _check_found(boards, (a, b), out)
    _check_metrics(metrics, read)
    found = []
    for board in boards:
        before, after = find_row(board, a), find_row(board, b)
        if before and before is after:
            raise UserError(f"A and B are the same contender, {before.contender}")
        if before and after and all(map(fnmatchcase, board.key, filters)):
            subject = f"{after.contender} against {before.contender}"
            found += [_of_rows(board, subject, metric, before, after) for metric in metrics]
    return found


def _of_rows(board: Leaderboard, subject: str, metric: str, a: Row, b: Row) -> Comparison:
    judged = board.judged(metric, b.contender, a.contender)
    differ = confounds.sentence((a, b))
    return Comparison(board.key, subject, metric, a.sample(metric), b.sample(metric), judged, not b.good, differ)


def _folders(before: Path, after: Path, filters: Board, metrics: Sequence[str]) -> list[Comparison]:
    read = _read(before), _read(after)
    _check_metrics(metrics, [*read[0], *read[1]])
    left, right = (_by_subject(records, filters) for records in read)
    found = [_alone(key, metric, left[key], right.get(key, [])) for key in sorted(left) for metric in metrics]
    pairs = {i: pair for i, one in enumerate(found) if (pair := paired.compare(one.b, one.a))}
    judged = paired.family(pairs)
    return [replace(one, judged=judged.get(i)) for i, one in enumerate(found)]


def _by_subject(found: Sequence[Record], filters: Board) -> dict[tuple[Board, str], list[Record]]:
    grouped: dict[tuple[Board, str], list[Record]] = {}
    for record in found:
        board = (record.track, record.backbone, record.budget)
        if all(map(fnmatchcase, board, filters)):
            grouped.setdefault((board, record.contender), []).append(record)
    return grouped


def _alone(key: tuple[Board, str], metric: str, left: list[Record], right: list[Record]) -> Comparison:
    a, b = (row_of(side).sample(metric) if side else Sample({}) for side in (left, right))
    differ = _differences(left, right) if right else ""
    if differ:  # the images of one are not those of the other
        a, b = replace(a, right={}), replace(b, right={})
    return Comparison(*key, metric, a, b, None, gone=bool(right) and not b.values, confounds=differ)  # never ran is not lost


def _differences(left: list[Record], right: list[Record]) -> str:
    """In which of data and protocol the good records of two sides differ, as text."""
    a, b = _made_with(left), _made_with(right)
    return " and ".join(what for what in a if a[what] and b[what] and a[what] != b[what])


def _made_with(side: list[Record]) -> dict[str, set[str | None]]:
    good = [record for record in side if record.status == "ok"]
    return {"the data": {record.data.get("fingerprint") for record in good}, "the protocol": {record.protocol for record in good}}
