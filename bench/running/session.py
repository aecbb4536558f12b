"""One `run` command: choose, plan, check everything before anything is written, run, report."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from .. import records
from ..budget import parse_budget
from ..cells import OnExisting, order
from ..datasets.registry import open_splits
from ..datasets.spec import Spec
from ..datasets.store import Splits
from ..environment import choose_device
from ..errors import UserError
from ..evaluation import labels
from ..recipe import Recipe, check_assignments
from ..records import Record
from ..reporting import leaderboard, published, report, stale
from ..reporting.watch import Running
from ..settings import parse_assignments
from . import cleanup, trial
from .cell import Job
from .display import Display, show_boards
from .scheduler import Task, run_all
from .selection import choose_datasets, choose_methods, named
from .signals import Stop
from .trackers import Guarded, open_sinks

Hear = Callable[[Task, dict[str, Any]], None]


@dataclass(frozen=True)
class Options:
    """The flags of `run`, as they were given."""

    methods: str
    datasets: str
    budget: str
    seeds: int
    backbone: str | None
    batch_size: int | None
    device: str
    out: Path
    runs: Path
    on_existing: OnExisting
    sets: tuple[str, ...]
    data_root: Path
    log: str = ""
    checkpoint_every: str | None = None
    cell_timeout: str | None = None
    labels: str | None = None


def run(options: Options, console: Console, dry_run: bool) -> int:
    """Run what is due; returns the exit code: 1 where a cell failed. `UserError` before anything is written.

    Raises `Stopped` when SIGTERM or SIGINT came meanwhile, and `StorageError` where nothing more can be written.
    """
    tasks, said = plan(options)
    due = [task for task in tasks if task.due(options.on_existing)]
    for line in said:
        console.print(line, markup=False, soft_wrap=True)
    _show_plan(console, tasks, due, options)
    if dry_run:
        return 0
    opened = open_sinks(options.log, options.runs) | {"the file of what runs": Running(options.out)}
    check_writable(options.out)
    check_writable(options.runs)
    cleanup.remove([task for task in tasks if task not in due], options.out)
    with Stop() as stop, Display(console, len(due)) as display:
        sinks = [
            Guarded(sink, name, display.warn) for name, sink in {**opened, "the file of what runs": Running(options.out)}.items()
        ]
        hear = _all([display.hear, *(sink.hear for sink in sinks)])
        try:
            run_all(due, options.out, hear, stop, timeout_of(options.cell_timeout))
        finally:
            for sink in sinks:
                sink.close()
    found, _ = records.read_all(options.out)
    files, problems = report.render(options.out)
    for problem in problems:
        console.print(f"warning: {problem}", markup=False, soft_wrap=True)
    report.write(files)
    boards = {task.cell.board for task in tasks}
    made = leaderboard.build(found, published.read(options.out))
    show_boards(console, [board for board in made if (board.track, board.backbone, board.budget) in boards])
    good = {(r.track, r.backbone, r.budget, r.method, r.seed): r for r in found if r.status == "ok"}
    return 0 if all(_done(task, good) for task in tasks) else 1


def _done(task: Task, good: dict[tuple[str, str, str, str, int], Record]) -> bool:
    """Whether the cell has a good record, with all that it lacked when the run was planned."""
    record = good.get((*task.cell.board, task.cell.recipe.method.name, task.cell.seed))
    return record is not None and not labels.lacking(record.metrics, task.lacks)


def _all(followers: Sequence[Hear]) -> Hear:
    def hear(task: Task, event: dict[str, Any]) -> None:
        for follower in followers:
            follower(task, event)

    return hear


def plan(options: Options) -> tuple[list[Task], list[str]]:
    """Every cell of the run, seed-major, and what to say of the choice. `UserError` where anything does not fit."""
    budget = parse_budget(options.budget, "--budget")
    device = choose_device(options.device)
    timeout_of(options.cell_timeout)
    labels.parse_fractions(options.labels)
    if options.checkpoint_every is not None:
        parse_budget(options.checkpoint_every, "--checkpoint-every")
    methods = choose_methods(options.methods)
    specs, said = choose_datasets(options.datasets, options.data_root)
    check_assignments(parse_assignments(options.sets), methods)
    recipes: list[Recipe] = []
    fingerprints: dict[str, str] = {}
    for spec in specs:
        splits = open_splits(spec, options.data_root)
        jobs = [_job(options, spec, method.name, str(budget), str(device)) for method in methods]
        suited, left_out = _tried([job.recipe(splits) for job in jobs], splits, named(options.methods))
        recipes += suited
        said += left_out
        fingerprints[str(spec)] = splits.fingerprint
    tasks = []
    for cell in order(recipes, options.seeds):
        job = _job(options, cell.recipe.spec, cell.recipe.method.name, str(budget), str(device), cell.seed)
        path = options.out / cell.record_path
        existing = records.read(path) if path.exists() else None
        why = stale.against(existing, cell.recipe, fingerprints[str(cell.recipe.spec)]) if existing else []
        good = existing is not None and existing.status == "ok" and not why
        lacks = labels.lacking(existing.metrics, job.labels) if existing and good else ()
        task = Task(cell, job, existing, tuple(why), lacks)
        tasks.append(task.completing() if lacks and not task.due(options.on_existing) else task)
    return tasks, said


def _tried(recipes: list[Recipe], splits: Splits, asked_for: set[str]) -> tuple[list[Recipe], list[str]]:
    """The recipes whose methods suit the backbone, tried on it, and a line for each of the others.

    `UserError` where one that was ``asked_for`` by name is among the others, or where a trial fails.
    """
    channels, images = splits.train.channels, len(splits.train)
    backbone = trial.try_backbone(recipes[0], channels)
    suited = [recipe for recipe in recipes if trial.suits(recipe.method, backbone)]
    said = [
        f"{r.method.name} is left out: it needs a vision transformer, and {r.backbone} is none"
        for r in recipes
        if r not in suited
    ]
    if any(recipe.method.name in asked_for for recipe in recipes if recipe not in suited):
        raise UserError(said[0].replace("is left out: it ", "") + "; try --backbone vit_tiny_patch4_32")
    trial.try_methods(suited, backbone, channels, images, splits.classes)
    return suited, said


def _job(options: Options, spec: Spec, method: str, budget: str, device: str, seed: int = 0) -> Job:
    return Job(
        spec=str(spec),
        method=method,
        budget=budget,
        seed=seed,
        backbone=options.backbone,
        batch_size=options.batch_size,
        sets=options.sets,
        device=device,
        data_root=options.data_root,
        runs=options.runs,
        checkpoint_every=options.checkpoint_every,
        labels=labels.parse_fractions(options.labels),
    )


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


def _show_plan(console: Console, tasks: list[Task], due: list[Task], options: Options) -> None:
    boards = {" / ".join(task.cell.board) for task in tasks}
    methods = dict.fromkeys(t.cell.recipe.method.name for t in tasks)
    console.print(f"{len(tasks)} cells: {', '.join(sorted(boards))}", markup=False, soft_wrap=True)
    console.print(f"methods: {', '.join(methods)}; seeds 0 to {options.seeds - 1}", markup=False, soft_wrap=True)
    only = [t for t in due if t.job.completes is not None]
    to_run = len(due) - len(only)
    if to_run < len(tasks):
        told = f"; {len(only)} of the records lack labels asked for: to evaluate only" if only else ""
        console.print(f"{len(tasks) - to_run} have a record already, {to_run} to run{told}", markup=False, soft_wrap=True)
    failed = [t for t in tasks if t not in due and t.existing and t.existing.status != "ok"]
    if failed:
        console.print(f"note: {len(failed)} of the skipped cells failed; --on-existing failed tries them again", markup=False)
    gone = [t for t in tasks if t not in due and t.lacks]
    if gone:
        example = options.runs / gone[0].cell.encoder_path
        console.print(
            f"note: {len(gone)} of the skipped records lack labels asked for, and their encoders are gone ({example}); "
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
