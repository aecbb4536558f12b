"""Runs the cells of an experiment file, and prints the verdicts on its claims."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from .. import experiment as files
from .. import records
from ..cells import OnExisting
from ..experiment import Experiment
from ..reporting import experiments, leaderboard, published
from . import session
from .cancel import Request
from .options import Options, read_options


@dataclass(frozen=True)
class Place:
    """Where an experiment runs and writes; the flags of the command."""

    device: str
    out: Path
    runs: Path | None
    on_existing: OnExisting
    data_dir: Path | None
    checkpoint_every: str | None = None
    cell_timeout: str | None = None
    workers: int | None = None
    gpus: str | None = None


def run(experiment: Experiment, place: Place, console: Console, dry_run: bool, timed: bool = False) -> int:
    """Run the cells that are due, budget by budget; returns the exit code of the worst."""
    request = Request(place.out)
    runs = [options(experiment, budget, place) for budget in experiment.budgets]
    code = max(session.run(one, console, dry_run, timed, request) for one in runs)
    if not dry_run and not timed:
        show(experiment, place.out, console)
    return code


def options(experiment: Experiment, budget: str, place: Place) -> Options:
    """The run of one of the experiment's budgets."""
    return read_options(
        methods=",".join(experiment.contenders),
        datasets=",".join(experiment.tracks),
        budget=budget,
        seeds=experiment.seeds,
        backbone=experiment.backbone,
        **vars(place),
    )


def show(experiment: Experiment, out: Path, console: Console) -> None:
    """Print the verdicts, a line each."""
    boards = leaderboard.build(records.read_all(out)[0], published.read(out))
    page = out / f"{experiment.name}.md"
    where = f": {page} has the table and the figure" if files.is_reported(experiment, out.absolute().parent) else ""
    console.print(f"\n{experiment.title}{where}", markup=False, soft_wrap=True)
    for line in experiments.claims_table(experiments.assess(experiment, boards)).to_dict("records"):
        said = f"{line['there']}  {line['claim']} on {line['on']}: {line['estimate']}, n = {line['n']}"
        console.print(said.replace("`", ""), markup=False, soft_wrap=True)
