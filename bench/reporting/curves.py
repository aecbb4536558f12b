"""Learning curves over seeds: their mean on a common grid, and thinning for display."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..metrics import HELD_OUT_KNN
from ..records import Record

AXES = ("progress", "step", "epoch", "seconds")  # keys for the horizontal axis; all other keys are values


def keys(records: Sequence[Record]) -> list[str]:
    """The keys of all values in the curves, in alphabetical order."""
    found = {key for record in records for point in record.curve for key, value in point.items() if _is_number(value)}
    return sorted(found.difference(AXES))


def series(record: Record, key: str, axis: str = "progress") -> tuple[list[float], list[float]]:
    """The points of ``record`` that have ``key``: their positions on ``axis``, and their values."""
    points = [p for p in record.curve if _is_number(p.get(key)) and _is_number(p.get(axis))]
    return [float(p[axis]) for p in points], [float(p[key]) for p in points]


def mean(records: Sequence[Record], key: str, axis: str = "progress", points: int = 50) -> tuple[list[float], list[float]]:
    """Positions and the mean over seeds there, within the range that every seed covers.

    Positions are those of the points if all seeds have the same ones, else a grid of at most ``points`` of them.
    """
    lines = [line for record in records if (line := series(record, key, axis))[0]]
    if not lines:
        return [], []
    if all(line[0] == lines[0][0] for line in lines) and len(lines[0][0]) <= points:
        places = lines[0][0]
    else:
        low, high = max(line[0][0] for line in lines), min(line[0][-1] for line in lines)
        count = min(points, max(len(line[0]) for line in lines))
        places = np.linspace(low, high, count).tolist() if high >= low else []
    values = np.mean([np.interp(places, *line) for line in lines], axis=0) if places else np.array([])
    return places, values.tolist()


def extremes(records: Sequence[Record], key: str, places: Sequence[float]) -> tuple[list[float], list[float]]:
    """The least and the greatest value of the seeds at each of the ``places`` of their mean."""
    lines = [line for record in records if (line := series(record, key))[0]]
    at = np.array([np.interp(places, *line) for line in lines])
    return at.min(axis=0).tolist(), at.max(axis=0).tolist()


def thin(points: Sequence[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    """About ``most`` evenly spaced points, with the last; points with an accuracy, which are rare, are kept if possible."""
    if len(points) <= most:
        return list(points)
    kept = set(np.linspace(0, len(points) - 1, most).round().astype(int).tolist())
    rare = [i for i, point in enumerate(points) if HELD_OUT_KNN in point]
    if len(rare) <= most:
        kept.update(rare)
    return [points[i] for i in sorted(kept)]


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)  # bool is neither; this runs millions of times
