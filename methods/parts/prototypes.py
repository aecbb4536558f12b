"""Contrast of queries with cluster centroids, each with a temperature of its own (Li et al. 2021).

S clusterings, N images, D features, k clusters of one clustering.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from ..base import PseudoLabelView
from .kmeans import Clustering, kmeans
from .pairs import cosine
from .pseudo_labels import ITERATIONS, normalize_

QUANTILES = (0.1, 0.9)  # concentrations beyond these are clipped, as in the authors' code


class Prototypes(nn.Module):
    """Centroids, temperatures and assignments of S clusterings; the loss is 0 before the first `cluster`."""

    assignments: Tensor
    active: Tensor

    def __init__(self, images: int, dimension: int, counts: tuple[int, ...]):
        super().__init__()
        self.counts = counts
        self.register_buffer("assignments", torch.zeros(len(counts), images, dtype=torch.int64))
        self.register_buffer("active", torch.zeros(()))
        for s, k in enumerate(counts):
            self.register_buffer(f"centroids{s}", torch.zeros(k, dimension))
            self.register_buffer(f"temperatures{s}", torch.ones(k))
        self.clusterings = 0

    def loss(self, queries: Tensor, images: Tensor) -> Tensor:
        """Mean over clusterings and queries [A, D] of -log softmax(q . c / temperature of c) at the centroid c of the image."""
        terms = []
        for s, own in enumerate(self.assignments[:, images]):
            logits = cosine(queries, self.get_buffer(f"centroids{s}")) / self.get_buffer(f"temperatures{s}")
            terms.append(cross_entropy(logits, own))
        return self.active * torch.stack(terms).mean()

    def cluster(self, features: Tensor, temperature: float, alpha: float) -> None:
        """Cluster ``features`` [N, D] (normalised in place); the clusters' temperatures get the mean ``temperature``."""
        points = normalize_(features)
        generator = torch.Generator().manual_seed(int(torch.randint(2**62, ())))  # follows the global generator
        for s, k in enumerate(self.counts):
            clustering = kmeans(points, k, ITERATIONS, generator)
            self.assignments[s] = clustering.assignment
            self.get_buffer(f"centroids{s}").copy_(normalize(clustering.centroids, dim=1))
            spread = concentration(points, clustering, alpha)
            self.get_buffer(f"temperatures{s}").copy_(spread * (temperature / spread.mean()))
        self.active.fill_(1.0)
        self.clusterings += 1

    def view(self) -> PseudoLabelView:
        """The assignments as pseudo labels, all accepted."""
        return PseudoLabelView(self.assignments, self.assignments, self.clusterings)

    def get_extra_state(self) -> dict:
        return {"clusterings": self.clusterings}

    def set_extra_state(self, state: dict) -> None:
        self.clusterings = state["clusterings"]


def concentration(points: Tensor, clustering: Clustering, alpha: float) -> Tensor:
    """Sum of the Z points' distances to their centroid / (Z log(Z + alpha)), [k]: small for a tight or large cluster.

    A cluster of fewer than two points gets the largest; all are clipped to the middle 80% (the authors' code).
    """
    centroids, assignment = clustering
    k = len(centroids)
    parts = zip(points.split(8192), assignment.split(8192), strict=True)
    distance = torch.cat([(part - centroids[own]).norm(dim=1) for part, own in parts])
    size = points.new_zeros(k).index_add_(0, assignment, torch.ones_like(distance))
    total = points.new_zeros(k).index_add_(0, assignment, distance)
    spread = total / (size * (size + alpha).log()).clamp(min=1e-12)
    spread = torch.where(size > 1, spread, spread.max())
    low, high = torch.quantile(spread, spread.new_tensor(QUANTILES))
    return spread.clamp(low, high).clamp(min=1e-6)
