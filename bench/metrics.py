"""The metrics of the protocol, declared once for all tables, and the costs; evaluators declare further metrics."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

Better = Literal["higher", "lower", ""]  # "": neither; nothing is ranked by it


@dataclass(frozen=True)
class Metric:
    """A number of a cell. A ``fraction`` is shown in percent; other units as they are, with the unit in the column's title."""

    key: str
    title: str
    unit: str = "fraction"
    better: Better = "higher"
    note: str = ""  # for the legend
    lowest: float = 0.0  # value of a fraction, where its intervals end

    @property
    def is_fraction(self) -> bool:
        return self.unit == "fraction"

    @property
    def limits(self) -> tuple[float, float]:
        """The lowest and the highest possible value."""
        return (self.lowest, 1.0) if self.is_fraction else (-math.inf, math.inf)

    @property
    def scale(self) -> float:
        """The factor from a value to the number shown."""
        return 100.0 if self.is_fraction else 1.0

    def shown(self, value: float) -> str:
        """A value as text."""
        return f"{self.scale * value:.2f}" if self.is_fraction else f"{value:.4g}"


@dataclass(frozen=True)
class Cost:
    """An entry of a record's cost that tables and pages use; the median over seeds is shown."""

    key: str
    title: str = ""  # of its column; empty where it has none
    better: Better = "lower"
    note: str = ""  # for the legend
    measured: bool = False  # on a machine: another one gives other numbers
    axis: str = ""  # title of its axis in the page's chart of costs; empty where that does not offer it
    unit: float = 1.0  # how much one is on that axis


COSTS = {
    cost.key: cost
    for cost in (
        Cost("images_per_second", "images/s", "higher", "images/s counts images of training, detection included. ", True),
        Cost("train_seconds", "train", measured=True, axis="training time [min]", unit=60),
        Cost(
            "detect_seconds", "detection", note="detection: its share of training time. ", axis="time in detection [min]", unit=60
        ),
        Cost("eval_seconds"),
        Cost("views_per_image", "views/image"),
        Cost(
            "flops_per_image",
            "GFLOP/image",
            note="GFLOP/image: floating-point operations of a step, forward and backward, by image. ",
        ),
        Cost("forward_passes"),
        Cost("detect_flops"),
        Cost(
            "flops", "operations", note="operations: of all training, detection included. ", axis="operations [TFLOP]", unit=1e12
        ),
        Cost("peak_memory_bytes", "peak memory", measured=True, axis="peak memory [GiB]", unit=2**30),
        Cost("energy_joules", "energy", measured=True, axis="energy [kJ]", unit=1000),
    )
}
FEW_LABELS = "linear@x%: fitted on the labels of x% of every class alone, the same images for every method and seed. "


LINEAR_TOP1 = Metric("linear_top1", "linear")
LINEAR_TOP5 = Metric("linear_top5", "linear top-5")
KNN_TOP1 = Metric("knn_top1", "kNN (k = 20)")
KNN200_TOP1 = Metric("knn200_top1", "kNN (k = 200)")

HEADLINE = LINEAR_TOP1.key
HELD_OUT_KNN = "held_out_knn_top1"  # of learning curves: kNN accuracy on the held-out tenth of train
COMPARED = (LINEAR_TOP1.key, KNN_TOP1.key)  # metrics for which the page and pairs.csv have every pair
PROTOCOL_METRICS = {m.key: m for m in (LINEAR_TOP1, LINEAR_TOP5, KNN_TOP1, KNN200_TOP1)}  # of every record
SPLITS = ("test split", "held-out split")  # titles of the column with Wilson's interval, by what a leaderboard is judged on
FIXED = {"rank", "method", *SPLITS, "n", "published", *(cost.title for cost in COSTS.values())}  # further titles of columns
METRICS = {key: m.title for key, m in PROTOCOL_METRICS.items()}
ON_A_SHARE = re.compile(r"\w+@(\d+(?:\.\d+)?)%")


def on_a_share(key: str, fraction: float) -> str:
    """``linear_top1`` on a share of the labels: 0.005 makes ``linear_top1@0.5%``."""
    return f"{key}@{100 * fraction:g}%"


def share(key: str) -> float:
    """The percentage in a metric's name; 0 where it has none."""
    match = ON_A_SHARE.fullmatch(key)
    return float(match[1]) if match else 0.0


def counts_test_images(key: str) -> bool:
    """Whether a metric is the accuracy of one classifier on the record's own test images, so that it has outcomes per image."""
    return key in METRICS or share(key) > 0


def on_few_labels(fraction: float) -> Metric:
    """Linear accuracy on a share of the labels."""
    return of_few_labels(on_a_share(LINEAR_TOP1.key, fraction))


def of_few_labels(key: str) -> Metric:
    return Metric(key, key.replace("_top1", ""), note=FEW_LABELS)


def columns(keys: Iterable[str], described: Iterable[Mapping[str, Any]]) -> dict[str, Metric]:
    """The columns in addition to METRICS of records with these metrics, by key; the smallest share of the labels first.

    ``described``: the descriptions of evaluators in the records. Old records have none, and only few labels as a column.
    """
    keys = set(keys)
    found = {key: of_few_labels(key) for key in sorted(keys) if key.startswith("linear_top1@") and share(key)}
    for evaluators in described:
        for name in sorted(evaluators):
            told = evaluators[name].get("columns", {})
            found |= {key: _as_recorded(column) for key, column in told.items() if key in keys and key not in METRICS}
    return dict(sorted(found.items(), key=lambda item: share(item[0])))


def _as_recorded(column: Mapping[str, Any]) -> Metric:
    """A later harness may describe a column by more than is known here, and an earlier one by less."""
    return Metric(**{one.name: column[one.name] for one in fields(Metric) if one.name in column})
