"""What a run says before it begins: the cells, those that are due, and what they will take."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from rich.console import Console

from .. import records
from ..environment import device_name, emulates_bf16
from ..errors import counted
from . import estimate
from .options import Options
from .scheduler import Task

SHOWN = 12  # contenders that a plan names


def _few(names: Sequence[str]) -> str:
    """All of them, or so many that they can still be read."""
    more = len(names) - SHOWN
    return ", ".join(names) if more <= 1 else f"{', '.join(names[:SHOWN])} and {more} more"


def show_plan(console: Console, tasks: list[Task], due: list[Task], options: Options) -> None:
    """How many cells there are, what is due, and why others are not."""
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
    if any(t.cell.recipe.training.precision == "bf16" for t in due) and emulates_bf16(torch.device(options.conditions.device)):
        console.print("note: this CPU has no AVX512-BF16 and no AMX: precision=bf16 is far slower here than fp32", soft_wrap=True)
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


def show_estimate(console: Console, due: list[Task], options: Options, timed: bool) -> int:
    """What the cells that are due will take; the exit code, 1 where a contender fails in the steps that are timed."""
    found, _ = records.read_all(options.out)
    device = device_name(torch.device(options.conditions.device))
    made = estimate.estimate(due, found, timed)
    for line in estimate.lines(made, device, timed) if due else ():
        console.print(line, markup=False, soft_wrap=True)
    return 1 if made.failed else 0
