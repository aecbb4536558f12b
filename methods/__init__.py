"""The contestants. Every module of this folder that defines a named `Method` is one; nothing else lists them."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from ..datasets.augment import View
from .base import Config, Group, Method, OwnRecipe, TrainData

__all__ = ["Config", "Group", "Method", "OwnRecipe", "TrainData", "View", "registry"]


@cache
def registry() -> dict[str, type[Method]]:
    """Every method by its name, in alphabetical order."""
    found: dict[str, type[Method]] = {}
    for module_info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{module_info.name}")
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, Method) and "name" in vars(value):
                found[value.name] = value
    return dict(sorted(found.items()))
