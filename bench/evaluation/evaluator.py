"""What an evaluator is: a class with a name, a version and columns, which judges a frozen encoder; one a file."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from ..metrics import METRICS, Metric, share
from .frozen import Frozen, Scores, check_finite


class Evaluator:
    """Made without arguments it is what every cell is judged by; an evaluator without columns has nothing to do."""

    name: ClassVar[str]
    version: ClassVar[int] = 1  # changes with any number that it gives: older numbers are then computed again
    by_default: ClassVar[bool] = True  # False: only where `run --evaluators` names it
    option: ClassVar[str] = ""  # the flag of `run` whose text `of` reads, where it needs one
    columns: Sequence[Metric] = ()  # of the leaderboard, each of a key that `evaluate` gives

    @classmethod
    def of(cls, text: str) -> Evaluator:
        """The evaluator that the text of its ``option`` asks for; `UserError` where it cannot be read."""
        return cls()

    def check(self, data_root: Path) -> None:
        """`DataError` where something that it needs is not there; asked before anything is computed."""

    def evaluate(self, frozen: Frozen) -> Scores | Mapping[str, float]:
        """The metrics by their keys, or `Scores` with more than that."""
        raise NotImplementedError

    def missing(self, metrics: Collection[str]) -> Evaluator | None:
        """An evaluator of those columns that ``metrics`` lack; None where they lack none."""
        return None if all(column.key in metrics for column in self.columns) else self


def judge(frozen: Frozen, evaluators: Iterable[Evaluator], begin: Callable[[str], None] = lambda name: None) -> Scores:
    """What all ``evaluators`` find; ``begin`` is called with the name of each. Raises `Diverged` on features without meaning."""
    check_finite(frozen.train, "train")
    check_finite(frozen.test, "test")
    metrics: dict[str, float] = {}
    chosen: dict[str, Any] = {}
    right: dict[str, Any] = {}
    for evaluator in evaluators:
        begin(evaluator.name)
        found = evaluator.evaluate(frozen)
        scores = found if isinstance(found, Scores) else Scores(found)
        metrics |= {key: float(value) for key, value in scores.metrics.items()}
        chosen |= scores.chosen
        right |= scores.right
    return Scores(merged({}, metrics), merged({}, chosen), right)


def merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Both, in one order however they came together: by their share of the labels, what carries none first."""
    return dict(sorted(({**old, **new}).items(), key=lambda item: share(item[0])))


def lacking(metrics: Collection[str], described: Mapping[str, Any], evaluators: Iterable[Evaluator]) -> tuple[Evaluator, ...]:
    """Those of ``evaluators``, as far as needed, whose columns a record with these ``metrics`` does not have of today's version.

    ``described`` is what the record says of its evaluators, see `description`.
    """
    found = []
    for evaluator in evaluators:
        version = described.get(evaluator.name, {}).get("version", evaluator.version)
        missing = evaluator.missing(metrics if version == evaluator.version else ())
        found += [missing] if missing is not None else []
    return tuple(found)


def description(evaluators: Iterable[Evaluator]) -> dict[str, Any]:
    """What a record keeps of evaluators beyond its protocol: their versions, and what their columns mean."""
    found = {}
    for evaluator in evaluators:
        columns = {m.key: {**vars(m)} for m in evaluator.columns if m.key not in METRICS}
        if columns:
            found[evaluator.name] = {"version": evaluator.version, "columns": columns}
    return found
