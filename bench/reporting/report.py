"""Everything that follows from the records (and measured speed) alone: Markdown, CSV, LaTeX, figures and the page."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from .. import metrics, records
from ..errors import UserError
from ..throughput import table as throughput
from . import (
    agreement,
    columns,
    confounds,
    experiments,
    latex,
    leaderboard,
    marked,
    page,
    plots,
    published,
    spent,
    summary,
    sweep_plots,
    sweeps,
    tables,
    tuning,
    watch,
)
from .leaderboard import Leaderboard

PAGE = "index.html"  # large, so it is made where it is looked at and not kept under version control
LEGEND = (
    "Accuracy in percent on the test split: mean over n seeds ± the half width of its 95% interval (Student), or the interval's "
    "ends where it would pass 0 or 100. Rank by linear accuracy, with its 95% interval. **Bold**: no contestant is significantly "
    "better. Both follow from one family of tests a board: all pairs of contestants in linear accuracy, paired by seed and by "
    "test image, Holm, 5%. Nothing is claimed below 3 seeds. {test}{notes}"
    "images/s counts images of training, detection included; detection is its share of training time. "
    "GFLOP/image: floating-point operations of a step, forward and backward, by image; operations: of all training, detection "
    "included. "
    "Costs are medians over seeds on {devices}; ~ marks times that vary by more than a fifth between seeds. "
    "– not measured or not applicable."
)
TITLES = {  # of the figures of a leaderboard
    "cost": "accuracy against training time",
    "curves": "learning curves",
    "detection": "quality of detected false negatives",
}
OURS = (*(f"*-{name}" for name in TITLES), "*-sweep-*", "*-grid-*", "*-tuning")
TEST = "Test split: Wilson's 95% interval for a test split of this size, which no number of seeds narrows. "


@dataclass(frozen=True)
class Text:
    """A text file's content."""

    content: str

    def is_current(self, path: Path) -> bool:
        return path.is_file() and path.read_bytes() == self.content.encode()

    def write(self, path: Path) -> None:
        records.write_atomically(path, self.content)


@dataclass(frozen=True)
class Drawing:
    """A figure's file."""

    figure: plots.Figure

    def is_current(self, path: Path) -> bool:
        return self.figure.is_drawn(path)

    def write(self, path: Path) -> None:
        self.figure.save(path)


@dataclass(frozen=True)
class Gone:
    """A file that has nothing to show any more."""

    def is_current(self, path: Path) -> bool:
        return not path.exists()

    def write(self, path: Path) -> None:
        path.unlink(missing_ok=True)


Files = dict[Path, Text | Drawing | Gone]


def render(out: Path, following: bool = False, png: bool = False, only: Sequence[str] | None = None) -> tuple[Files, list[str]]:
    """Every file that follows from the records in ``out``, and a line for each thing there that cannot be read.

    ``following`` a run, the page shows what it does now and loads itself again; ``png`` adds the figures as PNG. Tables, not the
    page and the CSV files, have the columns that the patterns ``only`` name, which a file keeps for the next time; None takes
    those of the file. `UserError` where ``only`` has a pattern that names none.
    """
    found, problems = records.read_all(out)
    boards = leaderboard.build(found, published.read(out, problems.append))
    shown, kept = _columns(out, boards, only, problems.append)
    devices = sorted({r.environment.get("device", "an unknown machine") for r in found})
    figures = {board.title: _figures(board) for board in boards}
    judged, unread = experiments.of_folder(out, boards)
    texts = {board.title: _markdown(board, shown) for board in boards}
    files: Files = _markdown_files(out, boards, texts, figures, " and ".join(devices) or "no machine yet", problems.append)
    files |= kept
    files[out / "leaderboard.csv"] = Text(_csv(tables.numbers(boards)))
    files[out / "pairs.csv"] = Text(_csv(tables.pair_numbers(boards)))
    files[out / "leaderboard.tex"] = Text(latex.document(boards, shown))
    for board in boards:
        for name, figure in figures[board.title].items():
            for suffix in ("svg", "png") if png else ("svg",):
                files[out / "figures" / f"{_slug(board)}-{name}.{suffix}"] = Drawing(figure)
    for one in judged:
        files |= _experiment_files(out, one, png)
    files |= _tuning_files(out, tuning.of_leaderboards(boards), png)
    old = [path for name in OURS for path in sorted((out / "figures").glob(f"{name}.svg"))]
    files |= {path: Gone() for path in old if path not in files and plots.is_ours(path)}
    files[out / PAGE] = Text(page.html(boards, judged, watch.running(out) or {} if following else None))
    return files, problems + unread


def _columns(
    out: Path, boards: Sequence[Leaderboard], only: Sequence[str] | None, warn: Callable[[str], None]
) -> tuple[Sequence[str], Files]:
    """The patterns of columns, and the file that keeps ``only``."""
    patterns = columns.read(out, warn) if only is None else only or columns.ALL
    shown = boards if patterns != columns.ALL else ()
    unknown = columns.unknown([(board, list(map(str, tables.table(board)))) for board in shown], patterns)
    if only is not None and unknown:
        raise UserError(f"--columns: {unknown}")
    if unknown and boards:
        warn(f"{out / columns.FILE}: {unknown}")
    text = Gone() if patterns == columns.ALL else Text("".join(f"{pattern}\n" for pattern in patterns))
    return patterns, {} if only is None else {out / columns.FILE: text}


def _figures(board: Leaderboard) -> dict[str, plots.Figure]:
    """Nothing of trials, which are many: of these `tuning` has the figure."""
    return {} if board.judged_on else plots.of_board(board) | sweep_plots.of_board(board)


def _experiment_files(out: Path, judged: experiments.Assessed, png: bool) -> Files:
    name, figure = judged.experiment.name, experiments.figure(judged)
    drawn = [out / "figures" / f"{name}.{suffix}" for suffix in ("svg", "png")[: 2 if png else 1]]
    return {out / f"{name}.md": Text(experiments.markdown(judged))} | {
        path: Drawing(figure) if figure else Gone() for path in drawn
    }


def _tuning_files(out: Path, tuned: Sequence[tuning.Tuned], png: bool) -> Files:
    """Of all searches one text, which goes with the last of them, and a figure each."""
    if not tuned:
        return {}
    lines = [
        "# Tuning",
        "",
        "Made by `python -m bench report` from the records beside this file; do not edit.",
        "",
        tuning.LEGEND,
        "",
    ]
    files: Files = {}
    for one in tuned:
        name = f"{_plain(one.title)}-tuning"
        lines += [f"## {one.title}", "", tuning.markdown(one), "", f"![{one.title}](figures/{name}.svg)", "", tuning.CURVE, ""]
        for suffix in ("svg", "png") if png else ("svg",):
            files[out / "figures" / f"{name}.{suffix}"] = Drawing(tuning.figure(one))
    return files | {out / "tuning.md": Text("\n".join(lines).rstrip() + "\n")}


def _csv(frame: pd.DataFrame) -> str:
    return frame.to_csv(index=False, float_format="%.6g", lineterminator="\n")


def _markdown_files(
    out: Path,
    boards: list[Leaderboard],
    texts: dict[str, str],
    figures: dict[str, dict[str, plots.Figure]],
    devices: str,
    warn: Callable[[str], None],
) -> Files:
    small = any(row.test_interval(metrics.HEADLINE) for board in boards for row in board.rows)
    notes = dict.fromkeys(column.note for board in boards for column in board.columns.values() if column.note)
    legend = LEGEND.format(devices=devices, test=TEST if small else "", notes="".join(notes))
    whole = ["# Leaderboards", "", "Made by `python -m bench report` from the records beside this file; do not edit."]
    whole += [f"`{PAGE}`, made by the same command, shows them with curves and the record behind every number.", "", legend, ""]
    own = [record for board in boards for row in board.rows if row.role != "external" for record in row.records]
    whole += [total, ""] if (total := str(spent.total(own))) else []
    for board in boards:
        whole += [f"## {board.title}", "", texts[board.title], "", *_details(board), *_images(board, list(figures[board.title]))]
    whole += summary.markdown(summary.of_boards(boards))
    files: Files = {out / "leaderboard.md": Text("\n".join(whole).rstrip() + "\n")}

    def made(kind: str, name: str) -> str | None:
        ours = [board for board in boards if f"{'/'.join((board.track, board.backbone, board.budget))}/".startswith(f"{name}/")]
        if kind != "throughput" and not ours:
            return f"*No records in {out.name}/{name} yet.*"
        if kind == "leaderboard":
            return "\n\n".join([*(f"**{board.title}**\n\n{texts[board.title]}" for board in ours), legend])
        if kind == "sweep":
            return "\n".join(line for board in ours for line in _sweeps(board, out.name)).rstrip()
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
    for path, text in found.items():
        if (new := marked.filled(text, out, made)) != text:
            files[path] = Text(new)
    return files


def _markdown(board: Leaderboard, only: Sequence[str]) -> str:
    notes = [f"[{number}] published, not ranked: {note}" for number, note in enumerate(tables.published_notes(board), 1)]
    notes += [f"Judged on {board.judged_on}."] if board.judged_on else []
    notes += [f"Only the columns that `report --columns` chose: {', '.join(only)}."] if only != columns.ALL else []
    if (seen := board.resolution) is not None:
        pairs = len(board.contests[metrics.HEADLINE])
        notes.append(
            f"The smallest difference that this board shows with probability 0.8: {100 * seen:.1f} points of linear accuracy "
            f"({pairs} pairs of contestants)."
        )
    if differ := confounds.sentence(board.ranked):
        notes.append(f"Contestants differ in these settings too: {differ}.")
    notes += [f"{row.contender} runs under its own recipe: {source}." for row in board.rows if (source := row.own_recipe)]
    return "\n\n".join([_table(tables.table(board, only)), *(["  \n".join(notes)] if notes else [])])


def _details(board: Leaderboard) -> list[str]:
    lines: list[str] = []
    if (frame := tables.to_best(board)) is not None:
        lines += ["**Against the best, by linear accuracy**", "", _table(frame), ""]
    lines += _sweep_tables(board)
    if (frame := agreement.rank_table(board)) is not None:
        lines += ["**Ranks of the contestants by each metric**", "", _table(frame), ""]
    if (frame := agreement.correlation_table(board)) is not None:
        lines += ["**Do the metrics rank the contestants alike?**", "", _table(frame), ""]
    for row in board.stale:
        lines += [f"{row.contender} is stale: {'; '.join(row.stale)}", ""]
    return lines


def _sweep_tables(board: Leaderboard) -> list[str]:
    lines: list[str] = []
    for sweep in sweeps.sweeps(board):
        lines += [f"**Sweep over {sweep.key}**", "", _table(sweeps.table(sweep)), ""]
    for grid in sweeps.grids(board):
        title = f"**{metrics.METRICS[metrics.HEADLINE]} of {grid.contender} over {' and '.join(grid.keys)}**"
        lines += [title, "", _table(sweeps.grid_table(grid)), ""]
    return lines


def _sweeps(board: Leaderboard, folder: str) -> list[str]:
    """Tables and figures of the sweeps of a leaderboard, for a document beside the ``folder`` of the records."""
    images = [line.replace("](figures/", f"]({folder}/figures/") for line in _images(board, list(sweep_plots.of_board(board)))]
    return [f"**{board.title}**", "", *_sweep_tables(board), *images]


def _images(board: Leaderboard, names: Sequence[str]) -> list[str]:
    titled = {name: TITLES.get(name, f"sweep over {name.partition('-')[2]}") for name in names}
    return [line for name in names for line in (f"![{board.title}: {titled[name]}](figures/{_slug(board)}-{name}.svg)", "")]


def _slug(board: Leaderboard) -> str:
    return _plain(f"{board.track}-{board.backbone}-{board.budget}")


def _plain(text: str) -> str:
    """``text`` as part of a file's name."""
    return re.sub(r"[^A-Za-z0-9.=-]+", "-", text)


def _table(frame: pd.DataFrame) -> str:
    return frame.to_markdown(index=False, disable_numparse=True)


def outdated(files: Files) -> list[Path]:
    """Files that are not what the records say. A page or picture that is made on demand may be missing, but not old."""
    on_demand = {path for path in files if path.name == PAGE or path.suffix == ".png"}
    return [path for path, file in files.items() if not file.is_current(path) and (path.exists() or path not in on_demand)]


def write(files: Files) -> list[Path]:
    """Bring files up to date; returns those that changed."""
    changed = [path for path, file in files.items() if not file.is_current(path)]
    for path in changed:
        files[path].write(path)
    return changed
