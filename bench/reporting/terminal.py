"""Tables on a terminal: those columns that it has room for, and long names shortened."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.markup import escape

from . import compare
from .leaderboard import Leaderboard
from .tables import table, to_markdown

KEPT = ("rank", "method", "metric", "linear", "B - A", "verdict", "p (Holm)", "kNN (k = 20)", "n", "train", "B", "A")  # longest
ALWAYS = KEPT[:6]
LONGEST = 24  # characters of a method's name that further columns give way to
SIGNS = {  # of a leaderboard, and what they mean
    "±": "half of the 95% interval over the seeds",
    "~": "the times of the seeds differ by more than a fifth",
    "| – ": "not measured or not applicable; a rank needs 3 seeds, and another contestant",
}


def show_boards(console: Console, boards: Sequence[Leaderboard], out: Path) -> None:
    """Print leaderboards, and what the signs in them mean; where columns are missing, where all of them are."""
    narrow = False
    for board in boards:
        console.print(f"\n[bold]{escape(board.title)}[/]", soft_wrap=True)
        whole = table(board)
        shown = fitting(_short_rules(whole), _width(console))
        narrow = narrow or len(shown.columns) < len(whole.columns)
        text = to_markdown(shown.map(lambda cell: cell.replace("*", "")))  # before the layout, or columns are not aligned
        _print(console, text)
        for sign, meaning in SIGNS.items():
            if sign in text:
                _print(console, f"{sign.strip(' |')}: {meaning}")
    if narrow:
        _print(console, f"all columns: {out / 'leaderboard.md'}; the page: {out / 'index.html'}")


def show_comparisons(console: Console, found: Sequence[compare.Comparison]) -> None:
    """Print comparisons: one table, on a terminal one for each leaderboard."""
    whole = compare.table(found)
    if not console.is_terminal:
        _print(console, to_markdown(whole))
        return
    if whole["method"].nunique() == 1:
        whole = whole.drop(columns="method")
    for board, part in whole.groupby("leaderboard", sort=False):
        console.print(f"\n[bold]{escape(str(board))}[/]", soft_wrap=True)
        _print(console, to_markdown(fitting(part.drop(columns="leaderboard"), _width(console))))


def fitting(frame: pd.DataFrame, width: int | None) -> pd.DataFrame:
    """A table of texts less the columns that matter least, until it fits, with long names of methods shortened in the middle.

    The columns ALWAYS stay; ``width`` None leaves the table as it is.
    """
    if width is None:
        return frame
    columns = list(frame.columns)
    while _line(_with_names(frame[columns], LONGEST)) > width and (less := [name for name in columns if name not in ALWAYS]):
        columns.remove(max(less, key=lambda name: (KEPT.index(name) if name in KEPT else len(KEPT), columns.index(name))))
    room = LONGEST + width - _line(frame[columns].assign(method="x" * LONGEST))
    return _with_names(frame[columns], max(room, len("method")))


def _short_rules(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with short texts where one stands across all columns."""
    return frame.assign(method=[name.partition(":")[0] if name.startswith("*") else name for name in frame["method"]])


def _with_names(frame: pd.DataFrame, longest: int) -> pd.DataFrame:
    return frame.assign(method=[_shortened(name, longest) for name in frame["method"]]) if "method" in frame else frame


def _shortened(name: str, longest: int) -> str:
    """At most so many characters, with an ellipsis for those in the middle."""
    if len(name) <= longest:
        return name
    tail = max(0, longest - 1) // 2
    return name[: max(0, longest - 1 - tail)] + "…" + name[len(name) - tail :]


def _line(frame: pd.DataFrame) -> int:
    return len(to_markdown(frame).partition("\n")[0])


def _width(console: Console) -> int | None:
    return console.width if console.is_terminal else None


def _print(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
