"""The part of train that is held out: strengths are chosen on it, and learning curves are measured on it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..datasets.cut import by_class

HELD_OUT = 0.1  # of train, stratified
SPLIT_SEED = 20210603  # one held-out part for every method and seed


class Held(NamedTuple):
    """Rows of train kept for fitting, and rows held out; int64."""

    fit: Tensor
    held: Tensor


def held_out(labels: Tensor) -> Held:
    """A seeded stratified split: a tenth of each class, at least one image where it has two."""
    held = torch.zeros(len(labels), dtype=torch.bool)
    for rows in by_class(labels, SPLIT_SEED):
        held[rows[: min(len(rows) - 1, max(1, round(HELD_OUT * len(rows))))]] = True
    return halves(held)


def halves(held: Tensor) -> Held:
    """The split whose held-out rows a mask bool [N] marks."""
    return Held((~held).nonzero().squeeze(1), held.nonzero().squeeze(1))


def shown(labels: Tensor) -> Tensor:
    """The labels int64 [N] that a method may use: -1 for the held-out tenth, which judges it while it trains and after."""
    hidden = labels.clone()
    hidden[held_out(labels).held.to(labels.device)] = -1
    return hidden
