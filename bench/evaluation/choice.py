"""Chooses the evaluators of a command: those of every cell, and those that ``--evaluators`` and its flags add."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..errors import UserError
from ..settings import nearest
from . import default, registry
from .evaluator import Evaluator


def choose(names: str | None, options: Mapping[str, str | None], data_root: Path) -> tuple[Evaluator, ...]:
    """The evaluators of every cell, then those in the comma-separated ``names``; ``all`` takes each that needs no missing flag.

    ``options`` are the texts of flags by name; a flag also chooses the evaluator that reads it. `UserError` where a name is
    unknown, or where the flag that an evaluator needs is missing; `DataError` where one that is named cannot be loaded, or
    where data that one needs are not below ``data_root``.
    """
    usual = default()
    given = {flag: text for flag, text in options.items() if text is not None}
    asked = [] if names is None or names.strip() == "all" else [part.strip() for part in names.split(",")]
    for name in asked:
        if name not in registry():
            raise UserError(f"--evaluators: unknown evaluator {name!r}: {nearest(name, registry())}")
        flag = registry()[name].option
        if flag and flag not in given:
            raise UserError(f"--evaluators {name} needs {flag}")
    every = names is not None and names.strip() == "all"
    made = []
    for name, kind in registry().loaded().items():
        if any(evaluator.name == name for evaluator in usual):
            continue
        if kind.option in given if kind.option else every or name in asked:
            made.append(kind.of(given.get(kind.option, "")))
    chosen = (*usual, *made)
    for evaluator in chosen:
        evaluator.check(data_root)
    return chosen


def left_out() -> list[str]:
    """A line on each evaluator that cannot be loaded, and that `choose` therefore leaves out where it is not named."""
    return [f"warning: {why}; its metrics are left out" for why in registry().broken().values()]
