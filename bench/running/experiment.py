"""Experiments as data: a TOML file says which cells are run, and a figure shows what came of them.

One kind so far: a base, an oracle and a method on one track cut to several numbers of classes. The oracle's gain
over the base is what false negatives cost; the method's gain over the base is what its detection gives back.
"""

from __future__ import annotations

import tomllib
import typing
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from .. import records
from ..cells import OnExisting
from ..errors import UserError
from ..metrics import METRICS
from ..reporting import plots
from ..reporting.stats import Interval, interval
from ..settings import nearest
from . import session
from .scheduler import Task

FOLDERS = (Path("experiments"), Path(__file__).resolve().parent.parent / "experiments")


@dataclass(frozen=True)
class Experiment:
    """What the file says; ``set`` are assignments as `run --set` takes them."""

    title: str
    track: str
    classes: list[int]
    budget: str
    seeds: int
    base: str
    oracle: str
    method: str
    metric: str = "linear_top1"
    backbone: str | None = None
    batch_size: int | None = None
    set: Sequence[str] = ()

    def spec(self, classes: int) -> str:
        return f"{self.track}:classes={classes}"


@dataclass(frozen=True)
class Place:
    """Where an experiment runs and writes; the flags of the command."""

    device: str
    out: Path
    runs: Path
    on_existing: OnExisting
    data_root: Path


def load(name: str) -> Experiment:
    """The experiment ``name``, such as class-count, or the one in a file; `UserError` where there is none or it is wrong."""
    path = Path(name) if name.endswith(".toml") else _find(name)
    try:
        content: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is no readable experiment: {error}") from None
    known = {field.name for field in fields(Experiment)}
    for key in content:
        if key not in known:
            raise UserError(f"{path}: unknown key {key!r}; {nearest(key, known)}")
    try:
        experiment = Experiment(**content)
    except TypeError as error:
        raise UserError(f"{path}: {error}") from None
    _check(experiment, path)
    return experiment


def _find(name: str) -> Path:
    found = {path.stem.replace("_", "-"): path for folder in reversed(FOLDERS) for path in sorted(folder.glob("*.toml"))}
    if name not in found:
        raise UserError(f"unknown experiment {name!r}: {nearest(name, found) if found else 'no folder experiments here'}")
    return found[name]


def _check(experiment: Experiment, path: Path) -> None:
    hints = typing.get_type_hints(Experiment)
    for key in ("title", "track", "budget", "base", "oracle", "method", "metric", "seeds"):
        if type(getattr(experiment, key)) is not hints[key]:
            raise UserError(f"{path}: {key} must be a {hints[key].__name__}")
    counts = experiment.classes
    if not isinstance(counts, list) or not counts or any(type(c) is not int or c < 2 for c in counts):
        raise UserError(f"{path}: classes must be a list of whole numbers from 2 on")
    if experiment.metric not in METRICS:
        raise UserError(f"{path}: unknown metric {experiment.metric!r}; {nearest(experiment.metric, METRICS)}")


def run(name: str, experiment: Experiment, place: Place, console: Console, dry_run: bool) -> int:
    """Run the cells that are due, then write the figure and the table; returns the exit code of the run."""
    options = _options(experiment, place)
    code = session.run(options, console, dry_run)
    if dry_run:
        return code
    rows = summary(experiment, session.plan(options)[0])
    stem = Path(name).stem.replace("_", "-")
    table = place.out / f"{stem}.md"
    records.write_atomically(table, markdown(stem, experiment, rows))
    figure = plots.Figure(shows(experiment, rows), loss_against_classes)
    drawn = [place.out / "figures" / f"{stem}.{suffix}" for suffix in ("svg", "png")]
    for path in drawn:
        figure.save(path)
    console.print(f"wrote {', '.join(map(str, [table, *drawn]))}", markup=False, soft_wrap=True)
    return code


def _options(experiment: Experiment, place: Place) -> session.Options:
    return session.read_options(
        methods=",".join([experiment.base, experiment.oracle, experiment.method]),
        datasets=",".join(experiment.spec(count) for count in experiment.classes),
        budget=experiment.budget,
        seeds=experiment.seeds,
        backbone=experiment.backbone,
        device=place.device,
        out=place.out,
        runs=place.runs,
        on_existing=place.on_existing,
        sets=[*experiment.set, *([f"batch_size={experiment.batch_size}"] if experiment.batch_size else [])],
        data_root=place.data_root,
    )


@dataclass(frozen=True)
class Outcome:
    """One number of classes: accuracies, and differences paired by seed, each with its interval; None where unknown."""

    classes: int
    base: Interval | None
    oracle: Interval | None
    method: Interval | None
    loss: Interval | None  # oracle less base
    regained: Interval | None  # method less base


def summary(experiment: Experiment, tasks: Sequence[Task]) -> list[Outcome]:
    """What the records of ``tasks`` say, by number of classes; failed cells and those of other settings are left out."""
    values: dict[tuple[str, str], dict[int, float]] = {}
    for task in tasks:
        record = task.existing
        known = record and record.status == "ok" and record.recipe_hash == task.cell.recipe.hash()
        if record and known and experiment.metric in record.metrics:
            values.setdefault((record.track, record.method), {})[record.seed] = record.metrics[experiment.metric]
    outcomes = []
    for count in experiment.classes:
        base, oracle, method = (
            values.get((experiment.spec(count), name), {}) for name in (experiment.base, experiment.oracle, experiment.method)
        )
        mean = [_interval(list(of.values())) for of in (base, oracle, method)]
        outcomes.append(Outcome(count, mean[0], mean[1], mean[2], _difference(oracle, base), _difference(method, base)))
    return outcomes


def _interval(values: list[float]) -> Interval | None:
    return interval(values) if values else None


def _difference(a: dict[int, float], b: dict[int, float]) -> Interval | None:
    return _interval([a[seed] - b[seed] for seed in sorted(a.keys() & b.keys())])


def markdown(name: str, experiment: Experiment, rows: Sequence[Outcome]) -> str:
    """The outcome as a Markdown page beside the folder of figures."""
    e = experiment
    names = {"base": e.base, "oracle": e.oracle, "method": e.method, "loss": f"{e.oracle} − {e.base}"}
    names["regained"] = f"{e.method} − {e.base}"
    lines: list[dict[str, str]] = []
    for row in rows:
        lines.append({"classes": str(row.classes)} | {title: _percent(getattr(row, key)) for key, title in names.items()})
    table = pd.DataFrame(lines).to_markdown(index=False, disable_numparse=True)
    return (
        f"# {e.title}\n\n"
        f"Made by `python -m bench experiment` from the records beside this file; do not edit. {e.track}, {e.budget}, "
        f"{METRICS[e.metric]} accuracy in percent: mean over up to {e.seeds} seeds ± the half width of the 95% interval "
        "(Student; differences paired by seed).\n\n"
        f"{table}\n\n![{e.title}](figures/{name}.svg)\n"
    )


def _percent(found: Interval | None) -> str:
    if found is None:
        return "–"
    return f"{100 * found.mean:.2f}" + (f" ± {100 * found.half:.2f}" if found.half is not None else "")


def shows(experiment: Experiment, rows: Sequence[Outcome]) -> dict[str, Any]:
    """Plain values of the figure, in points of percent."""
    series: list[dict[str, Any]] = []
    for name, key in ((experiment.oracle, "loss"), (experiment.method, "regained")):
        points = [(row, found) for row in rows if (found := getattr(row, key)) is not None]
        series.append(
            {
                "label": f"{name} − {experiment.base}",
                "classes": [row.classes for row, _ in points],
                "mean": [round(100 * found.mean, 4) for _, found in points],
                "half": [round(100 * (found.half or 0), 4) for _, found in points],
            }
        )
    return {"title": experiment.title, "metric": METRICS[experiment.metric], "classes": experiment.classes, "series": series}


def loss_against_classes(axes: Any, shown: dict[str, Any]) -> None:
    """The oracle's and the method's gain over the base."""
    axes.axhline(0, color="#999999", linewidth=0.8)
    for i, line in enumerate(shown["series"]):
        places = [count * (1 + 0.03 * i) for count in line["classes"]]  # apart, so that the intervals stay legible
        colour = plots.COLOURS[i]
        axes.errorbar(places, line["mean"], yerr=line["half"], fmt="o-", color=colour, capsize=3, label=line["label"])
    axes.set_xscale("log")
    axes.set_xticks(shown["classes"], [str(count) for count in shown["classes"]])
    axes.minorticks_off()
    axes.set(xlabel="classes", ylabel=f"{shown['metric']} top-1, points over the base", title=shown["title"])
    axes.legend(frameon=False, fontsize=8)
