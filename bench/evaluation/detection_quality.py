"""The quality of pseudo labels against the true labels: how well they predict which images are of the same class.

N images, S label sets. Pairs are counted exactly, from contingency tables, so that the cost grows with N and not with N x N.
"""

from __future__ import annotations

import numpy as np
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix

from .detection import Detection


def pairs(sizes: np.ndarray) -> float:
    """The number of pairs within groups of these sizes."""
    sizes = sizes.astype(np.float64)
    return float((sizes * (sizes - 1)).sum() / 2)


def purity(classes: np.ndarray, clusters: np.ndarray) -> float:
    """Share of images whose class is the most frequent one of their cluster; int64 [N] each."""
    table = contingency_matrix(clusters, classes, sparse=True)
    return float(table.max(axis=1).sum() / len(classes))


def pair_quality(accepted: np.ndarray, classes: np.ndarray) -> dict[str, float]:
    """Quality of the pairs that a label set calls false negatives: accepted int64 [N], -1 where not; classes int64 [N].

    detected: the number of pairs with the same accepted label; true: those of them that are of one class. recall: true /
    all pairs of one class. mtpr, mtnr: for an image the detected share of its class, and the share of the other classes
    that is not detected, averaged over the images (without those alone in their class, or without any other class).
    """
    table = contingency_matrix(accepted, classes, sparse=True)  # rows: labels, -1 first if there is any; columns: classes
    sizes = np.asarray(table.sum(axis=0)).ravel()
    table = table[int(accepted.min() < 0) :].tocoo()
    detected = np.asarray(table.sum(axis=1)).ravel()
    mates, strangers = sizes - 1.0, len(classes) - sizes.astype(np.float64)
    count = table.data.astype(np.float64)
    rate = count * (count - 1) / np.maximum(1, mates[table.col])
    fault = count * (detected[table.row] - count) / np.maximum(1, strangers[table.col])
    return {
        "true": pairs(table.data),
        "detected": pairs(detected),
        "recall": pairs(table.data) / max(1.0, pairs(sizes)),
        "mtpr": float(rate.sum() / max(1, sizes[mates > 0].sum())),
        "mtnr": float(1 - fault.sum() / max(1, sizes[strangers > 0].sum())),
    }


def quality(clusters: np.ndarray, accepted: np.ndarray, before: np.ndarray | None, classes: np.ndarray) -> Detection:
    """The entries of a learning curve on one detection; clusters, accepted, before int64 [S, N], -1 for none.

    Values are means over the label sets; ``*_by_set`` lists NMI and purity of each clustering. precision: of the detected
    pairs of all sets together, None where there are none. drift: 1 - adjusted Rand index with the clustering ``before``,
    over the images in both; absent at the first detection.
    """
    found = [pair_quality(of_set, classes) for of_set in accepted]
    result: Detection = {"accepted": float((accepted >= 0).mean())}
    true, detected = (sum(of_set.pop(key) for of_set in found) for key in ("true", "detected"))
    result["precision"] = true / detected if detected else None
    result |= {key: float(np.mean([of_set[key] for of_set in found])) for key in found[0]}
    for name, measure in (("nmi", normalized_mutual_info_score), ("purity", purity)):
        by_set = [float(measure(classes[of_set >= 0], of_set[of_set >= 0])) for of_set in clusters]
        result |= {name: float(np.mean(by_set)), f"{name}_by_set": by_set}
    if before is not None:
        result["drift"] = float(np.mean([1 - _agreement(old, new) for old, new in zip(before, clusters, strict=True)]))
    return result


def _agreement(old: np.ndarray, new: np.ndarray) -> float:
    both = (old >= 0) & (new >= 0)
    return float(adjusted_rand_score(old[both], new[both]))
