"""Weighted k-nearest-neighbour classification by cosine similarity (Wu et al. 2018), in bounded memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize

CHUNK_BYTES = 64 * 2**20  # of similarities held at a time


class Setting(NamedTuple):
    """Neighbours and the temperature of their votes, exp(similarity / temperature)."""

    k: int
    temperature: float


def knn_predict(queries: Tensor, bank: Tensor, labels: Tensor, classes: int, settings: Sequence[Setting]) -> list[Tensor]:
    """Predicted classes int64 [Q], one tensor for each setting, in one pass.

    queries float [Q, D], bank float [N, D], labels int64 [N]. k is capped at N. Of classes with equal
    votes the lower one wins.
    """
    queries, bank = normalize(queries, dim=1), normalize(bank, dim=1)
    most = min(max(s.k for s in settings), len(bank))
    rows = max(1, CHUNK_BYTES // (4 * len(bank)))
    predicted: list[list[Tensor]] = [[] for _ in settings]
    for part in queries.split(rows):
        similarity, neighbours = (part @ bank.T).topk(most, dim=1)
        theirs = labels[neighbours]
        for setting, out in zip(settings, predicted, strict=True):
            weights = (similarity[:, : setting.k] / setting.temperature).exp()
            votes = weights.new_zeros(len(part), classes).scatter_add_(1, theirs[:, : setting.k], weights)
            out.append(votes.argmax(1))
    return [torch.cat(parts) for parts in predicted]
