"""Lists the images in parquet files: those of each split, with their labels."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from pathlib import Path

from . import decode, parquet, trees
from .base import DataError


def there(folder: Path) -> bool:
    """Whether ``folder`` holds parquet files, and images in fewer than two folders, which are no classes or splits."""
    of_images = (name for name in trees.class_folders(folder) if trees.holds(folder / name, decode.suffixes()))
    return len(list(islice(of_images, 2))) < 2 and trees.holds(folder, parquet.ENDS)


def read(folder: Path, left: Counter[str]) -> tuple[dict[str, trees.Found], list[str]]:
    """The images of each split (train, val, test) with their labels, in the files' order, and the names of the classes.

    Of three splits, test is not used. Where the files have no names, the numbers are the names. Other files are counted in
    ``left``. `DataError` names the file that is wrong.
    """
    tables = parquet.splits(folder, trees.files_below(folder, parquet.ENDS, left))
    if {"train", "val", "test"} <= tables.keys():  # as with ImageNet, the labels of such a test split may not be public
        left["images in the test files, which are not used"] += parquet.count(tables.pop("test"))
    names = {table.names for table in tables.values()}
    if len(names) > 1:
        raise DataError(f"the parquet files in {folder} do not agree on their classes; take one dataset at a time")
    found: dict[str, trees.Found] = {split: _images(folder, table) for split, table in tables.items()}
    return found, list(names.pop()) or _numbers(folder, found)


def _images(folder: Path, table: parquet.Table) -> list[tuple[str, int]]:
    found = []
    for path, labels in parquet.labels(table):
        inside = path.relative_to(folder)
        bad = next((row for row, label in enumerate(labels) if not 0 <= label < (len(table.names) or label + 1)), None)
        if bad is not None:
            raise DataError(f"{path}: row {bad} has the label {labels[bad]}, which is of no class")
        found += [(f"{inside}#{row}", label) for row, label in enumerate(labels)]
    return found


def _numbers(folder: Path, found: dict[str, trees.Found]) -> list[str]:
    known = {label for pairs in found.values() for _, label in pairs}
    if len(known) < 2 or max(known) != len(known) - 1:
        raise DataError(f"the labels in the parquet files in {folder} are not 0, 1, 2 and so on: there are {len(known)} of them")
    return [str(label) for label in sorted(known)]
