"""`check METHOD`: trains a method on tiny made-up data, and does what `device_checks` has."""

from __future__ import annotations

import copy
import math
import sys
import tempfile
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import cast, get_args, get_type_hints

import torch
from timm.models.vision_transformer import VisionTransformer
from torch import nn

from ..budget import parse_budget
from ..datasets.augment import Policy
from ..datasets.held_out import shown
from ..datasets.loader import Loader
from ..datasets.store import Store
from ..environment import one_thread
from ..errors import Diverged, UserError, reason
from ..methods import Method, TrainData
from ..methods.base import C, Encoder, PseudoLabelView, Units
from ..recipe import Training, config_keys, training_keys
from ..settings import apply, check_defaults
from ..training import checkpoint
from ..training.trainer import Callbacks, Trainer
from . import device_checks

IMAGES, CLASSES, SIDE, BATCH, NARROW = 64, 4, 8, 16, 32
POLICY = Policy(mean=(0.5,) * 3, std=(0.25,) * 3, crop_scale=(0.6, 1.0), jitter=(0.4, 0.4, 0.0, 0.0))
CATCH_UP = 30  # moves of a momentum network a step while collapse is looked for, which would take hundreds of steps otherwise
APART = 0.25  # least loss that mismatched views cost more, as a share of what the loss fell
TRAINING = Training(batch_size=BATCH, lr=0.05, weight_decay=1e-4)
CPU = torch.device("cpu")
UNKEPT = (
    "all that the loss, after_step and before_epoch use must be in state_dict(), and random numbers torch's: no plain attribute, "
    "no buffer that is not persistent, no other generator, no clock"
)
NO_SETTINGS: Mapping[str, str] = MappingProxyType({})


class TinyEncoder(Encoder):
    """Float [B, 3, h, w] -> [B, 16]."""

    num_features = 16

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.body(images)


def tiny_transformer() -> Encoder:
    """Float [B, 3, SIDE, SIDE] -> [B, 16], by way of 16 tokens."""
    made = VisionTransformer(img_size=SIDE, patch_size=SIDE // 4, embed_dim=16, depth=1, num_heads=1, num_classes=0)
    return cast(Encoder, made)


def check(kind: type[Method], settings: Mapping[str, str] = NO_SETTINGS) -> Iterator[str]:
    """Yield a line for each thing that holds of ``kind`` with these settings; `UserError` names the first that does not."""
    try:
        with one_thread():
            yield _shapes(kind, settings)
            if kind.trains:
                yield _learns(kind, settings)
                yield resumes(kind, settings=settings)
                yield _tells_images_apart(kind, settings)
                yield device_checks.waits_for_nothing(make(kind, settings).train(), batch)
                yield device_checks.compiles(partial(make, kind, settings), batch)
    except Diverged as error:
        raise UserError(f"check: the loss does not stay finite: {error}") from None
    except UserError:
        raise
    except (Exception, SystemExit) as error:  # a method may raise anything
        raise UserError(f"check: {kind.name} raises {reason(error)}{_place(error, kind)}") from None


def make(kind: type[Method], settings: Mapping[str, str] = NO_SETTINGS) -> Method:
    """The method on a tiny encoder, by default with narrow layers."""
    labels = shown(torch.arange(IMAGES) % CLASSES) if kind.uses_labels else None
    own = {key: text for key, text in settings.items() if key in config_keys(kind)}
    check_defaults(kind.config_type())
    try:
        config = apply(narrow(kind.config_type()), own).resolved(IMAGES, SIDE)
    except ValueError as error:
        raise UserError(f"{kind.name} on the {IMAGES} images of check: {error}") from None
    encoder = TinyEncoder() if kind.needs == "any" else tiny_transformer()
    return kind(encoder, config, TrainData(IMAGES, CLASSES, labels))


def narrow(config: C) -> C:
    """The settings with layers of few units, so that a check is fast."""
    hints = get_type_hints(type(config), include_extras=True)
    wide = [key for key, hint in hints.items() if any(isinstance(one, Units) for one in get_args(hint))]
    return replace(config, **{key: min(getattr(config, key), NARROW) for key in wide})


def random_views(method: Method, device: str = "cpu") -> list[torch.Tensor]:
    """What the method's loss takes, without the images."""
    views = method.views(method.config, POLICY, SIDE)
    return [torch.randn(BATCH, 3, view.size, view.size, device=device) for view in views for _ in range(view.count)]


def batch(method: Method, device: str = "cpu") -> tuple[list[torch.Tensor], torch.Tensor]:
    """What the method's loss takes."""
    return random_views(method, device), torch.arange(BATCH, device=device)


def keeping(states: list, step: int) -> Callbacks:
    """Callbacks that append the trainer's state after ``step`` steps to ``states``."""
    return Callbacks(
        save_due=lambda trainer: trainer.step == step, save=lambda trainer: states.append(copy.deepcopy(trainer.state()))
    )


def trainer(
    kind: type[Method],
    budget: str,
    device: torch.device = CPU,
    training: Training = TRAINING,
    callbacks: Callbacks | None = None,
    settings: Mapping[str, str] = NO_SETTINGS,
) -> Trainer:
    """A trainer on images whose class shows in their colour."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(IMAGES) % CLASSES
    colours = torch.rand(CLASSES, 3, 1, 1, generator=generator)[labels]
    noise = torch.rand(IMAGES, 3, SIDE, SIDE, generator=generator)
    images = (255 * (0.7 * colours + 0.3 * noise)).to(torch.uint8)
    torch.manual_seed(0)
    method = make(kind, settings).to(device)
    training = apply(training, {key: text for key, text in settings.items() if key in training_keys()})
    if training.batch_size > IMAGES:
        raise UserError(f"batch_size={training.batch_size} is more than the {IMAGES} images of check")
    views = method.views(method.config, POLICY, SIDE)
    loader = Loader(Store(images, labels), POLICY, SIDE, training.batch_size, seed=0, device=device, views=views)
    return Trainer(method, loader, training, parse_budget(budget), device, callbacks)


def _place(error: BaseException, kind: type[Method]) -> str:
    """The last line of the method's own file on the way to the error, as text; empty where there is none."""
    own = getattr(sys.modules.get(kind.__module__), "__file__", None)
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == own]
    return f" in {Path(own).name}, line {lines[-1]}" if own and lines else ""


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise UserError(f"check: {what}")


def _shapes(kind: type[Method], settings: Mapping[str, str]) -> str:
    method = make(kind, settings)
    features = method.encoder.eval()(torch.randn(2, 3, SIDE, SIDE))
    _require(features.ndim == 2 and len(features) == 2, f"the encoder gives {tuple(features.shape)} for 2 images, not [2, D]")
    if kind.trains:
        method.train()
        loss = method.loss(*batch(method))
        found = f"{loss.dtype} {tuple(loss.shape)}" if torch.is_tensor(loss) else f"of type {type(loss).__name__}"
        is_scalar = torch.is_tensor(loss) and loss.ndim == 0 and loss.dtype == torch.float32
        _require(is_scalar, f"the loss is {found}, not a float32 scalar")
        _require(loss.requires_grad, "no gradient flows from the loss")
    return "shapes: features [B, D]" + (", loss a float32 scalar with a gradient" if kind.trains else "; spends no budget")


def _learns(kind: type[Method], settings: Mapping[str, str]) -> str:
    run = trainer(kind, "40ep", settings=settings)
    before = [weight.clone() for weight in run.method.encoder.parameters()]
    run.fit()
    same = all(map(torch.equal, before, run.method.encoder.parameters()))
    _require(not same, "the weights of the encoder are after 40 epochs what they were: no gradient reaches them")
    _tells(run.method)
    losses = [point["loss"] for point in run.curve]
    quarter = max(1, len(losses) // 4)
    # methods with a growing queue or growing label sets change what the loss means: compare the best early and late
    first, last = max(losses[:quarter]), min(losses[-quarter:])
    _require(last < first, f"the loss does not fall in 40 epochs: {first:.4f} to {last:.4f}")
    return f"loss: finite, falls from {first:.3f} to {last:.3f}"


def _tells(method: Method) -> None:
    """What the method tells of its training are numbers, and pseudo labels."""
    told, labels = method.extras(), method.pseudo_labels()
    plain = isinstance(told, dict) and all(isinstance(value, int | float) and math.isfinite(value) for value in told.values())
    _require(plain, f"extras() gives {told!r:.80}, not finite numbers by name")
    kind = type(labels).__name__
    _require(labels is None or isinstance(labels, PseudoLabelView), f"pseudo_labels() gives a {kind}, not a PseudoLabelView")


def _tells_images_apart(kind: type[Method], settings: Mapping[str, str]) -> str:
    """A collapsed method's loss has fallen for views of different images as much as for views of one."""
    run = trainer(kind, "20ep", settings=settings)
    if sum(view.count for view in run.loader.views) < 2:
        return "collapse: not looked for, the loss takes one view"
    _speed_up_momentum(run.method)
    run.fit()
    batches = [run.loader.batch(step) for step in range(run.loader.steps_per_epoch)]
    own, mixed = 0.0, 0.0
    with torch.no_grad():
        for views, index in batches:
            own += float(run.method.loss(views, index)) / len(batches)
            mixed += float(run.method.loss([views[0], *(view.roll(1, 0) for view in views[1:])], index)) / len(batches)
    fell, apart = run.curve[0]["loss"] - own, mixed - own
    _require(
        apart > APART * fell,
        f"the method collapses: its loss fell by {fell:.3f} in 20 epochs, and views of different images cost {apart:.3f} more",
    )
    return f"collapse: none, views of different images cost {apart:.3f} more"


def _speed_up_momentum(method: Method) -> None:
    after_step = method.after_step

    def faster(progress: float) -> None:
        after_step(progress)
        for _ in range(CATCH_UP):
            after_step(0.0)

    method.after_step = faster  # type: ignore[method-assign]


def resumes(kind: type[Method], training: Training = TRAINING, settings: Mapping[str, str] = NO_SETTINGS) -> str:
    started = partial(trainer, kind, "4ep", training=training, settings=settings)
    whole = started()
    whole.fit()
    states: list = []
    started(callbacks=keeping(states, whole.loader.steps_per_epoch + 2)).fit()  # in the middle of an epoch
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        path = Path(folder) / "checkpoint"
        checkpoint.save(path, "check", states[0])
        resumed = started()
        resumed.restore(checkpoint.load(path, "check", CPU) or {})
    resumed.fit()
    pairs = zip(whole.method.state_dict().items(), resumed.method.state_dict().values(), strict=True)
    for (key, expected), found in pairs:
        same = torch.equal(expected, found) if torch.is_tensor(expected) else expected == found
        _require(same, f"{key} differs after a resume: {UNKEPT}")
    return "state: a run that is killed and resumed ends bit for bit as one that was not"
