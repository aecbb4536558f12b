"""Experiments in the report: a page of each with verdicts on its claims and a table, and a figure of growing differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

from .. import experiment as files
from ..errors import UserError
from ..experiment import Claim, Experiment
from ..metrics import Metric
from . import paired, tables, verdicts
from .files import MADE_BY
from .formats import rounded
from .leaderboard import Leaderboard, find_row
from .paired import Pair
from .plots import COLOURS, MARKERS, Figure, label, legend
from .row import Row
from .steadiness import Steadiness
from .sweeps import is_wide, number
from .verdicts import NOT_TESTED, Finding


@dataclass(frozen=True)
class Assessed:
    """An experiment, the verdicts on its claims, and its leaderboards with records of it."""

    experiment: Experiment
    findings: list[Finding]
    boards: list[Leaderboard]


def of_folder(out: Path, boards: Sequence[Leaderboard]) -> tuple[list[Assessed], list[str]]:
    """The experiments with records in ``boards``, and a line for each experiment file that cannot be read."""
    found, problems = [], []
    for path in files.known(out.absolute().parent).values():
        try:
            one = files.load(path)
        except UserError as error:
            problems.append(str(error))
            continue
        if (assessed := assess(one, boards)).boards:
            found.append(assessed)
    return found, problems


def assess(one: Experiment, boards: Sequence[Leaderboard]) -> Assessed:
    """The verdicts on an experiment's claims, from those of ``boards`` that have records of it."""
    ours = [board for board in verdicts.boards_of(one, boards) if _has_any(one, board)]
    return Assessed(one, verdicts.findings(one, ours), ours)


def _has_any(one: Experiment, board: Leaderboard) -> bool:
    return any(find_row(board, name, board.rows) for name in one.contenders)


def markdown(judged: Assessed, drawn: Mapping[str, Figure]) -> str:
    """The Markdown page of an experiment with its `figures`, ``drawn``."""
    one = judged.experiment
    lines = [f"# {one.title}", "", MADE_BY]
    lines += [f"`python -m bench experiment {one.name}` runs what is missing.", ""]
    lines += [one.about.strip(), ""] if one.about else []
    if one.claims:
        lines += ["## Claims", "", tables.to_markdown(claims_table(judged)), "", LEGEND, ""]
    if (frame := accuracies(judged)) is not None:
        lines += ["## Accuracy", "", tables.to_markdown(frame), ""]
    for name, figure in drawn.items():
        lines += [f"![{figure.shows['title']}](figures/{name}.svg)", ""]
    return "\n".join(lines).rstrip() + "\n"


LEGEND = (
    "Differences in points of accuracy with their 95% interval, paired by seed and by test image; p by Holm over the tests of "
    "this experiment; of `steadier`, the standard deviation of a over seeds as a multiple of b's, and an F test. "
    "Supported and refuted: significant at 5%. *Seeds to decide*: with which a difference as large as the one "
    "seen would show with probability 0.8; – where none is known, or where the test images alone leave it open."
)


def claims_table(judged: Assessed) -> pd.DataFrame:
    """A line for each claim and leaderboard."""
    return pd.DataFrame([_line(finding, judged.findings) for finding in judged.findings])


def _line(finding: Finding, findings: Sequence[Finding]) -> dict[str, str]:
    claim, pair = finding.claim, finding.pair
    whole = verdicts.overall([one for one in findings if one.claim is claim])
    lacking = "too few seeds" if pair and pair.p is None else finding.why
    return {
        "claim": f"{claim.says + ': ' if claim.says else ''}`{claim}`",
        "verdict": f"**{whole}**",
        "on": finding.where,
        "there": finding.verdict + (f": {lacking}" if lacking and finding.verdict == NOT_TESTED else ""),
        "estimate": _estimate(finding),
        "p (Holm)": tables.p_value(finding.p),
        "n": str(pair.n if pair else 0),
        "seeds to decide": str(finding.seeds or tables.NONE),
    }


def _estimate(finding: Finding) -> str:
    if finding.pair is None:
        return tables.NONE
    if isinstance(finding.pair, Steadiness):
        return str(finding.pair)
    return tables.difference(finding.pair) + (" per doubling" if finding.claim.claim == "grows_with" else "")


def accuracies(judged: Assessed) -> pd.DataFrame | None:
    """A line for each leaderboard: the contenders' means of the first claim's metric; None where all is stale."""
    one = judged.experiment
    metric = one.claims[0].metric if one.claims else "linear_top1"
    lines = []
    for board in judged.boards:
        rows: dict[str, Row | None] = {}
        for name in one.contenders:
            row = find_row(board, name)
            if row is None or not any(row is other for other in rows.values()):  # one that is written in two ways is shown once
                rows[name] = row
        cells = {name: tables.mean(row, metric) if row else tables.NONE for name, row in rows.items()}
        if any(rows.values()):
            lines.append({"track": f"{board.track}, {board.budget}", **cells})
    return pd.DataFrame(lines) if lines else None


def figures(judged: Assessed) -> dict[str, Figure]:
    """The differences of the ``grows_with`` claims against their keys: a figure for each key, metric and budget, by name."""
    one, found = judged.experiment, dict[tuple[str, str, str], list[dict[str, Any]]]()
    for claim, budget in product(one.claims, one.budgets):
        if claim.claim == "grows_with" and (points := _points(judged, claim, budget)):
            axes = claim.key, _difference_in(points[0][1].metric), budget
            found.setdefault(axes, []).append(_line_of(claim, points))
    drawn = {}
    for place, ((key, difference, budget), lines) in enumerate(found.items(), 1):
        title = one.title + (f", {budget}" if len(one.budgets) > 1 else "")
        shows = {"title": title, "key": key, "difference": difference, "lines": lines}
        drawn[one.name if place == 1 else f"{one.name}-{place}"] = Figure(shows, differences)
    return drawn


def _difference_in(metric: Metric) -> str:
    return f"{metric.title}, difference{' in points' if metric.is_fraction else ''}"


def _points(judged: Assessed, claim: Claim, budget: str) -> list[tuple[float, Pair]]:
    """The difference on each of the claim's leaderboards, by the value of its key."""
    boards = [board for board in judged.boards if board.budget == budget and fnmatchcase(board.track, claim.on)]
    found = [
        (verdicts.value_of(board, claim.key), pair)
        for board in boards
        if (pair := paired.all_pairs(verdicts.samples(judged.experiment, claim, board)).get((claim.a, claim.b)))
    ]
    return sorted(found, key=lambda point: point[0])


def _line_of(claim: Claim, points: Sequence[tuple[float, Pair]]) -> dict[str, Any]:
    return {
        "label": f"{claim.a} − {claim.b}",
        "value": [rounded(at) for at, _ in points],
        "mean": [rounded(pair.metric.scale * pair.difference) for _, pair in points],
        "half": [rounded(pair.metric.scale * (pair.half or 0.0)) for _, pair in points],
    }


def differences(axes: Any, shows: dict[str, Any]) -> None:
    """Each difference against the key, with its interval; tracks with the same key are set apart, and points not joined then."""
    axes.axhline(0, color="#999999", linewidth=0.8)
    values = sorted({value for line in shows["lines"] for value in line["value"]})
    wide = is_wide(values)
    for i, line in enumerate(shows["lines"]):
        before = [line["value"][:k].count(value) for k, value in enumerate(line["value"])]
        shifts = [1.03 ** (i + len(shows["lines"]) * k) for k in before]  # so that the intervals stay legible
        places = [value * shift if wide else value for value, shift in zip(line["value"], shifts, strict=True)]
        style = MARKERS[i % len(MARKERS)] + ("" if any(before) else "-")
        axes.errorbar(
            places, line["mean"], yerr=line["half"], fmt=style, color=COLOURS[i % len(COLOURS)], capsize=3, label=line["label"]
        )
    axes.set_xscale("log" if wide else "linear")
    axes.set_xticks(values, [number(value) for value in values])
    axes.minorticks_off()
    label(axes, shows["title"], shows["key"], shows["difference"])
    legend(axes, len(shows["lines"]))


def page(judged: Sequence[Assessed]) -> list[dict[str, Any]]:
    """The experiments as plain values, for the HTML page."""
    return [
        {"name": one.experiment.name, "title": one.experiment.title, "claims": claims_table(one).to_dict("records")}
        for one in judged
        if one.findings
    ]
