"""Pseudo labels by clustering, and which of them are accepted. S label sets, N images, k clusters."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from ..base import PseudoLabelView
from .effort import spend
from .kmeans import Clustering, chunk_rows, kmeans

ITERATIONS = 20  # of Lloyd's algorithm, as PCL (Li et al. 2021)
Confidence = Literal["softmax", "cosine", "margin"]
Schedule = Literal["linear", "step", "constant"]


class PseudoLabels(nn.Module):
    """S sets of cluster labels for N images, of which the most confident are accepted; none before `detect`."""

    clusters: Tensor
    labels: Tensor

    def __init__(self, images: int, counts: tuple[int, ...]):
        super().__init__()
        self.counts = counts
        none = torch.full((len(counts), images + 1), -1)  # the last column is that of index -1, which is no image
        self.register_buffer("clusters", none)
        self.register_buffer("labels", none.clone())
        self.detections, self.accepted = 0, 0.0

    def detect(
        self, features: Tensor, rate: float, confidence: Confidence, temperature: float, seen: Tensor | None = None
    ) -> None:
        """Cluster ``features`` [N, D] and accept the most confident share ``rate`` of each label set.

        Normalises ``features`` in place: a copy would double the memory. Images that are not ``seen`` (bool [N];
        None: all are) are in no cluster and are never accepted.
        """
        images = len(features)
        places = torch.arange(images, device=features.device) if seen is None else seen.nonzero()[:, 0]
        points = normalize_(features if len(places) == images else features[places])
        generator = torch.Generator().manual_seed(int(torch.randint(2**62, ())))  # follows the global generator
        accepted = min(len(places), math.floor(rate * images + 1e-9))
        self.clusters.fill_(-1)
        self.labels.fill_(-1)
        for label_set, k in enumerate(self.counts):
            clustering = kmeans(points, k, ITERATIONS, generator)
            certain = certainty(points, clustering, confidence, temperature).topk(accepted).indices
            self.clusters[label_set, places] = clustering.assignment
            self.labels[label_set, places[certain]] = clustering.assignment[certain]
        self.detections += 1
        self.accepted = accepted / images

    def same(self, anchors: Tensor, images: Tensor) -> Tensor:
        """Whether anchor [A] and image [M] have the same accepted label, in each label set: bool [S, A, M]."""
        return same_label(self.labels, anchors, images)

    def view(self) -> PseudoLabelView:
        """The pseudo labels, without the extra column."""
        return PseudoLabelView(self.clusters[:, :-1], self.labels[:, :-1], self.detections)

    def get_extra_state(self) -> dict:
        return {"detections": self.detections, "accepted": self.accepted}

    def set_extra_state(self, state: dict) -> None:
        self.detections, self.accepted = state["detections"], state["accepted"]


def same_label(labels: Tensor, anchors: Tensor, images: Tensor) -> Tensor:
    """Whether ``anchors`` [A] and ``images`` [M] have the same label: bool [S, A, M]; false where they have none.

    ``labels`` int64 [S, N + 1], -1 for none; the last column, always -1, is that of index -1, which is no image.
    """
    ours, theirs = labels[:, anchors], labels[:, images]
    return (ours[:, :, None] == theirs[:, None, :]) & (ours >= 0)[:, :, None]


def cluster_counts(chosen: tuple[int, ...] | None, images: int) -> tuple[int, ...]:
    """The ``chosen`` numbers of clusters without duplicates; (N/500, N/200, N/100), each at least 2, for auto (None).

    Raises ValueError where there are more clusters than images.
    """
    counts = tuple(dict.fromkeys(chosen or (max(2, images // n) for n in (500, 200, 100))))
    if max(counts) > images:
        raise ValueError(f"{max(counts)} clusters exceed the {images} train images")
    return counts


def normalize_(points: Tensor) -> Tensor:
    """``points`` float [N, D], each scaled to length 1 in place."""
    return points.div_(torch.linalg.vector_norm(points, dim=1, keepdim=True).clamp_(min=1e-12))


def certainty(points: Tensor, clustering: Clustering, kind: Confidence, temperature: float) -> Tensor:
    """The confidence of each point's cluster assignment, [N]; comparable within one kind only.

    softmax: log softmax of cosine / temperature over all centroids, at the assigned one; cosine: the cosine to the assigned
    centroid; margin: that cosine minus the largest cosine to another centroid.
    """
    centroids = normalize(clustering.centroids, dim=1)
    spend(2 * points.numel() * len(centroids))
    rows = chunk_rows(centroids)
    sure = points.new_empty(len(points))  # one tensor: small ones allocated between the chunks would fragment the memory
    for part, assigned, out in zip(points.split(rows), clustering.assignment.split(rows), sure.split(rows), strict=True):
        cosine = part @ centroids.T
        own = cosine.gather(1, assigned[:, None])[:, 0]
        if kind == "softmax":
            own = own / temperature - (cosine / temperature).logsumexp(1)
        elif kind == "margin":
            own = own - cosine.scatter(1, assigned[:, None], -2.0).max(1).values
        out.copy_(own)
    return sure


def acceptance(schedule: Schedule, progress: float, warmup: float, end: float) -> float:
    """The share of labels accepted at ``progress``: none during ``warmup``, at most ``end``.

    linear: from 0 at the end of the warm-up to ``end``; step: 1/4, 1/2, 3/4 and all of ``end``, for a quarter of the
    remaining time each; constant: ``end`` from the end of the warm-up on.
    """
    if progress < warmup or (progress == warmup and schedule == "linear"):
        return 0.0
    elapsed = 1.0 if warmup >= 1 else (progress - warmup) / (1 - warmup)
    if schedule == "linear":
        return end * elapsed
    return end * min(1.0, (math.floor(4 * elapsed + 1e-9) + 1) / 4) if schedule == "step" else end
