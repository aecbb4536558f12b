"""Published numbers: tables show them next to the harness's own for orientation, and never rank them."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

FILE = "published.csv"


@dataclass(frozen=True)
class Published:
    """A number published by others, under their own protocol; ``value`` is in percent."""

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


def read(out: Path, warn: Callable[[str], None] = lambda line: None) -> list[Published]:
    """The rows of ``<out>/published.csv``; ``warn`` is called with a line for a bad file or row, which is left out."""
    path = out / FILE
    if not path.exists():
        return []
    if path.is_fifo() or path.is_socket():  # which would wait for a writer
        warn(f"{path} is no file; published numbers are left out")
        return []
    try:
        lines = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""), strict=True))
    except (OSError, csv.Error) as error:
        warn(f"{path} cannot be read ({error}); published numbers are left out")
        return []
    except UnicodeDecodeError:
        warn(f"{path} is no UTF-8 text: save it as UTF-8; published numbers are left out")
        return []
    names = [field.name for field in fields(Published)]
    found = []
    for number, line in enumerate(lines, 2):
        if list(line) != names or None in line.values():
            warn(f"{path}, line {number}: must have the columns {','.join(names)}, every one filled; it is left out")
        elif (value := _number(line["value"])) is None:
            warn(f"{path}, line {number}: value is {line['value']!r:.40}, not a number; it is left out")
        else:
            found.append(Published(**{**line, "value": value}))  # type: ignore[arg-type]
    return found


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def of_board(rows: list[Published], track: str, backbone: str, budget: str) -> list[Published]:
    """The published numbers of a track and backbone: those of the same budget if there are any, else of other budgets."""
    here = [row for row in rows if (row.dataset, row.backbone) == (track, backbone)]
    return [row for row in here if row.budget == budget] or here
