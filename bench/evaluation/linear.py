"""Linear evaluation: multinomial logistic regression on standardised features; a held-out tenth chooses the L2 strength."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..datasets.held_out import Held, held_out
from ..metrics import LINEAR_TOP1, LINEAR_TOP5
from .evaluator import Evaluator
from .frozen import Features, Frozen, Scores
from .logistic import Heads, Standardizer, in_top_k, solve, top_k_accuracy

STRENGTHS = (1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1e0)
ROUNDING = 1e-9  # of accuracies: one image less is one image less
CHOOSING = 1e-3  # tolerance while strengths are compared: finer than differences that a held-out tenth can show


class Linear(Evaluator):
    """Linear evaluation, fitted on all train images."""

    name = "linear"
    version = 3
    columns = (LINEAR_TOP1, LINEAR_TOP5)

    def evaluate(self, frozen: Frozen) -> Scores:
        return head_of(frozen).scores(frozen.test)


class Head(NamedTuple):
    """A fitted classifier with the standardisation of its features, and the choices that led to it."""

    heads: Heads
    scaler: Standardizer
    chosen: dict[str, Any]

    def scores(self, test: Features) -> Scores:
        """Top-1 and top-5 accuracy on ``test``."""
        logits = self.heads.logits(self.scaler(test.values))[0]
        right = {k: in_top_k(logits, test.labels, k) for k in (1, 5)}
        metrics = {f"linear_top{k}": float(found.double().mean()) for k, found in right.items()}
        return Scores(metrics, self.chosen, {"linear_top1": right[1]})


def head_of(frozen: Frozen) -> Head:
    """The protocol's classifier, fitted once and shared by all evaluators that use it."""
    return frozen.once("linear head", lambda: _fitted(frozen.train, frozen.classes, None))


def linear_metrics(train: Features, test: Features, classes: int, parts: Sequence[Held]) -> Scores:
    """The scores of the classifier of `fit_linear`."""
    return _fitted(train, classes, parts).scores(test)


def _fitted(train: Features, classes: int, parts: Sequence[Held] | None) -> Head:
    heads, chosen = fit_linear(train, classes, parts)
    return Head(heads, Standardizer.fit(train.values), chosen)


def fit_linear(train: Features, classes: int, parts: Sequence[Held] | None = None) -> tuple[Heads, dict[str, Any]]:
    """The linear head, fitted on all of train (standardised) with the strength that the held-out tenth chose; and the choices.

    ``parts`` are other splits for the choice, by the mean accuracy over them. If none holds an image out (with one image a
    class), nothing is chosen and the strength is 1 / N, scikit-learn's default of C = 1.
    """
    parts = [part for part in ([held_out(train.labels)] if parts is None else parts) if len(part.held)]
    strength, start, chosen = 1 / len(train.labels), None, {}
    if parts:
        grids, scores = zip(*(_try(train, classes, part) for part in parts), strict=True)
        score = torch.stack(scores).mean(0)
        taken = choose(score, sum(len(part.held) for part in parts))
        start = Heads(grids[-1].weight[taken, None], grids[-1].bias[taken, None])
        strength = STRENGTHS[taken]
        edge = {0: "weak", len(STRENGTHS) - 1: "strong"}.get(taken)  # the best strength may be beyond the grid
        chosen = {"linear_held_out_top1": float(score[taken]), "linear_at_edge": edge}
    refit = solve(Standardizer.fit(train.values)(train.values), train.labels, classes, [strength], start)
    return refit, {"linear_strength": strength} | chosen


def choose(score: Tensor, held: int) -> int:
    """The index of the chosen strength: the middle one of those that are as good as the best on ``held`` images.

    Accuracies [G] of strengths from weak to strong. Those within one standard error of the best, sqrt(p (1 - p) / held), or
    within one image, count as equal to it (the rule of Breiman et al. 1984, *Classification and Regression Trees*, 3.4.3).
    Where accuracy does not depend on the strength, the best one may by chance be at an edge of the grid; the middle is not.
    """
    best = float(score.max())
    band = max(math.sqrt(best * (1 - best) / held), 1 / held)
    equal = (score >= best - band - ROUNDING).nonzero().squeeze(1)
    return int(equal[len(equal) // 2])


def _try(train: Features, classes: int, part: Held) -> tuple[Heads, Tensor]:
    """Heads of all strengths, fitted on ``part.fit``, and their accuracies [G] on ``part.held``."""
    rows, held = part.fit.to(train.values.device), part.held.to(train.values.device)
    scaler = Standardizer.fit(train.values[rows])
    grid = solve(scaler(train.values[rows]), train.labels[rows], classes, STRENGTHS, tolerance=CHOOSING)
    return grid, top_k_accuracy(grid.logits(scaler(train.values[held])), train.labels[held], 1)
