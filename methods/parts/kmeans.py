"""Lloyd's k-means in plain torch: chunked, seeded, without a host wait. N points, D features, k centroids.

Beside the points it holds a chunk of distances, a few numbers a point and the centroids: no second copy of
the points, however many they are.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .effort import spend

CHUNK_BYTES = {"cpu": 2 * 2**20, "cuda": 64 * 2**20}  # of distances held at a time: what the cache holds, what fills a GPU
SAMPLE = 32  # points a centroid that k-means++ chooses from,
SAMPLE_ALL = 2**16  # and at most so many in all, or twice k: beyond, its k passes over them would take the longest


class Clustering(NamedTuple):
    """Centroids float [k, D], and each point's nearest one, int64 [N]."""

    centroids: Tensor
    assignment: Tensor


def kmeans(points: Tensor, k: int, iterations: int, generator: torch.Generator, start: Tensor | None = None) -> Clustering:
    """Cluster ``points`` float [N, D] by ``iterations`` of Lloyd's algorithm, a fixed number (no test to wait for).

    Starts at ``start`` [k, D], else by k-means++ (Arthur and Vassilvitskii 2007) on a sample of the points.
    A cluster that ran empty continues at one of the points farthest from their centroids.
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
    """The nearest centroid of each point, int64 [N], and its squared distance less the point's own norm, [N]."""
    half_norm = centroids.square().sum(1) / 2
    nearest = torch.empty(len(points), dtype=torch.int64, device=points.device)
    distance = points.new_empty(len(points))
    rows = chunk_rows(centroids)
    score = points.new_empty(min(rows, len(points)), len(centroids))  # one for all chunks: new memory costs a tenth
    for start in range(0, len(points), rows):
        part = points[start : start + rows]
        held = torch.addmm(half_norm, part, centroids.T, beta=-1, out=score[: len(part)])
        best = _row_argmax(held)
        nearest[start : start + rows] = best
        distance[start : start + rows] = held.gather(1, best[:, None])[:, 0].mul_(-2)
    return nearest, distance


def chunk_rows(centroids: Tensor) -> int:
    """How many points have their distances to ``centroids`` held at a time."""
    return max(1, CHUNK_BYTES[centroids.device.type] // (4 * len(centroids)))


def _row_argmax(score: Tensor) -> Tensor:
    """Where each row of [n, k] is largest, the first of equals: by NumPy on a CPU, five times as quick there as torch's."""
    return torch.from_numpy(score.numpy().argmax(1)) if score.device.type == "cpu" else score.argmax(1)


def _means(points: Tensor, nearest: Tensor, distance: Tensor, k: int) -> Tensor:
    counts = torch.zeros(k, device=points.device).index_add_(0, nearest, points.new_ones(len(points)))
    sums = points.new_zeros(k, points.shape[1]).index_add_(0, nearest, points)
    empty = counts == 0
    farthest = distance.topk(k).indices
    substitute = points[farthest[(empty.cumsum(0) - 1).clamp(min=0)]]
    return torch.where(empty[:, None], substitute, sums / counts.clamp(min=1)[:, None])


def squared_norms(points: Tensor) -> Tensor:
    """|x|^2 of each point, [N]; a row at a time, so that no second copy of the points is made."""
    return torch.linalg.vector_norm(points, dim=1).square_()


def sample_size(images: int, k: int) -> int:
    """How many of the points k-means++ draws from."""
    return min(images, SAMPLE * k, max(SAMPLE_ALL, 2 * k))


def plus_plus(points: Tensor, k: int, generator: torch.Generator) -> Tensor:
    """k starting centroids [k, D]: each drawn with probability proportional to its squared distance to those before.

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
