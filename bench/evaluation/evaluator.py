"""The base class of evaluators: a class with a name, a version and columns, which measures a frozen encoder; one a file."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from ..metrics import METRICS, Metric, share
from .frozen import Frozen, Scores


class Evaluator:
    """Measures a frozen encoder. An instance made without arguments is used for every cell, unless it has no columns."""

    name: ClassVar[str]
    version: ClassVar[int] = 1  # raise it with any change of its numbers: older numbers are then computed again
    by_default: ClassVar[bool] = True  # False: used only where `run --evaluators` names it
    option: ClassVar[str] = ""  # the flag of `run` whose text `of` parses, if it needs one
    columns: Sequence[Metric] = ()  # of the leaderboard; `evaluate` returns their keys

    @classmethod
    def of(cls, text: str) -> Evaluator:
        """The evaluator for the text of its ``option``; `UserError` where it cannot be parsed."""
        return cls()

    def check(self, data_root: Path) -> None:
        """`DataError` where data that it needs are missing; called before anything is computed."""

    def evaluate(self, frozen: Frozen) -> Scores | Mapping[str, float]:
        """The metrics by key, or `Scores` with further results."""
        raise NotImplementedError

    def missing(self, metrics: Collection[str]) -> Evaluator | None:
        """An evaluator for the columns that are not in ``metrics``; None where all are."""
        return None if all(column.key in metrics for column in self.columns) else self


def evaluate_all(frozen: Frozen, evaluators: Iterable[Evaluator], begin: Callable[[str], None] = lambda name: None) -> Scores:
    """The scores of all ``evaluators``; ``begin`` is called with the name of each. Raises `Diverged` on non-finite features."""
    metrics: dict[str, float] = {}
    chosen: dict[str, Any] = {}
    right: dict[str, Any] = {}
    for evaluator in evaluators:
        begin(evaluator.name)
        found = evaluator.evaluate(frozen)
        scores = found if isinstance(found, Scores) else Scores(found)
        metrics |= {key: _finite(evaluator.name, key, float(value)) for key, value in scores.metrics.items()}
        chosen |= scores.chosen
        right |= scores.right
    return Scores(merged({}, metrics), merged({}, chosen), right)


def _finite(evaluator: str, key: str, value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(f"the evaluator {evaluator} gives {value} as {key}; a metric must be finite")
    return value


def merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Both mappings, sorted by the share of the labels in their keys, keys without one first: independent of their history."""
    return dict(sorted(({**old, **new}).items(), key=lambda item: share(item[0])))


def lacking(metrics: Collection[str], described: Mapping[str, Any], evaluators: Iterable[Evaluator]) -> tuple[Evaluator, ...]:
    """Evaluators for the columns that a record with these ``metrics`` lacks, or has from another version of the evaluator.

    ``described`` is the record's description of its evaluators, see `description`.
    """
    found = []
    for evaluator in evaluators:
        version = described.get(evaluator.name, {}).get("version", evaluator.version)
        missing = evaluator.missing(metrics if version == evaluator.version else ())
        found += [missing] if missing is not None else []
    return tuple(found)


def description(evaluators: Iterable[Evaluator]) -> dict[str, Any]:
    """The description that a record keeps of evaluators beyond the protocol: versions, and meaning of columns."""
    found = {}
    for evaluator in evaluators:
        columns = {m.key: {**vars(m)} for m in evaluator.columns if m.key not in METRICS}
        if columns:
            found[evaluator.name] = {"version": evaluator.version, "columns": columns}
    return found
