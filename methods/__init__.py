"""The methods. Every file of this folder that defines a named `Method` adds one; there is no other list of them.

The classes that a method is built from are imported on first use, so that listing methods loads no torch.
"""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..datasets.found import Registry, classes, of_folder

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
    members = classes(__name__, _method, needed=("name", "summary"), listed=("role", "uses_labels"))
    return Registry(GROUP, lambda: of_folder(Path(__path__[0]), members))


def _method() -> type[Any]:
    from .base import Method

    return Method
