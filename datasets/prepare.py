"""From raw files to a prepared track: fetch or find, verify, unpack, read, write."""

from __future__ import annotations

import tempfile
from pathlib import Path

from . import files, store
from .base import DataError, File, Track


def get(track: Track, root: Path, source: Path | None = None) -> Path:
    """Prepare ``track`` below ``root`` from the folder ``source``, or by download; returns its folder.

    `DataError` says in one line what is missing or damaged; then nothing has changed on disk.
    """
    if track.embedded:
        raise DataError(f"{track.name} is embedded: there is nothing to get")
    if source is None:
        if not track.files:
            raise DataError(f"{track.name} cannot be downloaded; get it with: {track.how_to_get}")
        source = root / "raw" / track.name
        files.download(track.files, source)
    if not source.is_dir():
        raise DataError(f"{source} is not a folder")
    target = root / track.name
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        store.write(target, track.read(_verified(track, source, Path(scratch))), track.classes)
    return target


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
            raise DataError(f"{source} holds neither {archive.name} nor {name}: fetch {archive.url}")
        files.verify(path, File(name, "", digest))
    return source
