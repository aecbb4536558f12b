"""Figures of sweeps: a metric against the values of one setting, or of two."""

from __future__ import annotations

from typing import Any

from ..metrics import HEADLINE, METRICS
from .formats import rounded
from .leaderboard import Leaderboard
from .plots import COLOURS, DASHES, MARKERS, Figure, in_percent, label, legend
from .sweeps import Grid, Sweep, grids, is_wide, number, sweeps


def of_board(board: Leaderboard) -> dict[str, Figure]:
    """The figures of a leaderboard's sweeps by their names."""
    lines = {f"sweep-{sweep.key}": Figure(_lines(board, sweep), against_value) for sweep in sweeps(board)}
    maps = {f"grid-{i}": Figure(_cells(board, grid), heat_map) for i, grid in enumerate(grids(board), 1)}
    return lines | maps


def _lines(board: Leaderboard, sweep: Sweep) -> dict[str, Any]:
    shown = []
    for name, line in sweep.lines.items():
        found = [(value, interval) for value, row in line if (interval := row.interval(HEADLINE))]
        bars = [in_percent(one) for _, one in found]
        numbers = {key: [bar[key] for bar in bars] for key in ("percent", "below", "above")}
        shown.append({"method": name, "value": [rounded(value) for value, _ in found], **numbers})
    return {"title": board.title, "key": sweep.key, "lines": shown}


def _cells(board: Leaderboard, grid: Grid) -> dict[str, Any]:
    first, second = grid.values
    means = [[grid.rows[a, b].interval(HEADLINE) for b in second] for a in first]
    percent = [[rounded(100 * one.mean) if one else None for one in line] for line in means]
    axes = {"keys": list(grid.keys), "first": first, "second": second}
    return {"title": f"{board.title}: {grid.contender}", **axes, "percent": percent}


def against_value(axes: Any, shows: dict[str, Any]) -> None:
    """The headline metric against the value, with intervals over seeds: one line for each contender."""
    for i, line in enumerate(shows["lines"]):
        style = MARKERS[i % len(MARKERS)] + DASHES[i // len(COLOURS) % len(DASHES)]
        colour = COLOURS[i % len(COLOURS)]
        axes.errorbar(
            line["value"],
            line["percent"],
            [line["below"], line["above"]],
            fmt=style,
            color=colour,
            capsize=3,
            label=line["method"],
        )
    values = sorted({value for line in shows["lines"] for value in line["value"]})
    if is_wide(values):
        axes.set_xscale("log")
        axes.minorticks_off()
    if len(values) <= 8:
        axes.set_xticks(values, [number(value) for value in values])
    label(axes, shows["title"], shows["key"].replace("_", " "), f"{METRICS[HEADLINE]} top-1 [%]")
    legend(axes, len(shows["lines"]))


def heat_map(axes: Any, shows: dict[str, Any]) -> None:
    """The headline metric of every combination of two values, in colour and in figures."""
    image = axes.imshow(shows["percent"], cmap="cividis", aspect="auto", origin="lower")
    axes.set_xticks(range(len(shows["second"])), [number(value) for value in shows["second"]])
    axes.set_yticks(range(len(shows["first"])), [number(value) for value in shows["first"]])
    known = [value for line in shows["percent"] for value in line if value is not None]
    middle = (min(known) + max(known)) / 2
    for y, line in enumerate(shows["percent"]):
        for x, value in enumerate(line):
            axes.text(x, y, f"{value:.2f}", ha="center", va="center", color="white" if value < middle else "black")
    axes.figure.colorbar(image, ax=axes, label=f"{METRICS[HEADLINE]} top-1 [%]")
    label(axes, shows["title"], shows["keys"][1].replace("_", " "), shows["keys"][0].replace("_", " "))
