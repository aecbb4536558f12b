"""The columns that the tables of a folder show: all, or those named in its columns.txt, which `report --columns` writes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from ..metrics import HEADLINE, METRICS
from ..settings import nearest
from .leaderboard import Leaderboard

FILE = "columns.txt"
ALWAYS = ("rank", "method", METRICS[HEADLINE], "n")  # columns of every table
ALL = ["*"]


def read(out: Path, warn: Callable[[str], None]) -> list[str]:
    """The patterns of ``<out>/columns.txt``, one a line; ALL without the file, or with one that cannot be read (a warning)."""
    path = out / FILE
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    except (OSError, UnicodeDecodeError) as error:
        warn(f"{path} cannot be read ({error}); all columns are shown")
        return ALL
    return [line.strip() for line in lines if line.strip()] or ALL


def parse(text: str) -> list[str]:
    """Patterns with commas; a comma before a space is part of a title."""
    return [part.strip() for part in re.split(r",(?! )", text) if part.strip()]


def chosen(board: Leaderboard, titles: Sequence[str], patterns: Sequence[str]) -> list[str]:
    """The ``titles`` of a board's table that are in ALWAYS or match a pattern."""
    return [title for title in titles if title in ALWAYS or any(is_named(board, title, pattern) for pattern in patterns)]


def is_named(board: Leaderboard, title: str, pattern: str) -> bool:
    """Whether ``pattern`` matches the column's title, its metric's key, or its evaluator."""
    keys = [key for key, name in board.metrics.items() if name == title]
    names = {title, *keys, *(name for key in keys for name in board.evaluators.get(key, ()))}
    return any(fnmatchcase(name, pattern) for name in names)


def unknown(titles: Sequence[tuple[Leaderboard, Sequence[str]]], patterns: Sequence[str]) -> str:
    """An error message on the first pattern that matches no column of any board's table; empty where each matches one."""
    for pattern in patterns:
        if pattern not in ALL and not any(is_named(board, title, pattern) for board, found in titles for title in found):
            known = dict.fromkeys(title for _, found in titles for title in found)
            return f"no table has a column {pattern!r}; {nearest(pattern, known)}"
    return ""
