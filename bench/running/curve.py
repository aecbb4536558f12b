"""Measures the embeddings for learning curves while a method trains, without the test split."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import nn

from ..datasets.base import Track
from ..datasets.held_out import Held, halves, held_out
from ..datasets.store import Splits, Store, evenly
from ..evaluation import protocol
from ..evaluation.features import encode
from ..metrics import HELD_OUT_KNN
from ..training import collapse
from ..training.trainer import Trainer

TIMES = 10  # in a budget: a tenth of progress apart
IMAGES = 10_000  # of train about, at most: encoding all 50,000 images of a split ten times takes longer than the evaluation


class Sample(NamedTuple):
    """The train images that curves are measured on, which of them are held out, and the number of classes."""

    store: Store
    part: Held
    classes: int


def sample(splits: Splits) -> Sample:
    """About IMAGES of train at most; those held out are of the tenth of all its images whose labels no method has."""
    labels = splits.train.labels
    whole = held_out(labels)
    thinned = [part[evenly(len(part), round(len(part) * IMAGES / len(labels)))] for part in whole]
    rows = torch.cat(thinned).sort().values
    held = torch.zeros(len(labels), dtype=torch.bool)
    held[whole.held] = True
    there = rows.to(labels.device)
    return Sample(splits.train.select(there, labels[there]), halves(held[rows]), splits.classes)


def measure(splits: Splits, track: Track) -> Callable[[Trainer, float], dict[str, float]]:
    """The trainer's callback at each point of its curve: `of_embeddings` where the next tenth of progress is reached."""
    chosen = sample(splits)

    def at(trainer: Trainer, progress: float) -> dict[str, float]:
        done = sum(HELD_OUT_KNN in point for point in trainer.curve)
        if progress >= 1 or progress < (done + 1) / TIMES:
            return {}
        return of_embeddings(trainer.method.encoder, chosen, track, trainer.device)

    return at


def of_embeddings(encoder: nn.Module, chosen: Sample, track: Track, device: torch.device) -> dict[str, float]:
    """kNN accuracy on the held-out part, spread, alignment and uniformity; nothing unless all embeddings are finite."""
    train = encode(encoder, chosen.store, track, device)
    if not bool(train.values.isfinite().all()):
        return {}
    accuracy = protocol.curve_knn(train, chosen.part, chosen.classes)
    alike = collapse.alignment(encoder, chosen.store, track.policy, track.size, device)
    return {HELD_OUT_KNN: accuracy} | collapse.spread(train.values) | alike
