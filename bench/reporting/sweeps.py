"""Sweeps: contenders of one leaderboard that differ in the value of one numeric setting, or of two."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import pandas as pd

from ..contenders import Contender, parse_contender
from ..metrics import COMPARED, HEADLINE, METRICS
from . import tables
from .leaderboard import Leaderboard
from .row import Row

FEWEST = 3  # values of one setting that make a sweep


@dataclass(frozen=True)
class Sweep:
    """Rows against the values of one key; the contenders of a line differ in nothing else."""

    key: str
    lines: dict[str, list[tuple[float, Row]]]  # by the contender without the key; values ascend


@dataclass(frozen=True)
class Grid:
    """Rows against the values of two keys; every combination of them has a row."""

    contender: str  # without the two keys
    keys: tuple[str, str]
    rows: dict[tuple[float, float], Row]

    @property
    def values(self) -> tuple[list[float], list[float]]:
        """The values of each key, ascending."""
        first, second = zip(*self.rows, strict=True)
        return sorted(set(first)), sorted(set(second))


def sweeps(board: Leaderboard) -> list[Sweep]:
    """A sweep for every key of which some contender has at least FEWEST values, without those that a grid shows."""
    shown = [set(map(id, grid.rows.values())) for grid in grids(board)]
    found: dict[str, dict[str, list[tuple[float, Row]]]] = defaultdict(dict)
    for (key,), name, rows in _groups(board, 1):
        line = sorted(((value, row) for (value,), row in rows.items()), key=lambda point: point[0])
        if len(line) >= FEWEST and not any({id(row) for _, row in line} <= rows_of for rows_of in shown):
            found[key][name] = line
    return [Sweep(key, dict(sorted(lines.items()))) for key, lines in sorted(found.items())]


def grids(board: Leaderboard) -> list[Grid]:
    """A grid for every pair of keys of which a contender has all combinations of at least two values each."""
    found = [Grid(name, (keys[0], keys[1]), rows) for keys, name, rows in _groups(board, 2)]  # type: ignore[arg-type]
    return [grid for grid in found if _is_full(grid)]


def _is_full(grid: Grid) -> bool:
    first, second = grid.values
    return min(len(first), len(second)) >= 2 and len(grid.rows) == len(first) * len(second)


def _groups(board: Leaderboard, size: int) -> Iterator[tuple[tuple[str, ...], str, dict[tuple[float, ...], Row]]]:
    """For each choice of ``size`` keys the rows that agree in all other settings, by the values of these keys."""
    rows = [(parse_contender(row.contender), row) for row in board.ranked + board.unranked if row.values[HEADLINE]]
    keys = {one.method: sorted({k for other, _ in rows if other.method == one.method for k in other.settings}) for one, _ in rows}
    for method in sorted(keys):
        for chosen in combinations(keys[method], size):
            groups: dict[str, dict[tuple[float, ...], Row]] = defaultdict(dict)
            for one, row in rows:
                values = tuple(_value(row, key) for key in chosen)
                if one.method == method and None not in values:
                    rest = {k: v for k, v in one.settings.items() if k not in chosen}
                    groups[str(Contender(method, rest))][values] = row  # type: ignore[index]
            for name, group in sorted(groups.items()):
                yield chosen, name, group


def _value(row: Row, key: str) -> float | None:
    """The value of ``key`` in a row's records; None where it is no number."""
    recipe = row.good[0].recipe
    value = (recipe.get("training", {}) | recipe.get("config", {})).get(key)
    return float(value) if type(value) in (int, float) else None


def table(sweep: Sweep) -> pd.DataFrame:
    """A line for each value: the accuracies of each contender."""
    values = sorted({value for line in sweep.lines.values() for value, _ in line})
    lines: list[dict[str, Any]] = []
    for value in values:
        cells = {sweep.key: number(value)}
        for name, line in sweep.lines.items():
            row = next((row for at, row in line if at == value), None)
            for metric in COMPARED:
                cells[f"{name}: {METRICS[metric]}"] = tables.percent(row.interval(metric)) if row else tables.NONE
        lines.append(cells)
    return pd.DataFrame(lines)


def grid_table(grid: Grid) -> pd.DataFrame:
    """The headline metric: a line for each value of the first key, a column for each value of the second."""
    first, second = grid.values
    down, across = grid.keys
    lines = [
        {f"{down} \\ {across}": number(a)} | {number(b): tables.percent(grid.rows[a, b].interval(HEADLINE)) for b in second}
        for a in first
    ]
    return pd.DataFrame(lines)


def number(value: float) -> str:
    return f"{value:.6g}"


def is_wide(values: Sequence[float]) -> bool:
    """Whether an axis of these values should be logarithmic: all are above zero, and they span a factor of ten."""
    return min(values) > 0 and max(values) >= 10 * min(values)
