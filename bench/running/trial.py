"""Before any cell is run: does the backbone take the track's images, and does each method's loss work on it?"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from ..backbone import build_backbone
from ..errors import UserError
from ..methods import Method, TrainData
from ..methods.base import Encoder
from ..recipe import Recipe
from ..training.activation_checkpointing import recompute

SIDES = (32, 64, 96, 128, 160, 192, 224, 256, 384)  # pixels that are tried where a backbone refuses the track's
BATCH = 4  # images of the trial


class Stub(Encoder):
    """In place of a backbone: float [B, C, H, W] -> [B, width] in no time, since methods ask a backbone for features only."""

    def __init__(self, channels: int, width: int):
        super().__init__()
        self.num_features = width
        self.body = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, width))

    def forward(self, images: Tensor) -> Tensor:
        return self.body(images)


def suits(method: type[Method], backbone: nn.Module) -> bool:
    """Whether the backbone has what the method ``needs``."""
    return method.needs == "any" or isinstance(backbone, VisionTransformer)


def try_backbone(recipe: Recipe, channels: int) -> Encoder:
    """The recipe's backbone, which has taken two images of the track's; `UserError` where it cannot."""
    name, size = recipe.backbone, recipe.track.size
    try:
        return _tried(name, channels, size)
    except UserError as error:
        sides = (side for side in SIDES if side > size and _works(name, channels, side))
        side = next(sides, None)
        advice = f"; try px={side}: {replace(recipe.spec, px=side)}" if side else ""
        raise UserError(f"{error}{advice}") from None


def try_methods(recipes: Sequence[Recipe], backbone: Encoder, channels: int, images: int, classes: int) -> None:
    """The loss of each recipe's method, once; `UserError` names the first that fails."""
    if any(recipe.training.activation_checkpointing == "on" for recipe in recipes):
        recompute(backbone)
    for recipe in recipes:
        for side in {view.size for view in recipe.views} - {recipe.track.size}:
            _forward(backbone, recipe.backbone, channels, side)
        with _saying(f"{recipe.method.name} on {recipe.spec} with {recipe.backbone}"):
            _loss(recipe, backbone, channels, images, classes)


def _loss(recipe: Recipe, backbone: Encoder, channels: int, images: int, classes: int) -> None:
    if not recipe.method.trains:
        return
    encoder = Stub(channels, backbone.num_features) if recipe.method.needs == "any" else backbone
    labels = torch.arange(images) % classes if recipe.method.uses_labels else None
    method = recipe.method(encoder, recipe.config, TrainData(images, classes, labels))
    views = [torch.randn(BATCH, channels, view.size, view.size) for view in recipe.views for _ in range(view.count)]
    with torch.no_grad():
        method.loss(views, torch.arange(BATCH) % images)


def _tried(name: str, channels: int, size: int) -> Encoder:
    backbone = build_backbone(name, channels, size)
    _forward(backbone, name, channels, size)
    return backbone


def _works(name: str, channels: int, size: int) -> bool:
    with contextlib.suppress(UserError):
        return bool(_tried(name, channels, size))
    return False


def _forward(backbone: Encoder, name: str, channels: int, size: int) -> None:
    with _saying(f"backbone {name!r} on images of {channels} x {size} x {size}"), torch.no_grad():
        features = backbone.eval()(torch.zeros(2, channels, size, size))
        if features.shape != (2, backbone.num_features):
            raise ValueError(f"it gives {tuple(features.shape)} for 2 images, not [2, {backbone.num_features}]")


@contextlib.contextmanager
def _saying(what: str) -> Iterator[None]:
    """Whatever is raised inside becomes a `UserError` of one line that begins with ``what``."""
    try:
        with torch.random.fork_rng([]), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except UserError:
        raise
    except Exception as error:  # what backbones and methods raise is theirs to choose
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{what}: {first}") from None
