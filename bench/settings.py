"""Settings given as text, ``--set key=value``: parses them into values of dataclass fields and checks their bounds."""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Iterable, Mapping
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

from .datasets.found import nearest as nearest
from .errors import UserError, reason
from .methods.spaces import Space


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


@cache
def _hints(settings: type) -> dict[str, Any]:
    try:
        return typing.get_type_hints(settings, include_extras=True)
    except Exception as error:  # of a user's file
        raise UserError(f"{settings.__module__}.{settings.__qualname__}: {reason(error)}") from None


WORKS = "bool, int, float, Literal, tuple[int, ...], or a class with a meaning, as Every has it"


class _Kind(NamedTuple):
    """What a field accepts: its type without bounds, the bounds, whether ``auto`` (None) is valid, and its search space."""

    hint: Any
    bounds: Any
    auto: bool
    space: Space | None

    def __str__(self) -> str:
        return _describe(self.hint, self.bounds) + (", or auto" if self.auto else "")


@cache
def _kind(settings: type, key: str) -> _Kind:
    hint, bounds = _hints(settings)[key], None
    auto = next(field for field in dataclasses.fields(settings) if field.name == key).default is None
    if get_origin(hint) in (Union, UnionType):
        hint = next(kind for kind in get_args(hint) if kind is not NoneType)
    space = None
    if get_origin(hint) is typing.Annotated:
        hint, *notes = get_args(hint)
        bounds = next((note for note in notes if hasattr(note, "admit")), None)
        space = next((note for note in notes if isinstance(note, Space)), None)
    part = get_args(hint)[0] if get_origin(hint) is tuple and get_args(hint) else hint
    if get_origin(part) is not Literal and part not in (bool, int, float) and not hasattr(part, "meaning"):
        raise UserError(f"{key} of {settings.__module__} is {hint}, which no text can set; what works: {WORKS}")
    return _Kind(hint, bounds, auto, space)


def spaces(settings: type) -> dict[str, Space]:
    """The fields of a dataclass with a search space, and the spaces; `UserError` where a space leaves the field's bounds."""
    found = {key: kind.space for key in _hints(settings) if (kind := _kind(settings, key)).space is not None}
    for key, space in found.items():
        bounds = _kind(settings, key).bounds
        for end in space.ends:
            if bounds is not None and not bounds.admit(end):
                raise UserError(f"the search space of {key}, {space}, leaves its bounds: {_kind(settings, key)}")
    return found


def convert(settings: type, key: str, text: str) -> Any:
    """``text`` as a value of the field ``key`` of the dataclass ``settings``; `UserError` where it does not fit."""
    kind = _kind(settings, key)
    if kind.auto and text == "auto":
        return None
    try:
        value = _parse(kind.hint, text)
    except ValueError:
        raise UserError(f"{key}={text} does not fit: {key} takes {kind}") from None
    for number in value if isinstance(value, tuple) else (value,):
        if kind.bounds is not None and not kind.bounds.admit(number):
            raise UserError(f"{key}={text} does not fit: {key} takes {kind}")
    return value


def check_defaults(settings: Any) -> None:
    """`UserError` where a value of a dataclass instance is none that its field takes, or a search space leaves its bounds."""
    kind: type = type(settings)
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if convert(kind, field.name, written(value)) != value:
            raise UserError(f"{field.name}={value} does not fit: {field.name} takes {_kind(kind, field.name)}")
    spaces(kind)


def written(value: Any) -> str:
    """The canonical text of a value in a spec; `convert` parses it."""
    if value is None:
        return "auto"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "+".join(map(written, value))
    if isinstance(value, float):
        return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value).replace("e+", "e")
    return str(value)


def _parse(hint: Any, text: str) -> Any:
    if get_origin(hint) is Literal:
        if text not in get_args(hint):
            raise ValueError
        return text
    if get_origin(hint) is tuple:
        return tuple(_parse(get_args(hint)[0], part) for part in text.replace("+", ",").split(","))
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
        return f"whole numbers {bounds}, joined by +" if bounds else "numbers, joined by +"
    kind = {bool: "true or false", int: "a whole number", float: "a number"}.get(hint) or hint.meaning
    return f"{kind} {bounds}" if bounds else kind


def apply(settings: Any, values: Mapping[str, str]) -> Any:
    """A copy of the dataclass instance ``settings`` with the fields that ``values`` names replaced."""
    return dataclasses.replace(settings, **{key: convert(type(settings), key, text) for key, text in values.items()})
