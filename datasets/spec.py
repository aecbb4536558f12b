"""Dataset specs such as ``cifar100:classes=20,fraction=0.1``: parsing, and cutting a track down."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .base import DataError, Grouping
from .store import Splits, Store
from .trees import lines_hash

CUT_SEED = 20220501  # one choice for everybody, whatever the seed of a run: the data is part of the track
SIDES = (8, 1024)  # pixels a network's input may have a side
MAKES = "a spec is NAME or NAME:labels=coarse,classes=20,fraction=0.1,px=64, with any of the four"


@dataclass(frozen=True)
class Spec:
    """A track's name, how much of it is used, with which labels, and at what input size; ``str()`` is its canonical form."""

    name: str
    classes: int | None = None
    fraction: float | None = None
    px: int | None = None  # side of the network's input; None: the track's own
    labels: str | None = None  # one of the track's groupings; None: its classes

    def __str__(self) -> str:
        fraction = self.fraction and f"{self.fraction:g}"
        written = {"labels": self.labels, "classes": self.classes, "fraction": fraction, "px": self.px}
        chosen = ",".join(f"{key}={value}" for key, value in written.items() if value is not None)
        return f"{self.name}:{chosen}" if chosen else self.name


OPTIONS = {"labels": str, "classes": int, "fraction": float, "px": int}


def parse_spec(text: str) -> Spec:
    """The spec that ``text`` writes; `DataError` says what would be right."""
    name, _, rest = text.strip().partition(":")
    options: dict[str, str] = {}
    for part in rest.replace(":", ",").split(",") if rest or ":" in text else []:
        key, equals, value = part.strip().partition("=")
        if not equals or key in options:
            raise DataError(f"cannot read {text!r}: {MAKES}")
        options[key] = value
    if not name or set(options) - set(OPTIONS):
        raise DataError(f"cannot read {text!r}: {MAKES}")
    return Spec(name, **{key: _value(text, key, value) for key, value in options.items()})


def _value(text: str, key: str, written: str):
    try:
        value = OPTIONS[key](written)
    except ValueError:
        raise DataError(f"{key} in {text!r} must be a number; {MAKES}") from None
    if key == "fraction":
        value = float(f"{value:g}")  # as it is written in records and paths
        if not 1e-6 <= value <= 1:
            raise DataError(f"fraction in {text!r} must be above 0 and at most 1")
    if key == "labels" and not value:
        raise DataError(f"cannot read {text!r}: {MAKES}")
    if key == "classes" and value < 2:
        raise DataError(f"classes in {text!r} must be at least 2")
    if key == "px" and not SIDES[0] <= value <= SIDES[1]:
        raise DataError(f"px in {text!r} must be from {SIDES[0]} to {SIDES[1]}")
    return value


def split_specs(text: str) -> list[str]:
    """Split a comma list of specs; ``b=2`` after ``x:a=1,`` belongs to ``x``, as only options have a ``=``."""
    specs: list[str] = []
    for part in text.split(","):
        if "=" in part and ":" not in part and specs:
            specs[-1] += "," + part
        else:
            specs.append(part)
    return specs


def regroup(splits: Splits, grouping: Grouping) -> Splits:
    """The same images under coarser labels."""
    of = torch.tensor(grouping.of)
    digest = hashlib.sha256(splits.fingerprint.encode() + of.numpy().tobytes()).hexdigest()
    train, test = (replace(part, labels=of[part.labels]) for part in (splits.train, splits.test))
    return Splits(train, test, len(grouping.names), digest, lines_hash(grouping.names))


def cut(splits: Splits, spec: Spec) -> Splits:
    """The part of ``splits`` that ``spec`` asks for.

    Classes: the first of one seeded order of all classes, in both splits, renumbered by their old order.
    Fraction: of every class, the first of one seeded order of its train images. Smaller cuts lie inside
    larger ones. `DataError` where there are not that many classes.
    """
    if spec.classes is None and spec.fraction is None:
        return splits
    if spec.classes is not None and spec.classes > splits.classes:
        raise DataError(f"classes in '{spec}' must be at most {splits.classes}")
    generator = torch.Generator().manual_seed(CUT_SEED)
    order = torch.randperm(splits.classes, generator=generator)
    chosen = order[: spec.classes].sort().values if spec.classes is not None else torch.arange(splits.classes)
    renumber = torch.full((splits.classes,), -1, dtype=torch.int64)
    renumber[chosen] = torch.arange(len(chosen))
    train_rows = _train_rows(splits.train.labels, chosen, spec.fraction or 1.0)
    test_rows = (renumber[splits.test.labels] >= 0).nonzero().squeeze(1)
    digest = hashlib.sha256(splits.fingerprint.encode() + train_rows.numpy().tobytes() + test_rows.numpy().tobytes())

    def part(store: Store, rows: Tensor) -> Store:
        return store.select(rows, renumber[store.labels[rows]])

    train, test = part(splits.train, train_rows), part(splits.test, test_rows)
    return replace(splits, train=train, test=test, classes=len(chosen), fingerprint=digest.hexdigest())


def _train_rows(labels: Tensor, classes: Tensor, fraction: float) -> Tensor:
    kept = []
    for c in classes.tolist():
        rows = (labels == c).nonzero().squeeze(1)
        generator = torch.Generator().manual_seed(CUT_SEED + 1 + c)
        shuffled = rows[torch.randperm(len(rows), generator=generator)]
        kept.append(shuffled[: math.ceil(fraction * len(rows) - 1e-9)])
    return torch.cat(kept).sort().values
