"""Checks a prepared dataset in full, for `data check`: reads all of it and lists every problem."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .base import DataError, Track
from .meta import ARRAYS, SPLITS
from .meta import read_meta as meta_of
from .registry import find, known, open_splits
from .spec import Spec

NAMED = 5  # positions of bad labels that are named; the rest are counted
BLOCK = 1 << 24  # bytes hashed at a time


def check(name: str | None, root: Path) -> Iterator[tuple[str, list[str]]]:
    """The names of checked datasets, each with a line for each problem: ``name``, or all that are prepared below ``root``.

    `DataError` where ``name`` is unknown or has not been prepared.
    """
    chosen = list(known(root).values()) if name is None else [find(name, root)]
    for track in chosen:
        there = track.embedded or (root / track.name).is_dir()
        if name is not None and not there:
            raise DataError(f"{track.name} is not in {root}; get it with: {track.command}")
        if there:
            yield track.name, drawn_otherwise(track, root) if track.embedded else problems(track, root / track.name)


def drawn_otherwise(track: Track, root: Path) -> list[str]:
    """A line where an embedded ``track`` holds other images on this machine than elsewhere."""
    if track.digest is None or open_splits(Spec(track.name), root).fingerprint == track.digest:
        return []
    return [f"{track.name} has other images on this machine than elsewhere: its records cannot be compared with those of others"]


def problems(track: Track, folder: Path) -> list[str]:
    """A line for each problem of the prepared ``track`` in ``folder``."""
    try:
        meta = meta_of(folder)
    except DataError as error:
        return [str(error)]
    if meta is None:
        return [f"{folder / 'meta.json'} is missing; prepare the dataset again"]
    found = [] if meta["classes"] == track.classes else [f"{folder} has {meta['classes']} classes instead of {track.classes}"]
    whole = hashlib.sha256()
    for split in SPLITS:
        found += _name_problems(folder / f"{split}_names.txt", meta["splits"][split])
        found += _split_problems(folder, split, meta, whole)
    if not found and whole.hexdigest() != meta["fingerprint"]:
        found.append(f"{folder}: the content was altered since it was prepared: its fingerprint is another")
    if not found and track.digest and meta["fingerprint"] != track.digest:
        found.append(f"{folder} holds other images than {track.title}, or an earlier version's order of them; prepare it again")
    return found


def _split_problems(folder: Path, split: str, meta: dict, whole) -> list[str]:
    expected, classes = meta["splits"][split], meta["classes"]
    found, arrays = [], {}
    digests = expected.get("digests", {})  # a dataset prepared by an earlier version has none
    for name in digests or [n for n in ARRAYS if n != "sizes" or (folder / f"{split}_sizes.npy").exists()]:
        path = folder / f"{split}_{name}.npy"
        try:
            arrays[name] = np.load(path, mmap_mode="r", allow_pickle=False)
        except FileNotFoundError:
            found.append(f"{path} is missing")
            continue
        except (OSError, ValueError, EOFError) as error:
            found.append(f"{path} is damaged: {error}")
            continue
        if arrays[name].ndim != ARRAYS.get(name, arrays[name].ndim):
            return [*found, f"{path} is damaged: it has the shape {arrays[name].shape}"]
        digest = _hash(arrays[name], whole, meta.get("hashed_by") if name == "images" else None)
        if digests and digest != digests[name]:
            found.append(f"{path} was altered since it was prepared: its checksum is another")
        if len(arrays[name]) != expected["images"]:
            found.append(f"{path} holds {len(arrays[name])} entries instead of {expected['images']}")
    return found + (_label_problems(folder / f"{split}_labels.npy", arrays["labels"], classes) if "labels" in arrays else [])


def _name_problems(path: Path, expected: dict) -> list[str]:
    """Problems of the list of file names, which only a dataset of image files has."""
    if "names" not in expected:
        return []
    try:
        altered = hashlib.sha256(path.read_bytes()).hexdigest() != expected["names"]
    except OSError as error:
        return [f"{path} is missing or unreadable: {error.strerror}"]
    return [f"{path} was altered since it was prepared: its checksum is another"] if altered else []


def _hash(array: np.ndarray, whole, by: int | None) -> str:
    """SHA-256 of an array's content, or of the digests of its parts of ``by`` rows; the same bytes update ``whole``."""
    own = hashlib.sha256()
    rows = by or max(1, BLOCK // max(1, array[:1].nbytes))
    for start in range(0, len(array), rows):
        part = np.ascontiguousarray(array[start : start + rows]).data
        fed = hashlib.sha256(part).digest() if by else part
        own.update(fed)
        whole.update(fed)
    return own.hexdigest()


def _label_problems(path: Path, labels: np.ndarray, classes: int) -> list[str]:
    if labels.dtype != np.int64 or labels.ndim != 1:
        return [f"{path} holds {labels.dtype} {labels.shape}, not int64 [N]"]
    bad = np.flatnonzero((labels < 0) | (labels >= classes))
    if not len(bad):
        return []
    named = ", ".join(f"image {i} has {labels[i]}" for i in bad[:NAMED])
    more = f" and {len(bad) - NAMED} more" if len(bad) > NAMED else ""
    return [f"{path} has labels outside 0..{classes - 1}: {named}{more}"]
