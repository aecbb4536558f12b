"""Lists folders of image files: the images, their classes, and problems with the folder."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePath

import numpy as np

from . import foreign
from .base import DataError, Tree
from .decode import suffixes

Found = Sequence[tuple[str, int]]  # images, named below some folder, and their labels
NAMED = 5  # names that an error message lists; the rest are counted


def lines_hash(names: Iterable[str]) -> str:
    """SHA-256 of ``names``, one a line."""
    return hashlib.sha256("".join(f"{name}\n" for name in names).encode()).hexdigest()


def few(names: Sequence[str]) -> str:
    """The first of ``names``, and how many more there are."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def images_below(folder: Path, left: Counter[str] | None = None) -> list[str]:
    """The image files in ``folder`` and below, relative to it, sorted; links are followed.

    Other files are counted in ``left`` by the reason for leaving them out. `DataError` names unreadable folders and links.
    """
    walk = _Walk(Counter() if left is None else left)
    if folder.is_dir():
        walk.into(str(folder), "", ())
    if walk.unreadable:
        raise DataError(f"cannot read {len(walk.unreadable)} of the files and folders: {few(walk.unreadable)}")
    return sorted(walk.found)


class _Walk:
    def __init__(self, left: Counter[str]):
        self.left, self.found, self.unreadable = left, list[str](), list[str]()
        self.suffixes = suffixes()

    def into(self, folder: str, below: str, around: tuple[tuple[int, int], ...]) -> None:
        """List ``folder``, which has the relative path ``below`` and the ancestors ``around``, as (device, inode)."""
        try:
            state = Path(folder).stat()
            entries = list(os.scandir(folder))
        except OSError as error:
            self.unreadable.append(f"{folder} ({error.strerror or error})")
            return
        this = (state.st_dev, state.st_ino)
        if this in around:
            self.left["links that lead back to a folder around them"] += 1
            return
        for entry in entries:
            if entry.is_dir():
                self._folder(entry, below + entry.name, (*around, this))
            else:
                self._file(entry, below + entry.name)

    def _folder(self, entry: os.DirEntry, below: str, around: tuple[tuple[int, int], ...]) -> None:
        why = foreign.of_folder(entry.name)
        if why is None:
            self.into(entry.path, f"{below}/", around)
        else:
            self.left[why] += sum(len(files) for _, _, files in os.walk(entry.path))

    def _file(self, entry: os.DirEntry, below: str) -> None:
        why = foreign.of_file(entry.name) or self._kind(entry.name)
        if why is not None:
            self.left[why] += 1
        elif entry.is_file():
            self.found.append(below)
        else:
            self.unreadable.append(f"{entry.path} ({'a link to nothing' if entry.is_symlink() else 'no file'})")

    def _kind(self, name: str) -> str | None:
        suffix = PurePath(name).suffix.lower()
        return None if suffix in self.suffixes else f"{suffix or 'nameless'} files"


def has_images(folder: Path) -> bool:
    """Whether there is an image file in ``folder`` or below; links are not followed."""
    ends = tuple(suffixes())
    return any(name.lower().endswith(ends) for _, _, files in os.walk(folder) for name in files if not foreign.of_file(name))


def class_folders(folder: Path) -> list[str]:
    """The names of the folders in ``folder`` that may be classes, sorted."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if foreign.of_folder(entry.name) is None and entry.is_dir())
    except OSError as error:
        raise DataError(f"cannot read {folder}: {error.strerror or error}") from None


def by_class(folder: Path, classes: Sequence[str], left: Counter[str] | None = None) -> list[tuple[str, int]]:
    """Every image of ``folder/<class>`` with its label, class by class; `DataError` names the classes that it lacks."""
    images = {name: images_below(folder / name, left) for name in classes}
    found = [(f"{name}/{image}", label) for label, name in enumerate(classes) for image in images[name]]
    require_classes(folder, classes, found)
    return found


def loose(folder: Path, left: Counter[str]) -> None:
    """Count in ``left`` the files in ``folder`` itself and in its folders that are no classes."""
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        if entry.is_dir():
            why = foreign.of_folder(entry.name)
            if why:
                left[why] += sum(len(files) for _, _, files in os.walk(entry.path))
        else:
            image = PurePath(entry.name).suffix.lower() in suffixes()
            left[foreign.of_file(entry.name) or (OUTSIDE if image else OTHER)] += 1


OUTSIDE, OTHER = "images outside of the folders of classes", "other files next to the folders of classes"


def require_classes(folder: Path, classes: Sequence[str], found: Found, where: str = "") -> None:
    """`DataError` unless every class has an image."""
    there = {label for _, label in found}
    missing = [name for label, name in enumerate(classes) if label not in there]
    if missing:
        raise DataError(f"{folder} lacks images of {len(missing)} of the {len(classes)} classes{where}: {' '.join(missing)}")


def make(
    folder: Path, splits: Mapping[str, tuple[str, Found]], classes: Sequence[str], left: Mapping[str, int], **notes: object
) -> Tree:
    """The tree of both splits, each with its folder below ``folder`` and its images; ``left`` counts what was left out.

    `DataError` on names that no list can hold.
    """
    names = {split: [str(Path(part, name)) for name, _ in found] for split, (part, found) in splits.items()}
    labels = {split: np.array([label for _, label in found], np.int64) for split, (_, found) in splits.items()}
    broken = next((name for group in (classes, *names.values()) for name in group if not _is_text(name)), None)
    if broken is not None:
        raise DataError(f"{folder} has a file or folder whose name is no plain text: {broken!r}; rename it")
    return Tree(folder, names, labels, list(classes), {**notes, "left_out": dict(sorted(left.items()))})


def _is_text(name: str) -> bool:
    try:
        return "\n" not in name and bool(name.encode())
    except UnicodeEncodeError:
        return False
