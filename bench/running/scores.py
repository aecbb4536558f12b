"""Scores as a record keeps them: those of one evaluation, or of a further evaluation of the same encoder as well."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from .. import outcomes
from ..datasets.registry import tracks
from ..datasets.spec import Spec
from ..evaluation import registry
from ..evaluation.evaluator import Evaluator, description, merged
from ..evaluation.frozen import Scores
from ..methods import registry as methods
from ..records import Record


def fields(found: Scores, evaluators: Iterable[Evaluator]) -> dict[str, Any]:
    """The fields of a record that keep what ``evaluators`` ``found``."""
    return {
        "metrics": dict(found.metrics),
        "evaluation": dict(found.chosen),
        "evaluators": description(evaluators),
        "outcomes": {metric: outcomes.pack(right.cpu().numpy()) for metric, right in found.right.items()},
    }


def packages(evaluators: Iterable[Evaluator], spec: Spec, method: str = "") -> dict[str, Any]:
    """The entry of a record's environment on the installed packages, with versions, that add its method, its track or its
    ``evaluators``; nothing where none does.
    """
    added = {evaluator.name: registry().package(evaluator.name) for evaluator in evaluators}
    return _entry(added | {method: methods().package(method), spec.name: tracks().package(spec.name)})


def joined(earlier: Record, later: Record) -> Record:
    """``earlier`` with what a ``later`` evaluation of its encoder found, and the environment that ``later`` names."""
    return replace(
        earlier,
        metrics=merged(earlier.metrics, later.metrics),
        evaluation=merged(earlier.evaluation, later.evaluation),
        evaluators=_described(earlier.evaluators, later.evaluators),
        outcomes=earlier.outcomes | later.outcomes,
        environment=earlier.environment | later.environment | _entry({**_packages(earlier), **_packages(later)}),
    )


def _entry(packages: Mapping[str, str]) -> dict[str, Any]:
    added = {name: package for name, package in packages.items() if package}
    return {"packages": added} if added else {}


def _packages(record: Record) -> dict[str, str]:
    return record.environment.get("packages", {})


def _described(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """What both say of evaluators: one that gave some of its columns before and others now has both."""
    found = {**old, **new}
    for name in old.keys() & new.keys():
        if old[name]["version"] == new[name]["version"]:
            found[name] = {**new[name], "columns": merged(old[name]["columns"], new[name]["columns"])}
    return dict(sorted(found.items()))
