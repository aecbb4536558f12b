"""One cell, from data to record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from .. import environment, own_code, standstill, versions
from ..backbone import build_backbone, save_encoder
from ..budget import Budget
from ..cells import Cell
from ..datasets.held_out import shown
from ..datasets.loader import Loader, stored_on
from ..datasets.registry import open_splits
from ..datasets.spec import Spec
from ..datasets.store import Splits
from ..errors import UserError
from ..evaluation import default
from ..evaluation.detection import Rater
from ..evaluation.evaluator import Evaluator, evaluate_all
from ..evaluation.features import freeze
from ..events import Event, Phase, Resumed, Warned
from ..methods import Method, TrainData
from ..records import Record
from ..training import collapse, resources
from ..training.checkpointer import Checkpointer, shape_of
from ..training.loss_call import precision
from ..training.trainer import Callbacks, Trainer
from . import curve, scores

COUNTED = ("images", "steps", "views_per_image", "flops_per_image", "forward_passes", "detect_flops", "flops")
DEV_TEST = "the held-out tenth of train; the test split was not opened"
Tell = Callable[[Event], None]


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """Where and how cells are computed: nothing that decides what they compute."""

    device: str = "cpu"
    data_root: Path = Path("data")
    runs: Path = Path("runs")
    checkpoint_every: Budget | None = None  # None: the smaller of 5% of the budget and 10 minutes
    evaluators: tuple[Evaluator, ...] = field(default_factory=default)


@dataclass(frozen=True, kw_only=True)
class Job(Conditions):
    """All that a process needs to compute a cell; the recipe was resolved once, by the parent."""

    cell: Cell
    completes: Record | None = None  # a good record, to which the metrics of ``evaluators`` are added without training

    def splits(self) -> Splits:
        """The cell's data."""
        return open_splits(self.cell.recipe.spec, self.data_root)


@dataclass
class Trained:
    """The cost and the curve of training; empty for a method that does not train."""

    cost: dict[str, Any] = field(default_factory=lambda: {"train_seconds": 0.0, "eval_seconds": 0.0} | dict.fromkeys(COUNTED, 0))
    curve: list[dict[str, Any]] = field(default_factory=list)
    chosen: dict[str, str] = field(default_factory=dict)


def run(job: Job, tell: Tell = lambda event: None, stop: Callable[[], int] = lambda: 0) -> Record:
    """Train and evaluate one cell, until ``stop()`` gives the number of a signal.

    Raises `Diverged`, `Stopped`, `StorageError`, and any other error of training or evaluation.
    """
    splits, cell, recipe = job.splits(), job.cell, job.cell.recipe
    device = torch.device(job.device)
    tell(Phase("set up"))
    method = environment.placed(build_method(cell, splits), device)
    splits = replace(splits, train=stored_on(splits.train, device))
    trained = _train(method, splits, device, job, tell, stop) if method.trains else Trained()

    tell(Phase("evaluate", 1.0))
    begun = standstill.now()
    frozen = freeze(method.encoder, splits, recipe.track, device, job.data_root)
    found = evaluate_all(frozen, job.evaluators, lambda name: tell(Phase(f"evaluate, {name}", 1.0)))
    if trained.curve:
        trained.curve[-1] |= curve.of_embeddings(method.encoder, curve.sample(splits), recipe.track, device)
    trained.cost["eval_seconds"] += standstill.now() - begun
    trained.cost["peak_memory_bytes"] = resources.peak_memory_bytes(device)
    if next(method.encoder.parameters(), None) is not None:
        path, channels, size = job.runs / cell.encoder_path, splits.train.channels, recipe.track.size
        save_encoder(method.encoder, path, recipe.backbone, channels, size, recipe.backbone_source)
    packages = scores.packages(job.evaluators, recipe.spec, recipe.method.name)
    return replace(
        blank(cell),
        status="ok",
        **scores.fields(found, job.evaluators),
        cost=trained.cost,
        data=data_of(splits, recipe.spec),
        collapsed=bool(trained.curve) and collapse.collapsed(trained.curve[-1]),
        curve=trained.curve,
        environment=environment.describe(device) | packages | trained.chosen,
    )


def data_of(splits: Splits, spec: Spec) -> dict[str, Any]:
    """The entry of a record on its data."""
    known: dict[str, Any] = {"fingerprint": splits.fingerprint, "train": len(splits.train), "test": len(splits.test)}
    known |= {"classes": splits.classes} | ({} if splits.class_list is None else {"class_list": splits.class_list})
    return known | ({"judged_on": DEV_TEST} if spec.dev else {})


def build_method(cell: Cell, splits: Splits) -> Method:
    """The method on a fresh backbone; both depend on the cell's seed only, which seeds the global generator.

    `UserError` where the user's own file of the backbone is another one than the recipe's.
    """
    recipe = cell.recipe
    if recipe.backbone_source and own_code.digest(recipe.backbone) != recipe.backbone_source:
        raise UserError(f"the file of {recipe.backbone} was changed since the run began: begin another one")
    torch.manual_seed(cell.seed)
    encoder = build_backbone(recipe.backbone, splits.train.channels, recipe.track.size)
    known = shown(splits.train.labels) if recipe.method.uses_labels else None
    return recipe.method(encoder, recipe.config, TrainData(len(splits.train), splits.classes, known))


def make_trainer(method: Method, splits: Splits, cell: Cell, device: torch.device, callbacks: Callbacks | None = None) -> Trainer:
    """A trainer of the cell's ``method`` on train images that are on the device already."""
    recipe, track = cell.recipe, cell.recipe.track
    batch_size = recipe.training.batch_size
    loader = Loader(splits.train, track.policy, track.size, batch_size, cell.seed, device, recipe.views)
    return Trainer(method, loader, recipe.training, recipe.budget, device, callbacks)


def _train(method: Method, splits: Splits, device: torch.device, job: Job, tell: Tell, stop: Callable[[], int]) -> Trained:
    """Train to the end of the budget, from a checkpoint where there is one."""
    cell, track, training = job.cell, job.cell.recipe.track, job.cell.recipe.training
    identity = f"{cell.identity(splits.fingerprint)}-{device.type}-{shape_of(method)}"
    checkpointer = Checkpointer(job.runs / cell.checkpoint_path, identity, job.checkpoint_every, stop)
    callbacks = Callbacks(
        tell=tell,
        measure=curve.measure(splits, track),
        save_due=checkpointer.due,
        save=checkpointer.save,
        rater=Rater(method, splits.train.labels) if method.pseudo_labels() is not None else None,
    )
    trainer = make_trainer(method, splits, cell, device, callbacks)
    resumed = checkpointer.resume(trainer, lambda line: tell(Warned(line)))
    if resumed:
        tell(Resumed(trainer.progress))
    tell(Phase("train", trainer.progress))
    with resources.EnergyMeter(device) as energy:
        trainer.fit()
    chosen = {
        "compiled": trainer.call.compiled,
        "activation_checkpointing": trainer.call.recomputed,
        "precision": precision(training, device),
    }
    joules = None if resumed or trainer.clock.stopped else energy.joules
    return Trained(_cost(trainer, training.batch_size) | {"energy_joules": joules}, trainer.curve, chosen)


def _cost(trainer: Trainer, batch_size: int) -> dict[str, Any]:
    clock, images = trainer.clock, trainer.step * batch_size
    return {
        "train_seconds": clock.train,
        "detect_seconds": clock.apart.get("detect", 0.0),
        "eval_seconds": clock.apart.get("eval", 0.0),
        "compile_seconds": clock.apart.get("compile", 0.0),
        "checkpoint_seconds": clock.apart.get("checkpoint", 0.0),
        "stopped_seconds": clock.stopped,
        "images": images,
        "steps": trainer.step,
        "images_per_second": images / clock.train,
        **trainer.spending.cost(),
    }


def blank(cell: Cell) -> Record:
    """The record of a cell before it is computed."""
    recipe = cell.recipe
    return Record(
        track=str(recipe.spec),
        backbone=recipe.backbone,
        budget=str(recipe.budget),
        method=recipe.method.name,
        contender=str(recipe.contender),
        seed=cell.seed,
        status="failed",
        role="oracle" if recipe.method.uses_labels and recipe.method.role == "contestant" else recipe.method.role,
        uses_labels=recipe.method.uses_labels,
        recipe=recipe.as_dict(),
        recipe_hash=recipe.hash(),
        given=recipe.given,
        state_version=versions.STATE,
        protocol=versions.PROTOCOL,
    )
