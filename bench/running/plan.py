"""The cells of a run, each with its existing record; all input is checked before anything is written."""

from __future__ import annotations

from collections.abc import Container

from ..cells import Cell, order
from ..datasets.registry import open_splits, track_of
from ..datasets.spec import Spec
from ..datasets.store import Splits
from ..errors import UserError
from ..evaluation.evaluator import lacking
from ..recipe import Recipe, resolve
from ..reporting import stale
from . import places, trial
from .cell import Job
from .options import Options
from .scheduler import Task
from .selection import find_method


def plan(options: Options) -> tuple[list[Task], list[str]]:
    """Every cell of the run, seed-major, and lines for the user about the choice. `UserError` where anything does not fit."""
    recipes: dict[tuple[str, ...], Recipe] = {}  # by board and contender: two ways to write one are one
    fingerprints: dict[str, str] = {}
    said = list(options.said)
    for spec in options.specs:
        splits = open_splits(spec, options.conditions.data_root)
        fingerprints[str(spec)] = splits.fingerprint
        suited, left_out = tried(_recipes(options, spec, splits), splits, options.asked_for)
        recipes |= {(str(spec), str(recipe.contender)): recipe for recipe in suited}
        said += left_out
    cells = order(list(recipes.values()), range(options.first_seed, options.first_seed + options.seeds))
    return [_task(options, cell, fingerprints[str(cell.recipe.spec)]) for cell in cells], said


def tried(recipes: list[Recipe], splits: Splits, asked_for: Container[str]) -> tuple[list[Recipe], list[str]]:
    """The recipes whose methods suit the backbone, tried on it, and a line for each of the others.

    `UserError` where one that was ``asked_for`` by name is among the others, or where a trial fails.
    """
    channels = splits.train.channels
    backbone = trial.try_backbone(recipes[0], channels)
    methods = {recipe.method.name: recipe.method for recipe in recipes}
    refusals = {name: why for name, kind in methods.items() if (why := trial.refusal(kind, backbone, recipes[0].backbone))}
    for name in refusals:
        if name in asked_for:
            raise UserError(f"{name} {refusals[name]}")
    suited = [recipe for recipe in recipes if recipe.method.name not in refusals]
    trial.try_views(suited, backbone, channels)
    return suited, [f"{name} is left out: it {why}" for name, why in refusals.items()]


def _recipes(options: Options, spec: Spec, splits: Splits) -> list[Recipe]:
    track = track_of(spec, options.conditions.data_root)
    found = []
    for one in options.contenders:
        with trial.saying(f"method {one.method}"):
            method = find_method(one.method)
            found.append(resolve(spec, track, len(splits.train), method, options.budget, options.backbone, one.settings))
    return found


def _task(options: Options, cell: Cell, fingerprint: str) -> Task:
    job = Job(cell=cell, **vars(options.conditions))
    found = places.find(cell, options.out)
    existing = found and found.record
    why = stale.against(existing, cell.recipe, fingerprint) if existing else []
    good = existing is not None and existing.status == "ok" and not why
    lacks = lacking(existing.metrics, existing.evaluators, job.evaluators) if existing and good else ()
    done = found is not None and options.begun is not None and places.is_since(found.stamp, options.begun)
    task = Task(job, existing, tuple(why), lacks, cell.identity(fingerprint), found and found.stamp, done)
    return task.completing() if lacks and not task.due(options.on_existing) else task
