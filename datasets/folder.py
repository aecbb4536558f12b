"""Tracks made from the user's own image folders, one folder a class; ``data get folder`` prepares them.

Such a track is defined by its prepared folder alone: its meta.json has the classes and the side of the images.
All other settings follow from that side, and from whether there is a GPU.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Container
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

from . import layout, shards, trees
from .base import DataError, Track, Tree
from .imagenet import POLICY
from .imagenet_val import DEVKIT, flat_classes
from .meta import read_meta
from .spec import DEV

KIND = "folder"  # what meta.json calls such a track
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
RESERVED = {"folder", "auto", "all", "raw", DEV}  # words of the command line and of specs, and the folder of downloads
TEST_SHARE, SEED = 0.2, 20220425
SIZE, SMALL = 224, 64  # pixels: the largest input; the largest that is not blurred (SimCLR B.9)
SMALLEST, LARGEST = 8, 256  # pixels: of stored images, where no other side is given


def stored_side(median: int) -> int:
    """The side at which images are stored, in pixels, from the median of their shorter sides."""
    return min(LARGEST, max(SMALLEST, median))


def backbone() -> str:
    """The default backbone on this machine: a small one where there is no GPU."""
    import torch

    return "resnet18" if torch.cuda.is_available() else "test_resnet"


def track(name: str, side: int, classes: int = 0) -> Track:
    """The track ``name`` of images of ``side`` x ``side`` pixels."""
    size = min(SIZE, side)
    whole = Track(
        name=name,
        title=f"image folder {name}",
        classes=classes,
        size=SIZE,
        backbone=backbone(),
        policy=POLICY if size > SMALL else replace(POLICY, blur=0.0),
        tree=tree,
        how_to_get=f"python -m bench data get folder --from DIR --name {name}",
        batch_size=256,
        lr=0.03,  # as on imagenet100
        weight_decay=1e-4,
        side=side,
    )
    return whole.at(size)


def require_name(name: str, taken: Container[str]) -> None:
    """`DataError` unless ``name`` is free and valid in specs and in paths."""
    if not NAME.fullmatch(name):
        raise DataError(f"--name {name!r} cannot be a dataset's: it takes up to 64 letters, digits, and - _ . inside")
    if name.lower() in RESERVED or name.lower() in taken:
        raise DataError(f"--name {name!r} is taken; choose another one")


def tree(folder: Path) -> Tree:
    """The images of ``folder``: in train/<class>/ and val/<class>/ (or test), or in <class>/ and then split here.

    Other common names of splits, such as Training or train_set, are recognised. Where ``folder`` has parquet files and no
    images, those are read. `DataError` where classes are missing or have too few images.
    """
    if shards.there(folder):
        return _shards(folder)
    found, left = layout.splits(folder), Counter[str]()
    if not found:
        return _split(folder, left)
    train = found.pop("train")
    if not found:
        raise DataError(f"{folder} has {train} but neither val nor test; to have a fifth split off, name {folder / train}")
    return _given(folder, train, [found[split] for split in ("val", "test") if split in found], left)


def _classes(folder: Path) -> list[str]:
    found = trees.class_folders(folder)
    if len(found) < 2:
        raise DataError(f"{folder} has {len(found)} folders of classes; at least 2 are needed, each with its images")
    return found


def _given(folder: Path, train: str, others: list[str], left: Counter[str]) -> Tree:
    """The split called ``train``, and the first of the ``others`` that has its classes."""
    classes = _classes(folder / train)
    test = next((name for name in others if set(trees.class_folders(folder / name)) & set(classes)), others[0])
    trees.beside(folder, (train, test, DEVKIT), left)
    trees.loose(folder / train, left)
    splits = {
        "train": (train, trees.by_class(folder / train, classes, left)),
        "test": (test, _tested(folder, train, test, classes, left)),
    }
    return trees.make(folder, splits, classes, left, kind=KIND, test_split=test)


def _tested(folder: Path, train: str, test: str, classes: list[str], left: Counter[str]) -> list[tuple[str, int]]:
    there = set(trees.class_folders(folder / test))
    if not there & set(classes):
        return flat_classes(folder, test, classes, left)
    trees.loose(folder / test, left)
    surplus = sorted(there - set(classes))
    if surplus:
        raise DataError(f"{folder / test} has classes that {folder / train} lacks: {' '.join(surplus)}")
    return trees.by_class(folder / test, classes, left)


def _shards(folder: Path) -> Tree:
    left = Counter[str]()
    found, classes = shards.read(folder, left)
    if len(found) == 1:
        return _fifth(folder, classes, next(iter(found.values())), left)
    test = "val" if "val" in found else "test"
    if "train" not in found:
        raise DataError(f"{folder} has parquet files of {' and '.join(found)}, but none of train")
    for name in ("train", test):
        trees.require_classes(folder, classes, found[name], f" in {name}")
    splits = {"train": ("", found["train"]), "test": ("", found[test])}
    return trees.make(folder, splits, classes, left, kind=KIND, test_split=f"the {test} files")


def _split(folder: Path, left: Counter[str]) -> Tree:
    classes = _classes(folder)
    trees.loose(folder, left)
    return _fifth(folder, classes, trees.by_class(folder, classes, left), left)


def _fifth(folder: Path, classes: list[str], found: trees.Found, left: Counter[str]) -> Tree:
    """A seeded fifth of each class becomes the test split; it depends on the images' names, not on their order."""
    trees.require_classes(folder, classes, found)
    test: set[str] = set()
    for label, group in groupby(sorted(found, key=lambda pair: pair[1]), key=lambda pair: pair[1]):
        images = sorted((name for name, _ in group), key=_lot)
        if len(images) < 2:
            raise DataError(f"{folder} has 1 image of {classes[label]}; at least 2 are needed, one of them for testing")
        test.update(images[: max(1, round(TEST_SHARE * len(images)))])
    splits = {
        "train": ("", [pair for pair in found if pair[0] not in test]),
        "test": ("", [pair for pair in found if pair[0] in test]),
    }
    return trees.make(folder, splits, classes, left, kind=KIND, test_split=f"a seeded fifth of each class (seed {SEED})")


def _lot(name: str) -> bytes:
    return hashlib.sha256(f"{SEED} {name}".encode(errors="surrogateescape")).digest()


def names(root: Path) -> list[str]:
    """The names of the tracks below ``root`` that were made from a folder, damaged ones included; loads no torch."""
    try:
        places = sorted(path.parent for path in root.glob("*/meta.json"))
    except OSError:
        return []
    return [place.name for place in places if _described(place) is not None]


def at(place: Path) -> Track:
    """The track `names` has found in ``place``."""
    meta = _described(place) or {}
    side = meta.get("side")
    return track(place.name, side if isinstance(side, int) and side > 0 else SIZE, meta.get("classes", 0))


def _described(place: Path) -> dict[str, Any] | None:
    """The content of meta.json, empty where it is damaged; None where ``place`` was not made from a folder."""
    if not NAME.fullmatch(place.name):
        return None
    try:
        meta = read_meta(place)
    except DataError:  # opening the track raises the same error
        return {}
    return meta if meta is not None and meta.get("kind") == KIND else None
