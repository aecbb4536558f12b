"""`evaluate`: evaluate encoders from anywhere by the evaluators of every cell, and keep the results as records."""

from __future__ import annotations

import contextlib
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
from ..evaluation.features import Channels, FrozenEncoder, freeze, frozen, single_precision
from ..evaluation.frozen import Scores
from ..records import Record
from . import scores, trial
from .cell import data_of

METHOD, BUDGET = "external", "external"
DIFFERENT, ROUNDING = 0.05, 0.005  # difference of features that counts: of their spread over images, and of their norm


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
        is_dense = isinstance(found, Tensor) and found.layout == torch.strided
        is_wide = isinstance(found, Tensor) and is_dense and found.ndim == 2 and found.numel() and found.is_floating_point()
        if isinstance(found, Tensor) and is_wide and len(found) == count and self.width in (None, found.shape[1]):
            self.width = found.shape[1]
            return
        what = f"{str(found.dtype)[6:]} {tuple(found.shape)}" if isinstance(found, Tensor) else type(found).__name__
        what += f" ({str(found.layout)[6:]})" if isinstance(found, Tensor) and not is_dense else ""
        raise UserError(f"{self.name} gives {what} for {count} images, not features float [{count}, {self.width or 'D'}]")


def fitted(opened: Opened, spec: Spec, device: torch.device, data_root: Path) -> tuple[nn.Module, Splits, Track]:
    """The encoder with a dataset whose images it has taken, at the size that it was made for unless ``spec`` says another.

    `UserError` where it refuses them, gives something else than features, or is not `_steady`.
    """
    splits, track = open_splits(spec, data_root), track_of(spec, data_root)
    track = track if spec.px is not None else track.at(opened.size)
    channels, network = splits.train.channels, Guarded(opened.network, opened.name)
    fits = opened.channels in (None, channels)
    encoder = network if fits else Channels(network, opened.channels or channels)
    encoder = environment.placed(encoder, device).eval()

    def takes(side: int) -> None:
        with frozen(encoder):
            encoder(torch.zeros(2, channels, side, side, device=device))

    try:
        takes(track.size)
    except UserError as error:
        side = next((s for s in trial.SIDES if s > track.size and _works(takes, s)), None) if spec.px is None else None
        raise UserError(f"{error}{f'; it takes larger ones: {replace(spec, px=side)}' if side else ''}") from None
    noise = torch.randn(8, channels, track.size, track.size, generator=torch.Generator().manual_seed(0))
    _steady(encoder, opened.name, noise.to(device))
    return encoder, splits, track


def _works(takes: Callable[[int], None], side: int) -> bool:
    with contextlib.suppress(UserError):
        takes(side)
        return True
    return False


def _steady(encoder: nn.Module, name: str, images: Tensor) -> None:
    """`UserError` where the features of an image change from call to call, or with the other images of its batch."""

    def features(*parts: Tensor) -> Tensor:
        with frozen(encoder), single_precision(images.device):
            return torch.cat([encoder(part.clone()).double() for part in parts])

    first = features(images)
    least = max(DIFFERENT * float((first - first.mean(0)).norm()), ROUNDING * float(first.norm()))
    for what, again in (
        ("of the same images differ from call to call: is dropout on, or something random in its code?", features(images)),
        ("of an image depend on the others of its batch: is a BatchNorm in train mode?", features(*images.split(3))),
    ):
        if float((again - first).norm()) > least:
            raise UserError(f"{name} is not frozen in eval mode: the features {what}")


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
