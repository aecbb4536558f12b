"""The costs of a row, as the columns of tables and of the page show them."""

from __future__ import annotations

from ..metrics import COSTS
from .formats import NONE, duration, number, operations, significant
from .row import Row


def numbers(row: Row) -> dict[str, float | None]:
    """The numbers that the columns show, by key, to sort by: of detection, its share of training time."""
    return row.cost | {"detect_seconds": row.detection_share}


def texts(row: Row) -> dict[str, str]:
    """The columns by their titles; ``~`` marks times that vary too much between seeds."""
    found, about = numbers(row), "" if row.steady else "~"
    seconds, share = found["train_seconds"], found["detect_seconds"]
    shown = {
        "images_per_second": about + number(found["images_per_second"], "{:,.0f}"),
        "train_seconds": about + duration(seconds) if seconds else NONE,
        "detect_seconds": NONE if share is None else f"{100 * share:.1f}%",
        "views_per_image": number(found["views_per_image"], "{:g}"),
        "flops_per_image": significant(found["flops_per_image"], 1e9),
        "flops": operations(found["flops"]),
        "peak_memory_bytes": number(found["peak_memory_bytes"], "{:.2f} GiB", 2**30),
        "energy_joules": number(found["energy_joules"], "{:,.0f} kJ", 1000),
    }
    return {cost.title: shown[key] for key, cost in COSTS.items() if cost.title}
