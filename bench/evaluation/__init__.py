"""Evaluation of a representation: features of a frozen encoder, computed once for each split and shared by all evaluators.

Every file of this folder that defines a named `Evaluator` adds one; there is no other list of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ..datasets import outline
from ..datasets.foreign import visible
from ..datasets.found import Member, Registry, attribute, given

if TYPE_CHECKING:
    from .evaluator import Evaluator

__all__ = ["default", "registry"]

GROUP = "ssl_bench.evaluators"
PROTOCOL = ("linear", "knn")  # the first two, in the order of records


@cache
def registry() -> Registry[type[Evaluator]]:
    """Every evaluator by its name."""
    return Registry(GROUP, _scan)


def default() -> tuple[Evaluator, ...]:
    """The evaluators of every cell. `DataError` where one cannot be loaded, as its numbers would be missing otherwise."""
    broken = registry().broken()
    names = sorted({*registry(), *broken}, key=lambda name: (*(name != first for first in PROTOCOL), name))
    kinds = [registry()[name] for name in names]
    made = [kind() for kind in kinds if kind.by_default and not kind.option]
    return tuple(evaluator for evaluator in made if evaluator.columns)


def _scan() -> Iterator[Member]:
    for path in visible(Path(__path__[0]), "*.py"):
        found = outline.read(path)
        if found.problem:
            yield Member(path.stem, str(path), given(None), problem=found.problem)
        for kind, says in found.own.items():
            if isinstance(says.get("name"), str):
                yield Member(
                    says["name"],
                    str(path),
                    attribute(f"{__name__}.{path.stem}", kind),
                    {"__doc__": found.about} | found.classes[kind],
                )
