"""Merges the records of several folders into one, without overwriting any."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from . import records
from .errors import UserError
from .storage import write_atomically


def merge(folders: Sequence[Path], out: Path) -> tuple[int, int]:
    """Copy every record of ``folders`` to ``out``; returns how many ``out`` then has, and how many files were equal to another.

    `UserError`, before anything is written, where a folder has no records, a file is no record, or two records of one cell
    differ.
    """
    chosen: dict[Path, Path] = {}
    present = 0
    for folder in [*folders, *([out] if out.is_dir() else [])]:
        paths = list(records.record_paths(folder))
        if not paths and folder != out:
            raise UserError(f"{folder} has no records")
        for path in paths:
            place = path.relative_to(folder)
            other = chosen.setdefault(place, path)
            if records.read(other) != records.read(path):
                raise UserError(f"{other} and {path} are different records of one cell: move one of them away")
            present += other != path
    for place, path in chosen.items():
        target = out / place
        if not target.exists():
            write_atomically(target, path.read_bytes())
    return len(chosen), present
