"""Scores as a record keeps them: those of one evaluation, or of a further evaluation of the same encoder as well."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
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
    """``earlier`` with what a ``later`` evaluation of its encoder found, and the environment that ``later`` names.

    What another version of the same evaluators found earlier is left out.
    """
    old = _of_other_versions(earlier.evaluators, later.evaluators)
    return replace(
        earlier,
        metrics=merged(_without(earlier.metrics, old), later.metrics),
        evaluation=merged(_without(earlier.evaluation, old), later.evaluation),
        evaluators=_described(earlier.evaluators, later.evaluators),
        outcomes=_without(earlier.outcomes, old) | later.outcomes,
        environment=earlier.environment | later.environment | _entry({**_packages(earlier), **_packages(later)}),
    )


def _entry(packages: Mapping[str, str]) -> dict[str, Any]:
    added = {name: package for name, package in packages.items() if package}
    return {"packages": added} if added else {}


def _packages(record: Record) -> dict[str, str]:
    return record.environment.get("packages", {})


def _of_other_versions(old: Mapping[str, Any], new: Mapping[str, Any]) -> set[str]:
    """The keys of old columns of evaluators that ``new`` describes in another version."""
    names = [name for name in old.keys() & new.keys() if old[name]["version"] != new[name]["version"]]
    return {key for name in names for key in old[name]["columns"]}


def _without(values: Mapping[str, Any], keys: Collection[str]) -> dict[str, Any]:
    """``values`` but those of ``keys``, and those of the same share of the labels or the same dataset, as in ``strength@1%``."""
    ends = {end for key in keys if (end := key.partition("@")[2])}
    return {key: value for key, value in values.items() if key not in keys and key.partition("@")[2] not in ends}


def _described(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """What both say of evaluators: one that gave some of its columns before and others now has both."""
    found = {**old, **new}
    for name in old.keys() & new.keys():
        if old[name]["version"] == new[name]["version"]:
            found[name] = {**new[name], "columns": merged(old[name]["columns"], new[name]["columns"])}
    return dict(sorted(found.items()))
