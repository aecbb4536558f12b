"""Which columns the tables of a folder show, with every pattern held to the tables' own columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import UserError
from . import columns, tables
from .files import Files, Gone, Text
from .leaderboard import Leaderboard


def of_folder(
    out: Path, boards: Sequence[Leaderboard], only: Sequence[str] | None, warn: Callable[[str], None]
) -> tuple[Sequence[str], Files]:
    """The patterns of columns, from columns.txt where ``only`` is None, else with that file as it is to be.

    `UserError` where a pattern in ``only`` matches no column.
    """
    if only is None:
        return known(boards, columns.read(out, warn), str(out / columns.FILE), warn), {}
    patterns = only or columns.ALL
    if unknown := _unknown(boards, patterns):
        raise UserError(f"--columns: {unknown}")
    text = Gone() if patterns == columns.ALL else Text("".join(f"{pattern}\n" for pattern in patterns))
    return patterns, {out / columns.FILE: text}


def known(boards: Sequence[Leaderboard], patterns: Sequence[str], where: str, warn: Callable[[str], None]) -> Sequence[str]:
    """The same ``patterns``; warns of one that matches no column, and says ``where`` it was."""
    if boards and (unknown := _unknown(boards, patterns)):
        warn(f"{where}: {unknown}")
    return patterns


def _unknown(boards: Sequence[Leaderboard], patterns: Sequence[str]) -> str:
    if patterns == columns.ALL:
        return ""
    return columns.unknown([(board, list(map(str, tables.table(board)))) for board in boards], patterns)
