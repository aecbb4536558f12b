"""Lists folders of image files: the images, their classes, and problems with the folder."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from types import MappingProxyType

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
    """The image files in ``folder`` and below, as `files_below`."""
    return files_below(folder, suffixes(), left)


def files_below(folder: Path, ends: Collection[str], left: Counter[str] | None = None) -> list[str]:
    """The files in ``folder`` and below with one of the suffixes ``ends``, relative to it, sorted; links are followed.

    Other files are counted in ``left`` by the reason for leaving them out. `DataError` names unreadable folders and links.
    """
    walk = _Walk(ends, Counter() if left is None else left)
    found = sorted(walk.over(folder))
    if walk.unreadable:
        raise DataError(f"cannot read {len(walk.unreadable)} of the files and folders: {few(walk.unreadable)}")
    return found


def holds(folder: Path, ends: Collection[str]) -> bool:
    """Whether there is a file for `files_below`; what cannot be read is skipped."""
    return next(_Walk(ends, Counter()).over(folder), None) is not None


class _Walk:
    def __init__(self, ends: Collection[str], left: Counter[str]):
        self.ends, self.left, self.unreadable = ends, left, list[str]()

    def over(self, folder: Path) -> Iterator[str]:
        return self.into(str(folder), "", ()) if folder.is_dir() else iter(())

    def into(self, folder: str, below: str, around: tuple[tuple[int, int], ...]) -> Iterator[str]:
        """The files in ``folder``, which has the relative path ``below`` and the ancestors ``around``, as (device, inode)."""
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
            if not _is(entry.is_dir):
                yield from self._file(entry, below + entry.name)
            elif (why := foreign.of_folder(entry.name)) is None:
                yield from self.into(entry.path, f"{below}{entry.name}/", (*around, this))
            else:
                self.left[why] += count_below(entry.path)

    def _file(self, entry: os.DirEntry, below: str) -> Iterator[str]:
        why = foreign.of_file(entry.name) or (None if _suffix(entry.name) in self.ends else kind(entry.name))
        if why is not None:
            self.left[why] += 1
        elif _is(entry.is_file):
            yield below
        else:
            self.unreadable.append(f"{entry.path} ({'a link to nothing' if entry.is_symlink() else 'no file'})")


def _is(test: Callable[[], bool]) -> bool:
    try:
        return test()
    except OSError:  # a link to itself, or to what may not be read
        return False


def _suffix(name: str) -> str:
    return PurePath(name).suffix.lower()


def kind(name: str) -> str:
    """The reason for leaving out a file of this name, where it is of no kind that is taken."""
    return f"{_suffix(name) or 'nameless'} files"


def count_below(folder: str | Path) -> int:
    """The number of files in ``folder`` and below."""
    return sum(len(files) for _, _, files in os.walk(folder))


def class_folders(folder: Path) -> list[str]:
    """The names of the folders in ``folder`` that may be classes, sorted. `DataError` on a link that may have led to one."""
    try:
        entries = [entry for entry in os.scandir(folder) if foreign.of_folder(entry.name) is None]
    except OSError as error:
        raise DataError(f"cannot read {folder}: {error.strerror or error}") from None
    lost = [entry.path for entry in entries if entry.is_symlink() and not Path(entry.path).exists() and not _suffix(entry.name)]
    if lost:
        raise DataError(f"cannot read {len(lost)} of the files and folders: {few(lost)} (a link to nothing)")
    return sorted(entry.name for entry in entries if _is(entry.is_dir))


def by_class(folder: Path, classes: Sequence[str], left: Counter[str] | None = None) -> list[tuple[str, int]]:
    """Every image of ``folder/<class>`` with its label, class by class; `DataError` names the classes that it lacks."""
    passed = Counter[str]()
    images = {name: images_below(folder / name, passed) for name in classes}
    found = [(f"{name}/{image}", label) for label, name in enumerate(classes) for image in images[name]]
    require_classes(folder, classes, found, left=passed)
    if left is not None:
        left.update(passed)
    return found


def loose(folder: Path, left: Counter[str]) -> None:
    """Count in ``left`` the files in ``folder`` itself and in its folders that are no classes."""
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        if not _is(entry.is_dir):
            left[foreign.of_file(entry.name) or (OUTSIDE if _suffix(entry.name) in suffixes() else OTHER)] += 1
        elif (why := foreign.of_folder(entry.name)) is not None:
            left[why] += count_below(entry.path)


def beside(folder: Path, used: Collection[str], left: Counter[str]) -> None:
    """Count in ``left`` all files in ``folder`` but those in its folders ``used``."""
    loose(folder, left)
    for name in class_folders(folder):
        if name not in used:
            left[f"files in {name}, which is not used"] += count_below(folder / name)


def listed(left: Mapping[str, int]) -> str:
    """What was left out, as text."""
    return ", ".join(f"{count:,} {why}" for why, count in counts(left).items())


def counts(left: Mapping[str, int]) -> dict[str, int]:
    """What was left out, by reason, as meta.json has it."""
    return {why: count for why, count in sorted(left.items()) if count > 0}


OUTSIDE, OTHER = "images outside of the folders of classes", "other files next to the folders of classes"


def require_classes(
    folder: Path, classes: Sequence[str], found: Found, where: str = "", left: Mapping[str, int] = MappingProxyType({})
) -> None:
    """`DataError` unless every class has an image; it says what was ``left`` out."""
    there = {label for _, label in found}
    missing = [name for label, name in enumerate(classes) if label not in there]
    if missing:
        said = f"; left out: {listed(left)}" if left else ""
        raise DataError(
            f"{folder} lacks images of {len(missing)} of the {len(classes)} classes{where}: {' '.join(missing)}{said}"
        )


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
    return Tree(folder, names, labels, list(classes), {**notes, "left_out": counts(left)})


def _is_text(name: str) -> bool:
    try:
        return "\n" not in name and bool(name.encode())
    except UnicodeEncodeError:
        return False
