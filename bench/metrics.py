"""Every metric and cost that tables show, declared once."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Better = Literal["higher", "lower", ""]  # "": neither is, and nothing is ranked by it


@dataclass(frozen=True)
class Metric:
    """One number of a cell. ``unit``: ``fraction`` is shown in percent; others as they are, with the unit in the title."""

    key: str
    title: str
    unit: str = "fraction"
    better: Better = "higher"


LINEAR_TOP1 = Metric("linear_top1", "linear")
LINEAR_TOP5 = Metric("linear_top5", "linear top-5")
KNN_TOP1 = Metric("knn_top1", "kNN (k = 20)")
KNN200_TOP1 = Metric("knn200_top1", "kNN (k = 200)")

HEADLINE = LINEAR_TOP1.key
COMPARED = (LINEAR_TOP1.key, KNN_TOP1.key)  # metrics whose every pair is written out
METRICS = {m.key: m.title for m in (LINEAR_TOP1, LINEAR_TOP5, KNN_TOP1, KNN200_TOP1)}  # of every record
COSTS = {
    m.key: m
    for m in (
        Metric("images_per_second", "images/s", "images/s"),
        Metric("train_seconds", "train", "s", "lower"),
        Metric("detect_seconds", "detection", "s", "lower"),
        Metric("eval_seconds", "evaluation", "s", "lower"),
        Metric("peak_memory_bytes", "peak memory", "bytes", "lower"),
        Metric("energy_joules", "energy", "J", "lower"),
    )
}
ON_A_SHARE = re.compile(r"\w+@(\d+(?:\.\d+)?)%")


def on_a_share(key: str, fraction: float) -> str:
    """``linear_top1`` on a share of the labels: 0.005 makes ``linear_top1@0.5%``."""
    return f"{key}@{100 * fraction:g}%"


def share(key: str) -> float:
    """The percentage that a name carries; 0 where it carries none."""
    match = ON_A_SHARE.fullmatch(key)
    return float(match[1]) if match else 0.0


def titles(keys: Iterable[str]) -> dict[str, str]:
    """The columns that these metrics fill, by key, smallest share first: top-1 alone, as ``linear@1%``."""
    found = {key for key in keys if key.startswith("linear_top1@") and share(key)}
    return {key: key.replace("_top1", "") for key in sorted(found, key=share)}
