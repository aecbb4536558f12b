"""Lloyd's k-means in plain torch: chunked, seeded, without a host wait. N points, D features, k centroids."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

CHUNK_BYTES = 128 * 2**20  # of distances held at a time
SAMPLE = 32  # points a centroid that k-means++ chooses from


class Clustering(NamedTuple):
    """Centroids float [k, D], and each point's nearest one, int64 [N]."""

    centroids: Tensor
    assignment: Tensor


def kmeans(points: Tensor, k: int, iterations: int, generator: torch.Generator, start: Tensor | None = None) -> Clustering:
    """Cluster ``points`` float [N, D] by ``iterations`` of Lloyd's algorithm, a fixed number (no test to wait for).

    Starts at ``start`` [k, D], else by k-means++ (Arthur and Vassilvitskii 2007) on a sample of at most
    32 k points. A cluster that ran empty continues at one of the points farthest from their centroids.
    Raises ValueError where k exceeds N.
    """
    if k > len(points):
        raise ValueError(f"{k} clusters of {len(points)} points")
    centroids = plus_plus(points, k, generator) if start is None else start.clone()
    for _ in range(iterations):
        nearest, distance = assign(points, centroids)
        centroids = _means(points, nearest, distance, k)
    return Clustering(centroids, assign(points, centroids)[0])


def assign(points: Tensor, centroids: Tensor) -> tuple[Tensor, Tensor]:
    """The nearest centroid of each point, int64 [N], and its squared distance less the point's own norm, [N]."""
    half_norm = centroids.square().sum(1) / 2
    nearest = torch.empty(len(points), dtype=torch.int64, device=points.device)
    distance = points.new_empty(len(points))
    rows = max(1, CHUNK_BYTES // (4 * len(centroids)))
    for start in range(0, len(points), rows):
        part = slice(start, start + rows)
        score = torch.addmm(half_norm, points[part], centroids.T, beta=-1)
        best, nearest[part] = score.max(1)
        distance[part] = best.mul_(-2)
    return nearest, distance


def _means(points: Tensor, nearest: Tensor, distance: Tensor, k: int) -> Tensor:
    counts = torch.zeros(k, device=points.device).index_add_(0, nearest, points.new_ones(len(points)))
    sums = points.new_zeros(k, points.shape[1]).index_add_(0, nearest, points)
    empty = counts == 0
    farthest = (distance + points.square().sum(1)).topk(k).indices
    substitute = points[farthest[(empty.cumsum(0) - 1).clamp(min=0)]]
    return torch.where(empty[:, None], substitute, sums / counts.clamp(min=1)[:, None])


def plus_plus(points: Tensor, k: int, generator: torch.Generator) -> Tensor:
    """k starting centroids [k, D]: each drawn with probability proportional to its distance to those before."""
    device = points.device
    if len(points) > SAMPLE * k:
        chosen = torch.randperm(len(points), generator=generator, device=generator.device)[: SAMPLE * k]
        points = points[chosen.to(device)]
    draws = torch.rand(k, generator=generator, device=generator.device).to(device)
    centroids = points.new_empty(k, points.shape[1])
    closest = points.new_ones(len(points))  # the first one is drawn uniformly
    for i in range(k):
        cumulative = closest.cumsum(0)
        place = torch.searchsorted(cumulative, draws[i] * cumulative[-1]).clamp(max=len(points) - 1)
        centroids[i] = points.index_select(0, place.reshape(1))[0]
        distance = (points - centroids[i]).square().sum(1)
        closest = distance if i == 0 else torch.minimum(closest, distance)
    return centroids
