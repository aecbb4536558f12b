"""The report: all files made from the records (and measured speeds): Markdown, CSV, LaTeX, figures and the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from .. import records
from ..errors import UserError
from ..throughput import table as throughput
from . import (
    columns,
    experiments,
    latex,
    leaderboard,
    markdown,
    marked,
    page,
    plots,
    published,
    spent,
    summary,
    tables,
    tuning,
    watch,
)
from .files import Files, Gone, Text, drawings, outdated, path_of, plain, write
from .leaderboard import Leaderboard

__all__ = ["PAGE", "Files", "outdated", "render", "write"]

PAGE = "index.html"  # large, so it is not under version control; each user makes it
OURS = (*(f"*-{name}" for name in markdown.TITLES), "*-sweep-*", "*-grid-*", "*-tuning")


def render(out: Path, following: bool = False, png: bool = False, only: Sequence[str] | None = None) -> tuple[Files, list[str]]:
    """Every file of the report on the records in ``out``, and a line for each file that cannot be read.

    With ``following``, the page shows the status of a run in progress and reloads itself; ``png`` adds the figures as PNG.
    Tables (not the page and the CSV files) have the columns that match the patterns ``only``, which are kept in columns.txt;
    None takes the patterns from there. `UserError` where a pattern in ``only`` matches no column.
    """
    found, problems = records.read_all(out)
    boards = leaderboard.build(found, published.read(out, problems.append))
    shown, kept = _columns(out, boards, only, problems.append)
    judged, unread = experiments.of_folder(out, boards)
    texts = {board.title: markdown.text(board, shown) for board in boards}
    devices = {r.environment.get("device", "an unknown machine") for r in found}
    figures = {board.title: markdown.figures(board) for board in boards}
    files: Files = {out / "leaderboard.md": Text(_whole(boards, texts, figures, markdown.legend(boards, devices, shown)))} | kept
    files |= _documents(out, boards, shown, devices, problems.append)
    files[out / "leaderboard.csv"] = Text(_csv(tables.numbers(boards)))
    files[out / "pairs.csv"] = Text(_csv(tables.pair_numbers(boards)))
    files[out / "leaderboard.tex"] = Text(latex.document(boards, shown))
    for board in boards:
        for name, figure in figures[board.title].items():
            files |= drawings(out, f"{markdown.slug(board)}-{name}", figure, png)
    for one in judged:
        files |= _experiment(out, one, png)
    files |= _searches(out, tuning.of_leaderboards(boards), png)
    old = [path for name in OURS for path in sorted((out / "figures").glob(f"{name}.svg"))]
    files |= {path: Gone() for path in old if path not in files and plots.is_ours(path)}
    files[out / PAGE] = Text(page.html(boards, judged, watch.running(out) or {} if following else None))
    return files, problems + unread


def _columns(
    out: Path, boards: Sequence[Leaderboard], only: Sequence[str] | None, warn: Callable[[str], None]
) -> tuple[Sequence[str], Files]:
    """The patterns of columns, and the file columns.txt where ``only`` is given."""
    patterns = columns.read(out, warn) if only is None else only or columns.ALL
    if only is None:
        return _known(boards, patterns, str(out / columns.FILE), warn), {}
    if unknown := _unknown(boards, patterns):
        raise UserError(f"--columns: {unknown}")
    text = Gone() if patterns == columns.ALL else Text("".join(f"{pattern}\n" for pattern in patterns))
    return patterns, {out / columns.FILE: text}


def _known(boards: Sequence[Leaderboard], patterns: Sequence[str], where: str, warn: Callable[[str], None]) -> Sequence[str]:
    """The same ``patterns``; warns of one that matches no column, and says ``where`` it was."""
    if boards and (unknown := _unknown(boards, patterns)):
        warn(f"{where}: {unknown}")
    return patterns


def _unknown(boards: Sequence[Leaderboard], patterns: Sequence[str]) -> str:
    if patterns == columns.ALL:
        return ""
    return columns.unknown([(board, list(map(str, tables.table(board)))) for board in boards], patterns)


def _whole(
    boards: Sequence[Leaderboard], texts: Mapping[str, str], figures: Mapping[str, Mapping[str, plots.Figure]], legend: str
) -> str:
    """All leaderboards in one document."""
    lines = ["# Leaderboards", "", "Made by `python -m bench report` from the records beside this file; do not edit."]
    lines += [f"`{PAGE}`, made by the same command, shows them with curves and the record behind every number.", "", legend, ""]
    own = [record for board in boards for row in board.rows if row.role != "external" for record in row.records]
    lines += [total, ""] if (total := str(spent.total(own))) else []
    for board in boards:
        lines += [f"## {board.title}", "", texts[board.title], "", *markdown.details(board)]
        lines += markdown.images(board, list(figures[board.title]))
    return "\n".join([*lines, *summary.markdown(summary.of_boards(boards))]).rstrip() + "\n"


def _documents(
    out: Path, boards: Sequence[Leaderboard], shown: Sequence[str], devices: set[str], warn: Callable[[str], None]
) -> Files:
    """The documents next to ``out`` with markers for tables, with the tables filled in."""

    def made(kind: str, name: str, named: str | None) -> str | None:
        ours = [board for board in boards if f"{board.track}/{board.backbone}/{board.budget}/".startswith(f"{name}/")]
        if kind != "throughput" and not ours:
            return f"*No records in {out.name}/{name} yet.*"
        if kind == "leaderboard":
            only = shown if named is None else _known(ours, columns.parse(named), f"the marker of {name}", warn)
            texts = [f"**{board.title}**\n\n{markdown.text(board, only)}" for board in ours]
            return "\n\n".join([*texts, markdown.legend(ours, devices, only)])
        if kind == "sweep":
            return "\n".join(line for board in ours for line in markdown.sweep(board, out.name)).rstrip()
        if kind == "tuning":
            tuned = [tuning.markdown(one) for one in tuning.of_leaderboards(boards) if one.searches[0].track == name]
            return "\n\n".join([*tuned, tuning.LEGEND])
        try:
            return throughput.markdown(out / name)
        except UserError as error:
            warn(f"{error}; the table stays as it is")
            return None

    found, problems = marked.read(out)
    for problem in problems:
        warn(problem)
    filled = {path: (text, marked.filled(text, out, made)) for path, text in found.items()}
    return {path: Text(new) for path, (old, new) in filled.items() if new != old}


def _experiment(out: Path, judged: experiments.Assessed, png: bool) -> Files:
    name, figure = judged.experiment.name, experiments.figure(judged)
    files: Files = {out / f"{name}.md": Text(experiments.markdown(judged))}
    if figure:
        return files | drawings(out, name, figure, png)
    return files | {path_of(out, name, suffix): Gone() for suffix in ("svg", "png")}


def _searches(out: Path, tuned: Sequence[tuning.Tuned], png: bool) -> Files:
    """The file tuning.md of all searches, which is removed with the last of them, and a figure for each."""
    if not tuned:
        return {}
    made_by = "Made by `python -m bench report` from the records beside this file; do not edit."
    lines = ["# Tuning", "", made_by, "", tuning.LEGEND, ""]
    files: Files = {}
    for one in tuned:
        name = f"{plain(one.title)}-tuning"
        lines += [f"## {one.title}", "", tuning.markdown(one), "", f"![{one.title}](figures/{name}.svg)", "", tuning.CURVE, ""]
        files |= drawings(out, name, tuning.figure(one), png)
    return files | {out / "tuning.md": Text("\n".join(lines).rstrip() + "\n")}


def _csv(frame: pd.DataFrame) -> str:
    return frame.to_csv(index=False, float_format="%.6g", lineterminator="\n")
