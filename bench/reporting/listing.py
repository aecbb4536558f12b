"""The rows that `list` and `data list` print."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from itertools import zip_longest
from pathlib import Path

from .. import experiment as files
from .. import records
from ..datasets import folder
from ..datasets.base import Track
from ..datasets.errors import DataError
from ..datasets.meta import read_meta
from ..datasets.registry import tracks
from ..errors import UserError, counted
from ..evaluation import registry as registered
from ..methods import registry
from ..metrics import HEADLINE, LINEAR_TOP1
from ..remembered import remembered

Line = tuple[str, ...]
GAP, NARROWEST = "  ", 20  # between columns; characters of a last column that is wrapped


def methods() -> list[Line]:
    """Name, kind and summary of every method."""
    return [_method(name) for name in sorted({*registry(), *registry().broken()})]


def _method(name: str) -> Line:
    try:
        says = registry().describe(name, ("role", "uses_labels", "summary"))
    except DataError as error:
        return name, "broken", str(error)
    role, labels = says.get("role", "contestant"), bool(says.get("uses_labels"))
    kind = "oracle" if labels and role == "contestant" else role  # as on leaderboards
    return name, kind + (", uses labels" if labels else ""), str(says["summary"])


def searched(name: str) -> list[str]:
    """The search space of the method ``name``, one line for each setting; nothing where it does not train."""

    def make() -> list[str]:
        from ..search import AROUND, SHARED
        from ..settings import spaces

        method = registry()[name]
        shared = [f"{key}: 1/{AROUND:g} to {AROUND:g} times the recipe's, logarithmic" for key in SHARED]
        return [*shared, *(f"{key}: {space}" for key, space in spaces(method.config_type).items())] if method.trains else []

    return make() if registry().package(name) else remembered(f"search space of {name}", make)


def evaluators() -> list[Line]:
    """Name, version and description of every evaluator."""
    return [_evaluator(name) for name in sorted({*registered(), *registered().broken()})]


def _evaluator(name: str) -> Line:
    try:
        says = registered().describe(name, ("version", "__doc__"))
    except DataError as error:
        return name, "broken", str(error)
    return name, f"version {says.get('version', 1)}", (says.get("__doc__") or "").partition("\n")[0]


def datasets(root: Path) -> list[Line]:
    """Name, state (ready or missing), size on disk and path of every dataset."""
    rows = {name: _prepared(root / name) for name in folder.names(root)}
    for name, track in tracks().loaded().items():
        rows[name] = ("ready", "embedded", track.title) if track.embedded else _prepared(root / name, track)
    rows |= {name: ("broken", "", why) for name, why in tracks().broken().items()}
    mine = "images, one folder a class: python -m bench data get folder --from DIR --name NAME"
    files = "files that you have, in any form of docs/data.md: the same commands with --from DIR"
    return [*((name, *row) for name, row in sorted(rows.items())), ("(your own)", "", "", mine), ("(from files)", "", "", files)]


def _prepared(place: Path, track: Track | None = None) -> Line:
    """State, size and path of what is prepared in ``place``; how to get the ``track`` where nothing is."""
    try:
        ready = read_meta(place) is not None
    except DataError as error:
        return "damaged", "", str(error)
    if track is not None and not ready:
        return "missing", "", f"get it with: {track.command}"
    size = sum(file.stat().st_size for file in place.iterdir() if file.is_file())
    return "ready", f"{size / 2**20:,.0f} MiB", str(place)


def experiments(out: Path) -> list[Line]:
    """Name, number of cells and claims, and title of every experiment file; the error for one that cannot be read."""
    rows: list[Line] = []
    for name, path in sorted(files.known(out.absolute().parent).items()):
        try:
            one = files.load(path)
        except UserError as error:
            rows.append((name, "broken", str(error)))
            continue
        cells = len(one.contenders) * len(one.tracks) * len(one.budgets) * one.seeds
        rows.append((name, f"{counted(cells, 'cell')}, {counted(len(one.claims), 'claim')}", one.title))
    return rows


def results(out: Path, warn: Callable[[str], None]) -> list[Line]:
    """Path, status and headline accuracy of every record below ``out``."""
    found, problems = records.read_all(out)
    for problem in problems:
        warn(problem)
    return [(name_of(r), r.status, LINEAR_TOP1.shown(r.metrics[HEADLINE]) if HEADLINE in r.metrics else "") for r in found]


def stale_results(out: Path, warn: Callable[[str], None]) -> list[Line]:
    """Path of every stale record below ``out``, and why it is stale."""
    from . import stale

    found, problems = records.read_all(out)
    for problem in problems:
        warn(problem)
    return [(name_of(record), "; ".join(why)) for record, why in zip(found, stale.reasons(found), strict=True) if why]


def name_of(record: records.Record) -> str:
    return "/".join([record.track, record.backbone, record.budget, record.contender, f"seed{record.seed}"])


def columns(rows: Sequence[Line], width: int | None = None) -> str:
    """Rows as aligned text; the last column is wrapped where the lines would be longer than ``width``."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    indent = sum(widths[:-1]) + len(GAP) * (len(widths) - 1)
    room = None if width is None or width - indent < NARROWEST else width - indent
    lines = []
    for *cells, last in rows:
        head = "".join(cell.ljust(wide) + GAP for cell, wide in zip(cells, widths, strict=False))
        parts = [last] if room is None else textwrap.wrap(last, room, break_long_words=False, break_on_hyphens=False) or [""]
        lines += [(start + part).rstrip() for start, part in zip_longest([head], parts, fillvalue=" " * indent)]
    return "\n".join(lines)
