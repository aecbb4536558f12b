"""Lloyd's k-means: chunked, seeded, without a host wait. N points, D features, k centroids.

In addition to the points it needs memory for one chunk of distances, a few numbers for each point, and the centroids; it
makes no second copy of the points.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .effort import spend

CHUNK_BYTES = {"cpu": 2 * 2**20, "cuda": 64 * 2**20}  # of a chunk of distances: fits into the cache of a CPU, fills a GPU
SAMPLE = 32  # points for each centroid that k-means++ chooses from
SAMPLE_ALL = 2**16  # at most so many points in all, or 2 k if that is more: with more, k-means++ would dominate the time


class Clustering(NamedTuple):
    """Centroids float [k, D], and each point's nearest one, int64 [N]."""

    centroids: Tensor
    assignment: Tensor


def kmeans(points: Tensor, k: int, iterations: int, generator: torch.Generator, start: Tensor | None = None) -> Clustering:
    """Cluster ``points`` float [N, D] by a fixed number of ``iterations`` of Lloyd's algorithm (a test would be a host wait).

    Starts at ``start`` [k, D], else by k-means++ (Arthur and Vassilvitskii 2007) on a sample of the points.
    An empty cluster gets one of the points farthest from their centroids as its new centroid.
    Raises ValueError where k exceeds N.
    """
    if k > len(points):
        raise ValueError(f"{k} clusters of {len(points)} points")
    drawn = k * sample_size(len(points), k) if start is None else 0
    spend(2 * points.shape[1] * (k * len(points) * (iterations + 1) + drawn))
    centroids = plus_plus(points, k, generator) if start is None else start.clone()
    norms = squared_norms(points)
    for _ in range(iterations):
        nearest, distance = assign(points, centroids)
        centroids = _means(points, nearest, distance.add_(norms), k)
    return Clustering(centroids, assign(points, centroids)[0])


def assign(points: Tensor, centroids: Tensor) -> tuple[Tensor, Tensor]:
    """The nearest centroid of each point, int64 [N], and its squared distance minus the point's squared norm, [N]."""
    half_norm = centroids.square().sum(1) / 2
    nearest = torch.empty(len(points), dtype=torch.int64, device=points.device)
    distance = points.new_empty(len(points))
    rows = chunk_rows(centroids)
    score = points.new_empty(min(rows, len(points)), len(centroids))  # for all chunks: new memory costs a tenth
    for start in range(0, len(points), rows):
        part = points[start : start + rows]
        held = torch.addmm(half_norm, part, centroids.T, beta=-1, out=score[: len(part)])
        best = _row_argmax(held)
        nearest[start : start + rows] = best
        distance[start : start + rows] = held.gather(1, best[:, None])[:, 0].mul_(-2)
    return nearest, distance


def chunk_rows(centroids: Tensor) -> int:
    """The number of points in a chunk of distances to ``centroids``."""
    return max(1, CHUNK_BYTES[centroids.device.type] // (4 * len(centroids)))


def _row_argmax(score: Tensor) -> Tensor:
    """The index of the largest value in each row of [n, k], the first of equals; NumPy's is five times as fast on a CPU."""
    return torch.from_numpy(score.numpy().argmax(1)) if score.device.type == "cpu" else score.argmax(1)


def _means(points: Tensor, nearest: Tensor, distance: Tensor, k: int) -> Tensor:
    counts = torch.zeros(k, device=points.device).index_add_(0, nearest, points.new_ones(len(points)))
    sums = points.new_zeros(k, points.shape[1]).index_add_(0, nearest, points)
    empty = counts == 0
    farthest = distance.topk(k).indices
    substitute = points[farthest[(empty.cumsum(0) - 1).clamp(min=0)]]
    return torch.where(empty[:, None], substitute, sums / counts.clamp(min=1)[:, None])


def squared_norms(points: Tensor) -> Tensor:
    """|x|^2 of each point, [N], without a second copy of the points."""
    return torch.linalg.vector_norm(points, dim=1).square_()


def sample_size(images: int, k: int) -> int:
    """The number of points in the sample that k-means++ draws from."""
    return min(images, SAMPLE * k, max(SAMPLE_ALL, 2 * k))


def plus_plus(points: Tensor, k: int, generator: torch.Generator) -> Tensor:
    """k starting centroids [k, D], each drawn with probability proportional to the squared distance to those before it.

    Draws from a sample of at most 32 k points, and at most 65,536 or 2 k where that is more.
    """
    device = points.device
    sample = sample_size(len(points), k)
    if len(points) > sample:
        chosen = torch.randperm(len(points), generator=generator, device=generator.device)[:sample]
        points = points[chosen.to(device)]
    draws = torch.rand(k, generator=generator, device=generator.device).to(device)
    norms = squared_norms(points)
    centroids = points.new_empty(k, points.shape[1])
    closest = points.new_ones(len(points))  # the first one is drawn uniformly
    for i in range(k):
        cumulative = closest.cumsum(0)
        place = torch.searchsorted(cumulative, draws[i] * cumulative[-1]).clamp(max=len(points) - 1)
        centroids[i] = points.index_select(0, place.reshape(1))[0]
        distance = torch.addmv(norms, points, centroids[i], alpha=-2).add_(centroids[i].square().sum()).clamp_(min=0)
        closest = distance if i == 0 else torch.minimum(closest, distance)
    return centroids
