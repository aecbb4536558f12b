"""Published numbers: beside ours for orientation, never mixed with them, never ranked."""

from __future__ import annotations

import csv
from dataclasses import dataclass, fields
from pathlib import Path

from ..errors import UserError

FILE = "published.csv"


@dataclass(frozen=True)
class Published:
    """One number that somebody else has published; ``value`` in percent, under a protocol that is not ours."""

    dataset: str
    backbone: str
    budget: str
    method: str
    metric: str
    value: float
    protocol: str
    source: str

    @property
    def note(self) -> str:
        return f"{self.metric} at {self.budget}; {self.protocol}; {self.source}"


def read(out: Path) -> list[Published]:
    """The rows of ``<out>/published.csv``; none where there is no such file. `UserError` names a bad line."""
    path = out / FILE
    if not path.exists():
        return []
    names = [field.name for field in fields(Published)]
    with path.open(newline="") as stream:
        reader = csv.DictReader(stream)
        if reader.fieldnames != names:
            raise UserError(f"{path} must have the columns {','.join(names)}")
        return [_row(path, reader.line_num, line) for line in reader]


def _row(path: Path, number: int, line: dict[str, str]) -> Published:
    try:
        return Published(**{**line, "value": float(line["value"])})  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise UserError(f"{path}, line {number}: value must be a number, and every column filled") from None


def of_board(rows: list[Published], track: str, backbone: str, budget: str) -> list[Published]:
    """What is published on a track and backbone: of the same budget where there is any, else of other budgets."""
    here = [row for row in rows if (row.dataset, row.backbone) == (track, backbone)]
    return [row for row in here if row.budget == budget] or here
