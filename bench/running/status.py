"""`status`: how a campaign stands, from the records and claims of a folder alone."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from .. import records
from ..records import Record
from ..reporting import spent
from . import claims

CLAIMS = ".seed*.json.claim-*"


@dataclass(frozen=True)
class Claimed:
    """A cell that a run has claimed."""

    cell: str
    host: str
    process: int
    since: float  # seconds ago
    sign: float  # seconds since the last sign of life
    alive: bool


@dataclass(frozen=True)
class Failed:
    """A cell that ended otherwise than well."""

    cell: str
    status: str
    why: str


@dataclass(frozen=True)
class Status:
    """Numbers of records by their status; what runs; what failed, and why; files that are no records; what all has cost."""

    records: dict[str, int]
    running: list[Claimed]
    failed: list[Failed]
    problems: list[str]
    spent: str

    @property
    def code(self) -> int:
        """1 where a cell failed, a file is no record or a claim's owner is dead; else 0."""
        return 1 if self.failed or self.problems or any(not one.alive for one in self.running) else 0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def of_folder(out: Path) -> Status:
    """The status of the campaign whose records are below ``out``."""
    found, problems = records.read_all(out)
    done = Counter(record.status for record in found)
    failed = [Failed(_name(r), r.status, (r.error or {}).get("exception", "")) for r in found if r.status != "ok"]
    own = [record for record in found if record.role != "external"]
    newest = {path.name.rpartition(".claim-")[0] + str(path.parent): path for path in sorted(out.rglob(CLAIMS), key=_generation)}
    running = sorted((one for path in newest.values() if (one := _claimed(path, out))), key=lambda one: -one.since)
    return Status(dict(sorted(done.items())), running, failed, problems, spent.sentence(own))


def lines(status: Status) -> list[str]:
    """The status as text."""
    told = ", ".join(f"{count} {name}" for name, count in status.records.items()) or "no records yet"
    found = [f"{told}; {len(status.running)} running"]
    for one in status.running:
        how = f"since {_duration(one.since)}, sign of life {_duration(one.sign)} ago"
        found.append(f"running  {one.cell}: {one.host}, process {one.process}, {how}{'' if one.alive else '; its owner is dead'}")
    found += [f"{one.status:8} {one.cell}: {one.why}" for one in status.failed]
    found += [f"no record  {problem}" for problem in status.problems]
    return found + ([status.spent] if status.spent else [])


def _claimed(path: Path, out: Path) -> Claimed | None:
    """None where the claim has just been given up."""
    owner, now = claims.owner(path), time.time()
    try:
        state = path.stat()
    except OSError:
        return None
    here = owner.get("place") == claims.machine()
    sign = max(0.0, now - state.st_mtime)
    alive = claims.lives(owner) if here else sign < claims.SILENT
    parts = [unquote(part) for part in path.parent.relative_to(out).parts]
    seed = path.name.partition(".json")[0].removeprefix(".seed")
    host = str(owner.get("place", "")).partition(" ")[0] or "an unknown machine"
    since = max(0.0, now - owner.get("since", state.st_mtime))
    return Claimed("/".join([*parts, f"seed{seed}"]), host, owner.get("pid", 0), since, sign, alive)


def _generation(path: Path) -> int:
    number = path.name.rpartition("-")[2]
    return int(number) if number.isdecimal() else -1


def _name(record: Record) -> str:
    return "/".join([record.track, record.backbone, record.budget, record.contender, f"seed{record.seed}"])


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
