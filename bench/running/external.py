"""`evaluate`: judge encoders from anywhere by the evaluators of every cell, and keep what they find as records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from .. import environment, outcomes, records, standstill, versions
from ..cells import escaped
from ..datasets.loader import place
from ..datasets.registry import open_splits, track_of
from ..datasets.spec import Spec
from ..encoders import Opened
from ..errors import UserError
from ..evaluation.evaluator import Evaluator, description, judge
from ..evaluation.features import Channels, FrozenEncoder, freeze
from ..evaluation.frozen import Scores
from ..records import Record
from .cell import data_of

METHOD, BUDGET = "external", "external"


def freeze_on(opened: Opened, spec: Spec, device: torch.device, data_root: Path) -> FrozenEncoder:
    """The encoder on a dataset, at the size that it was made for unless ``spec`` says another; `UserError` where it refuses."""
    splits, track = open_splits(spec, data_root), track_of(spec, data_root)
    track = track if spec.px is not None else track.at(opened.size)
    channels = splits.train.channels
    fits = opened.channels in (None, channels)
    network = opened.network if fits else Channels(opened.network, opened.channels or channels)
    network = network.to(device).to(memory_format=torch.channels_last)
    size = track.size
    try:
        with torch.no_grad():
            found = network.eval()(torch.zeros(2, channels, size, size, device=device))
    except Exception as error:  # anybody's code may raise anything
        why = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}"
        advice = f"; {replace(spec, px=224)} gives it larger ones" if spec.px is None and size < 224 else ""
        raise UserError(f"{opened.name} cannot take images of {channels} x {size} x {size}: {why}{advice}") from None
    if not isinstance(found, torch.Tensor) or found.ndim != 2 or len(found) != 2:
        shape = tuple(found.shape) if isinstance(found, torch.Tensor) else type(found).__name__
        raise UserError(f"{opened.name} gives {shape} for 2 images, not features [2, D]")
    return freeze(network, replace(splits, train=place(splits.train, device)), track, device, data_root)


def evaluate(
    opened: Opened,
    spec: Spec,
    evaluators: Sequence[Evaluator],
    device: torch.device,
    data_root: Path,
    begin: Callable[[str], None] = lambda name: None,
) -> Record:
    """The record, of role external, of what ``evaluators`` find; raises `UserError` and `Diverged`."""
    started = standstill.now()
    begin("features")
    frozen = freeze_on(opened, spec, device, data_root)
    found: Scores = judge(frozen, evaluators, begin)
    return Record(
        track=str(spec),
        backbone=opened.backbone,
        budget=BUDGET,
        method=METHOD,
        contender=opened.name,
        seed=0,
        status="ok",
        role="external",
        metrics=dict(found.metrics),
        cost={"eval_seconds": standstill.now() - started},
        recipe={"encoder": opened.name, "sha256": opened.digest, "read": list(opened.said), "input_size": frozen.track.size},
        recipe_hash=opened.digest[:12],
        protocol=versions.PROTOCOL,
        evaluation=dict(found.chosen),
        evaluators=description(evaluators),
        data=data_of(frozen.splits),
        outcomes={metric: outcomes.pack(right.cpu().numpy()) for metric, right in found.right.items()},
        environment=environment.describe(device),
    )


def path_of(record: Record, out: Path) -> Path:
    """Where the record lies below ``out``."""
    parts = (record.track, record.backbone, record.budget, record.contender)
    return out.joinpath(*map(escaped, parts), f"seed{record.seed}.json")


def keep(record: Record, out: Path) -> Path:
    """Write the record; one of another file under the same name is not replaced: `UserError`. The path."""
    path = path_of(record, out)
    if path.exists() and (old := records.read(path)).recipe.get("sha256") != record.recipe["sha256"]:
        raise UserError(f"{path} is the record of another file ({str(old.recipe.get('sha256'))[:12]}): choose another --name")
    records.write(record, path)
    return path
