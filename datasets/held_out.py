"""The held-out tenth of train: evaluation chooses its strength on it, and learning curves are measured on it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

HELD_OUT = 0.1  # of train, stratified
SPLIT_SEED = 20210603  # the same held-out part for every method and seed


class Held(NamedTuple):
    """A split of train: rows used for fitting, and rows held out; int64."""

    fit: Tensor
    held: Tensor


def by_class(labels: Tensor, seed: int, classes: Tensor | None = None) -> Iterator[Tensor]:
    """For each of the ``classes`` its rows, int64, in an order that depends only on the seed, the class and its size.

    ``labels`` int64 [N]; by default all classes that have a row.
    """
    labels = labels.cpu()
    for c in (labels.unique() if classes is None else classes).tolist():
        rows = (labels == c).nonzero().squeeze(1)
        yield rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed + c))]


def held_out(labels: Tensor) -> Held:
    """A seeded stratified split: a tenth of each class, at least one image where it has two."""
    held = torch.zeros(len(labels), dtype=torch.bool)
    for rows in by_class(labels, SPLIT_SEED):
        held[rows[: min(len(rows) - 1, max(1, round(HELD_OUT * len(rows))))]] = True
    return halves(held)


def halves(held: Tensor) -> Held:
    """The split with the held-out rows that the mask ``held`` bool [N] marks."""
    return Held((~held).nonzero().squeeze(1), held.nonzero().squeeze(1))


def shown(labels: Tensor) -> Tensor:
    """The labels int64 [N] that a method may use: -1 for the held-out tenth, as that rates it during training and after."""
    hidden = labels.clone()
    hidden[held_out(labels).held.to(labels.device)] = -1
    return hidden
