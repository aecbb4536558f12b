"""Rows for `list` and `data list`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from .. import records
from ..datasets.base import DataError
from ..datasets.registry import is_ready, known
from ..methods import registry
from . import stale
from .leaderboard import HEADLINE

Row = tuple[str, ...]


def methods() -> list[Row]:
    """Name, kind and summary of every method."""
    rows: list[Row] = []
    for name, method in registry().items():
        kind = method.role + (", uses labels" if method.uses_labels else "")
        rows.append((name, kind, method.summary))
    return rows


def datasets(root: Path) -> list[Row]:
    """Name, whether it is ready, size on disk and place of every dataset."""
    rows: list[Row] = []
    for name, track in known(root).items():
        if track.embedded:
            rows.append((name, "ready", "embedded", track.title))
            continue
        folder = root / name
        try:
            ready = is_ready(track, root)
        except DataError as error:
            rows.append((name, "damaged", "", str(error)))
            continue
        if not ready:
            rows.append((name, "missing", "", f"get it with: {track.how_to_get or f'python -m bench data get {name}'}"))
            continue
        size = sum(f.stat().st_size for f in folder.iterdir())
        rows.append((name, "ready", f"{size / 2**20:,.0f} MiB", str(folder)))
    return [*rows, ("(your own)", "", "", "images, one folder a class: python -m bench data get folder --from DIR --name NAME")]


def results(out: Path, warn: Callable[[str], None]) -> list[Row]:
    """Path, status and headline accuracy of every record below ``out``."""
    found, problems = records.read_all(out)
    for problem in problems:
        warn(problem)
    return [(_name(r), r.status, f"{100 * r.metrics[HEADLINE]:.2f}" if HEADLINE in r.metrics else "") for r in found]


def stale_results(out: Path, warn: Callable[[str], None]) -> list[Row]:
    """Path of every stale record below ``out``, and why it is stale."""
    found, problems = records.read_all(out)
    for problem in problems:
        warn(problem)
    return [(_name(record), "; ".join(why)) for record, why in zip(found, stale.reasons(found), strict=True) if why]


def _name(record: records.Record) -> str:
    return "/".join([record.track, record.backbone, record.budget, record.method, f"seed{record.seed}"])


def columns(rows: Sequence[Row]) -> str:
    """Rows as aligned text."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
