"""Checks before any cell is run: the backbone takes the track's images and has what each method needs."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch

from ..backbone import build_backbone, unsuited
from ..datasets.errors import DataError
from ..errors import UserError, reason
from ..methods import Method
from ..methods.base import Encoder
from ..recipe import Recipe
from ..training.activation_checkpointing import recompute

SIDES = (32, 64, 96, 128, 160, 192, 224, 256, 384)  # pixels that are tried where a backbone refuses the track's


def refusal(method: type[Method], backbone: Encoder, name: str) -> str:
    """Why the method cannot train the backbone of this name, to follow the method's name; empty where it can."""
    with saying(f"method {method.name}"):
        return unsuited(method, backbone, name)


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


def try_views(recipes: Sequence[Recipe], backbone: Encoder, channels: int) -> None:
    """The backbone on views of every size that a method asks for; `UserError` names the first that it cannot take.

    The losses are not tried here, as one might hang or end the process; `estimate` takes real steps with them.
    """
    if any(recipe.training.activation_checkpointing == "on" for recipe in recipes):
        recompute(backbone)
    sides = set()
    for recipe in recipes:
        with saying(f"the views of {recipe.method.name}"):
            sides |= {view.size for view in recipe.views if view.size != recipe.track.size}
    for side in sides:
        _forward(backbone, recipes[0].backbone, channels, side)


def _tried(name: str, channels: int, size: int) -> Encoder:
    backbone = build_backbone(name, channels, size)
    _forward(backbone, name, channels, size)
    return backbone


def _works(name: str, channels: int, size: int) -> bool:
    with contextlib.suppress(UserError):
        return bool(_tried(name, channels, size))
    return False


def _forward(backbone: Encoder, name: str, channels: int, size: int) -> None:
    with saying(f"backbone {name!r} on images of {channels} x {size} x {size}"), torch.no_grad():
        features = backbone.eval()(torch.zeros(2, channels, size, size))
        if features.shape != (2, backbone.num_features):
            raise ValueError(f"it gives {tuple(features.shape)} for 2 images, not [2, {backbone.num_features}]")


@contextlib.contextmanager
def saying(what: str) -> Iterator[None]:
    """Any exception raised inside becomes a `UserError` of one line that begins with ``what``."""
    try:
        with torch.random.fork_rng([]), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (UserError, DataError):
        raise
    except (Exception, SystemExit) as error:  # backbones and methods may raise anything
        raise UserError(f"{what}: {reason(error)}") from None
