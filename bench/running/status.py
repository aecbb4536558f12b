"""`status`: the state of a campaign, from the records, claims and plans of a folder alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from .. import records
from ..errors import counted
from ..records import Record
from ..reporting import spent, stale
from ..reporting.formats import duration
from ..reporting.listing import name_of
from ..reporting.spent import Spent
from . import campaign, claimed
from .claimed import Claimed


@dataclass(frozen=True)
class FailedCell:
    """A cell whose record has another status than ok."""

    cell: str
    status: str
    why: str


@dataclass(frozen=True)
class Left:
    """What is left of a campaign: seconds for all ``workers`` that are alive (1 at least), and cells of unknown length."""

    seconds: float
    workers: int
    unknown: int


@dataclass(frozen=True)
class CampaignStatus:
    """Numbers of records by their status; what runs, waits and failed; files that are no records; what all has cost."""

    records: dict[str, int]
    stale: int
    running: list[Claimed]
    waiting: int  # cells of the campaigns that run, else of the last one
    left: Left
    failed: list[FailedCell]
    problems: list[str]
    spent: Spent

    @property
    def code(self) -> int:
        """1 where a cell failed, a file is no record or a claim's owner is dead; else 0."""
        return 1 if self.failed or self.problems or any(not one.alive for one in self.running) else 0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def of_folder(out: Path) -> CampaignStatus:
    """The status of the campaign whose records are below ``out``."""
    found, problems = records.read_all(out)
    running = claimed.below(out)
    waiting = _waiting(out, running)
    own = [record for record in found if record.role != "external"]
    return CampaignStatus(
        records=dict(sorted(Counter(record.status for record in found).items())),
        stale=sum(map(bool, stale.reasons(found))),
        running=running,
        waiting=len(waiting),
        left=_left(waiting, [one for one in running if one.alive], found),
        failed=[FailedCell(name_of(r), r.status, (r.error or {}).get("exception", "")) for r in found if r.status != "ok"],
        problems=problems,
        spent=spent.total(own),
    )


def _waiting(out: Path, running: Sequence[Claimed]) -> list[str]:
    """The cells that have neither a record nor a claim of a live run."""
    plans = campaign.of_folder(out)
    names = {one.campaign for one in running if one.alive} & plans.keys() or set(list(plans)[-1:])
    taken = {one.record for one in running if one.alive}
    planned = {path for name in names for path in plans[name]} - taken
    return [claimed.cell_of(Path(path)) for path in campaign.waiting(out, sorted(planned))]


def _left(waiting: Sequence[str], running: Sequence[Claimed], found: Sequence[Record]) -> Left:
    """By the mean of the good records of the same contender and board, else of the board."""
    good = [(name_of(record).rsplit("/", 1)[0], spent.seconds(record)) for record in found if record.status == "ok"]
    parts = [(cell, 1.0) for cell in waiting] + [(one.cell, 1 - (one.progress or 0.0)) for one in running]
    known = [share * seconds for cell, share in parts if (seconds := _typical(cell.rsplit("/", 1)[0], good)) is not None]
    workers = max(1, len(running))
    return Left(sum(known) / workers, workers, len(parts) - len(known))


def _typical(contender: str, good: Sequence[tuple[str, float]]) -> float | None:
    board = contender.rsplit("/", 1)[0] + "/"
    alike = [seconds for name, seconds in good if name == contender] or [s for name, s in good if name.startswith(board)]
    return mean(alike) if alike else None


def lines(status: CampaignStatus) -> list[str]:
    """The status as text."""
    told = ", ".join(f"{count} {name}" for name, count in status.records.items()) or "no records yet"
    alive = sum(one.alive for one in status.running)
    dead = f", {len(status.running) - alive} dead" if alive < len(status.running) else ""
    found = [f"{told}; {alive} running{dead}, {status.waiting} waiting"]
    found += [f"running  {one}, {_how(one)}" for one in status.running]
    found += [f"{one.status:8} {one.cell}: {one.why}" for one in status.failed]
    found += [f"no record  {problem}" for problem in status.problems]
    if status.stale:
        found.append(f"{counted(status.stale, 'record')} stale; `list results --stale` says why")
    return [*found, *_told(status.left), *filter(None, [str(status.spent)])]


def _how(one: Claimed) -> str:
    told = f"since {duration(one.since)}, sign of life {duration(one.sign)} ago"
    told += f", {one.phase}" if one.phase and one.phase != "train" else ""
    told += f", {one.progress:.0%}" if one.progress is not None else ""
    told += f", {one.images_per_second:,.0f} images/s" if one.images_per_second else ""
    return told + ("" if one.alive else "; its owner is dead")


def _told(left: Left) -> list[str]:
    unknown = f"{counted(left.unknown, 'cell')} of unknown length: no records of their kind yet" if left.unknown else ""
    known = f"about {duration(left.seconds)} for {counted(left.workers, 'worker')}" if left.seconds else ""
    return [f"time left: {'; '.join(filter(None, (known, unknown)))}"] if known or unknown else []
