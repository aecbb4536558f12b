"""Evaluation of a representation: features of a frozen encoder, computed once for each split and shared by all evaluators.

Every file of this folder that defines a named `Evaluator` adds one; there is no other list of them.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ..datasets.found import Registry, classes, of_folder

if TYPE_CHECKING:
    from .evaluator import Evaluator

__all__ = ["default", "registry"]

GROUP = "ssl_bench.evaluators"
FIRST = ("linear", "knn")  # the order of a record's metrics begins with the protocol's


@cache
def registry() -> Registry[type[Evaluator]]:
    """Every evaluator by its name."""
    members = classes(__name__, _evaluator, needed=("name",), listed=("version",))
    return Registry(GROUP, lambda: of_folder(Path(__path__[0]), members))


def _evaluator() -> type[Evaluator]:
    from .evaluator import Evaluator

    return Evaluator


def default() -> tuple[Evaluator, ...]:
    """The evaluators of every cell, without those that cannot be loaded, which are `registry().broken()` from then on."""
    loaded = registry().loaded()
    kinds = [loaded[name] for name in sorted(loaded, key=lambda name: (*(name != first for first in FIRST), name))]
    made = [kind() for kind in kinds if kind.by_default and not kind.option]
    return tuple(evaluator for evaluator in made if evaluator.columns)
