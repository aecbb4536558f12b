"""Listing folders of image files: which images there are, of which class, and what is wrong with the folder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from .base import DataError, Tree
from .decode import SUFFIXES

Found = Sequence[tuple[str, int]]  # images, named below some folder, and their labels


def lines_hash(names: Iterable[str]) -> str:
    """SHA-256 of ``names``, one a line."""
    return hashlib.sha256("".join(f"{name}\n" for name in names).encode()).hexdigest()


def images_below(folder: Path) -> list[str]:
    """The image files in ``folder`` and below, relative to it, sorted; hidden ones and those of other kinds are left out."""
    found = []
    for place, inner, files in os.walk(folder):
        inner[:] = [name for name in inner if not name.startswith(".")]
        chosen = [name for name in files if not name.startswith(".") and name.lower().endswith(SUFFIXES)]
        found += [f"{place}/{name}"[len(str(folder)) + 1 :] for name in chosen]
    return sorted(found)


def class_folders(folder: Path) -> list[str]:
    """The names of the folders in ``folder`` that are not hidden, sorted."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    except OSError as error:
        raise DataError(f"cannot read {folder}: {error.strerror or error}") from None


def by_class(folder: Path, classes: Sequence[str]) -> list[tuple[str, int]]:
    """Every image of ``folder/<class>`` with its label, class by class; `DataError` names the classes that it lacks."""
    found = [(f"{name}/{image}", label) for label, name in enumerate(classes) for image in images_below(folder / name)]
    require_classes(folder, classes, found)
    return found


def require_classes(folder: Path, classes: Sequence[str], found: Found) -> None:
    """`DataError` unless every class has an image."""
    there = {label for _, label in found}
    missing = [name for label, name in enumerate(classes) if label not in there]
    if missing:
        raise DataError(f"{folder} lacks images of {len(missing)} of the {len(classes)} classes: {' '.join(missing)}")


def make(folder: Path, splits: Mapping[str, tuple[str, Found]], classes: Sequence[str], **notes: object) -> Tree:
    """The tree of both splits, each a folder below ``folder`` and the images found in it.

    `DataError` on names that no list can hold.
    """
    names = {split: [str(Path(part, name)) for name, _ in found] for split, (part, found) in splits.items()}
    labels = {split: np.array([label for _, label in found], np.int64) for split, (_, found) in splits.items()}
    broken = next((name for group in (classes, *names.values()) for name in group if not _is_text(name)), None)
    if broken is not None:
        raise DataError(f"{folder} has a file or folder whose name is no plain text: {broken!r}; rename it")
    return Tree(folder, names, labels, list(classes), notes)


def _is_text(name: str) -> bool:
    try:
        return "\n" not in name and bool(name.encode())
    except UnicodeEncodeError:
        return False
