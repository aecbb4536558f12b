"""The place of a cell's record: the folder of its contender, or as before one named for its method alone."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

from .. import recorded, records
from ..cells import Cell, escaped
from ..records import Record


def find(cell: Cell, out: Path) -> Record | None:
    """The record of ``cell`` below ``out``, if there is one; `UserError` where a file in its place is none."""
    for path in dict.fromkeys((cell.record_path, cell.before(cell.record_path))):
        record = records.read(out / path) if (out / path).exists() else None
        if record is not None and recorded.contender(record) == str(cell.recipe.contender):
            return record
    return None


def settle(cell: Cell, out: Path, runs: Path) -> None:
    """Move an older record, and its encoder, from the folder of its method to that of its contender.

    There it makes room for the method with its default settings. A record that is there already stays.
    """
    path = out / cell.before(cell.record_path)
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
