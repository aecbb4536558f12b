"""Linear evaluation on a share of the train labels, beside protocol v1's on all of them.

Metrics and choices carry the share in their names, ``linear_top1@1%``. All else is the protocol on the subset: its own
statistics standardise, the same strengths are compared, the whole test split judges. A method that uses labels has seen
nine tenths of those that choose its strength here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from ..errors import UserError
from ..metrics import on_a_share as named
from ..metrics import share
from .protocol import HELD_OUT, SPLIT_SEED, Features, Held, by_class, halves, held_out, linear_metrics

LABEL_SEED = 20200617  # one subset for everybody, whatever the seed of a run: who gets luckier images wins nothing
FOLDS = 5  # at most, where a class is too small for a tenth of it to be an image


def parse_fractions(text: str | None) -> tuple[float, ...]:
    """The fractions that ``--labels`` lists with commas, smallest first; `UserError` says what would be right."""
    works = "fractions of the train labels above 0 and at most 1, with commas, such as 0.01,0.1"
    found: list[float] = []
    for part in [] if text is None else text.split(","):
        try:
            fraction = float(f"{float(part):g}")  # as it is named
        except ValueError:
            raise UserError(f"cannot read --labels {text!r}: write {works}") from None
        if not 1e-6 <= fraction <= 1:
            raise UserError(f"--labels {text!r}: {part.strip()} does not fit; write {works}")
        if fraction in found:
            raise UserError(f"--labels gives {part.strip()} twice")
        found.append(fraction)
    return tuple(sorted(found))


def lacking(metrics: Iterable[str], fractions: Sequence[float]) -> tuple[float, ...]:
    """Those of ``fractions`` that ``metrics`` do not cover."""
    return tuple(fraction for fraction in fractions if named("linear_top1", fraction) not in metrics)


def merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Both, in one order however they came together: by their share, what carries none first."""
    return dict(sorted((old | new).items(), key=lambda item: share(item[0])))


def subset(labels: Tensor, fraction: float) -> Tensor:
    """Rows int64, ascending: of every class the first of one seeded order, rounded up, so at least one image.

    Labels int64 [N]. Smaller subsets lie inside larger ones.
    """
    chosen = [rows[: math.ceil(fraction * len(rows) - 1e-9)] for rows in by_class(labels, LABEL_SEED)]
    return torch.cat(chosen).sort().values


def splits(labels: Tensor) -> tuple[str, list[Held]]:
    """How the strength is chosen on a subset with labels int64 [N], in words, and the splits that choose it.

    Where every class has ten images, the protocol's held-out tenth. Below, a tenth of a class is no image: stratified folds, five
    or as many as the smallest class has images. A class of one image leaves nothing to hold out, so nothing is chosen.
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


def evaluate(
    train: Features, test: Features, classes: int, fractions: Sequence[float]
) -> tuple[dict[str, float], dict[str, Any]]:
    """Top-1 and top-5 for each of ``fractions``; how many images were used, and how which strength was chosen."""
    metrics: dict[str, float] = {}
    chosen: dict[str, Any] = {}
    for fraction in fractions:
        rows = subset(train.labels, fraction).to(train.values.device)
        few = Features(train.values[rows], train.labels[rows])
        how, parts = splits(few.labels)
        found, choice, _ = linear_metrics(few, test, classes, parts)
        choice |= {"linear_images": len(rows), "linear_chosen_by": how}
        metrics |= {named(key, fraction): value for key, value in found.items()}
        chosen |= {named(key, fraction): value for key, value in choice.items()}
    return metrics, chosen
