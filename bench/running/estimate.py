"""Estimates the time, disk and energy of the cells that are due, from records of the same kind or from a few timed steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from statistics import median
from typing import NamedTuple

import torch

from .. import environment, own_code, records, standstill
from ..backbone import build_backbone
from ..budget import Budget, parse_budget
from ..datasets.loader import stored_on
from ..errors import counted, reason
from ..recipe import Recipe
from ..records import Record
from ..reporting.formats import duration
from .cell import build_method, make_trainer
from .scheduler import Task

APART = ("eval_seconds", "compile_seconds", "checkpoint_seconds")  # what a cell takes off the budget's clock
WARM_UP, ENOUGH, MOST = 2, 2.0, 50  # steps that are not timed; seconds, and steps, after which timing ends


class CellCost(NamedTuple):
    """Of one cell. ``taken_from``: the number of records; 0: steps were timed, and nothing else is included."""

    seconds: float
    joules: float | None
    taken_from: int


@dataclass(frozen=True)
class Estimate:
    """Of several cells; ``unknown`` are the methods of those of which nothing is known."""

    costs: Sequence[CellCost]
    unknown: Sequence[str]
    disk: int  # bytes of encoders and records
    failed: Mapping[str, str]  # contenders whose steps could not be taken, and why

    @property
    def seconds(self) -> float:
        return sum(cost.seconds for cost in self.costs)

    @property
    def joules(self) -> float | None:
        """None where it is not known of every cell."""
        known = [cost.joules for cost in self.costs if cost.joules is not None]
        return sum(known) if known and len(known) == len(self.costs) + len(self.unknown) else None


def estimate(due: Sequence[Task], found: Sequence[Record], timed: bool) -> Estimate:
    """Of the cells ``due``, from the records ``found``; of the others, where ``timed``, from steps that are taken now."""
    failed: dict[str, str] = {}

    @cache
    def steps(key: tuple[str, ...]) -> CellCost | None:  # the same for every seed
        try:
            return of_steps(tasks[key])
        except Exception as error:  # a loss may raise anything
            failed[key[-1]] = reason(error)
            return None

    tasks = {_key(task): task for task in due}
    costs = [(task, of_records(task, found) or (steps(_key(task)) if timed else None)) for task in due]
    unknown = [task.cell.recipe.method.name for task, cost in costs if cost is None]
    return Estimate([cost for _, cost in costs if cost], unknown, _disk(due, found), failed)


def _key(task: Task) -> tuple[str, ...]:
    return *task.cell.board, str(task.cell.recipe.contender)


def of_records(task: Task, found: Sequence[Record]) -> CellCost | None:
    """From good records of the same track, backbone, unit of budget, method and device, by their median.

    Those of the very contender go before those of other settings. What trains is scaled by the budget.
    """
    if task.job.completes is not None:
        return CellCost(task.job.completes.cost.get("eval_seconds") or 0.0, None, 1)
    recipe, device = task.cell.recipe, environment.device_name(torch.device(task.job.device))
    alike = [
        r
        for r in found
        if (r.status, r.track, r.backbone, r.method) == ("ok", str(recipe.spec), recipe.backbone, recipe.method.name)
        and r.environment.get("device") == device
        and _amount(parse_budget(r.budget))[0] == _amount(recipe.budget)[0]
        and r.cost.get("train_seconds") is not None
    ]
    chosen = [r for r in alike if r.contender == str(recipe.contender)] or alike
    if not chosen:
        return None
    scales = [_amount(recipe.budget)[1] / _amount(parse_budget(r.budget))[1] for r in chosen]
    seconds = [s * r.cost["train_seconds"] + sum(r.cost.get(k) or 0 for k in APART) for r, s in zip(chosen, scales, strict=True)]
    energy = [s * j for r, s in zip(chosen, scales, strict=True) if (j := r.cost.get("energy_joules")) is not None]
    return CellCost(median(seconds), median(energy) if energy else None, len(chosen))


def _amount(budget: Budget) -> tuple[str, float]:
    """Its unit and how much of it: seconds for every unit of time."""
    return ("s", budget.seconds) if budget.seconds is not None else (budget.unit, float(budget.total))


def of_steps(task: Task) -> CellCost:
    """From steps that are timed now and leave no trace, without detection and evaluation. Raises what they raise."""
    cell, device = task.cell, torch.device(task.job.device)
    if not cell.recipe.method.trains:
        return CellCost(0.0, None, 0)
    splits = task.job.splits()
    method = environment.placed(build_method(cell, splits), device)
    trainer = make_trainer(method, replace(splits, train=stored_on(splits.train, device)), cell, device)
    work = trainer.spending.count() if cell.recipe.budget.flops is not None else None
    total = cell.recipe.budget.steps(trainer.loader.steps_per_epoch, trainer.loader.batch_size, work.step if work else 0)
    total = MOST if cell.recipe.budget.seconds is not None else total
    method.train()
    for _ in range(min(WARM_UP, total)):
        trainer.train_step()
    trainer.meter.read()  # waits for the device
    standstill.watch()
    begun, taken = standstill.now(), 0
    while taken < min(MOST, total) and standstill.now() - begun < ENOUGH:
        trainer.train_step()
        taken += 1
    trainer.meter.read()
    seconds = cell.recipe.budget.seconds or (standstill.now() - begun) / taken * total
    return CellCost(seconds, None, 0)


def _disk(due: Sequence[Task], found: Sequence[Record]) -> int:
    """Bytes of the encoders that the cells export, and of their records where there are some to go by."""
    boards = Counter(task.cell.board for task in due if task.job.completes is None)
    recipes = {task.cell.board: task.cell.recipe for task in due}
    encoders = sum(number * _encoder(recipes[board]) for board, number in boards.items())
    return encoders + (round(len(due) * median(len(records.dumps(record)) for record in found)) if found else 0)


def _encoder(recipe: Recipe) -> int:
    with torch.device("cpu" if own_code.parts(recipe.backbone) else "meta"):  # a user's code may look at values
        backbone = build_backbone(recipe.backbone, len(recipe.track.policy.mean), recipe.track.size)
    return sum(value.numel() * value.element_size() for value in backbone.state_dict().values())


def lines(found: Estimate, device: str, timed: bool) -> list[str]:
    """The estimate as text, in lines that fit a terminal."""
    told = []
    if found.costs:
        told += [f"time: about {duration(found.seconds)} on {device}", f"  {_source(found.costs)}"]
    if found.unknown:
        names = ", ".join(dict.fromkeys(found.unknown))
        told += [f"time of {counted(len(found.unknown), 'cell')} not known: {names}"]
        told += [] if timed else ["  there are no records of their kind; --estimate times a few steps"]
    told += [f"{name} fails in its first steps: {why}" for name, why in found.failed.items()]
    told += [f"disk: about {found.disk / 2**20:,.1f} MiB of encoders and records"]
    return told + ([f"energy: about {found.joules / 3.6e6:,.3g} kWh"] if found.joules is not None else [])


def _source(costs: Sequence[CellCost]) -> str:
    numbers = sorted({cost.taken_from for cost in costs if cost.taken_from})
    steps = sum(not cost.taken_from for cost in costs)
    each = " to ".join(map(str, dict.fromkeys((numbers[0], numbers[-1])))) if numbers else ""
    said = [f"from {each} record{'' if each == '1' else 's'} of a kind"] if numbers else []
    said += [f"of {counted(steps, 'cell')} by timed steps, without detection and evaluation"] if steps else []
    return "; ".join(said)
