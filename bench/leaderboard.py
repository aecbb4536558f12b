"""From records to leaderboards: one table for each (track, backbone, budget)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

import pandas as pd

from .records import Record
from .stats import ENOUGH, Interval, differs, interval

HEADLINE = "linear_top1"
METRICS = {"linear_top1": "linear", "linear_top5": "linear top-5", "knn_top1": "kNN (k = 20)", "knn200_top1": "kNN (k = 200)"}
RULE = "*not ranked: anchors and oracles*"


@dataclass
class Row:
    """A method on a leaderboard: its values by seed, and how many of its cells did not end well."""

    method: str
    role: str
    uses_labels: bool
    values: dict[str, dict[int, float]]
    cost: dict[str, float | None]
    failed: dict[str, int]

    def interval(self, metric: str) -> Interval | None:
        values = list(self.values[metric].values())
        return interval(values) if values else None


@dataclass
class Leaderboard:
    """All methods under one budget, best first; anchors and oracles apart."""

    track: str
    backbone: str
    budget: str
    ranked: list[Row]
    unranked: list[Row]

    @property
    def title(self) -> str:
        return f"{self.track}, {self.backbone}, {self.budget}"

    def bold(self, row: Row, metric: str) -> bool:
        """Whether a contestant is not significantly worse than the best; never said where seeds are too few."""
        rivals = [r for r in self.ranked if r.values[metric]]
        if row not in rivals:
            return False
        best = max(rivals, key=lambda r: fmean(r.values[metric].values()))
        if row is best:
            return len(row.values[metric]) >= ENOUGH
        return differs(best.values[metric], row.values[metric]) is False


def build(records: Sequence[Record]) -> list[Leaderboard]:
    """Leaderboards in the order of their titles."""
    groups: dict[tuple[str, str, str], dict[str, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        groups[record.track, record.backbone, record.budget][record.method].append(record)
    boards = []
    for (track, backbone, budget), methods in sorted(groups.items()):
        rows = sorted((_row(name, of_method) for name, of_method in methods.items()), key=_order)
        ranked = [row for row in rows if row.role == "contestant"]
        boards.append(Leaderboard(track, backbone, budget, ranked, [row for row in rows if row not in ranked]))
    return boards


def _order(row: Row) -> tuple[float, str]:
    found = row.interval(HEADLINE)
    return (-found.mean if found else 1.0, row.method)


def _row(name: str, records: list[Record]) -> Row:
    good = [r for r in records if r.status == "ok"]
    failed: dict[str, int] = defaultdict(int)
    for record in records:
        if record.status != "ok":
            failed[record.status] += 1
    values = {metric: {r.seed: r.metrics[metric] for r in good if metric in r.metrics} for metric in METRICS}
    keys = ("images_per_second", "train_seconds", "detect_seconds", "peak_memory_bytes", "energy_joules")
    cost = {key: _median([r.cost.get(key) for r in good]) for key in keys}
    return Row(name, records[0].role, records[0].uses_labels, values, cost, dict(failed))


def _median(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def table(board: Leaderboard) -> pd.DataFrame:
    """The leaderboard as text, ready for Markdown or a terminal."""
    lines = [_line(board, row, str(rank)) for rank, row in enumerate(board.ranked, 1)]
    if board.unranked:
        lines.append({"method": RULE})
        lines += [_line(board, row, "") for row in board.unranked]
    return pd.DataFrame(lines).fillna("")


def _line(board: Leaderboard, row: Row, rank: str) -> dict[str, Any]:
    failed = "".join(f"; {count} {status}" for status, count in sorted(row.failed.items()))
    trained = bool(row.cost["train_seconds"])
    return {
        "rank": rank,
        "method": row.method + (" (uses labels)" if row.uses_labels else ""),
        **{title: _accuracy(board, row, metric) for metric, title in METRICS.items()},
        "n": f"{len(row.values[HEADLINE])}{failed}",
        "images/s": _number(row.cost["images_per_second"], "{:,.0f}"),
        "train": _duration(row.cost["train_seconds"]) if trained else "–",
        "detection": _share(row.cost["detect_seconds"], row.cost["train_seconds"]),
        "peak memory": _number(row.cost["peak_memory_bytes"], "{:.2f} GiB", 2**30),
        "energy": _number(row.cost["energy_joules"], "{:,.0f} kJ", 1000),
    }


def _accuracy(board: Leaderboard, row: Row, metric: str) -> str:
    found = row.interval(metric)
    if found is None:
        return "–"
    text = f"{100 * found.mean:.2f}" + (f" ± {100 * found.half:.2f}" if found.half is not None else "")
    return f"**{text}**" if board.bold(row, metric) else text


def _number(value: float | None, form: str, unit: float = 1) -> str:
    return "–" if value is None else form.format(value / unit)


def _share(part: float | None, whole: float | None) -> str:
    return f"{100 * part / whole:.1f}%" if part and whole else "–"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
