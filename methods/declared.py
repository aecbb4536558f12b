"""Tests what the class of a method declares, when its file is imported."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Collection, Mapping
from typing import Any


def problem(kind: type, choices: Mapping[str, Collection[Any]], texts: Collection[str]) -> str:
    """What is wrong with the attributes of ``kind``, those with ``choices`` or that are ``texts``; empty where nothing is."""
    for key, right in choices.items():
        value = getattr(kind, key)
        if not any(value is one or (isinstance(one, str) and value == one) for one in right):
            return f"{key} is {value!r}, not one of {', '.join(map(str, right))}"
    for key in texts:
        if not isinstance(value := getattr(kind, key, ""), str):
            return f"{key} is {value!r}, not text"
    return ""


def problem_of_settings(kind: type, base: type) -> str:
    """What keeps ``kind`` from being a dataclass of settings after ``base``; empty where nothing does."""
    if not issubclass(kind, base):
        return f"{kind.__name__} is no {base.__name__}"
    own = inspect.get_annotations(kind)
    if own and "__dataclass_params__" not in vars(kind):
        return f"{kind.__name__} has settings and no @dataclass(frozen=True)"
    inherited = {field.name for one in kind.__mro__[1:] if dataclasses.is_dataclass(one) for field in dataclasses.fields(one)}
    for key in sorted(inherited & (vars(kind).keys() - own.keys())):
        return f"{kind.__name__}.{key} has no annotation, without which it is no setting"
    return ""
