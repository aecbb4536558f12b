"""One `run` command: plan, check everything before anything is written, run, report."""

from __future__ import annotations

import itertools
import os
import platform
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from rich.console import Console

from ..evaluation import default
from ..evaluation.evaluator import lacking
from ..events import Event
from ..records import Record
from ..reporting import report, terminal
from ..storage import check_writable
from . import campaign, cleanup, launch, places, slurm
from .announce import show_estimate, show_plan
from .cancel import Request
from .claims import clock
from .display import Display
from .options import Options
from .plan import plan
from .scheduler import OnEvent, Task, run_all
from .signals import Stop
from .status_file import StatusSink
from .trackers import GuardedSink, open_sinks


def run(options: Options, console: Console, dry_run: bool, timed: bool = False, request: Request | None = None) -> int:
    """Run what is due; returns the exit code: 1 where a cell failed. `UserError` before anything is written.

    A ``dry_run`` says what it would take, ``timed`` where no records tell. With an array of options it is submitted: 0.
    A command of several runs gives all of them its ``request``, so that a `cancel` between two of them counts.
    Raises `Stopped` when SIGTERM or SIGINT came, and `StorageError` where nothing more can be written.
    """
    request = request or Request(options.out)
    tasks, said = plan(options)
    due = [task for task in tasks if task.due(options.on_existing)]
    say = partial(console.print, markup=False, soft_wrap=True)
    for line in said:
        say(line)
    show_plan(console, tasks, due, options)
    if dry_run or timed:
        return show_estimate(console, due, options, timed)
    cells = _cells(tasks)
    check_writable(options.out)
    check_writable(options.conditions.runs)
    whole = options.begun is None
    if whole:
        options = replace(options, begun=clock(options.out))
    campaign.check(options.out, cells, [str(task.cell.record_path) for task in due])
    if options.array and not due:
        say("nothing to submit")
    if options.array and due:
        if slurm.submit(options.array.since(options.begun), options.conditions.runs, say):
            campaign.begin(options.out, cells)
        return 0
    if any([places.settle(task.cell, options.out, options.conditions.runs) for task in tasks]):  # a list: every one is moved
        options = replace(options, begun=clock(options.out)) if whole else options
        tasks, _ = plan(options)
        due = [task for task in tasks if task.due(options.on_existing)]
    cleanup.remove([task for task in tasks if task not in due], options.out)
    if due:
        campaign.begin(options.out, cells)
    if options.workers and due:
        name = f"{platform.node()}-{os.getpid()}"  # other machines may write to the same runs
        logs = _new(options.conditions.runs / "logs", name)
        launch.run(share, options, options.workers, logs, console, Stop(request))
    else:
        _compute(due, options, console, campaign.digest(cells), Stop(request))
    campaign.end(options.out, cells)
    return _conclude(tasks, options, console)


def _new(folder: Path, name: str) -> Path:
    """A folder in ``folder`` that does not exist yet, called ``name`` or, where this process has made that, with a number."""
    names = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
    return next(path for one in names if not (path := folder / one).exists())


def share(options: Options, console: Console) -> None:
    """A worker's part: the cells that are due and that no other worker has claimed."""
    stop = Stop(Request(options.out))
    tasks, _ = plan(options)
    due = [task for task in tasks if task.due(options.on_existing)]
    _compute(due, options, console, campaign.digest(_cells(tasks)), stop)


def _cells(tasks: list[Task]) -> campaign.Cells:
    return {str(task.cell.record_path): task.identity for task in tasks}


def _compute(due: list[Task], options: Options, console: Console, name: str, stop: Stop) -> None:
    opened = open_sinks(options.log, options.conditions.runs) | {"the status file": StatusSink(options.out)}
    with stop, Display(console, len(due)) as display:
        sinks = [GuardedSink(sink, name, display.warn) for name, sink in opened.items()]
        on_event = _tell_all([display.on_event, *(sink.on_event for sink in sinks)])
        try:
            run_all(due, options.out, on_event, stop, options.cell_timeout, name)
        finally:
            for sink in sinks:
                sink.close()


def _conclude(tasks: list[Task], options: Options, console: Console) -> int:
    """Renew the tables and show those of the run; the exit code."""
    content = report.read(options.out)
    files, problems = report.render(options.out, content=content)
    for problem in problems:
        console.print(f"warning: {problem}", markup=False, soft_wrap=True)
    report.write(files)
    boards = {task.cell.board for task in tasks}
    ours = [board for board in content.boards if board.key in boards]
    terminal.show_boards(console, ours, options.out)
    good = {(r.track, r.backbone, r.budget, r.contender, r.seed): r for r in content.records if r.status == "ok"}
    return 0 if all(_done(task, good) for task in tasks) else 1


def _done(task: Task, good: dict[tuple[str, str, str, str, int], Record]) -> bool:
    """Whether the cell has a good record, with all that it lacked when the run was planned."""
    record = good.get((*task.cell.board, str(task.cell.recipe.contender), task.cell.seed))
    if record is None:
        return False
    usual = set() if task.job.completes else {evaluator.name for evaluator in default()}  # which were not asked for by name
    wanted = [evaluator for evaluator in task.lacks if evaluator.name not in usual]
    return not lacking(record.metrics, record.evaluators, wanted)


def _tell_all(followers: Sequence[OnEvent]) -> OnEvent:
    def on_event(task: Task, event: Event) -> None:
        for follower in followers:
            follower(task, event)

    return on_event
