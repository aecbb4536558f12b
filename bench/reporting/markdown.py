"""A leaderboard as Markdown: its table with notes, further tables, figures, and the legend."""

from __future__ import annotations

from collections.abc import Sequence

from .. import metrics
from ..errors import counted
from . import agreement, columns, confounds, plots, sweep_plots, sweeps, tables
from .files import plain
from .leaderboard import Leaderboard
from .tables import to_markdown

LEGEND = (
    "Accuracy in percent on the test split: mean over n seeds ± the half width of its 95% interval (Student), or the interval's "
    "ends where it would pass 0 or 100. Rank by linear accuracy, with its 95% interval. **Bold**: no contestant is significantly "
    "better. Both follow from one family of tests a board: all pairs of contestants in linear accuracy, paired by seed and by "
    "test image, Holm, 5%. Nothing is claimed below 3 seeds. "
)
MEANINGS = {  # of columns
    **{
        name: f"{name.capitalize()}: Wilson's 95% interval for a {name} of this size, which no number of seeds narrows. "
        for name in metrics.SPLITS
    },
    **{cost.title: cost.note for cost in metrics.COSTS.values() if cost.note},
}
MEASURED = {cost.title for cost in metrics.COSTS.values() if cost.measured}
TITLES = {  # of the figures of a leaderboard
    "cost": "accuracy against training time",
    "curves": "learning curves",
    "detection": "quality of detected false negatives",
}


def legend(boards: Sequence[Leaderboard], only: Sequence[str]) -> str:
    """The legend of the tables of ``boards`` with the columns that match ``only``, and the machines of their cells."""
    shown = {str(title) for board in boards for title in tables.table(board, only)}
    told = [meaning for title, meaning in MEANINGS.items() if title in shown]
    notes = [c.note for board in boards for c in board.columns.values() if c.note and c.title in shown]
    if shown & MEASURED:
        records = [record for board in boards for row in board.rows for record in row.records]
        where = " and ".join(sorted({r.environment.get("device", "an unknown machine") for r in records})) or "no machine yet"
        told.append(f"Costs are medians over seeds on {where}; ~ marks times that vary by more than a fifth between seeds. ")
    return "".join([LEGEND, *told, *dict.fromkeys(notes)]) + "– not measured or not applicable."


def figures(board: Leaderboard) -> dict[str, plots.Figure]:
    """The figures of a leaderboard by name; none for a board of trials, which has its figure in `tuning`."""
    return {} if board.judged_on else plots.of_board(board) | sweep_plots.of_board(board)


def text(board: Leaderboard, only: Sequence[str]) -> str:
    """The table of a leaderboard, with the columns that match the patterns ``only``, and its notes."""
    notes = [f"[{number}] published, not ranked: {note}" for number, note in enumerate(tables.published_notes(board), 1)]
    notes += [f"Judged on {board.judged_on}."] if board.judged_on else []
    notes += [f"Only the columns chosen for this table: {', '.join(only)}."] if only != columns.ALL else []
    if (seen := board.resolution) is not None:
        pairs = counted(len(board.contests[metrics.HEADLINE]), "pair")
        notes.append(
            f"The smallest difference that this board shows with probability 0.8: {100 * seen:.1f} points of linear accuracy "
            f"({pairs} of contestants)."
        )
    notes += _against_untrained(board)
    if differ := confounds.sentence(board.ranked):
        notes.append(f"Contestants differ in these settings too: {differ}.")
    notes += [f"{row.contender} runs under its own recipe: {source}." for row in board.rows if (source := row.own_recipe)]
    return "\n\n".join([to_markdown(tables.table(board, only)), *(["  \n".join(notes)] if notes else [])])


def _against_untrained(board: Leaderboard) -> list[str]:
    """For each anchor that is not trained: which of the contestants with enough seeds are not shown to be better."""
    told = []
    for anchor in board.unranked:
        if anchor.role != "anchor" or anchor.cost["flops"] != 0:
            continue
        judged = {row.contender: board.judged(metrics.HEADLINE, row.contender, anchor.contender) for row in board.ranked}
        verdicts = {name: one.verdict for name, one in judged.items() if one and one.p is not None}
        weak = [name for name, verdict in verdicts.items() if verdict != "better"]
        if weak:
            told.append(f"Not significantly better than {anchor.contender}: {', '.join(weak)} ({len(weak)} of {len(verdicts)}).")
        elif verdicts:
            told.append(f"Significantly better than {anchor.contender}: all {counted(len(verdicts), 'contestant')}.")
    return told


def details(board: Leaderboard) -> list[str]:
    """The further tables of a leaderboard."""
    lines: list[str] = []
    if (frame := tables.to_best(board)) is not None:
        lines += ["**Against the best, by linear accuracy**", "", to_markdown(frame), ""]
    lines += _sweep_tables(board)
    if (frame := agreement.rank_table(board)) is not None:
        lines += ["**Ranks of the contestants by each metric**", "", to_markdown(frame), ""]
    if (frame := agreement.correlation_table(board)) is not None:
        lines += ["**Do the metrics rank the contestants alike?**", "", to_markdown(frame), ""]
    for row in board.stale:
        lines += [f"{row.contender} is stale: {'; '.join(row.stale)}", ""]
    return lines


def _sweep_tables(board: Leaderboard) -> list[str]:
    lines: list[str] = []
    for sweep in sweeps.sweeps(board):
        lines += [f"**Sweep over {sweep.key}**", "", to_markdown(sweeps.table(sweep)), ""]
    for grid in sweeps.grids(board):
        title = f"**{metrics.METRICS[metrics.HEADLINE]} of {grid.contender} over {' and '.join(grid.keys)}**"
        lines += [title, "", to_markdown(sweeps.grid_table(grid)), ""]
    return lines


def sweep(board: Leaderboard, folder: str) -> list[str]:
    """Tables and figures of the sweeps of a leaderboard, for a document next to the ``folder`` of the records."""
    drawn = images(board, list(sweep_plots.of_board(board)))
    there = [line.replace("](figures/", f"]({folder}/figures/") for line in drawn]
    return [f"**{board.title}**", "", *_sweep_tables(board), *there]


def images(board: Leaderboard, names: Sequence[str]) -> list[str]:
    """The figures ``names`` of a leaderboard, for a document next to the folder of figures."""
    titled = {name: TITLES.get(name, f"sweep over {name.partition('-')[2]}") for name in names}
    return [line for name in names for line in (f"![{board.title}: {titled[name]}](figures/{slug(board)}-{name}.svg)", "")]


def slug(board: Leaderboard) -> str:
    """A leaderboard's title as the prefix of its figures' file names."""
    return plain(f"{board.track}/{board.backbone}/{board.budget}")
