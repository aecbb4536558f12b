"""The place of a cell's record: the folder of its contender, or as before one named for its method alone."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

from .. import recorded, records
from ..cells import Cell, escaped
from ..errors import UserError
from ..records import Record

Stamp = tuple[int, int]  # the number of a file, and when it was written


def find(cell: Cell, out: Path) -> Record | None:
    """The record of ``cell`` below ``out``, if there is one; `UserError` where a file in its place is none."""
    found = _found(cell, out)
    return found[1] if found else None


def stamp(cell: Cell, out: Path) -> Stamp | None:
    """Changes whenever the record of ``cell`` is written, also where its content is the same; None where there is none."""
    found = _found(cell, out)
    if found is None:
        return None
    state = found[0].stat()
    return state.st_ino, state.st_mtime_ns


def _found(cell: Cell, out: Path) -> tuple[Path, Record] | None:
    own, before = out / cell.record_path, out / cell.before(cell.record_path)
    if own.exists() and _is_of(cell, record := records.read(own)):
        return own, record
    with contextlib.suppress(UserError):  # a damaged file there is another contender's
        if before != own and before.exists() and _is_of(cell, record := records.read(before)):
            return before, record
    return None


def _is_of(cell: Cell, record: Record) -> bool:
    return recorded.contender(record) == str(cell.recipe.contender)


def settle(cell: Cell, out: Path, runs: Path) -> None:
    """Move an older record, and its encoder, from the folder of its method to that of its contender.

    There it makes room for the method with its default settings. A record that is there already stays.
    """
    path, record = out / cell.before(cell.record_path), None
    with contextlib.suppress(UserError):  # a damaged file stays where it is
        record = records.read(path) if path.exists() else None
    name = recorded.contender(record) if record else ""
    if record is None or name == record.method:
        return
    for old in (runs / cell.before(cell.encoder_path), path):
        new = old.parent.with_name(escaped(name)) / old.name
        with contextlib.suppress(FileNotFoundError):  # another run may have been faster
            if not new.exists():
                new.parent.mkdir(parents=True, exist_ok=True)
                old.rename(new)
                if old == path:
                    records.write(replace(record, contender=name), new)
