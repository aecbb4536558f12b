"""One `run` command: choose, plan, check everything before anything is written, run, report."""

from __future__ import annotations

import tempfile
from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console

from .. import records
from ..budget import Budget, parse_budget
from ..cells import Cell, OnExisting, order
from ..contenders import Contender
from ..datasets.registry import open_splits, track_of
from ..datasets.spec import Spec
from ..datasets.store import Splits
from ..environment import choose_device, device_name
from ..errors import UserError, counted
from ..evaluation import default
from ..evaluation.choice import choose
from ..evaluation.evaluator import lacking
from ..events import Event
from ..recipe import Recipe, resolve
from ..records import Record
from ..reporting import leaderboard, published, report, stale
from ..reporting.watch import Running
from ..settings import parse_assignments
from . import cleanup, estimate, launch, places, trial
from .cell import Conditions, Job
from .display import Display, show_boards
from .scheduler import Hear, Task, run_all
from .selection import choose_contenders, choose_datasets, find_method, named
from .signals import Stop
from .trackers import Guarded, open_sinks

SHOWN = 12  # contenders that a plan names


@dataclass(frozen=True)
class Options:
    """What a run consists of, how it is computed, and where it is written."""

    contenders: Sequence[Contender]
    specs: Sequence[Spec]
    budget: Budget
    seeds: int
    conditions: Conditions
    out: Path
    backbone: str | None = None  # None: each track's own
    on_existing: OnExisting = "skip"
    log: str = ""
    cell_timeout: float | None = None  # seconds
    asked_for: Container[str] = ()  # methods that are refused rather than left out where they do not fit the backbone
    workers: Sequence[launch.Worker] = ()  # several processes of this machine; none: this one
    said: Sequence[str] = ()  # lines for the user about the choice
    first_seed: int = 0


def read_options(
    methods: str,
    datasets: str,
    budget: str,
    seeds: int,
    out: Path,
    runs: Path,
    data_root: Path,
    device: str = "auto",
    backbone: str | None = None,
    on_existing: OnExisting = "skip",
    sets: Sequence[str] = (),
    log: str = "",
    checkpoint_every: str | None = None,
    cell_timeout: str | None = None,
    labels: str | None = None,
    evaluators: str | None = None,
    transfer_to: str | None = None,
    workers: int | None = None,
    gpus: str | None = None,
) -> Options:
    """The options that these texts write; `UserError` or `DataError` where one cannot be read."""
    specs, said = choose_datasets(datasets, data_root)
    conditions = Conditions(
        device=str(choose_device(device)),
        data_root=data_root,
        runs=runs,
        checkpoint_every=parse_budget(checkpoint_every, "--checkpoint-every") if checkpoint_every is not None else None,
        evaluators=choose(evaluators, {"--labels": labels, "--transfer-to": transfer_to}),
    )
    for evaluator in conditions.evaluators:
        evaluator.check(data_root)
    if workers is not None and gpus is not None:
        raise UserError("--gpus starts one worker a GPU, --workers several on CPUs: give one of them")
    return Options(
        contenders=choose_contenders(methods, parse_assignments(sets)),
        specs=specs,
        budget=parse_budget(budget, "--budget"),
        seeds=seeds,
        conditions=conditions,
        out=out,
        backbone=backbone,
        on_existing=on_existing,
        log=log,
        cell_timeout=timeout_of(cell_timeout),
        asked_for=named(methods),
        workers=launch.on_gpus(gpus) if gpus is not None else launch.on_cores(workers) if (workers or 1) > 1 and workers else (),
        said=said,
    )


def run(options: Options, console: Console, dry_run: bool, timed: bool = False) -> int:
    """Run what is due; returns the exit code: 1 where a cell failed. `UserError` before anything is written.

    A ``dry_run`` says what it would take, ``timed`` where no records tell.
    Raises `Stopped` when SIGTERM or SIGINT came, and `StorageError` where nothing more can be written.
    """
    tasks, said = plan(options)
    due = [task for task in tasks if task.due(options.on_existing)]
    for line in said:
        console.print(line, markup=False, soft_wrap=True)
    _show_plan(console, tasks, due, options)
    if dry_run or timed:
        _show_estimate(console, due, options, timed)
        return 0
    check_writable(options.out)
    check_writable(options.conditions.runs)
    for task in tasks:
        places.settle(task.cell, options.out, options.conditions.runs)
    cleanup.remove([task for task in tasks if task not in due], options.out)
    if options.workers and due:
        launch.run(share, options, options.workers, options.conditions.runs / "logs", console)
    else:
        _compute(due, options, console)
    return _conclude(tasks, options, console)


def share(options: Options, console: Console) -> None:
    """A worker's part: the cells that are due and that no other worker has claimed."""
    tasks, _ = plan(options)
    _compute([task for task in tasks if task.due(options.on_existing)], options, console)


def _compute(due: list[Task], options: Options, console: Console) -> None:
    opened = open_sinks(options.log, options.conditions.runs) | {"the file of what runs": Running(options.out)}
    with Stop() as stop, Display(console, len(due)) as display:
        sinks = [Guarded(sink, name, display.warn) for name, sink in opened.items()]
        hear = _all([display.hear, *(sink.hear for sink in sinks)])
        try:
            run_all(due, options.out, hear, stop, options.cell_timeout)
        finally:
            for sink in sinks:
                sink.close()


def _conclude(tasks: list[Task], options: Options, console: Console) -> int:
    """Renew the tables and show those of the run; the exit code."""
    found, _ = records.read_all(options.out)
    files, problems = report.render(options.out)
    for problem in problems:
        console.print(f"warning: {problem}", markup=False, soft_wrap=True)
    report.write(files)
    boards = {task.cell.board for task in tasks}
    made = leaderboard.build(found, published.read(options.out))
    show_boards(console, [board for board in made if (board.track, board.backbone, board.budget) in boards], options.out)
    good = {(r.track, r.backbone, r.budget, r.contender, r.seed): r for r in found if r.status == "ok"}
    return 0 if all(_done(task, good) for task in tasks) else 1


def _show_estimate(console: Console, due: list[Task], options: Options, timed: bool) -> None:
    """What the cells that are due will take."""
    found, _ = records.read_all(options.out)
    device = device_name(torch.device(options.conditions.device))
    for line in estimate.lines(estimate.estimate(due, found, timed), device, timed) if due else ():
        console.print(line, markup=False, soft_wrap=True)


def _done(task: Task, good: dict[tuple[str, str, str, str, int], Record]) -> bool:
    """Whether the cell has a good record, with all that it lacked when the run was planned."""
    record = good.get((*task.cell.board, str(task.cell.recipe.contender), task.cell.seed))
    if record is None:
        return False
    usual = set() if task.job.completes else {evaluator.name for evaluator in default()}  # which were not asked for by name
    wanted = [evaluator for evaluator in task.lacks if evaluator.name not in usual]
    return not lacking(record.metrics, record.evaluators, wanted)


def _all(followers: Sequence[Hear]) -> Hear:
    def hear(task: Task, event: Event) -> None:
        for follower in followers:
            follower(task, event)

    return hear


def plan(options: Options) -> tuple[list[Task], list[str]]:
    """Every cell of the run, seed-major, and lines for the user about the choice. `UserError` where anything does not fit."""
    recipes: dict[tuple[str, ...], Recipe] = {}  # by board and contender: two ways to write one are one
    fingerprints: dict[str, str] = {}
    said = list(options.said)
    for spec in options.specs:
        splits = open_splits(spec, options.conditions.data_root)
        fingerprints[str(spec)] = splits.fingerprint
        suited, left_out = _tried(_recipes(options, spec, splits), splits, options.asked_for)
        recipes |= {(str(spec), str(recipe.contender)): recipe for recipe in suited}
        said += left_out
    cells = order(list(recipes.values()), range(options.first_seed, options.first_seed + options.seeds))
    return [_task(options, cell, fingerprints[str(cell.recipe.spec)]) for cell in cells], said


def _tried(recipes: list[Recipe], splits: Splits, asked_for: Container[str]) -> tuple[list[Recipe], list[str]]:
    """The recipes whose methods suit the backbone, tried on it, and a line for each of the others.

    `UserError` where one that was ``asked_for`` by name is among the others, or where a trial fails.
    """
    channels = splits.train.channels
    backbone = trial.try_backbone(recipes[0], channels)
    suited = [recipe for recipe in recipes if trial.suits(recipe.method, backbone)]
    unsuited = dict.fromkeys(recipe.method.name for recipe in recipes if recipe not in suited)
    said = [f"{name} is left out: it needs a vision transformer, and {recipes[0].backbone} is none" for name in unsuited]
    if any(recipe.method.name in asked_for for recipe in recipes if recipe not in suited):
        raise UserError(said[0].replace("is left out: it ", "") + "; try --backbone vit_tiny_patch4_32")
    trial.try_views(suited, backbone, channels)
    return suited, said


def _recipes(options: Options, spec: Spec, splits: Splits) -> list[Recipe]:
    track = track_of(spec, options.conditions.data_root)
    return [
        resolve(spec, track, len(splits.train), find_method(one.method), options.budget, options.backbone, one.settings)
        for one in options.contenders
    ]


def _task(options: Options, cell: Cell, fingerprint: str) -> Task:
    job = Job(cell=cell, **vars(options.conditions))
    existing = places.find(cell, options.out)
    why = stale.against(existing, cell.recipe, fingerprint) if existing else []
    good = existing is not None and existing.status == "ok" and not why
    lacks = lacking(existing.metrics, existing.evaluators, job.evaluators) if existing and good else ()
    task = Task(job, existing, tuple(why), lacks)
    return task.completing() if lacks and not task.due(options.on_existing) else task


def timeout_of(text: str | None) -> float | None:
    """``--cell-timeout`` in seconds; `UserError` where it is no duration."""
    if text is None:
        return None
    seconds = parse_budget(text, "--cell-timeout").seconds
    if seconds is None:
        raise UserError(f"--cell-timeout {text!r} is no duration; what works: 90s, 30min, 1.5h")
    return seconds


def check_writable(folder: Path) -> None:
    """`UserError` unless files can be made in ``folder``, which need not exist yet; leaves no trace."""
    existing = folder.absolute()
    while not existing.exists():
        existing = existing.parent
    try:
        with tempfile.TemporaryFile(dir=existing) as probe:
            probe.write(b"?")
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {existing} takes no files ({error.strerror or error})") from None


def _few(names: Sequence[str]) -> str:
    """All of them, or so many that they can still be read."""
    more = len(names) - SHOWN
    return ", ".join(names) if more <= 1 else f"{', '.join(names[:SHOWN])} and {more} more"


def _show_plan(console: Console, tasks: list[Task], due: list[Task], options: Options) -> None:
    boards = {" / ".join(task.cell.board) for task in tasks}
    contenders = dict.fromkeys(str(t.cell.recipe.contender) for t in tasks)
    first, last = options.first_seed, options.first_seed + options.seeds - 1
    seeds = f"seeds {first} to {last}" if last > first else f"seed {first}"
    console.print(f"{counted(len(tasks), 'cell')}: {', '.join(sorted(boards))}", markup=False, soft_wrap=True)
    console.print(f"methods: {_few(list(contenders))}; {seeds}", markup=False, soft_wrap=True)
    only = [t for t in due if t.job.completes is not None]
    to_run = len(due) - len(only)
    if to_run < len(tasks):
        told = f"; {len(only)} of the records lack metrics asked for: to evaluate only" if only else ""
        console.print(f"{len(tasks) - to_run} have a record already, {to_run} to run{told}", markup=False, soft_wrap=True)
    failed = [t for t in tasks if t not in due and t.existing and t.existing.status != "ok"]
    if failed:
        console.print(f"note: {len(failed)} of the skipped cells failed; --on-existing failed tries them again", markup=False)
    gone = [t for t in tasks if t not in due and t.lacks]
    if gone:
        example = options.conditions.runs / gone[0].cell.encoder_path
        console.print(
            f"note: {len(gone)} of the skipped records lack metrics asked for, and their encoders are gone ({example}); "
            "--on-existing rerun trains them again",
            markup=False,
            soft_wrap=True,
        )
    old = [t for t in tasks if t not in due and t.stale]
    if old:
        console.print(
            f"note: {len(old)} of the skipped records are stale ({old[0].stale[0]}); --on-existing stale renews them",
            markup=False,
            soft_wrap=True,
        )
