"""Settings given as text, ``--set key=value``: which dataclass field they mean, and whether they fit it."""

from __future__ import annotations

import dataclasses
import difflib
import math
import typing
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

from .errors import UserError


class Assignment(NamedTuple):
    """One ``[method.]key=value``."""

    method: str | None
    key: str
    value: str

    def __str__(self) -> str:
        return f"{self.method}.{self.key}={self.value}" if self.method else f"{self.key}={self.value}"


def parse_assignments(texts: Iterable[str]) -> list[Assignment]:
    """Split each ``[method.]key=value``; `UserError` on anything else and on a key given twice."""
    found: list[Assignment] = []
    for text in texts:
        name, equals, value = text.partition("=")
        method, dot, key = name.strip().rpartition(".")
        if not equals or not key or not value.strip() or (dot and not method):
            raise UserError(f"cannot read --set {text!r}: write key=value or method.key=value")
        if any(a.method == (method or None) and a.key == key for a in found):
            raise UserError(f"--set gives {name.strip()} twice")
        found.append(Assignment(method or None, key, value.strip()))
    return found


def nearest(name: str, names: Iterable[str]) -> str:
    """A hint for a name that is unknown: the nearest known ones, else all of them."""
    names = list(names)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(names)}"


def convert(settings: type, key: str, text: str) -> Any:
    """``text`` as a value of the field ``key`` of the dataclass ``settings``; `UserError` where it does not fit."""
    hint = get_type_hints(settings, include_extras=True)[key]
    bounds = None
    if get_origin(hint) is typing.Annotated:
        hint, bounds = get_args(hint)
    try:
        value = _parse(hint, text)
    except ValueError:
        raise UserError(f"{key}={text} does not fit: {key} takes {_describe(hint, bounds)}") from None
    for number in value if isinstance(value, tuple) else (value,):
        if bounds is not None and not bounds.admit(number):
            raise UserError(f"{key}={text} does not fit: {key} takes {_describe(hint, bounds)}")
    return value


def _parse(hint: Any, text: str) -> Any:
    if get_origin(hint) is Literal:
        if text not in get_args(hint):
            raise ValueError
        return text
    if get_origin(hint) is tuple:
        return tuple(_parse(get_args(hint)[0], part) for part in text.split(","))
    if hint is bool:
        return {"true": True, "false": False}[text.lower()] if text.lower() in ("true", "false") else _parse(int, "")
    number = hint(text)
    if isinstance(number, float) and not math.isfinite(number):
        raise ValueError
    return number


def _describe(hint: Any, bounds: Any) -> str:
    if get_origin(hint) is Literal:
        return " or ".join(get_args(hint))
    if get_origin(hint) is tuple:
        return f"whole numbers {bounds}, with commas" if bounds else "numbers, with commas"
    kind = {bool: "true or false", int: "a whole number", float: "a number"}.get(hint) or hint.meaning
    return f"{kind} {bounds}" if bounds else kind


def apply(settings: Any, values: dict[str, str]) -> Any:
    """A copy of the dataclass instance ``settings`` with the fields that ``values`` names replaced."""
    return dataclasses.replace(settings, **{key: convert(type(settings), key, text) for key, text in values.items()})
