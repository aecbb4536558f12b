"""Leaderboards as LaTeX, with booktabs rules."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pandas as pd

from . import tables
from .leaderboard import Leaderboard

SPELLING: dict[str, Any] = {sign: "\\" + sign for sign in "&%#_${}"} | {
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\\": r"\textbackslash{}",
    "±": r"$\pm$",
    "–": "--",
    "→": r"$\to$",
    "τ": r"$\tau$",
}
CAPTION = (
    r"accuracy in percent, mean $\pm$ half of the 95\% interval over seeds. "
    r"Bold: no contestant is significantly better. Rank by linear accuracy, with its 95\% interval."
)
RULES = (tables.RULE, tables.EXTERNAL_RULE, tables.STALE_RULE)
BEFORE, AFTER = ("rank", "method"), ("n", "images/s", "train", "published")  # the metrics


def document(boards: Sequence[Leaderboard], only: Sequence[str]) -> str:
    """One ``table`` environment a leaderboard, for ``\\input``; needs the booktabs package."""
    head = "% Made by `python -m bench report` from the records beside this file; needs \\usepackage{booktabs}.\n"
    return head + "".join("\n" + _table(board, only) for board in boards)


def _table(board: Leaderboard, only: Sequence[str]) -> str:
    frame = tables.table(board, only)
    frame = frame[[name for name in (*BEFORE, *board.metrics.values(), *AFTER) if name in frame]]
    body = [_row(line) if line["method"] not in RULES else _rule(line, first=i == 0) for i, line in frame.iterrows()]
    align = "".join("l" if name == "method" else "r" for name in frame)
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escape(_heading(board))}: {CAPTION}}}",
        rf"\begin{{tabular}}{{{align}}}",
        r"\toprule",
        " & ".join(escape(str(name)) for name in frame) + r" \\",
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}",
        *(rf"\par\footnotesize [{i}] {escape(note)}" for i, note in enumerate(tables.published_notes(board), 1)),
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _heading(board: Leaderboard) -> str:
    return board.title + (f", judged on {board.judged_on}" if board.judged_on else "")


def _rule(line: pd.Series, first: bool) -> str:
    """A rule with its text, which stands across all columns; above the first row there is a rule already."""
    text = rf"\multicolumn{{{len(line)}}}{{l}}{{\emph{{{escape(line['method'].strip('*'))}}}}} \\"
    return text if first else "\\midrule\n" + text


def _row(line: pd.Series) -> str:
    return " & ".join(_cell(str(value)) for value in line) + r" \\"


def _cell(text: str) -> str:
    bold = re.fullmatch(r"\*\*(.*)\*\*", text)
    return rf"\textbf{{{escape(bold[1])}}}" if bold else escape(text)


def escape(text: str) -> str:
    """Escape text for LaTeX, with the symbols of tables as LaTeX commands."""
    return text.translate(str.maketrans(SPELLING))
