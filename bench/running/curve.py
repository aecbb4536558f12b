"""Measures the embeddings for learning curves while a method trains, without the test split."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..datasets.base import Track
from ..datasets.held_out import Held, halves, held_out
from ..datasets.store import Splits, evenly
from ..evaluation import protocol
from ..evaluation.features import encode
from ..metrics import HELD_OUT_KNN
from ..training import collapse
from ..training.trainer import Trainer

TIMES = 10  # in a budget: a tenth of progress apart
IMAGES = 10_000  # of train about, at most: encoding all 50,000 images of a split ten times takes longer than the evaluation


def measure(splits: Splits, track: Track) -> Callable[[Trainer, float], dict[str, float]]:
    """The trainer's callback at each point of its curve: `of_embeddings` where the next tenth of progress is reached."""

    def at(trainer: Trainer, progress: float) -> dict[str, float]:
        done = sum(HELD_OUT_KNN in point for point in trainer.curve)
        if progress >= 1 or progress < (done + 1) / TIMES:
            return {}
        return of_embeddings(trainer.method.encoder, splits, track, trainer.device)

    return at


def of_embeddings(encoder: nn.Module, splits: Splits, track: Track, device: torch.device) -> dict[str, float]:
    """kNN accuracy on the held-out part, spread, alignment and uniformity; nothing unless all embeddings are finite."""
    rows, part = _measured(splits.train.labels)
    store = splits.train.select(rows, splits.train.labels[rows])
    train = encode(encoder, store, track, device)
    if not bool(train.values.isfinite().all()):
        return {}
    accuracy = protocol.curve_knn(train, part, splits.classes)
    alike = collapse.alignment(encoder, store, track.policy, track.size, device)
    return {HELD_OUT_KNN: accuracy} | collapse.spread(train.values) | alike


def _measured(labels: Tensor) -> tuple[Tensor, Held]:
    """The rows of train that are encoded, and their split, for ``labels`` int64 [N].

    Those held out are of the tenth of all train images whose labels no method has.
    """
    whole = held_out(labels)
    thinned = [part[evenly(len(part), round(len(part) * IMAGES / len(labels)))] for part in whole]
    rows = torch.cat(thinned).sort().values
    held = torch.zeros(len(labels), dtype=torch.bool)
    held[whole.held] = True
    return rows.to(labels.device), halves(held[rows])
