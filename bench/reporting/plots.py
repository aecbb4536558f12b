"""Static figures for Markdown and papers, by Matplotlib: the same records give the same bytes."""

from __future__ import annotations

import hashlib
import io
import json
import math
import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..metrics import HEADLINE, HELD_OUT_KNN, METRICS
from ..storage import write_atomically
from . import curves
from .formats import rounded, unit_of_time
from .leaderboard import Leaderboard
from .row import Row
from .stats import Interval

STYLE = 5  # raise it with any change of the look of figures
OURS = re.compile(rb"shows [0-9a-f]{64}")
SETTINGS: Any = {
    "svg.hashsalt": "bench",
    "svg.fonttype": "path",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
# Okabe and Ito's colours, which most colour-blind readers can distinguish, then line styles
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = "osD^"
WIDE = 36  # letters of a line of names from which the legend is below the axes
MOST = 40  # names in a legend
TITLE, NAME = 80, 92  # letters in a line of a title, and of a name in such a legend
DASHES = ("-", "--", ":", "-.")
# the keys of a curve that a detection figure shows, without their prefix detect_
DETECTION = {"precision": "precision of pairs", "recall": "recall of pairs", "nmi": "NMI", "accepted": "accepted"}


@dataclass(frozen=True)
class Figure:
    """A figure before it is drawn: its data, and the function that draws them. Its file contains a digest of the data."""

    shows: Any  # plain values
    draw: Callable[[Any, Any], None]  # (axes, shows)

    @property
    def digest(self) -> str:
        name = self.draw.__name__
        return hashlib.sha256(json.dumps([STYLE, name, self.shows], sort_keys=True).encode()).hexdigest()

    def is_drawn(self, path: Path) -> bool:
        """Whether ``path`` has the same digest, independent of the version of Matplotlib that drew it."""
        return path.is_file() and self.digest.encode() in path.read_bytes()

    def save(self, path: Path) -> None:
        """Draw as SVG or PNG, by the suffix of ``path``; no dates, no random names. Raises `StorageError`."""
        import matplotlib
        from matplotlib.figure import Figure as Canvas

        with matplotlib.rc_context(SETTINGS):
            figure = Canvas(figsize=(6.4, 3.8), layout="constrained")
            self.draw(figure.subplots(), self.shows)
            nothing = {"Date": None} if path.suffix == ".svg" else {"Software": None}
            content = io.BytesIO()
            metadata = {"Description": f"shows {self.digest}", **nothing}
            figure.savefig(content, dpi=150, format=path.suffix[1:], metadata=metadata)
        write_atomically(path, content.getvalue())


def is_ours(path: Path) -> bool:
    """Whether `Figure.save` has drawn the file."""
    try:
        return OURS.search(path.read_bytes()) is not None
    except OSError:
        return False


def of_board(board: Leaderboard) -> dict[str, Figure]:
    """The figures of a leaderboard by name, without those that would be empty."""
    found = {
        "cost": (_cost_points(board), accuracy_against_cost),
        "curves": (_curve_lines(board.ranked), learning_curves),
        "detection": (_detection_lines(board.ranked), detection_quality),
    }
    return {name: Figure({"title": board.title, "shown": shown}, draw) for name, (shown, draw) in found.items() if shown}


def _cost_points(board: Leaderboard) -> list[dict[str, Any]]:
    known = [(row, found) for row in board.ranked if (found := row.interval(HEADLINE)) and row.cost["train_seconds"]]
    unit, seconds = unit_of_time(max((row.cost["train_seconds"] or 0.0 for row, _ in known), default=0.0))
    return [
        {
            "method": row.contender,
            "time": rounded((row.cost["train_seconds"] or 0.0) / seconds),
            "unit": unit,
            **in_percent(found),
            "front": row.contender in board.front,
        }
        for row, found in known
    ]


def in_percent(found: Interval) -> dict[str, float]:
    """A mean accuracy, and how far its interval extends below and above it."""
    low, high = found.ends(0.0, 1.0) or (found.mean, found.mean)
    numbers = {"percent": found.mean, "below": found.mean - low, "above": high - found.mean}
    return {key: rounded(100 * value) for key, value in numbers.items()}


def _curve_lines(rows: Sequence[Row]) -> list[dict[str, Any]]:
    lines = []
    for row in rows:
        places, values = curves.mean(row.good, HELD_OUT_KNN)
        if places:
            low, high = curves.extremes(row.good, HELD_OUT_KNN, places)
            lines.append(
                {
                    "method": row.contender,
                    "progress": _percents(places),
                    "percent": _percents(values),
                    "low": _percents(low),
                    "high": _percents(high),
                }
            )
    return lines


def _detection_lines(rows: Sequence[Row]) -> list[dict[str, Any]]:
    lines = []
    for row in rows:
        for key in DETECTION:
            places, values = curves.mean(row.good, f"detect_{key}")
            if places:
                at = {"progress": _percents(places), "percent": _percents(values)}
                lines.append({"method": row.contender, "key": key, **at})
    return lines


def _percents(values: Sequence[float]) -> list[float]:
    return [rounded(100 * value) for value in values]


def accuracy_against_cost(axes: Any, shows: dict[str, Any]) -> None:
    """One point for each contestant with its interval; points on the Pareto front are filled and joined."""
    points = shows["shown"]
    front = sorted((p["time"], p["percent"]) for p in points if p["front"])
    if front:
        axes.step(*zip(*front, strict=True), where="post", color="#999999", linewidth=1, zorder=1)
    for i, p in enumerate(points):
        colour = COLOURS[i % len(COLOURS)]
        fill, marker = colour if p["front"] else "white", MARKERS[i // len(COLOURS) % len(MARKERS)]
        ends = [[p["below"]], [p["above"]]]
        axes.errorbar(p["time"], p["percent"], ends, fmt=marker, color=colour, mfc=fill, capsize=2, label=p["method"])
    label(axes, shows["title"], f"training time [{points[0]['unit']}]", f"{METRICS[HEADLINE]} top-1 [%]")
    legend(axes, len(points))


def learning_curves(axes: Any, shows: dict[str, Any]) -> None:
    """Held-out kNN accuracy against progress: the mean over seeds, and a band from the worst to the best seed."""
    for i, line in enumerate(shows["shown"]):
        dash, colour = DASHES[i // len(COLOURS) % len(DASHES)], COLOURS[i % len(COLOURS)]
        axes.plot(line["progress"], line["percent"], dash, color=colour, label=line["method"])
        axes.fill_between(line["progress"], line["low"], line["high"], color=colour, alpha=0.15, linewidth=0)
    label(axes, f"{shows['title']}: mean and range of seeds", "budget spent [%]", "held-out kNN top-1 [%]")
    legend(axes, len(shows["shown"]))


def detection_quality(axes: Any, shows: dict[str, Any]) -> None:
    """The quality of detections against progress, mean over seeds: a colour for each method, a line style for each measure."""
    lines = shows["shown"]
    methods = list(dict.fromkeys(line["method"] for line in lines))
    for line in lines:
        colour = COLOURS[methods.index(line["method"]) % len(COLOURS)]
        dash = DASHES[list(DETECTION).index(line["key"])]
        name = f"{line['method']}: {DETECTION[line['key']]}"
        over = min(2, len(methods) - 1 - methods.index(line["method"]))  # lines that coincide lie on wider ones
        axes.plot(line["progress"], line["percent"], dash, color=colour, label=name, linewidth=1.2 + 1.4 * over)
    label(axes, f"{shows['title']}: false negatives", "budget spent [%]", "detection [%]")
    axes.set(ylim=(-2, 102))
    legend(axes, len(lines))


def label(axes: Any, title: str, x: str, y: str) -> None:
    axes.set(xlabel=x, ylabel=y)
    axes.set_title(textwrap.fill(title, TITLE), fontsize=9, loc="left")


def legend(axes: Any, entries: int) -> None:
    """Beside the axes, or below them in a taller figure where names are long; the first `MOST` of them."""
    axes.grid(alpha=0.25, linewidth=0.5)
    handles, names = axes.get_legend_handles_labels()
    if len(names) > MOST:
        handles, names = handles[:MOST], [*names[: MOST - 1], f"{names[MOST - 1]}, and {len(names) - MOST} more"]
    longest, columns = max(map(len, names), default=0), 1 + (entries > 15)
    if columns * longest < WIDE:
        axes.legend(handles, names, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, fontsize=8, ncols=columns)
        return
    columns = max(1, NAME // (longest + 6))  # six letters for the line's picture
    lines = [textwrap.fill(name, NAME) for name in names]
    height = sum(name.count("\n") + 1 for name in lines) / columns
    axes.figure.set_figheight(axes.figure.get_figheight() + 0.16 * math.ceil(height))
    axes.figure.legend(handles, lines, loc="outside lower left", frameon=False, fontsize=8, ncols=columns)
