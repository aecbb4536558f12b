"""The part of a dataset that a spec asks for: fewer classes, fewer images, coarser labels, or no test split."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace

import torch
from torch import Tensor

from .base import DataError, Grouping
from .held_out import held_out
from .spec import Spec
from .store import Splits, Store
from .trees import lines_hash

CUT_SEED = 20220501  # one choice for everybody, whatever the seed of a run: the data is part of the track


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


def develop(splits: Splits, spec: Spec) -> Splits:
    """Train less its held-out tenth, and that tenth in the place of the test split; `DataError` where a class has one image."""
    labels = splits.train.labels
    few = (labels.bincount(minlength=splits.classes) < 2).nonzero().flatten().tolist()
    if few:
        raise DataError(f"'{spec}' needs two train images of every class to hold one out, and class {few[0]} has fewer")
    part = held_out(labels)
    train, held = (splits.train.select(rows, labels[rows]) for rows in part)
    digest = hashlib.sha256(b"dev" + splits.fingerprint.encode() + part.held.numpy().tobytes()).hexdigest()
    return replace(splits, train=train, test=held, fingerprint=digest)


def _train_rows(labels: Tensor, classes: Tensor, fraction: float) -> Tensor:
    kept = []
    for c in classes.tolist():
        rows = (labels == c).nonzero().squeeze(1)
        generator = torch.Generator().manual_seed(CUT_SEED + 1 + c)
        shuffled = rows[torch.randperm(len(rows), generator=generator)]
        kept.append(shuffled[: math.ceil(fraction * len(rows) - 1e-9)])
    return torch.cat(kept).sort().values
