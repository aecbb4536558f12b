"""Clustering: k-means of the test features with as many clusters as classes, compared with the classes.

Labels are used only for the comparison. Features are normalised, as in kNN and in the methods' losses.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from ..methods.parts.kmeans import kmeans
from ..metrics import Metric
from .evaluator import Evaluator
from .frozen import Frozen, Scores, directions

STARTS, ITERATIONS = 5, 30  # of these starts, the clustering with the least inertia is used
SEED = 20200525  # the same starts for every method and seed
NOTE = "Clustering: k-means of the test features, k = classes; accuracy after matching each cluster to a class (Hungarian). "


class Clustering(Evaluator):
    """Normalised mutual information (arithmetic), adjusted Rand index, accuracy after Hungarian matching."""

    name = "clustering"
    version = 1
    by_default = False
    columns = (
        Metric("cluster_nmi", "cluster NMI", note=NOTE),
        Metric("cluster_ari", "cluster ARI", note=NOTE, lowest=-0.5),
        Metric("cluster_accuracy", "cluster accuracy", note=NOTE),
    )

    def evaluate(self, frozen: Frozen) -> Scores:
        from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score  # takes a second to import

        features, labels = directions(frozen.test.values), frozen.test.labels.cpu().numpy()
        found, inertia = best(features, min(frozen.classes, len(features)))
        clusters = found.cpu().numpy()
        metrics = {
            "cluster_nmi": float(normalized_mutual_info_score(labels, clusters)),
            "cluster_ari": float(adjusted_rand_score(labels, clusters)),
            "cluster_accuracy": matched(clusters, labels),
        }
        return Scores(metrics, {"cluster_inertia": inertia})


def best(points: Tensor, k: int) -> tuple[Tensor, float]:
    """The clusters int64 [N] of points float [N, D] with the least inertia of all starts, and that inertia."""
    found = [_clusters(points, k, SEED + start) for start in range(STARTS)]
    return min(found, key=lambda one: one[1])


def _clusters(points: Tensor, k: int, seed: int) -> tuple[Tensor, float]:
    centroids, nearest = kmeans(points, k, ITERATIONS, torch.Generator().manual_seed(seed))
    return nearest, float((points - centroids[nearest]).square().sum())


def matched(clusters: np.ndarray, labels: np.ndarray) -> float:
    """The share of images whose cluster is matched to their class, under the best one-to-one matching; int64 [N] each."""
    from sklearn.metrics.cluster import contingency_matrix

    counts = contingency_matrix(clusters, labels)
    return float(counts[linear_sum_assignment(counts, maximize=True)].sum() / counts.sum())
