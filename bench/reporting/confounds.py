"""Confounds: settings other than the method in which rows differ, and which may explain a difference in accuracy."""

from __future__ import annotations

import json
from collections.abc import Sequence

from .row import Row


def differing(rows: Sequence[Row]) -> dict[str, dict[str, list[str]]]:
    """For each setting that several rows have with different values: the values, and the methods with each.

    A setting that only one row has is part of its method.
    """
    found: dict[str, dict[str, list[str]]] = {}
    for row in rows:
        for key, value in _settings(row).items():
            found.setdefault(key, {}).setdefault(value, []).append(row.contender)
    return {key: values for key, values in found.items() if len(values) > 1}


def _settings(row: Row) -> dict[str, str]:
    recipe = row.good[0].recipe if row.good else {}
    settings = recipe.get("training", {}) | recipe.get("config", {})
    found = {key: json.dumps(value) for key, value in settings.items()}
    return found | ({"precision": " and ".join(row.precisions)} if row.precisions else {})  # what auto came to


def sentence(rows: Sequence[Row]) -> str:
    """``temperature 0.1 (moco, ifnd_elim) or 0.2 (simclr); ...``; empty where no setting differs."""
    parts = []
    for key, values in sorted(differing(rows).items()):
        parts.append(f"{key} " + " or ".join(f"{value} ({', '.join(names)})" for value, names in values.items()))
    return "; ".join(parts)
