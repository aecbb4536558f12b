"""What evaluators judge, and what they say of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..errors import Diverged


class Features(NamedTuple):
    """One split, as a frozen encoder sees it: float [N, D], and its labels int64 [N]."""

    values: Tensor
    labels: Tensor


class Scores(NamedTuple):
    """Metrics of a representation, by the keys of the evaluator's columns and further ones; what was chosen on the way to
    them; and which test images a metric got right, bool [N]."""

    metrics: Mapping[str, float]
    chosen: Mapping[str, Any] = {}
    right: Mapping[str, Tensor] = {}


def _nowhere(spec: str) -> Frozen:
    raise ValueError(f"these features come without an encoder: {spec} cannot be encoded")


@dataclass(frozen=True)
class Frozen:
    """A frozen encoder by its features of both splits; ``elsewhere(spec)`` gives those of another dataset."""

    train: Features
    test: Features
    classes: int
    elsewhere: Callable[[str], Frozen] = field(default=_nowhere, compare=False)


def check_finite(features: Features, split: str) -> None:
    """`Diverged` where a feature is not finite, or where their squares overflow float32."""
    squares = torch.stack([part.square().sum() for part in features.values.split(4096)]).sum()
    if bool(squares.isfinite()):
        return
    bad = int((~features.values.isfinite()).any(1).sum())
    largest = float(features.values.abs().max())
    what = f"{bad} of {len(features.values)} are not finite" if bad else f"up to {largest:.1e}, their squares overflow"
    raise Diverged(f"features of the {split} images: {what}")
