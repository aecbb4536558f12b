"""The share of training time that detection takes."""

from __future__ import annotations

import time
from collections.abc import Iterator

import torch

from ..methods import Method, registry
from . import scene
from .parts import Parts
from .scene import COLOUR, CPU, Scale, SmallNet
from .timing import Measured, rate

EPOCHS = 200  # of the assumed budget


def detection(scale: Scale, peers: bool, repeats: int) -> Iterator[Measured]:
    """The share of training time that detection takes, by default settings and under a budget of EPOCHS epochs.

    One row for each method with pseudo labels; `detection_share` is the largest share of those that accept them gradually:
    not all of them at half of the budget.
    """
    found = {
        kind.name: _measured(kind, scale)
        for kind in registry().values()
        if kind.role == "contestant" and kind.pseudo_labels is not Method.pseudo_labels
    }
    for name, (share, _) in found.items():
        yield Measured(f"detection_share_{name}", "share of training time", share)
    gradual = [share for share, is_gradual in found.values() if is_gradual]
    if gradual:
        yield Measured("detection_share", "share of training time", max(gradual))


def _measured(kind: type[Method], scale: Scale) -> tuple[float, bool]:
    """The share, and whether pseudo labels are accepted gradually.

    The share is estimated from the time of a step, the time of a detection, and the number of detections in EPOCHS epochs.
    """
    store = scene.random_store(scale.images, scale.classes)
    trainer = scene.make_trainer(kind, SmallNet(), store, COLOUR, 32, scale.batch, CPU)
    parts = Parts(trainer, scale.steps)
    rate(parts.end_to_end)
    epoch = trainer.loader.steps_per_epoch * scale.batch / rate(parts.end_to_end)
    begun = time.perf_counter()
    trainer.method.before_epoch(0.5, trainer.embed)
    once = time.perf_counter() - begun
    half_way = trainer.method.pseudo_labels()
    spent = once * _detections(kind)
    gradual = half_way is not None and not torch.equal(half_way.labels, half_way.clusters)
    return spent / (spent + EPOCHS * epoch), gradual


def _detections(kind: type[Method]) -> int:
    """The number of detections in EPOCHS epochs, counted on few images."""
    twin = scene.make_trainer(kind, SmallNet(), scene.random_store(200, 10), COLOUR, 32, 100, CPU)
    for e in range(EPOCHS):
        twin.method.before_epoch(e / EPOCHS, twin.embed)
    view = twin.method.pseudo_labels()
    return view.detections if view else 0
