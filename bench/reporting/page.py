"""The page: one self-contained HTML file that works in a browser without a network."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Hashable, Sequence
from importlib import resources
from typing import Any

import numpy as np

from ..metrics import COMPARED, COSTS, HEADLINE, PROTOCOL_METRICS
from ..records import Record
from . import agreement, costs, curves, experiments, spent, stats, summary, sweeps, tables, tuning
from .formats import rounded
from .leaderboard import Leaderboard
from .paired import Judged
from .row import Row

CURVE_NUMBERS = 500_000  # most numbers in all curves together; more make the page slow to load
MEAN_POINTS = 60
MOST_POINTS, FEWEST_POINTS = 100, 6
LEFT_OUT = ("step", "epoch")  # of curves, as both follow from progress
SCRIPTS = ("state.js", "table.js", "charts.js", "matrix.js", "agreement.js", "record.js", "sweeps.js", "across.js", "main.js")


class Pool:
    """A list of values that many records share, each stored once; `place` is the index of a value."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._places: dict[Hashable, int] = {}

    def place(self, value: Any) -> int:
        key = json.dumps(value, sort_keys=True)
        if key not in self._places:
            self._places[key] = len(self.values)
            self.values.append(value)
        return self._places[key]


def html(boards: Sequence[Leaderboard], judged: Sequence[experiments.Assessed], running: dict[str, Any] | None) -> str:
    """The whole page. With a status ``running``, even an empty one, it reloads itself every few seconds."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from plotly.offline import get_plotlyjs

    web = resources.files(__package__) / "web"
    environment = Environment(loader=PackageLoader(__package__, "web"), autoescape=True, undefined=StrictUndefined)
    return environment.get_template("page.html").render(
        style=(web / "page.css").read_text(encoding="utf-8"),
        plotly=get_plotlyjs(),
        script="\n".join((web / name).read_text(encoding="utf-8") for name in SCRIPTS),
        data=_packed(content(boards, judged, running)),
        over_tracks=summary.LEGEND,
        tuning=tuning.LEGEND.replace("`", ""),
        trials=tuning.CURVE,
    )


def _packed(value: Any) -> str:
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode(), 6, mtime=0)).decode()


def content(
    boards: Sequence[Leaderboard], judged: Sequence[experiments.Assessed] = (), running: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The content of the page, as plain values."""
    shared = {name: Pool() for name in ("recipe", "environment", "data", "evaluation")}
    most = _points_per_record(boards)
    shown = [_board(board, shared, most) for board in boards]
    return {
        "running": running,
        "spent": str(spent.total(r for board in boards for row in board.rows if row.role != "external" for r in row.records)),
        "headline": HEADLINE,
        "compared": COMPARED,
        "costs": [vars(cost) for cost in COSTS.values()],
        "boards": shown,
        "summaries": summary.page(summary.of_boards(boards)),
        "tuning": tuning.page(tuning.of_leaderboards(boards)),
        "experiments": experiments.page(judged),
        "shared": {name: pool.values for name, pool in shared.items()},
    }


def _points_per_record(boards: Sequence[Leaderboard]) -> int:
    records = [record for board in boards for row in board.rows for record in row.records]
    columns = sum(len(record.curve[-1]) for record in records if record.curve)
    return max(FEWEST_POINTS, min(MOST_POINTS, CURVE_NUMBERS // max(1, columns)))


def _board(board: Leaderboard, shared: dict[str, Pool], most: int) -> dict[str, Any]:
    return {
        "title": board.title,
        "metrics": {key: _declared(board, key) for key in board.metrics},
        "agreement": _agreement(board),
        "steady": board.steady,
        "judged_on": board.judged_on,
        "published": [vars(row) for row in board.published],
        "rows": [_row(board, row, shared, most) for row in board.rows],
        "sweeps": [*map(_sweep, sweeps.sweeps(board)), *map(_grid, sweeps.grids(board))],
        "pairs": {metric: _pairs(pairs) for metric, pairs in board.pairs.items()},
    }


def _declared(board: Leaderboard, key: str) -> dict[str, Any]:
    metric = PROTOCOL_METRICS.get(key) or board.columns[key]
    return {"title": board.metrics[key], "fraction": metric.is_fraction, "better": metric.better}


def _agreement(board: Leaderboard) -> dict[str, Any]:
    """Ranks of the contestants by each metric, and Kendall's tau of each pair of metrics."""
    ranks = agreement.ranks(board)
    pairs = [[a, b, _rounded(value)] for (a, b), value in agreement.correlations(board).items()]
    names = next(iter(ranks.values()), {})
    by_name = {name: [of[name] for of in ranks.values()] for name in names}
    return {"metrics": list(agreement.means(board)), "ranked": list(ranks), "ranks": by_name, "tau": pairs}


def _sweep(sweep: sweeps.Sweep) -> dict[str, Any]:
    lines = [
        {"method": name, "value": [value for value, _ in line], "rows": [row.contender for _, row in line]}
        for name, line in sweep.lines.items()
    ]
    return {"title": sweep.key, "lines": lines}


def _grid(grid: sweeps.Grid) -> dict[str, Any]:
    first, second = grid.values
    rows = [[grid.rows[a, b].contender for b in second] for a in first]
    title = f"{grid.contender}: {' and '.join(grid.keys)}"
    return {"title": title, "keys": grid.keys, "first": first, "second": second, "rows": rows}


def _pairs(pairs: dict[tuple[str, str], Judged]) -> list[list[Any]]:
    found = []
    for key, one in pairs.items():
        numbers = (one.pair.difference, one.pair.half, one.pair.improvement, one.pair.n, one.p)
        found.append([*key, *map(_rounded, numbers), one.verdict])
    return found


def _row(board: Leaderboard, row: Row, shared: dict[str, Pool], most: int) -> dict[str, Any]:
    ranked = row in board.ranked
    standings = {metric: board.standings[metric].get(row.contender) if ranked else None for metric in board.metrics}
    return {
        "method": row.contender,
        "kind": "stale" if row.stale else row.role,
        "marks": row.marks,
        "stale": row.stale,
        "failed": row.failed,
        "metrics": _metrics(board, row),
        "ranks": {metric: [s.rank, s.best, s.worst] for metric, s in standings.items() if s},
        "test": {m: list(map(_rounded, ends)) for m in board.metrics if (ends := row.test_interval(m))},
        "cost": {key: _rounded(value) for key, value in row.cost.items()},
        "shown": _costs(row),
        "steady": row.steady,
        "curves": _mean_curves(row),
        "records": [_record(record, shared, most) for record in row.records],
    }


def _costs(row: Row) -> dict[str, list[Any]]:
    """By key the number to sort by, and the text to show."""
    found, told = costs.numbers(row), costs.texts(row)
    return {key: [_rounded(found[key]), told[cost.title]] for key, cost in COSTS.items() if cost.title}


def _metrics(board: Leaderboard, row: Row) -> dict[str, Any]:
    resampled = stats.bootstrap([list(row.values[metric].values()) for metric in board.metrics])
    return {
        metric: {
            "mean": _rounded(found.mean),
            "text": tables.score(found, row.declared(metric)),
            "ends": _pair(found.ends(*row.declared(metric).limits)),
            "n": found.n,
            "top": metric == HEADLINE and board.bold(row, metric),
            "bca": _pair(ends),
        }
        for metric, ends in zip(board.metrics, resampled, strict=True)
        if (found := row.interval(metric))
    }


def _pair(ends: stats.Ends | None) -> list[Any] | None:
    return list(map(_rounded, ends)) if ends else None


def _mean_curves(row: Row) -> dict[str, dict[str, list[float | None]]]:
    """By key the mean over seeds against progress, and the mean training time at each of these values of progress."""
    times = curves.mean(row.good, "seconds", points=MEAN_POINTS)
    found = {}
    for key in curves.keys(row.good):
        places, values = curves.mean(row.good, key, points=MEAN_POINTS)
        seconds = np.interp(places, *times).tolist() if times[0] else []
        found[key] = {"progress": _list(places), "seconds": _list(seconds), "values": _list(values)}
    return found


def _record(record: Record, shared: dict[str, Pool], most: int) -> dict[str, Any]:
    points = curves.thin(record.curve, most)
    columns = dict.fromkeys(key for point in points for key in point if key not in LEFT_OUT)
    return {
        "seed": record.seed,
        "status": record.status,
        "metrics": {key: _rounded(value) for key, value in record.metrics.items()},
        "cost": {key: _rounded(value) for key, value in record.cost.items()},
        "recipe": shared["recipe"].place(record.recipe),
        "hash": record.recipe_hash,
        "protocol": record.protocol,
        "environment": shared["environment"].place(record.environment),
        "data": shared["data"].place(record.data),
        "evaluation": shared["evaluation"].place(record.evaluation),
        "error": record.error,
        "curve": {key: _list([point.get(key) for point in points]) for key in columns},
        "points": len(record.curve),
    }


def _list(values: Sequence[Any]) -> list[Any]:
    return [_rounded(value) for value in values]


def _rounded(value: Any) -> Any:
    return rounded(value, 5)
