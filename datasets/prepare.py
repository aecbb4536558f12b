"""Prepares a track from raw files: fetch or find, verify, unpack, read, write."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from . import assemble, files, folder, measure, workers, writer
from .assemble import Tell
from .base import DataError, File, Raw, Track, Tree
from .registry import tracks
from .trees import counts, lines_hash

SIDE = 256  # image files are squashed to SIDE x SIDE; their original sizes are kept with them


def get(
    track: Track,
    root: Path,
    source: Path | None = None,
    side: int | None = None,
    processes: int | None = None,
    tell: Tell = lambda done, total: None,
) -> Path:
    """Prepare ``track`` below ``root`` from the folder ``source``, or by download; returns its folder.

    Image files are squashed to ``side`` by ``processes`` processes (by default one for each core), and ``tell(done, total)``
    is called with the progress. `DataError` says in one line what is missing or damaged; nothing has changed on disk then.
    """
    if track.tree is None and (side or processes):
        raise DataError(f"{track.name} is stored as it is: it takes neither --side nor --workers")
    if track.embedded:
        raise DataError(f"{track.name} is embedded: there is nothing to get")
    if source is None:
        if not track.files:
            raise DataError(f"{track.name} cannot be downloaded; get it with: {track.command}")
        source = root / "raw" / track.name
        files.download(track.files, source)
    if not source.is_dir():
        raise DataError(f"{source} is not a folder")
    target = root / track.name
    if track.tree is not None:
        tree, side = _measured(track, track.tree(source), side)
        assemble.prepare(tree, target, side, processes or workers.available(), tell)
    elif track.read is not None:
        with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
            other = _other_form(track, source)
            raw, notes = other or (track.read(_verified(track, source, Path(scratch))), {})
            writer.write(target, raw, track.classes, track.digest, **_class_notes(track), **notes)
    return target


def _measured(track: Track, tree: Tree, side: int | None) -> tuple[Tree, int]:
    """The tree, and the side at which its images are stored; without ``side``, that of a user's folder follows its images."""
    if track.side is None:
        return tree, side or SIDE
    median, square = measure.sides(tree)
    return replace(tree, square=square), side or folder.stored_side(median)


def _other_form(track: Track, source: Path) -> tuple[dict[str, Raw], dict[str, Any]] | None:
    """The track's splits in another form than its archive, and what was left out, for meta.json.

    None where ``source`` has the archive, or no known form.
    """
    members = [place for name in track.members for place in (source / name, source / Path(name).name)]
    if any(files.find(source, file.name) for file in track.files) or any(place.is_file() for place in members):
        return None
    for form in track.forms:
        left = Counter[str]()
        if (raw := form(source, left)) is not None:
            return raw, {"left_out": counts(left)}
    return None


def _class_notes(track: Track) -> dict[str, Any]:
    return {"class_list": lines_hash(track.names), "class_names": track.names} if track.names else {}


def from_folder(name: str | None, source: Path | None, side: int | None) -> Track:
    """The track that ``data get folder`` will make under ``name``; `DataError` where the name is invalid or taken."""
    if name is None or source is None:
        raise DataError("a dataset from a folder takes both: data get folder --from DIR --name NAME")
    folder.require_name(name, tracks())
    return folder.track(name, side or SIDE)


def _verified(track: Track, source: Path, scratch: Path) -> Path:
    """The folder to read the track from, once every file in it has been verified."""
    for file in track.files:
        path = files.find(source, file.name)
        if path is None and track.members:
            return _verified_members(track, source)
        if path is None:
            raise DataError(f"{source} lacks {file.name}: fetch it from {file.url}")
        files.verify(path, file)
        if track.members:
            files.unpack(path, track.members, scratch)
            return scratch
    return source


def _verified_members(track: Track, source: Path) -> Path:
    for name, digest in track.members.items():
        path = next((p for p in (source / name, source / Path(name).name) if p.is_file()), None)
        if path is None:
            archive = track.files[0]
            others = " nor train/<class> and test/<class> nor parquet files" if track.forms else ""
            raise DataError(f"{source} holds neither {archive.name} nor {name}{others}: fetch {archive.url}")
        files.verify(path, File(name, "", digest))
    return source
