"""`evaluate`: evaluate encoders from anywhere by the evaluators of every cell, and keep the results as records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from .. import environment, records, standstill, versions
from ..cells import escaped
from ..datasets.base import Track
from ..datasets.loader import stored_on
from ..datasets.registry import open_splits, track_of
from ..datasets.spec import Spec
from ..datasets.store import Splits
from ..encoders import Opened
from ..errors import UserError, reason
from ..evaluation.evaluator import Evaluator, evaluate_all
from ..evaluation.features import Channels, FrozenEncoder, freeze
from ..evaluation.frozen import Scores
from ..records import Record
from . import scores
from .cell import data_of

METHOD, BUDGET = "external", "external"


class Guarded(nn.Module):
    """A user's encoder float [B, C, H, W] -> [B, D]: what it raises, and what it gives instead of features, is a `UserError`."""

    def __init__(self, network: nn.Module, name: str):
        super().__init__()
        self.network, self.name = network, name
        self.width: int | None = None  # D, known from the first images on

    def forward(self, images: Tensor) -> Tensor:
        try:
            found = self.network(images)
        except (Exception, SystemExit) as error:
            shape = " x ".join(map(str, images.shape[1:]))
            raise UserError(f"{self.name} cannot take images of {shape}: {reason(error)}") from None
        self._check(found, len(images))
        return found

    def _check(self, found: object, count: int) -> None:
        is_wide = isinstance(found, Tensor) and found.ndim == 2 and found.numel() and found.is_floating_point()
        if isinstance(found, Tensor) and is_wide and len(found) == count and self.width in (None, found.shape[1]):
            self.width = found.shape[1]
            return
        what = f"{str(found.dtype)[6:]} {tuple(found.shape)}" if isinstance(found, Tensor) else type(found).__name__
        raise UserError(f"{self.name} gives {what} for {count} images, not features float [{count}, {self.width or 'D'}]")


def fitted(opened: Opened, spec: Spec, device: torch.device, data_root: Path) -> tuple[nn.Module, Splits, Track]:
    """The encoder with a dataset whose images it has taken, at the size that it was made for unless ``spec`` says another.

    `UserError` where it refuses them, or gives something else than features.
    """
    splits, track = open_splits(spec, data_root), track_of(spec, data_root)
    track = track if spec.px is not None else track.at(opened.size)
    channels, network = splits.train.channels, Guarded(opened.network, opened.name)
    fits = opened.channels in (None, channels)
    encoder = network if fits else Channels(network, opened.channels or channels)
    encoder = environment.placed(encoder, device).eval()
    try:
        with torch.no_grad():
            encoder(torch.zeros(2, channels, track.size, track.size, device=device))
    except UserError as error:
        advice = f"; where they are too small: {replace(spec, px=224)}" if spec.px is None and track.size < 224 else ""
        raise UserError(f"{error}{advice}") from None
    return encoder, splits, track


def freeze_on(opened: Opened, spec: Spec, device: torch.device, data_root: Path) -> FrozenEncoder:
    """The encoder with its features of both splits of a dataset; `UserError` as `fitted`."""
    encoder, splits, track = fitted(opened, spec, device, data_root)
    return freeze(encoder, replace(splits, train=stored_on(splits.train, device)), track, device, data_root)


def evaluate(
    opened: Opened,
    spec: Spec,
    evaluators: Sequence[Evaluator],
    device: torch.device,
    data_root: Path,
    begin: Callable[[str], None] = lambda name: None,
) -> Record:
    """The record, of role external, of what ``evaluators`` find; raises `UserError` and `Diverged`."""
    standstill.watch()
    started = standstill.now()
    begin("features")
    frozen = freeze_on(opened, spec, device, data_root)
    found: Scores = evaluate_all(frozen, evaluators, begin)
    return Record(
        track=str(spec),
        backbone=opened.backbone,
        budget=BUDGET,
        method=METHOD,
        contender=opened.name,
        seed=0,
        status="ok",
        role="external",
        **scores.fields(found, evaluators),
        cost={"eval_seconds": standstill.now() - started},
        recipe={"encoder": opened.name, "sha256": opened.digest, "read": list(opened.said), "input_size": frozen.track.size},
        recipe_hash=opened.digest[:12],
        protocol=versions.PROTOCOL,
        data=data_of(frozen.splits, spec),
        environment=environment.describe(device) | scores.packages(evaluators, spec),
    )


def with_earlier(found: Record, path: Path) -> Record:
    """``found`` with the metrics of the record in ``path`` that it lacks, if that is of the same encoder, protocol and data."""
    if not path.exists():
        return found
    before = records.read(path)
    if (before.recipe, before.protocol, before.data) != (found.recipe, found.protocol, found.data):
        return found
    return replace(scores.joined(before, found), cost=found.cost)


def check_place(opened: Opened, spec: Spec, out: Path) -> Path:
    """The path of its record below ``out``; `UserError` where that of another file is there, which is not replaced."""
    path = out.joinpath(*map(escaped, (str(spec), opened.backbone, BUDGET, opened.name)), "seed0.json")
    if path.exists() and (digest := records.read(path).recipe.get("sha256")) != opened.digest:
        raise UserError(f"{path} is the record of another file ({str(digest)[:12]}): choose another --name")
    return path
