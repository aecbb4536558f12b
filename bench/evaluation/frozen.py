"""What evaluators judge, and what they say of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn, TypeVar

import torch
from torch import Tensor

from ..errors import Diverged

T = TypeVar("T")
Change = Callable[[Tensor, int], Tensor]  # images float [B, C, S, S] in [0, 1], and the batch's number -> such images


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


@dataclass(frozen=True)
class Frozen:
    """A frozen encoder by its features of both splits. What needs the encoder itself raises ValueError here."""

    train: Features
    test: Features
    classes: int
    kept: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def once(self, key: str, make: Callable[[], T]) -> T:
        """``make()``, computed once for all evaluators that ask for ``key``."""
        if key not in self.kept:
            self.kept[key] = make()
        return self.kept[key]

    def elsewhere(self, spec: str) -> Frozen:
        """The same encoder on another dataset, its images at the input size that the encoder was made for."""
        self._refuse(f"encode {spec}")

    def changed(self, change: Change) -> Features:
        """The test split after ``change`` of the images that the encoder sees, before they are normalised."""
        self._refuse("encode changed images")

    def views(self, most: int) -> tuple[Tensor, Tensor]:
        """Features float [n, D] of two augmented views of at most so many test images, evenly over the split."""
        self._refuse("encode views")

    def _refuse(self, what: str) -> NoReturn:
        raise ValueError(f"these features come without an encoder, which could {what}")


def check_finite(features: Features, split: str) -> None:
    """`Diverged` where a feature is not finite, or where their squares overflow float32."""
    squares = torch.stack([part.square().sum() for part in features.values.split(4096)]).sum()
    if bool(squares.isfinite()):
        return
    bad = int((~features.values.isfinite()).any(1).sum())
    largest = float(features.values.abs().max())
    what = f"{bad} of {len(features.values)} are not finite" if bad else f"up to {largest:.1e}, their squares overflow"
    raise Diverged(f"features of the {split} images: {what}")
