"""The classes of ImageNet's validation images that are in one flat folder, from the devkit or from a CSV."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from . import trees
from .base import DataError
from .foreign import visible

DEVKIT = "ILSVRC2012_devkit_t12"
TRUTH, META = "ILSVRC2012_validation_ground_truth.txt", "meta.mat"  # in the devkit's folder data
KAGGLE = "LOC_val_solution.csv"
ANNOTATIONS = "val_annotations.txt"  # of Tiny ImageNet
WNID = re.compile(r"n\d{8}")


def flat_classes(folder: Path, val: str, wanted: Sequence[str], left: Counter[str]) -> list[tuple[str, int]]:
    """The images of ``folder/val`` in the classes ``wanted``, and their labels, in the order that class folders would give.

    Other files are counted in ``left``. `DataError` says which file to add where the classes are unknown, or which classes lack
    images.
    """
    label = {wnid: i for i, wnid in enumerate(wanted)}
    source, known = _classes(folder, val, trees.images_below(folder / val, left))
    left[trees.kind(source.name)] -= source.parent == folder / val  # it is used
    found = [(name, label[wnid]) for name, wnid in known.items() if wnid in label]
    trees.require_classes(folder / val, wanted, found)
    return sorted(found, key=lambda pair: (pair[1], pair[0]))


def _classes(folder: Path, val: str, names: Sequence[str]) -> tuple[Path, dict[str, str]]:
    """What gives the classes, and that of each of the images ``names`` in ``folder/val``; `DataError` where nothing does."""
    annotations = folder / val / ANNOTATIONS
    if names and annotations.is_file():
        return _all_of(names, annotations, from_annotations(annotations), val)
    devkit = next((found for depth in ("", "*/", "*/*/") for found in folder.glob(f"{depth}{DEVKIT}")), None)
    if names and devkit is not None:
        return _all_of(names, devkit / "data" / TRUTH, from_devkit(devkit), val)
    tables = sorted([*visible(folder, "*.csv"), *visible(folder / val, "*.csv")], key=lambda path: path.name != KAGGLE)
    unreadable = []
    for path in tables if names else []:
        try:
            found = from_csv(path)
        except DataError as error:  # another one may have the classes
            unreadable.append(f" ({error})")
            continue
        if found:
            return _all_of(names, path, found, val)
    raise DataError(
        f"{folder / val} has no folders of the classes: sort its images into {val}/<class>/, or put the devkit ({DEVKIT}) "
        f"or {KAGGLE} into {folder}{''.join(unreadable)}"
    )


def _all_of(names: Sequence[str], source: Path, known: dict[str, str], val: str) -> tuple[Path, dict[str, str]]:
    unknown = [name for name in names if Path(name).stem not in known]
    if unknown:
        raise DataError(f"{source} gives no class for {trees.few(unknown)} in {val}")
    return source, {name: known[Path(name).stem] for name in names}


def from_devkit(devkit: Path) -> dict[str, str]:
    """File names without suffix -> ids: line i of the ground truth has the class number of image i; meta.mat has its id."""
    from scipy.io import loadmat

    truth, meta = devkit / "data" / TRUTH, devkit / "data" / META
    for path in (truth, meta):
        if not path.is_file():
            raise DataError(f"{devkit} lacks data/{path.name}")
    try:
        synsets = loadmat(str(meta), squeeze_me=True)["synsets"]
        leaves = synsets[synsets["num_children"] == 0]  # the others are groups of classes
        wnids = {int(s["ILSVRC2012_ID"]): str(s["WNID"]) for s in leaves}
    except Exception as error:  # a damaged file raises almost anything
        raise DataError(f"{meta} is damaged: {error}") from None
    try:
        lines = truth.read_text().split()
        return {f"ILSVRC2012_val_{i + 1:08d}": wnids[int(line)] for i, line in enumerate(lines)}
    except KeyError as error:
        raise DataError(f"{truth} is damaged: it has a class {error} that {META} does not have") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{truth} is damaged: {error}") from None


def from_annotations(path: Path) -> dict[str, str]:
    """File names without suffix -> classes, from lines ``image<tab>class<tab>...``."""
    try:
        rows = [line.split("\t") for line in path.read_text(encoding="utf-8-sig").splitlines()]
        return {Path(row[0]).stem: row[1] for row in rows}
    except (OSError, ValueError, IndexError) as error:
        raise DataError(f"{path} is damaged: {error}") from None


def from_csv(path: Path) -> dict[str, str]:
    """File names without suffix -> ids, from rows ``image,id`` or Kaggle's ``image,id box id box ...``; others are skipped."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            rows = [row for row in csv.reader(stream) if len(row) >= 2]
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"cannot read {path}: {error}") from None
    pairs = [(Path(row[0].strip()).stem, row[1].split()[:1]) for row in rows]
    return {stem: first[0] for stem, first in pairs if first and WNID.fullmatch(first[0])}
