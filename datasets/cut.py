"""The part of a dataset that a spec asks for: fewer classes, fewer images, coarser labels, or no test split."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace

import torch
from torch import Tensor

from .base import DataError, Grouping
from .held_out import by_class, held_out
from .spec import Spec
from .store import Splits, Store
from .trees import lines_hash

CUT_SEED = 20220501  # independent of a run's seed, as the data is part of the track
TRAIN_SEED, TEST_SEED = CUT_SEED + 1, CUT_SEED + 10**6  # for the orders of images; the class is added
DRAWS = 10**7  # distance between the seeds of two draws of classes


def regroup(splits: Splits, grouping: Grouping) -> Splits:
    """The same images under coarser labels."""
    of = torch.tensor(grouping.of)
    digest = hashlib.sha256(splits.fingerprint.encode() + of.numpy().tobytes()).hexdigest()
    train, test = (replace(part, labels=of[part.labels]) for part in (splits.train, splits.test))
    return Splits(train, test, len(grouping.names), digest, lines_hash(grouping.names))


def cut(splits: Splits, spec: Spec, grouping: Grouping | None = None) -> Splits:
    """The part of ``splits`` that ``spec`` asks for, under the coarser labels of ``grouping`` if there is one.

    ``classes``: the first in a seeded order of all classes, coarse ones with a grouping, for both splits, renumbered in their
    old order; ``draw`` picks another order. ``fraction``, ``images``, ``test``: the first images of each of the track's own
    classes in a seeded order, so that they are the same images under either labels. Smaller cuts are subsets of larger
    ones. `DataError` where there are too few classes or images.
    """
    whole = splits if grouping is None else regroup(splits, grouping)
    if all(part is None for part in (spec.classes, spec.fraction, spec.images, spec.test)):
        return whole
    if spec.classes is not None and spec.classes > whole.classes:
        raise DataError(f"classes in '{spec}' must be at most {whole.classes}")
    chosen = _classes(whole.classes, spec)
    renumber = torch.full((whole.classes,), -1, dtype=torch.int64)
    renumber[chosen] = torch.arange(len(chosen))
    new_label = renumber if grouping is None else renumber[torch.tensor(grouping.of)]  # of each of the track's own classes
    own = (new_label >= 0).nonzero().flatten()
    train_rows = _first(splits.train.labels, own, TRAIN_SEED, _sizes(splits.train.labels, own, spec.images, spec, "images"))
    test_rows = _first(splits.test.labels, own, TEST_SEED, _sizes(splits.test.labels, own, spec.test, spec, "test"))
    digest = hashlib.sha256(whole.fingerprint.encode() + train_rows.numpy().tobytes() + test_rows.numpy().tobytes())

    def part(store: Store, rows: Tensor) -> Store:
        return store.select(rows, new_label[store.labels[rows]])

    train, test = part(splits.train, train_rows), part(splits.test, test_rows)
    return replace(whole, train=train, test=test, classes=len(chosen), fingerprint=digest.hexdigest())


def develop(splits: Splits, spec: Spec) -> Splits:
    """Train without its held-out tenth, and that tenth as the test split; `DataError` where a class has fewer than two images."""
    labels = splits.train.labels
    few = (labels.bincount(minlength=splits.classes) < 2).nonzero().flatten().tolist()
    if few:
        raise DataError(f"'{spec}' needs two train images of every class to hold one out, and class {few[0]} has fewer")
    part = held_out(labels)
    train, held = (splits.train.select(rows, labels[rows]) for rows in part)
    digest = hashlib.sha256(b"dev" + splits.fingerprint.encode() + part.held.numpy().tobytes()).hexdigest()
    return replace(splits, train=train, test=held, fingerprint=digest)


def _classes(count: int, spec: Spec) -> Tensor:
    """The classes that are kept, in their old order."""
    if spec.classes is None:
        return torch.arange(count)
    generator = torch.Generator().manual_seed(CUT_SEED + DRAWS * (spec.draw or 0))
    return torch.randperm(count, generator=generator)[: spec.classes].sort().values


def _sizes(labels: Tensor, classes: Tensor, total: int | None, spec: Spec, key: str) -> list[int]:
    """How many images of each class are kept: all, the fraction of train, or an equal share of ``total``."""
    have = labels.bincount(minlength=int(classes.max()) + 1)[classes].tolist()
    if total is None:
        fraction = spec.fraction if key == "images" and spec.fraction is not None else 1.0
        return [math.ceil(fraction * count - 1e-9) for count in have]
    share = [total // len(have) + (i < total % len(have)) for i in range(len(have))]
    if min(share) < 1 or any(wanted > count for wanted, count in zip(share, have, strict=True)):
        raise DataError(f"{key} in '{spec}' must be from {len(have)} to {len(have) * min(have)}: an equal share of each class")
    return share


def _first(labels: Tensor, classes: Tensor, seed: int, sizes: list[int]) -> Tensor:
    """The rows of the first ``sizes`` images of each class in a seeded order of its images; ascending."""
    kept = [rows[:size] for rows, size in zip(by_class(labels, seed, classes), sizes, strict=True)]
    return torch.cat(kept).sort().values
