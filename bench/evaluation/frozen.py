"""The input of evaluators, a frozen encoder's features, and their output, scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn, TypeVar

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ..errors import Diverged

T = TypeVar("T")
Change = Callable[[Tensor, int], Tensor]  # images float [B, C, S, S] in [0, 1] and the batch's number -> changed images


class Features(NamedTuple):
    """Features of one split from a frozen encoder: float [N, D], and labels int64 [N]."""

    values: Tensor
    labels: Tensor


class Scores(NamedTuple):
    """Metrics by key, of the evaluator's columns and further ones; choices such as strengths; by metric which test images
    were right, bool [N]."""

    metrics: Mapping[str, float]
    chosen: Mapping[str, Any] = {}
    right: Mapping[str, Tensor] = {}


@dataclass(frozen=True)
class Frozen:
    """A frozen encoder's features of both splits; `Diverged` where they are not `finite`.

    Functions that need the encoder itself raise ValueError in this class.
    """

    train: Features
    test: Features
    classes: int
    kept: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        finite(self.train.values, "train images")
        finite(self.test.values, "test images")

    def once(self, key: str, make: Callable[[], T]) -> T:
        """``make()``, computed once for each ``key`` and shared by all evaluators."""
        if key not in self.kept:
            self.kept[key] = make()
        return self.kept[key]

    def elsewhere(self, spec: str) -> Frozen:
        """The same encoder on another dataset, with images of the encoder's own input size."""
        self._refuse(f"encode {spec}")

    def changed(self, change: Change) -> Features:
        """Features of the test split after ``change`` of its images, applied before normalisation. Raises `Diverged`."""
        self._refuse("encode changed images")

    def views(self, most: int) -> tuple[Tensor, Tensor]:
        """Features, float [n, D] each, of two augmented views of at most ``most`` test images. Raises `Diverged`."""
        self._refuse("encode views")

    def _refuse(self, what: str) -> NoReturn:
        raise ValueError(f"these features come without an encoder, which could {what}")


def finite(values: Tensor, of: str) -> Tensor:
    """The features float [N, D] themselves; `Diverged` where one is not finite, or where their squares overflow float32."""
    squares = torch.stack([part.square().sum() for part in values.split(4096)]).sum()
    if bool(squares.isfinite()):
        return values
    bad = int((~values.isfinite()).any(1).sum())
    what = f"{bad} of {len(values)} are not finite" if bad else f"up to {float(values.abs().max()):.1e}, their squares overflow"
    raise Diverged(f"features of the {of}: {what}")


def scaled(values: Tensor) -> Tensor:
    """The features times a power of two, which changes no digit, so that the largest is near 1: tiny ones have directions too."""
    exponent = torch.frexp(values.abs().amax()).exponent.clamp(min=-120)
    return torch.ldexp(values, -exponent)


def directions(values: Tensor) -> Tensor:
    """The features divided by their norms; zero stays zero."""
    return normalize(scaled(values), dim=1)
