"""Weighted k-nearest-neighbour classification by cosine similarity (Wu et al. 2018), in bounded memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..metrics import KNN200_TOP1, KNN_TOP1
from .evaluator import Evaluator
from .frozen import Features, Frozen, Scores, directions

CHUNK_BYTES = 64 * 2**20  # of a chunk of similarities


class Setting(NamedTuple):
    """The number of neighbours k, and the temperature of their votes exp(similarity / temperature)."""

    k: int
    temperature: float


PRIMARY = Setting(k=20, temperature=0.07)
SECONDARY = Setting(k=200, temperature=0.1)


def knn_predict(queries: Tensor, train: Tensor, labels: Tensor, classes: int, settings: Sequence[Setting]) -> list[Tensor]:
    """Predicted classes int64 [Q], one tensor for each setting, in one pass.

    queries float [Q, D], train float [N, D], labels int64 [N]. k is at most N. Of classes with equal votes, the one with
    the lowest label is predicted.
    """
    queries, train = directions(queries), directions(train)
    most = min(max(s.k for s in settings), len(train))
    rows = max(1, CHUNK_BYTES // (4 * len(train)))
    predicted: list[list[Tensor]] = [[] for _ in settings]
    for part in queries.split(rows):
        similarity, neighbours = (part @ train.T).topk(most, dim=1)
        theirs = labels[neighbours]
        for setting, out in zip(settings, predicted, strict=True):
            weights = (similarity[:, : setting.k] / setting.temperature).exp()
            votes = weights.new_zeros(len(part), classes).scatter_add_(1, theirs[:, : setting.k], weights)
            out.append(votes.argmax(1))
    return [torch.cat(parts) for parts in predicted]


def knn_metrics(train: Features, test: Features, classes: int) -> Scores:
    """The metrics of both kNN settings."""
    predicted = knn_predict(test.values, train.values, train.labels, classes, [PRIMARY, SECONDARY])
    knn, knn200 = (found == test.labels for found in predicted)
    metrics = {"knn_top1": float(knn.double().mean()), "knn200_top1": float(knn200.double().mean())}
    images = len(train.labels)
    return Scores(metrics, {"knn_k": min(PRIMARY.k, images), "knn200_k": min(SECONDARY.k, images)}, {"knn_top1": knn})


class Knn(Evaluator):
    """kNN classification of the test images by all train images, with two settings."""

    name = "knn"
    version = 2
    columns = (KNN_TOP1, KNN200_TOP1)

    def evaluate(self, frozen: Frozen) -> Scores:
        return knn_metrics(frozen.train, frozen.test, frozen.classes)
