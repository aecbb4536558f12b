"""The user's documents next to a folder of records, with their tables filled in between markers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import UserError
from ..throughput import table as throughput
from . import columns, markdown, marked, shown, tuning
from .files import Files, Text
from .leaderboard import Leaderboard


def filled(out: Path, boards: Sequence[Leaderboard], only: Sequence[str], warn: Callable[[str], None]) -> Files:
    """The documents that change; tables have the columns ``only``, or those that their marker names."""

    def made(kind: str, name: str, named: str | None) -> str | None:
        if kind == "throughput":
            return _speeds(out / name, warn)
        ours = [board for board in boards if f"{board.track}/{board.backbone}/{board.budget}/".startswith(f"{name}/")]
        if not ours:
            return f"*No records in {out.name}/{name} yet.*"
        if kind == "sweep":
            return "\n".join(line for board in ours for line in markdown.sweep(board, out.name)).rstrip()
        if kind == "tuning":
            return _searches(boards, name)
        patterns = only if named is None else shown.known(ours, columns.parse(named), f"the marker of {name}", warn)
        texts = [f"**{board.title}**\n\n{markdown.text(board, patterns)}" for board in ours]
        return "\n\n".join([*texts, markdown.legend(ours, patterns)])

    found, problems = marked.read(out)
    for problem in problems:
        warn(problem)
    for path, text in found.items():
        for marker in marked.open_ended(text, out):
            warn(f"{path}: {marker} has no end marker before the next marker; its table is not made")
    new = {path: marked.filled(text, out, made) for path, text in found.items()}
    return {path: Text(text) for path, text in new.items() if text != found[path]}


def _speeds(path: Path, warn: Callable[[str], None]) -> str | None:
    """The table of measured speeds; None, which leaves a table as it is, where the file cannot be read."""
    try:
        return throughput.markdown(path)
    except UserError as error:
        warn(f"{error}; the table stays as it is")
        return None


def _searches(boards: Sequence[Leaderboard], track: str) -> str:
    tuned = [tuning.markdown(one) for one in tuning.of_leaderboards(boards) if one.searches[0].track == track]
    return "\n\n".join([*tuned, tuning.LEGEND])
