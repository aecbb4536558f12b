"""Evaluation protocol v1: what is computed from the features of both splits, and how strengths are chosen.

Changing anything here that changes a number means a new VERSION: records carry it, and others become stale.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .knn import Setting, knn_predict
from .linear import Heads, Standardizer, solve, top_k_accuracy

VERSION = "v1"
HEADLINE = Setting(k=20, temperature=0.07)
SECONDARY = Setting(k=200, temperature=0.1)
STRENGTHS = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1e0)
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


def held_out(labels: Tensor) -> Held:
    """A seeded stratified split: a tenth of each class, at least one image where it has two."""
    labels = labels.cpu()
    held = torch.zeros(len(labels), dtype=torch.bool)
    for c in labels.unique().tolist():
        rows = (labels == c).nonzero().squeeze(1)
        generator = torch.Generator().manual_seed(SPLIT_SEED + c)
        count = min(len(rows) - 1, max(1, round(HELD_OUT * len(rows))))
        held[rows[torch.randperm(len(rows), generator=generator)[:count]]] = True
    return Held((~held).nonzero().squeeze(1), held.nonzero().squeeze(1))


def evaluate(train: Features, test: Features, classes: int) -> tuple[dict[str, float], dict[str, float]]:
    """Metrics of a representation (fractions), and what was chosen on the way to them."""
    knn, knn200 = knn_predict(test.values, train.values, train.labels, classes, [HEADLINE, SECONDARY])
    heads, chosen = fit_linear(train, classes)
    logits = heads.logits(Standardizer.fit(train.values)(test.values))[0]
    metrics = {
        "linear_top1": float(top_k_accuracy(logits, test.labels, 1)),
        "linear_top5": float(top_k_accuracy(logits, test.labels, 5)),
        "knn_top1": float((knn == test.labels).double().mean()),
        "knn200_top1": float((knn200 == test.labels).double().mean()),
    }
    bank = len(train.labels)
    return metrics, chosen | {"knn_k": min(HEADLINE.k, bank), "knn200_k": min(SECONDARY.k, bank)}


def fit_linear(train: Features, classes: int) -> tuple[Heads, dict[str, float]]:
    """The linear head refitted on all of train (standardised) with the strength that its held-out tenth chose."""
    part = held_out(train.labels)
    rows, held = part.fit.to(train.values.device), part.held.to(train.values.device)
    scaler = Standardizer.fit(train.values[rows])
    grid = solve(scaler(train.values[rows]), train.labels[rows], classes, STRENGTHS, tolerance=CHOOSING)
    scores = top_k_accuracy(grid.logits(scaler(train.values[held])), train.labels[held], 1)
    best = len(STRENGTHS) - 1 - int(scores.flip(0).argmax())  # of equal ones the strongest
    start = Heads(grid.weight[best, None], grid.bias[best, None], 0)
    refit = solve(Standardizer.fit(train.values)(train.values), train.labels, classes, [STRENGTHS[best]], start)
    chosen = {"linear_strength": STRENGTHS[best], "linear_held_out_top1": float(scores[best])}
    return refit, chosen


def curve_knn(train: Features, part: Held, classes: int) -> float:
    """kNN accuracy on the held-out part of train, for learning curves: the test split stays untouched."""
    fit, held = part.fit.to(train.values.device), part.held.to(train.values.device)
    (predicted,) = knn_predict(train.values[held], train.values[fit], train.labels[fit], classes, [HEADLINE])
    return float((predicted == train.labels[held]).double().mean())
