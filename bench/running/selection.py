"""Chooses contenders and datasets by the texts of a command."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from ..contenders import Contender, parse_contenders
from ..datasets import registry as tracks
from ..datasets.spec import Spec, parse_spec, split_specs
from ..errors import UserError
from ..methods import Method, registry
from ..recipe import check_key, setting_keys, training_keys
from ..settings import Assignment, nearest


def find_method(name: str) -> type[Method]:
    """The method called ``name``; `UserError` offers the nearest names."""
    if name not in registry():
        raise UserError(f"unknown method {name!r}: {nearest(name, registry())}")
    return registry()[name]


def choose_contenders(text: str, assignments: Sequence[Assignment]) -> list[Contender]:
    """``all``, or method specs with commas and wildcards, with what ``--set`` adds; ``a|b`` expanded, each once.

    A setting of a spec, or of one method, goes before one for all. `UserError` where a name or a key is unknown, or where
    a setting of a wildcard or of ``--set`` reaches no method.
    """
    chosen = [one for given in parse_contenders(text) for one in _named(given)]
    methods = [find_method(one.method) for one in chosen]
    _check_reached(assignments, methods)
    found: dict[str, Contender] = {}
    for one, method in zip(chosen, methods, strict=True):
        for key in one.settings:
            check_key(method, key)
        found |= {str(made): made for made in _assigned(one, method, assignments).grid()}
    return list(found.values())


def _named(given: Contender) -> list[Contender]:
    """One contender for each method that the name means; of several, each takes the settings that it has."""
    if given.method != "all" and "*" not in given.method:
        return [given]
    names = [name for name in registry() if given.method == "all" or fnmatchcase(name, given.method)]
    if not names:
        raise UserError(f"no method matches {given.method!r}: there are {', '.join(registry())}")
    keys = {name: setting_keys(registry()[name]) for name in names}
    for key in given.settings:
        if not any(key in has for has in keys.values()):
            raise UserError(f"{given}: no method of {given.method} has this setting; {nearest(key, set().union(*keys.values()))}")
    return [Contender(name, {k: v for k, v in given.settings.items() if k in keys[name]}) for name in names]


def _assigned(one: Contender, method: type[Method], assignments: Sequence[Assignment]) -> Contender:
    for a in assignments:
        if a.method == one.method and one.settings.get(a.key, a.value) != a.value:
            raise UserError(f"--set {a} contradicts {one}: leave one of them out")
    own = {a.key: a.value for a in assignments if a.method == one.method}
    shared = {a.key: a.value for a in assignments if a.method is None and a.key in setting_keys(method)}
    return one.with_defaults(shared | own)


def _check_reached(assignments: Sequence[Assignment], methods: Sequence[type[Method]]) -> None:
    """`UserError` where an assignment reaches no chosen method."""
    keys = {method.name: setting_keys(method) for method in methods}
    for a in assignments:
        if a.method is not None and a.method not in keys:
            raise UserError(f"--set {a}: {a.method!r} is not among the chosen methods; {nearest(a.method, keys)}")
        reached = keys[a.method] if a.method else training_keys().union(*keys.values())  # nothing, where nothing trains
        if a.key not in reached:
            raise UserError(f"--set {a}: no chosen method has this setting; {nearest(a.key, sorted(reached))}")


def named(text: str) -> set[str]:
    """Which methods ``text`` asks for by their names, not by ``all`` or a wildcard."""
    return {one.method for one in parse_contenders(text) if "*" not in one.method and one.method != "all"}


def choose_datasets(text: str, root: Path) -> tuple[list[Spec], list[str]]:
    """Specs, and lines that say what ``auto`` took and why."""
    if text.strip() != "auto":
        specs = {str(spec): spec for spec in map(parse_spec, split_specs(text))}
        for spec in specs.values():
            tracks.find(spec.name, root)
        return list(specs.values()), []
    wanted = [track for track in tracks.tracks().values() if track.leaderboard]
    ready = [track for track in wanted if tracks.is_ready(track, root)]
    missing = [track for track in wanted if track not in ready]
    quick = [parse_spec(track.quick_start) for track in tracks.tracks().values() if track.quick_start]
    taken = [Spec(track.name) for track in ready] or quick
    why = "ready here" if ready else "embedded; no leaderboard dataset is ready here"
    said = [f"datasets: {', '.join(map(str, taken))} ({why})"]
    said += [f"  to add {track.name}: {track.command}" for track in missing]
    return taken, said
