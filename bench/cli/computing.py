"""Commands that compute: run, tune, experiment, check, throughput."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from ..errors import UserError
from ..limits import MOST_SEEDS, MOST_TRIALS
from .app import (
    AUTO,
    Backbone,
    BatchSize,
    CellTimeout,
    CheckpointEvery,
    DataDir,
    DryRun,
    Existing,
    Gpus,
    Methods,
    OnExisting,
    Out,
    Runs,
    Sets,
    Timed,
    TrainOn,
    Workers,
    app,
    console,
    data_root,
    home,
    on_command_line,
)
from .cluster import Begun, Slurm, SlurmDryRun, array
from .evaluators import Evaluators, Labels, TransferTo


@app.command()
def run(
    context: typer.Context,
    methods: Methods = "all",
    datasets: Annotated[str, typer.Option(help="auto, or specs with commas, such as cifar100:classes=20,fraction=0.1.")] = "auto",
    budget: Annotated[str, typer.Option(help="What each may spend: 200ep, 50000steps, 10Mimg, 30min, 2h, 3PFLOP.")] = "200ep",
    seeds: Annotated[int, typer.Option(min=1, max=MOST_SEEDS, help="Seeds 0 to N - 1 of every method.")] = 3,
    backbone: Backbone = None,
    batch_size: BatchSize = None,
    device: TrainOn = AUTO,
    out: Out = Path("results"),
    runs: Runs = None,
    on_existing: Existing = OnExisting.skip,
    sets: Sets = None,
    checkpoint_every: CheckpointEvery = None,
    cell_timeout: CellTimeout = None,
    labels: Labels = None,
    evaluators: Evaluators = None,
    transfer_to: TransferTo = None,
    workers: Workers = None,
    gpus: Gpus = None,
    slurm: Slurm = None,
    slurm_dry_run: SlurmDryRun = False,
    begun: Begun = None,
    data_dir: DataDir = None,
    log: Annotated[str, typer.Option(help="Also send the curves to tensorboard, wandb, or both with a comma.")] = "",
    dry_run: DryRun = False,
    timed: Timed = False,
) -> None:
    """Train and evaluate every chosen method under one budget, then print the leaderboard."""
    from ..running import session
    from ..running.options import read_options

    options = read_options(
        methods=methods,
        datasets=datasets,
        budget=budget,
        seeds=seeds,
        backbone=backbone,
        device=device,
        array=array(context, slurm, slurm_dry_run),
        out=out,
        runs=runs,
        on_existing=on_existing.value,
        sets=_with_batch_size(sets or (), batch_size),
        data_dir=data_dir,
        log=log,
        checkpoint_every=checkpoint_every,
        cell_timeout=cell_timeout,
        labels=labels,
        evaluators=evaluators,
        transfer_to=transfer_to,
        workers=workers,
        gpus=gpus,
    )
    raise typer.Exit(session.run(replace(options, begun=begun), console, dry_run, timed))


def _with_batch_size(sets: Sequence[str], batch_size: int | None) -> list[str]:
    """What ``--set`` and ``--batch-size`` say together; `UserError` where both say the same setting."""
    if batch_size is None:
        return list(sets)
    if any(text.partition("=")[0].strip() == "batch_size" for text in sets):
        raise UserError("--batch-size and --set batch_size=N are the same: give one of them")
    return [*sets, f"batch_size={batch_size}"]


@app.command()
def tune(
    methods: Annotated[str, typer.Option(help="all, or method specs with commas; settings that a spec gives are not searched.")],
    datasets: Annotated[str, typer.Option(help="auto, or specs with commas; trials run on their dev form.")] = "auto",
    trials: Annotated[int, typer.Option(min=2, max=MOST_TRIALS, help="Of each method; the first is its default.")] = 8,
    budget: Annotated[str, typer.Option(help="Of a trial.")] = "20ep",
    seeds: Annotated[int, typer.Option(min=1, max=MOST_SEEDS, help="Of a trial.")] = 1,
    final_budget: Annotated[str | None, typer.Option(help="Of default and winner on the track; else a trial's.")] = None,
    final_seeds: Annotated[int, typer.Option(min=1, max=MOST_SEEDS, help="Of default and winner, none of them a trial's.")] = 3,
    backbone: Backbone = None,
    device: TrainOn = AUTO,
    out: Out = Path("results"),
    runs: Runs = None,
    on_existing: Existing = OnExisting.skip,
    sets: Annotated[list[str] | None, typer.Option("--set", help="As of run: a setting for all, which is not searched.")] = None,
    checkpoint_every: CheckpointEvery = None,
    cell_timeout: CellTimeout = None,
    workers: Workers = None,
    gpus: Gpus = None,
    data_dir: DataDir = None,
    dry_run: DryRun = False,
    timed: Timed = False,
) -> None:
    """Give every method the same number of trials on held-out train images, then compare the winners on the test split."""
    from ..budget import parse_budget
    from ..running import tune as tune_module
    from ..running.options import read_options

    options = read_options(
        methods=methods,
        datasets=datasets,
        budget=budget,
        seeds=seeds,
        backbone=backbone,
        device=device,
        out=out,
        runs=runs,
        on_existing=on_existing.value,
        sets=sets or (),
        data_dir=data_dir,
        checkpoint_every=checkpoint_every,
        cell_timeout=cell_timeout,
        workers=workers,
        gpus=gpus,
    )
    final = parse_budget(final_budget or budget, "--final-budget")
    tuning = tune_module.Tuning(options, trials, final, final_seeds)
    raise typer.Exit(tune_module.run(tuning, console, dry_run, timed))


@app.command()
def experiment(
    name: Annotated[str, typer.Argument(help="A file of the folder experiments, such as ifnd-on-cifar100, or a path to one.")],
    device: TrainOn = AUTO,
    out: Out = Path("results"),
    runs: Runs = None,
    on_existing: Existing = OnExisting.skip,
    checkpoint_every: CheckpointEvery = None,
    cell_timeout: CellTimeout = None,
    workers: Workers = None,
    gpus: Gpus = None,
    data_dir: DataDir = None,
    dry_run: DryRun = False,
    timed: Timed = False,
) -> None:
    """Run the cells of an experiment file that are missing, then print the verdicts on its claims."""
    from ..experiment import find
    from ..running import experiment as experiment_module

    place = experiment_module.Place(
        device=device,
        out=out,
        runs=runs,
        on_existing=on_existing.value,
        data_dir=data_dir,
        checkpoint_every=checkpoint_every,
        cell_timeout=cell_timeout,
        workers=workers,
        gpus=gpus,
    )
    raise typer.Exit(experiment_module.run(find(name, out.absolute().parent), place, console, dry_run, timed))


@app.command()
def check(
    method: Annotated[str, typer.Argument(help="A method, see `list methods`; its settings as in simclr:temperature=0.5.")],
    sets: Sets = None,
) -> None:
    """Train a method on tiny made-up data and check its shapes, loss, resume, collapse and use of a GPU."""
    from ..running import check, selection
    from ..settings import parse_assignments

    chosen = selection.choose_contenders(method, parse_assignments(sets or ()))
    for one in chosen:
        if len(chosen) > 1:
            console.print(str(one), markup=False, soft_wrap=True)
        for line in check.check(selection.find_method(one.method), one.settings):
            console.print(f"ok  {line}", markup=False, soft_wrap=True)


@app.command()
def throughput(
    context: typer.Context,
    figures: Annotated[
        str, typer.Option(help="all, or names with commas: augment, end_to_end, knn, linear, kmeans, detection.")
    ] = "all",
    track: Annotated[str | None, typer.Option(help="Instead: input, model and both of a method on this track.")] = None,
    method: Annotated[str | None, typer.Option(help="The method for --track.")] = None,
    device: Annotated[str, typer.Option(help="The device for --track; the other figures are the CPU's.")] = AUTO,
    peers: Annotated[
        bool, typer.Option("--peers", help="Measure lightly's and scikit-learn's in the same run, in turn.")
    ] = False,
    against: Annotated[str | None, typer.Option(help="Compare with this git revision; exit 1 where this one is slower.")] = None,
    small: Annotated[bool, typer.Option("--small", help="Small sizes, seconds in all.")] = False,
    repeats: Annotated[int, typer.Option(min=1, max=1000, help="Measurements of each figure.")] = 5,
    json: Annotated[Path | None, typer.Option(callback=home, help="Write the rows to this file.")] = None,
) -> None:
    """Measure speed, as ratios to peers or to another revision."""
    from ..datasets.registry import find
    from ..environment import choose_device
    from ..running.selection import find_method
    from ..throughput import command
    from ..throughput.figures import baseline

    command.check_options({option.opts[0] for option in on_command_line(context)})
    if against is not None:
        raise typer.Exit(command.check_against(console, against, command.QUICK if figures == "all" else figures))
    chosen = find_method(method) if method else baseline()
    where = choose_device(device if track else "cpu")
    command.measure(console, figures, find(track, data_root(None)) if track else None, chosen, where, small, peers, repeats, json)
