"""Campaigns: which cells a run is to compute, in a small file next to the records, so that other commands know what waits.

Runs of the same cells share one file, as its name is a digest of its content. Claims name it. A run removes it when all
of its cells have records, and with it the files of campaigns that are done, or that are a week old and have no live claim: an
array may wait for days.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from ..errors import UserError
from ..storage import write_atomically
from . import claimed
from .claimed import Claimed

FORGOTTEN = 7 * 24 * 3600.0  # seconds after which a campaign without a live claim is given up
Cells = Mapping[str, str]  # the path of each record below the folder, and the identity of its cell


def digest(cells: Cells) -> str:
    return hashlib.sha256(_content(cells).encode()).hexdigest()[:12]


def check(out: Path, cells: Cells, due: Collection[str]) -> None:
    """`UserError` where a live run plans a cell that is ``due`` by another recipe or on other data."""
    others = of_folder(out)
    for one in (one for one in claimed.below(out) if one.alive):
        theirs = others.get(one.campaign, {})
        for path in due:
            if path in theirs and theirs[path] != cells[path]:
                raise UserError(_refused(out, Path(path), one))


def begin(out: Path, cells: Cells) -> None:
    """Write the file."""
    write_atomically(_file(out, digest(cells)), _content(cells))


def _refused(out: Path, record: Path, one: Claimed) -> str:
    by = f"a run on {one.host} (process {one.process})"
    return (
        f"{by} computes {claimed.cell_of(record)} on {out} by another recipe or on other data: give this run an --out of its own"
    )


def end(out: Path, cells: Cells) -> None:
    """Where all of ``cells`` have records, remove their file, and those of others that are done or given up."""
    if waiting(out, cells):
        return
    live = {one.campaign for one in claimed.below(out) if one.alive}
    for name, theirs in of_folder(out).items():
        given_up = name not in live and time.time() - _written(_file(out, name)) > FORGOTTEN
        if given_up or (name not in live and not waiting(out, theirs)):  # a live one may renew records
            with contextlib.suppress(OSError):
                _file(out, name).unlink(missing_ok=True)


def waiting(out: Path, cells: Iterable[str]) -> list[str]:
    """Those of ``cells`` that have no record."""
    return [path for path in cells if not (out / path).exists()]


def of_folder(out: Path) -> dict[str, Cells]:
    """Every campaign below ``out``, by its digest, the newest last."""
    found: dict[str, Cells] = {}
    for path in sorted(out.glob(".campaign-*.json"), key=_written):
        with contextlib.suppress(OSError, ValueError):
            content = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(content, dict):
                found[path.stem.removeprefix(".campaign-")] = content
    return found


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _file(out: Path, name: str) -> Path:
    return out / f".campaign-{name}.json"


def _content(cells: Cells) -> str:
    return json.dumps(dict(sorted(cells.items())), indent=0)
