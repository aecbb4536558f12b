"""The report: all files made from the records (and measured speeds): Markdown, CSV, LaTeX, figures and the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from .. import records
from ..records import Record
from . import (
    documents,
    experiments,
    latex,
    leaderboard,
    markdown,
    page,
    plots,
    published,
    shown,
    spent,
    summary,
    tables,
    tuning,
    watch,
)
from .files import MADE_BY, Files, Gone, Text, drawings, outdated, path_of, plain, write
from .leaderboard import Leaderboard

__all__ = ["PAGE", "Files", "outdated", "read", "render", "write"]

PAGE = "index.html"  # large, so it is not under version control; each user makes it
OURS = (*(f"*-{name}" for name in markdown.TITLES), "*-sweep-*", "*-grid-*", "*-tuning")


@dataclass(frozen=True)
class Content:
    """What a report is made from: the records, their leaderboards, and a line for each file that cannot be read."""

    records: Sequence[Record]
    boards: Sequence[Leaderboard]
    problems: Sequence[str]


def read(out: Path) -> Content:
    """The content of the report on the records in ``out``."""
    found, problems = records.read_all(out)
    return Content(found, leaderboard.build(found, published.read(out, problems.append)), problems)


def render(
    out: Path, following: bool = False, png: bool = False, only: Sequence[str] | None = None, content: Content | None = None
) -> tuple[Files, list[str]]:
    """Every file of the report on the records in ``out``, and a line for each file that cannot be read.

    With ``following``, the page shows the status of a run in progress and reloads itself; ``png`` adds the figures as PNG.
    Tables (not the page and the CSV files) have the columns that match the patterns ``only``, which are kept in columns.txt;
    None takes the patterns from there. ``content`` is what `read` gives, where it has been read already.
    `UserError` where a pattern in ``only`` matches no column.
    """
    content = content or read(out)
    boards, problems = content.boards, list(content.problems)
    patterns, kept = shown.of_folder(out, boards, only, problems.append)
    judged, unread = experiments.of_folder(out, boards)
    texts = {board.title: markdown.text(board, patterns) for board in boards}
    figures = {board.title: markdown.figures(board) for board in boards}
    files: Files = {out / "leaderboard.md": Text(_whole(boards, texts, figures, markdown.legend(boards, patterns)))} | kept
    files |= documents.filled(out, boards, patterns, problems.append)
    files[out / "leaderboard.csv"] = Text(_csv(tables.numbers(boards)))
    files[out / "pairs.csv"] = Text(_csv(tables.pair_numbers(boards)))
    files[out / "leaderboard.tex"] = Text(latex.document(boards, patterns))
    for board in boards:
        for name, figure in figures[board.title].items():
            files |= drawings(out, f"{markdown.slug(board)}-{name}", figure, png)
    for one in judged:
        files |= _experiment(out, one, png)
    files |= _searches(out, tuning.of_leaderboards(boards), png)
    old = [path for name in OURS for path in sorted((out / "figures").glob(f"{name}.svg")) if plots.is_ours(path)]
    files |= {path.with_suffix(suffix): Gone() for path in old if path not in files for suffix in (".svg", ".png")}
    files[out / PAGE] = Text(page.html(boards, judged, watch.running(out) or {} if following else None))
    return files, problems + unread


def _whole(
    boards: Sequence[Leaderboard], texts: Mapping[str, str], figures: Mapping[str, Mapping[str, plots.Figure]], legend: str
) -> str:
    """All leaderboards in one document."""
    lines = ["# Leaderboards", "", MADE_BY]
    lines += [f"`{PAGE}`, made by the same command, shows them with curves and the record behind every number.", "", legend, ""]
    own = [record for board in boards for row in board.rows if row.role != "external" for record in row.records]
    lines += [total, ""] if (total := str(spent.total(own))) else []
    for board in boards:
        lines += [f"## {board.title}", "", texts[board.title], "", *markdown.details(board)]
        lines += markdown.images(board, list(figures[board.title]))
    return "\n".join([*lines, *summary.markdown(summary.of_boards(boards))]).rstrip() + "\n"


def _experiment(out: Path, judged: experiments.Assessed, png: bool) -> Files:
    name, found = judged.experiment.name, experiments.figures(judged)
    files: Files = {out / f"{name}.md": Text(experiments.markdown(judged, found))}
    files |= {path_of(out, name, suffix): Gone() for suffix in ("svg", "png") if not found}
    for drawn, figure in found.items():
        files |= drawings(out, drawn, figure, png)
    return files


def _searches(out: Path, tuned: Sequence[tuning.Tuned], png: bool) -> Files:
    """The file tuning.md of all searches, which is removed with the last of them, and a figure for each."""
    path = out / "tuning.md"
    if not tuned:
        return {path: Gone()} if path.is_file() and MADE_BY.encode() in path.read_bytes() else {}
    lines = ["# Tuning", "", MADE_BY, "", tuning.LEGEND, ""]
    files: Files = {}
    for one in tuned:
        name = f"{plain(one.title)}-tuning"
        lines += [f"## {one.title}", "", tuning.markdown(one), "", f"![{one.title}](figures/{name}.svg)", "", tuning.CURVE, ""]
        files |= drawings(out, name, tuning.figure(one), png)
    return files | {path: Text("\n".join(lines).rstrip() + "\n")}


def _csv(frame: pd.DataFrame) -> str:
    return frame.to_csv(index=False, float_format="%.6g", lineterminator="\n")
