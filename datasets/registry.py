"""The tracks. Every file of this folder that defines TRACK or TRACKS adds them; there is no other list.

This folder has no ``__init__.py`` on purpose: with one it would hide the Hugging Face package `datasets` from programs
that run in a checkout.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from . import folder
from .base import DataError, Track
from .found import Member, Registry, given, nearest, of_folder
from .meta import read_meta
from .outline import Outline
from .spec import Spec

if TYPE_CHECKING:  # tracks are listed without what holds their images
    from .store import Splits

GROUP = "ssl_bench.tracks"


@cache
def tracks() -> Registry[Track]:
    """Every track by its name, in alphabetical order."""
    return Registry(GROUP, lambda: of_folder(Path(__file__).parent, _of_file))


def _of_file(path: Path, outline: Outline) -> Iterator[Member]:
    if outline.names & {"TRACK", "TRACKS"} or not outline.plain:
        module = importlib.import_module(f"{__package__}.{path.stem}")
        for track in (*getattr(module, "TRACKS", ()), *([module.TRACK] if hasattr(module, "TRACK") else [])):
            yield Member(track.name, str(path), given(track))


def known(root: Path) -> dict[str, Track]:
    """Every track by its name, including those prepared below ``root`` from the user's folders."""
    return dict(sorted(({name: folder.at(root / name) for name in folder.names(root)} | tracks().loaded()).items()))


def find(name: str, root: Path | None = None) -> Track:
    """The track ``name``, also one prepared below ``root`` from a folder; `DataError` with the nearest names if unknown."""
    if name in tracks():
        return tracks()[name]
    own = [] if root is None else folder.names(root)
    if root is not None and name in own:
        return folder.at(root / name)
    raise DataError(f"unknown dataset {name!r}: {nearest(name, [*tracks(), *own])}")


def track_of(spec: Spec, root: Path | None = None) -> Track:
    """The track that ``spec`` names, at the spec's input size; `DataError` as `find`, or for an unknown ``labels=``."""
    track = find(spec.name, root)
    if spec.labels is not None and spec.labels not in track.groupings:
        known = f"labels={' or '.join(track.groupings)}, or without for its own" if track.groupings else "its own alone"
        raise DataError(f"{track.name} has no labels={spec.labels}; it takes {known}")
    return track.at(spec.px)


def is_ready(track: Track, root: Path) -> bool:
    """Whether the track is embedded or prepared; `DataError` where its folder is damaged."""
    return track.embedded or read_meta(root / track.name) is not None


def open_splits(spec: Spec, root: Path) -> Splits:
    """The data that ``spec`` asks for; `DataError` says how to get what is missing."""
    from .cut import cut, develop

    grouping = track_of(spec, root).groupings[spec.labels] if spec.labels else None
    part = cut(_whole(spec, root), replace(spec, test=None) if spec.dev else spec, grouping)
    return develop(part, spec) if spec.dev else part


def _whole(spec: Spec, root: Path) -> Splits:
    """The whole track of ``spec``, uncut; a dev form has no test split."""
    from . import store

    track = track_of(spec, root)
    if track.embedded and track.read is not None:
        return store.in_memory(track.read(root), spec.dev)
    if not is_ready(track, root):
        raise DataError(f"{track.name} is not in {root}; get it with: {track.command}")
    return store.load(root / track.name, spec.dev)
