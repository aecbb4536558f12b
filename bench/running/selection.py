"""From what the user named to methods and datasets."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from ..datasets import registry as tracks
from ..datasets.spec import Spec, parse_spec, split_specs
from ..errors import UserError
from ..methods import Method, registry
from ..settings import nearest


def find_method(name: str) -> type[Method]:
    """The method called ``name``; `UserError` offers the nearest names."""
    if name not in registry():
        raise UserError(f"unknown method {name!r}: {nearest(name, registry())}")
    return registry()[name]


def choose_methods(text: str) -> list[type[Method]]:
    """``all``, or names and wildcards with commas, each once, in the order given."""
    if text.strip() == "all":
        return list(registry().values())
    chosen: dict[str, type[Method]] = {}
    for part in text.split(","):
        part = part.strip()
        matching = [name for name in registry() if fnmatchcase(name, part)] if "*" in part else []
        chosen |= {name: find_method(name) for name in matching or [part]}
    return list(chosen.values())


def named(text: str) -> set[str]:
    """Which methods ``text`` asks for by their names, not by ``all`` or a wildcard."""
    return {part.strip() for part in text.split(",") if "*" not in part and text.strip() != "all"}


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
    said += [f"  to add {track.name}: {track.how_to_get or f'python -m bench data get {track.name}'}" for track in missing]
    return taken, said


def describe_methods(methods: Sequence[type[Method]]) -> str:
    return ", ".join(method.name for method in methods)
