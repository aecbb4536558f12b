"""The place of a cell's record: the folder of its contender, or as before one named for its method alone."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from .. import recorded, records
from ..cells import Cell, escaped
from ..errors import UserError
from ..records import Record

Stamp = tuple[int, int]  # the number of a file, and when it was written


class Found(NamedTuple):
    """A record, and the stamp of its file, which changes whenever it is written, also where its content is the same."""

    record: Record
    stamp: Stamp


def find(cell: Cell, out: Path) -> Found | None:
    """The record of ``cell`` below ``out``, if there is one; `UserError` where a file in its place is none."""
    own, before = out / cell.record_path, out / cell.before(cell.record_path)
    if own.exists():
        stamp = _stamp(own)  # before it is read, so that a record that replaces it meanwhile is another one
        if _is_of(cell, record := records.read(own)):
            return Found(record, stamp)
    with contextlib.suppress(UserError):  # a damaged file there is another contender's
        if before != own and before.exists():
            stamp = _stamp(before)
            if _is_of(cell, record := records.read(before)):
                return Found(record, stamp)
    return None


def is_since(stamp: Stamp, moment: float) -> bool:
    """Whether a file was written after ``moment``, in seconds by its file system's clock, which ticks in milliseconds."""
    return stamp[1] > (moment + 1e-3) * 1e9


def _stamp(path: Path) -> Stamp:
    state = path.stat()
    return state.st_ino, state.st_mtime_ns


def _is_of(cell: Cell, record: Record) -> bool:
    return recorded.contender(record) == str(cell.recipe.contender)


def settle(cell: Cell, out: Path, runs: Path) -> bool:
    """Move an older record, and its encoder, from the folder of its method to that of its contender; whether there was one.

    There it makes room for the method with its default settings. A record that is there already stays.
    """
    path, record = out / cell.before(cell.record_path), None
    with contextlib.suppress(UserError):  # a damaged file stays where it is
        record = records.read(path) if path.exists() else None
    name = recorded.contender(record) if record else ""
    if record is None or name == record.method:
        return False
    for old in (runs / cell.before(cell.encoder_path), path):
        new = old.parent.with_name(escaped(name)) / old.name
        with contextlib.suppress(FileNotFoundError):  # another run may have been faster
            if not new.exists():
                new.parent.mkdir(parents=True, exist_ok=True)
                old.rename(new)
                if old == path:
                    records.write(replace(record, contender=name), new)
    return True
