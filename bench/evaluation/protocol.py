"""Evaluation protocol v2: what is computed from the features of both splits, and how strengths are chosen.

Changing anything here that changes a number means a new `versions.PROTOCOL`: records carry it, and others become stale.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..errors import Diverged
from .knn import Setting, knn_predict
from .linear import Heads, Standardizer, in_top_k, solve, top_k_accuracy

HEADLINE = Setting(k=20, temperature=0.07)
SECONDARY = Setting(k=200, temperature=0.1)
STRENGTHS = (1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1e0)
CHOOSING = 1e-3  # tolerance while strengths are compared: nearer than a held-out tenth can tell them apart
HELD_OUT = 0.1  # of train, stratified, for choosing the strength and for curves
SPLIT_SEED = 20210603  # one held-out part for every method and seed


class Features(NamedTuple):
    """One split, as a frozen encoder sees it: float [N, D], and its labels int64 [N]."""

    values: Tensor
    labels: Tensor


class Held(NamedTuple):
    """Rows of train kept for fitting, and rows held out; int64."""

    fit: Tensor
    held: Tensor


def by_class(labels: Tensor, seed: int) -> Iterator[Tensor]:
    """The rows of each class, int64, in an order that depends on the seed, the class and its size alone."""
    labels = labels.cpu()
    for c in labels.unique().tolist():
        rows = (labels == c).nonzero().squeeze(1)
        yield rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed + c))]


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


def check_finite(features: Features, split: str) -> None:
    """`Diverged` where a feature is not finite, or where their squares overflow float32."""
    squares = torch.stack([part.square().sum() for part in features.values.split(4096)]).sum()
    if bool(squares.isfinite()):
        return
    bad = int((~features.values.isfinite()).any(1).sum())
    largest = float(features.values.abs().max())
    what = f"{bad} of {len(features.values)} are not finite" if bad else f"up to {largest:.1e}, their squares overflow"
    raise Diverged(f"features of the {split} images: {what}")


class Scores(NamedTuple):
    """Metrics of a representation (fractions), what was chosen on the way to them, and which test images the headline
    metrics got right, bool [N]."""

    metrics: dict[str, float]
    chosen: dict[str, Any]
    right: dict[str, Tensor]


def evaluate(train: Features, test: Features, classes: int) -> Scores:
    """The headline metrics, linear and kNN, with what belongs to them. Raises `Diverged` on features without meaning."""
    check_finite(train, "train")
    check_finite(test, "test")
    linear, knn = linear_metrics(train, test, classes), knn_metrics(train, test, classes)
    return Scores(linear.metrics | knn.metrics, linear.chosen | knn.chosen, linear.right | knn.right)


def knn_metrics(train: Features, test: Features, classes: int) -> Scores:
    """The metrics of both kNN settings."""
    predicted = knn_predict(test.values, train.values, train.labels, classes, [HEADLINE, SECONDARY])
    knn, knn200 = (found == test.labels for found in predicted)
    metrics = {"knn_top1": float(knn.double().mean()), "knn200_top1": float(knn200.double().mean())}
    bank = len(train.labels)
    return Scores(metrics, {"knn_k": min(HEADLINE.k, bank), "knn200_k": min(SECONDARY.k, bank)}, {"knn_top1": knn})


def linear_metrics(train: Features, test: Features, classes: int, parts: Sequence[Held] | None = None) -> Scores:
    """The metrics of `fit_linear`, and what it chose."""
    heads, chosen = fit_linear(train, classes, parts)
    logits = heads.logits(Standardizer.fit(train.values)(test.values))[0]
    right = {k: in_top_k(logits, test.labels, k) for k in (1, 5)}
    metrics = {f"linear_top{k}": float(found.double().mean()) for k, found in right.items()}
    return Scores(metrics, chosen, {"linear_top1": right[1]})


def fit_linear(train: Features, classes: int, parts: Sequence[Held] | None = None) -> tuple[Heads, dict[str, Any]]:
    """The linear head refitted on all of train (standardised) with the strength that its held-out tenth chose.

    ``parts`` are other splits to choose by, by the mean over them. With none there is nothing to choose by, and the
    strength is 1 / N, scikit-learn's default of C = 1.
    """
    parts = [held_out(train.labels)] if parts is None else parts
    strength, start, chosen = 1 / len(train.labels), None, {}
    if parts:
        grids, scores = zip(*(_try(train, classes, part) for part in parts), strict=True)
        score = torch.stack(scores).mean(0)
        best = len(STRENGTHS) - 1 - int(score.flip(0).argmax())  # of equal ones the strongest
        start = Heads(grids[-1].weight[best, None], grids[-1].bias[best, None], 0)
        strength = STRENGTHS[best]
        edge = {0: "weak", len(STRENGTHS) - 1: "strong"}.get(best)  # there the best may lie beyond the grid
        chosen = {"linear_held_out_top1": float(score[best]), "linear_at_edge": edge}
    refit = solve(Standardizer.fit(train.values)(train.values), train.labels, classes, [strength], start)
    return refit, {"linear_strength": strength} | chosen


def _try(train: Features, classes: int, part: Held) -> tuple[Heads, Tensor]:
    """Heads of all strengths on the rows to fit, and their accuracies [G] on those held out."""
    rows, held = part.fit.to(train.values.device), part.held.to(train.values.device)
    scaler = Standardizer.fit(train.values[rows])
    grid = solve(scaler(train.values[rows]), train.labels[rows], classes, STRENGTHS, tolerance=CHOOSING)
    return grid, top_k_accuracy(grid.logits(scaler(train.values[held])), train.labels[held], 1)


def curve_knn(train: Features, part: Held, classes: int) -> float:
    """kNN accuracy on the held-out part of train, for learning curves: the test split stays untouched."""
    fit, held = part.fit.to(train.values.device), part.held.to(train.values.device)
    (predicted,) = knn_predict(train.values[held], train.values[fit], train.labels[fit], classes, [HEADLINE])
    return float((predicted == train.labels[held]).double().mean())
