"""Where the record of a cell lies: in the folder of its contender, or as before in one named for its method alone."""

from __future__ import annotations

import contextlib
from pathlib import Path

from .. import records
from ..cells import Cell, escaped
from ..records import Record


def find(cell: Cell, out: Path) -> Record | None:
    """The record of ``cell`` below ``out``, if there is one; `UserError` where a file in its place is none."""
    for path in dict.fromkeys((cell.record_path, cell.before(cell.record_path))):
        record = records.read(out / path) if (out / path).exists() else None
        if record is not None and record.contender == str(cell.recipe.contender):
            return record
    return None


def settle(cell: Cell, out: Path, runs: Path) -> None:
    """Move a record of before, and its encoder, from the folder of its method to that of its contender.

    There it makes room for the method with its default settings. A record that lies there already stays.
    """
    path = out / cell.before(cell.record_path)
    record = records.read(path) if path.exists() else None
    if record is None or record.contender == record.method:
        return
    for old in (path, runs / cell.before(cell.encoder_path)):
        new = old.parent.with_name(escaped(record.contender)) / old.name
        with contextlib.suppress(FileNotFoundError):  # another run may have been faster
            if not new.exists():
                new.parent.mkdir(parents=True, exist_ok=True)
                old.rename(new)
