"""Evaluation protocol v3: kNN v2 and linear evaluation v3 of the same features; also the kNN of learning curves.

`evaluate` is the protocol alone, for features from anywhere.

Any change of the numbers that `knn`, `linear`, `logistic` or `held_out` give needs a new `versions.PROTOCOL`: records of the
old version become stale.
"""

from __future__ import annotations

from ..datasets.held_out import Held
from .evaluator import evaluate_all
from .frozen import Features, Frozen, Scores
from .knn import PRIMARY, Knn, knn_metrics, knn_predict
from .linear import Linear, head_of

TOP1 = {"linear_top1": "linear", "knn_top1": "kNN"}  # the metrics of `both_top1`, and their names in titles


def evaluate(train: Features, test: Features, classes: int) -> Scores:
    """The scores of the protocol's evaluators. Raises `Diverged` where a feature is not finite."""
    return evaluate_all(Frozen(train, test, classes), (Linear(), Knn()))


def both_top1(frozen: Frozen, test: Features) -> Scores:
    """Top-1 on ``test`` of the protocol's two classifiers, fitted on the train images of ``frozen``; keys as in TOP1."""
    linear, knn = head_of(frozen).scores(test), knn_metrics(frozen.train, test, frozen.classes)
    found = {**linear.metrics, **knn.metrics}
    return Scores({key: found[key] for key in TOP1}, {**linear.chosen, **knn.chosen})


def curve_knn(train: Features, part: Held, classes: int) -> float:
    """kNN accuracy on the held-out part of train, for learning curves, which must not use the test split."""
    fit, held = part.fit.to(train.values.device), part.held.to(train.values.device)
    (predicted,) = knn_predict(train.values[held], train.values[fit], train.labels[fit], classes, [PRIMARY])
    return float((predicted == train.labels[held]).double().mean())
