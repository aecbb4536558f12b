"""Linear evaluation on a share of the train labels, in addition to the protocol's on all of them.

The names of metrics and choices end in the share, ``linear_top1@1%``. Everything else is the protocol, applied to the subset:
it is standardised by its own statistics, the same strengths are compared, and the whole test split is used. A method that
uses labels was trained on nine tenths of the labels that choose the strength here.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

import torch
from torch import Tensor

from ..datasets.held_out import HELD_OUT, SPLIT_SEED, Held, by_class, halves, held_out
from ..errors import UserError
from ..metrics import on_a_share as named
from ..metrics import on_few_labels
from .evaluator import Evaluator
from .frozen import Features, Frozen, Scores
from .linear import linear_metrics

LABEL_SEED = 20200617  # the same subset for every method and seed
FOLDS = 5  # most folds, where a tenth of some class is less than one image


def parse_fractions(text: str | None) -> tuple[float, ...]:
    """Parse the comma-separated fractions of ``--labels``, smallest first; `UserError` says what would be right."""
    works = "fractions of the train labels above 0 and at most 1, with commas, such as 0.01,0.1"
    found: list[float] = []
    for part in [] if text is None else text.split(","):
        try:
            fraction = float(f"{float(part):g}")  # rounded as in names
        except ValueError:
            raise UserError(f"cannot read --labels {text!r}: write {works}") from None
        if not 1e-6 <= fraction <= 1:
            raise UserError(f"--labels {text!r}: {part.strip()} does not fit; write {works}")
        if fraction in found:
            raise UserError(f"--labels gives {part.strip()} twice")
        found.append(fraction)
    return tuple(sorted(found))


def subset(labels: Tensor, fraction: float) -> Tensor:
    """Rows int64, ascending: the first ``fraction`` of every class in a seeded order, rounded up to at least one image.

    Labels int64 [N]. Smaller subsets are contained in larger ones.
    """
    chosen = [rows[: math.ceil(fraction * len(rows) - 1e-9)] for rows in by_class(labels, LABEL_SEED)]
    return torch.cat(chosen).sort().values


def splits(labels: Tensor) -> tuple[str, list[Held]]:
    """The rule that chooses the strength on a subset with labels int64 [N], as text, and its splits.

    The protocol's held-out tenth where every class has ten images. With fewer, stratified folds: five, or the number of images
    of the smallest class if that is less. With a class of one image nothing can be held out, and the strength is fixed.
    """
    fewest = int(labels.unique(return_counts=True)[1].min())
    if fewest * HELD_OUT >= 1:
        return "held-out tenth", [held_out(labels)]
    if fewest < 2:
        return "fixed: C = 1", []
    folds = min(FOLDS, fewest)
    fold = torch.empty(len(labels), dtype=torch.int64)
    for rows in by_class(labels, SPLIT_SEED):
        fold[rows] = torch.arange(len(rows)) % folds
    return f"{folds} folds", [halves(fold == held) for held in range(folds)]


class FewLabels(Evaluator):
    """Top-1 and top-5 for each of ``fractions``; also the number of images, the strength, and the rule that chose it."""

    name = "few_labels"
    version = 2
    option = "--labels"

    @classmethod
    def of(cls, text: str) -> FewLabels:
        return cls(parse_fractions(text))

    def __init__(self, fractions: Sequence[float] = ()):
        self.fractions = tuple(fractions)
        self.columns = tuple(on_few_labels(fraction) for fraction in self.fractions)

    def evaluate(self, frozen: Frozen) -> Scores:
        metrics: dict[str, float] = {}
        chosen: dict[str, Any] = {}
        for fraction in self.fractions:
            rows = subset(frozen.train.labels, fraction).to(frozen.train.values.device)
            few = Features(frozen.train.values[rows], frozen.train.labels[rows])
            how, parts = splits(few.labels)
            found = linear_metrics(few, frozen.test, frozen.classes, parts)
            choice = {**found.chosen, "linear_images": len(rows), "linear_chosen_by": how}
            metrics |= {named(key, fraction): value for key, value in found.metrics.items()}
            chosen |= {named(key, fraction): value for key, value in choice.items()}
        return Scores(metrics, chosen)

    def missing(self, metrics: Collection[str]) -> FewLabels | None:
        left = [f for f, column in zip(self.fractions, self.columns, strict=True) if column.key not in metrics]
        return FewLabels(left) if left else None
