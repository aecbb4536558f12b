"""Checks plain values, as read from JSON, against the types that annotations declare."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable
from types import NoneType
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin, get_type_hints, is_typeddict

DEEPEST = 20  # most levels of lists and dicts in a value declared as Any
LARGEST = 1e150  # largest magnitude: the square of a larger one does not fit into a float
Check = Callable[[Any], str | None]  # returns what does not fit, such as ".lr is 'fast', not a number", or None


class Range(NamedTuple):
    """The numbers that ``Annotated[float, Range(0, 1)]`` admits, both ends included."""

    low: float
    high: float = math.inf

    def __str__(self) -> str:
        return f"of at least {self.low:g}" if self.high == math.inf else f"from {self.low:g} to {self.high:g}"


Fraction = Annotated[float, Range(0, 1)]
NonNegative = Annotated[float, Range(0)]
Natural = Annotated[int, Range(0)]
Count = Annotated[int, Range(1)]


def check_of(hint: Any) -> Check:
    """The check of an annotation made of None, bool, int, float, str, Any, Literal, Annotated, list, dict, and TypedDict.

    A TypedDict checks the keys that it names, and requires those that are not optional; other keys may hold any plain value.
    """
    kind, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return lambda value: _plain(value, DEEPEST)
    if is_typeddict(hint):
        known = {key: check_of(one) for key, one in get_type_hints(hint, include_extras=True).items()}
        return _dict_check(known, check_of(Any), hint.__required_keys__)
    if kind is dict:
        return _dict_check({}, check_of(inner[1]))
    if kind is list:
        return _list_check(check_of(inner[0]))
    if kind is Annotated:
        return _range_check(check_of(inner[0]), inner[0], inner[1])
    if kind is Literal:
        return lambda value: None if value in inner and type(value) is str else _not(value, f"one of {', '.join(inner)}")
    if inner:
        return _union_check([check_of(one) for one in inner], NoneType in inner)
    return _leaf_check(hint)


def _not(value: Any, wanted: str) -> str:
    return f" is {ascii(value)[:40]}, not {wanted}"


def _leaf_check(hint: Any) -> Check:
    if hint is float:
        return lambda value: None if _is_number(value) else _not(value, "a number")
    if hint is int:
        return lambda value: None if type(value) is int and _is_number(value) else _not(value, "a whole number")
    if hint is str:
        return lambda value: None if type(value) is str and _is_text(value) else _not(value, "a text")
    name = {NoneType: "null", bool: "true or false"}[hint]
    return lambda value: None if type(value) is hint else _not(value, name)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and -LARGEST < value < LARGEST


def _is_text(value: str) -> bool:
    return value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value)  # a lone surrogate cannot be encoded


def _range_check(check: Check, hint: Any, admitted: Range) -> Check:
    name = f"{'a whole number' if hint is int else 'a number'} {admitted}"

    def checked(value: Any) -> str | None:
        return None if check(value) is None and admitted.low <= value <= admitted.high else _not(value, name)

    return checked


def _union_check(checks: list[Check], null: bool) -> Check:
    def checked(value: Any) -> str | None:
        if null and value is None:
            return None
        found = [check(value) for check in checks]
        return None if None in found else found[0]

    return checked


def _list_check(check: Check) -> Check:
    def checked(value: Any) -> str | None:
        if type(value) is not list:
            return _not(value, "a list")
        for place, one in enumerate(value):
            if (why := check(one)) is not None:
                return f"[{place}]{why}"
        return None

    return checked


def _dict_check(known: dict[str, Check], other: Check, needed: Collection[str] = ()) -> Check:
    def checked(value: Any) -> str | None:
        if type(value) is not dict:
            return _not(value, "an object")
        for key, one in value.items():
            if (why := known.get(key, other)(one)) is not None:
                return f".{ascii(key)[1:-1]}{why}"
            if not _is_text(key):
                return f" has the key {key!a}"
        return next((f" has no {key}" for key in sorted(needed) if key not in value), None)

    return checked


def _plain(value: Any, levels: int) -> str | None:
    kind = type(value)
    if kind is float or kind is int:
        return None if -LARGEST < value < LARGEST else _not(value, "a finite number")
    if kind is str:
        return None if _is_text(value) else _not(value, "a text")
    if kind is not dict and kind is not list:
        return None if value is None or kind is bool else _not(value, "a plain value")
    if not levels:
        return f" is nested more than {DEEPEST} levels deep"
    inside: Iterable[tuple[Any, Any]] = value.items() if kind is dict else enumerate(value)
    for key, one in inside:
        if (why := _plain(one, levels - 1)) is not None:
            return (f".{ascii(key)[1:-1]}" if kind is dict else f"[{key}]") + why
        if kind is dict and not _is_text(key):
            return f" has the key {key!a}"
    return None
