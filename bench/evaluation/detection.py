"""How well pseudo labels tell which images are of one class, judged by labels that only the harness holds.

N images, S label sets. Pairs are counted exactly, from contingency tables, never one by one: the cost grows
with N, not with N x N.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..methods import Method

Detection = dict[str, float | int | list[float] | None]


class Table(NamedTuple):
    """A sparse contingency table of two labellings of the same images: its filled cells, and both margins."""

    rows: np.ndarray  # int64 [cells]: a place in `row_sizes`
    columns: np.ndarray  # int64 [cells]: a place in `column_sizes`
    counts: np.ndarray  # int64 [cells]
    row_sizes: np.ndarray
    column_sizes: np.ndarray

    @staticmethod
    def of(first: np.ndarray, second: np.ndarray) -> Table:
        """Of labels int64 [N] each, 0 or more."""
        width = int(second.max(initial=0)) + 1
        codes, counts = np.unique(first * width + second, return_counts=True)
        return Table(codes // width, codes % width, counts, np.bincount(first), np.bincount(second, minlength=width))


def pairs(sizes: np.ndarray) -> float:
    """Pairs within groups of these sizes."""
    sizes = sizes.astype(np.float64)
    return float((sizes * (sizes - 1)).sum() / 2)


def mutual_information(table: Table) -> float:
    """Normalised by the mean of both entropies; 1 where both labellings are one group (as scikit-learn has it)."""
    total = table.counts.sum()
    joint = table.counts / total
    expected = table.row_sizes[table.rows] / total * (table.column_sizes[table.columns] / total)
    shared = float((joint * np.log(joint / expected)).sum())
    entropies = _entropy(table.row_sizes) + _entropy(table.column_sizes)
    return min(1.0, max(0.0, 2 * shared / entropies)) if entropies > 0 else 1.0


def _entropy(sizes: np.ndarray) -> float:
    share = sizes[sizes > 0] / sizes.sum()
    return float(-(share * np.log(share)).sum())


def purity(table: Table) -> float:
    """Share of images whose cluster (row) has their class (column) as its most frequent one."""
    largest = np.zeros(len(table.row_sizes), np.int64)
    np.maximum.at(largest, table.rows, table.counts)
    return float(largest.sum() / table.counts.sum())


def adjusted_rand(table: Table) -> float:
    """Agreement on pairs, 0 by chance and 1 where both labellings group alike (Hubert and Arabie 1985)."""
    both, rows, columns = pairs(table.counts), pairs(table.row_sizes), pairs(table.column_sizes)
    chance = rows * columns / max(1.0, pairs(np.array([table.counts.sum()])))
    best = (rows + columns) / 2
    return (both - chance) / (best - chance) if best > chance else 1.0


def pair_quality(accepted: np.ndarray, classes: np.ndarray) -> dict[str, float]:
    """Quality of the pairs that a label set calls false negatives: accepted int64 [N], -1 where not; classes int64 [N].

    true, detected: how many detected pairs are of one class, and how many there are. recall: of all pairs of one class.
    mtpr, mtnr: an image's share of its class that is detected, and of the other classes that is not, each
    averaged over the images (those alone in their class, or with nobody outside it, have no such share).
    """
    sizes = np.bincount(classes)
    known = accepted >= 0
    table = Table.of(accepted[known], classes[known])
    true, detected = pairs(table.counts), pairs(table.row_sizes)
    count, column = table.counts.astype(np.float64), sizes[table.columns]
    mates, strangers = sizes - 1.0, len(classes) - sizes.astype(np.float64)
    rate = count * (count - 1) / np.maximum(1, mates[table.columns])
    fault = count * (table.row_sizes[table.rows] - count) / np.maximum(1, len(classes) - column)
    return {
        "true": true,
        "detected": detected,
        "recall": true / max(1.0, pairs(sizes)),
        "mtpr": float(rate.sum() / max(1, sizes[mates > 0].sum())),
        "mtnr": float(1 - fault.sum() / max(1, sizes[strangers > 0].sum())),
    }


def quality(clusters: np.ndarray, accepted: np.ndarray, before: np.ndarray | None, classes: np.ndarray) -> Detection:
    """All that the curve keeps of one detection; clusters, accepted, before int64 [S, N], -1 for none.

    Means over the label sets; ``*_by_set`` lists NMI and purity of each clustering. precision: of the detected pairs of
    all sets together, None where there is none. drift: 1 - adjusted Rand
    index with the clustering ``before``, over the images that both cover; absent at the first detection.
    """
    found = [pair_quality(of_set, classes) for of_set in accepted]
    result: Detection = {"accepted": float((accepted >= 0).mean())}
    true, detected = (sum(of_set.pop(key) for of_set in found) for key in ("true", "detected"))
    result["precision"] = true / detected if detected else None
    result |= {key: float(np.mean([of_set[key] for of_set in found])) for key in found[0]}
    tables = [Table.of(of_set[of_set >= 0], classes[of_set >= 0]) for of_set in clusters]
    for name, measure in (("nmi", mutual_information), ("purity", purity)):
        by_set = [measure(table) for table in tables]
        result |= {name: float(np.mean(by_set)), f"{name}_by_set": by_set}
    if before is not None:
        result["drift"] = float(np.mean([1 - _agreement(old, new) for old, new in zip(before, clusters, strict=True)]))
    return result


def _agreement(old: np.ndarray, new: np.ndarray) -> float:
    both = (old >= 0) & (new >= 0)
    return adjusted_rand(Table.of(old[both], new[both]))


class Judge:
    """Watches a method's pseudo labels and tells how good each new detection is."""

    def __init__(self, method: Method, classes: Tensor):
        self.method, self.classes = method, classes.cpu().numpy()
        self._before: np.ndarray | None = None
        self._detections = 0

    def look(self) -> None:
        """Remember what is believed now; call it before a method may detect anew."""
        view = self.method.pseudo_labels()
        if view is not None:
            self._detections = view.detections
            self._before = _array(view.clusters) if view.detections else None

    def verdict(self) -> Detection | None:
        """The quality of what was detected since the last `look`; None where nothing was."""
        view = self.method.pseudo_labels()
        if view is None or view.detections == self._detections:
            return None
        found = quality(_array(view.clusters), _array(view.labels), self._before, self.classes)
        return {"detection": view.detections, **found}


def _array(labels: Tensor) -> np.ndarray:
    return labels.detach().to("cpu", torch.int64, copy=True).numpy()
