"""The methods. Every file of this folder that defines a named `Method` adds one; there is no other list of them.

The classes that a method is built from are imported on first use, so that listing methods loads no torch.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..datasets import outline
from ..datasets.foreign import visible
from ..datasets.found import Member, Registry, attribute, given

if TYPE_CHECKING:
    from ..datasets.policy import View
    from .base import Config, Group, Method, OwnRecipe, TrainData

__all__ = ["Config", "Group", "Method", "OwnRecipe", "TrainData", "View", "registry"]

GROUP = "ssl_bench.methods"


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("..datasets.policy" if name == "View" else ".base", __name__), name)


@cache
def registry() -> Registry[type[Method[Any]]]:
    """Every method by its name, in alphabetical order."""
    return Registry(GROUP, _scan)


def _scan() -> Iterator[Member]:
    for path in visible(Path(__path__[0]), "*.py"):
        found, module = outline.read(path), f"{__name__}.{path.stem}"
        if found.problem:
            yield Member(path.stem, str(path), given(None), problem=found.problem)
        elif found.plain:
            named = {kind: says for kind, says in found.classes.items() if "name" in found.own[kind] and "summary" in says}
            yield from (Member(says["name"], str(path), attribute(module, kind), says) for kind, says in named.items())
        else:
            yield from _run(path, module)


def _run(path: Path, module: str) -> Iterator[Member]:
    """The methods of a file that cannot be read without running it: it is imported."""
    from .base import Method

    try:
        values = vars(importlib.import_module(module)).values()
    except Exception as error:  # a user's file may raise anything
        problem = f"{path} cannot be imported: {type(error).__name__}: {error}"
        yield Member(path.stem, str(path), given(None), problem=problem)
        return
    for kind in values:
        if isinstance(kind, type) and issubclass(kind, Method) and "name" in vars(kind) and kind.__module__ == module:
            yield Member(kind.name, str(path), given(kind))
