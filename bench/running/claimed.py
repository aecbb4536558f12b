"""Reads the claims below a folder: which run computes which cell, since when, and its progress."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from . import claims

CLAIMS = ".seed*.json.claim-*"


@dataclass(frozen=True)
class Claimed:
    """A cell that a run has claimed."""

    cell: str
    record: str  # the path of its future record below the folder
    host: str
    process: int
    since: float  # seconds ago
    sign: float  # seconds since the last sign of life
    alive: bool
    campaign: str  # see `campaign`
    phase: str | None  # as of the last sign of life
    progress: float | None
    images_per_second: float | None

    def __str__(self) -> str:
        return f"{self.cell}: {self.host}, process {self.process}"


def below(out: Path) -> list[Claimed]:
    """The claim that counts of every cell that is claimed, the oldest first."""
    newest = {(path.parent, _record(path)): path for path in sorted(out.rglob(CLAIMS), key=claims.generation)}
    now = claims.clock(out) if newest else 0.0
    return sorted((one for path in newest.values() if (one := _claimed(path, out, now))), key=lambda one: -one.since)


def _claimed(path: Path, out: Path, now: float) -> Claimed | None:
    """None where the claim has just been given up."""
    owner = claims.owner(path)
    try:
        sign = claims.age(path, now)
    except OSError:
        return None
    here = owner.get("place") == claims.machine()
    record = path.with_name(_record(path)).relative_to(out)
    return Claimed(
        cell=cell_of(record),
        record=str(record),
        host=str(owner.get("place", "")).partition(" ")[0] or "an unknown machine",
        process=owner.get("pid", 0),
        since=max(sign, time.time() - (_number(owner.get("since")) or time.time())),
        sign=sign,
        alive=claims.lives(owner) if here else sign < claims.SILENT,
        campaign=str(owner.get("campaign", "")),
        phase=owner.get("phase"),
        progress=_number(owner.get("progress")),
        images_per_second=_number(owner.get("images_per_second")),
    )


def cell_of(record: Path) -> str:
    """The name of the cell whose record has this path below the folder."""
    return "/".join(map(unquote, record.with_suffix("").parts))


def _record(path: Path) -> str:
    return path.name.removeprefix(".").rpartition(".claim-")[0]


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None
