"""k-means against scikit-learn's, from the same start."""

import pytest
import torch
from sklearn.cluster import KMeans

from bench.methods.parts import kmeans as module
from bench.methods.parts.kmeans import assign, kmeans, plus_plus


@pytest.mark.parametrize("k", [3, 64, 100])
def test_lloyds_algorithm_is_scikit_learns(k):
    points = torch.randn(600, 5)
    start = plus_plus(points, k, torch.Generator().manual_seed(0))
    ours = kmeans(points, k, 8, torch.Generator(), start)
    theirs = KMeans(k, init=start.numpy(), n_init=1, max_iter=8, tol=0, algorithm="lloyd").fit(points.numpy())
    assert ours.assignment.tolist() == theirs.labels_.tolist()
    assert torch.allclose(ours.centroids, torch.from_numpy(theirs.cluster_centers_), atol=1e-5)


def test_distances_are_squared_and_lack_the_points_own_norm():
    points, centroids = torch.randn(50, 5), torch.randn(7, 5)
    nearest, distance = assign(points, centroids)
    table = torch.cdist(points, centroids).square()
    assert torch.equal(nearest, table.argmin(1))
    assert torch.allclose(distance + points.square().sum(1), table.min(1).values, atol=1e-4)


def test_an_empty_cluster_takes_a_far_point():
    points = torch.cat([torch.zeros(50, 2), torch.tensor([[10.0, 0.0], [0.0, 9.0]])])
    start = torch.tensor([[0.0, 0.0], [100.0, 100.0], [101.0, 100.0]])
    found = kmeans(points, 3, 3, torch.Generator(), start)
    assert found.assignment[:50].unique().numel() == 1
    assert found.assignment[50:].unique().numel() == 2


def test_k_means_plus_plus_starts_apart_and_follows_its_seed():
    centres = torch.tensor([[0.0, 0.0], [50.0, 0.0], [0.0, 50.0], [50.0, 50.0]])
    points = centres.repeat_interleave(25, 0) + torch.randn(100, 2)
    start = plus_plus(points, 4, torch.Generator().manual_seed(5))
    assert assign(start, centres)[0].unique().numel() == 4
    assert torch.equal(start, plus_plus(points, 4, torch.Generator().manual_seed(5)))


def test_more_clusters_than_points():
    with pytest.raises(ValueError, match="5 clusters of 4 points"):
        kmeans(torch.randn(4, 2), 5, 1, torch.Generator())


def test_small_chunks_give_the_same(monkeypatch):
    points = torch.randn(300, 4, generator=torch.Generator().manual_seed(0))
    whole = kmeans(points, 7, 5, torch.Generator().manual_seed(1))
    monkeypatch.setitem(module.CHUNK_BYTES, "cpu", 1000)
    parts = kmeans(points, 7, 5, torch.Generator().manual_seed(1))
    assert torch.equal(whole.assignment, parts.assignment)
