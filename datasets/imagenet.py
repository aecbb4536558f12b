"""ImageNet (Russakovsky et al. 2015): all of it as `imagenet`, and `imagenet100-first100`, the first 100 sorted ids.

SogCLR and GloFND call the latter ImageNet-100; it shares 8 classes with `imagenet100`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from . import layout, shards, trees
from .base import DataError, Track, Tree
from .imagenet_val import flat_classes
from .policy import Policy

POLICY = Policy(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), blur=0.5)


def thousand() -> list[str]:
    """The ids of all 1,000 classes, sorted; labels follow them."""
    from timm.data import ImageNetInfo

    return sorted(ImageNetInfo().label_names())


def tree(folder: Path, classes: Callable[[], Sequence[str]]) -> Tree:
    """The tree of ``train/<id>/*.JPEG``, and of ``val/<id>`` or a flat ``val`` with a devkit or a CSV; or of parquet files."""
    wanted, left = classes(), Counter[str]()
    if shards.there(folder):
        return _shards(folder, wanted, left)
    train, val = layout.named(folder, "train"), layout.named(folder, "val")
    found = trees.by_class(folder / train, wanted, left)
    sorted_val = trees.class_folders(folder / val)
    test = trees.by_class(folder / val, wanted, left) if sorted_val else flat_classes(folder, val, wanted, left)
    for part in (train, val) if sorted_val else (train,):
        trees.loose(folder / part, left)
    return trees.make(folder, {"train": (train, found), "test": (val, test)}, wanted, left)


def _shards(folder: Path, wanted: Sequence[str], left: Counter[str]) -> Tree:
    """The classes ``wanted`` from parquet files with ImageNet's ids as class names, or with all 1,000 classes in their order."""
    found, names = shards.read(folder, left)
    ids = thousand() if len(names) == len(thousand()) and names[0].startswith("tench") else names
    label = {wnid: i for i, wnid in enumerate(wanted)}
    missing = sorted(set(wanted) - set(ids))
    if missing:
        raise DataError(
            f"the classes of the parquet files in {folder} are not called by ImageNet's ids ({trees.few(missing)} not found), so "
            f"they may be other images; name them yourself: python -m bench data get folder --from {folder} --name NAME"
        )
    chosen = {split: [(name, label[ids[i]]) for name, i in pairs if ids[i] in label] for split, pairs in found.items()}
    for split in ("train", "val"):
        trees.require_classes(folder, wanted, chosen.get(split, ()), f" in {split}")
    splits = {"train": ("", chosen["train"]), "test": ("", chosen["val"])}  # in the order of the files, so that each is read once
    return trees.make(folder, splits, wanted, left)


def track(name: str, title: str, classes: Callable[[], Sequence[str]], count: int, leaderboard: bool = False) -> Track:
    """A track of ``count`` of ImageNet's classes."""
    return Track(
        name=name,
        title=title,
        classes=count,
        size=224,
        backbone="resnet18",
        policy=POLICY,
        tree=partial(tree, classes=classes),
        how_to_get=f"python -m bench data get {name} --from IMAGENET_DIR (with train/<id>/*.JPEG and val/<id>/*.JPEG)",
        leaderboard=leaderboard,
        batch_size=256,
        lr=0.03,  # MoCo at batch 256
        weight_decay=1e-4,
    )


TRACKS = (
    track("imagenet", "ImageNet (ILSVRC 2012)", thousand, 1000),
    track("imagenet100-first100", "ImageNet-100 (the first 100 sorted ids)", lambda: thousand()[:100], 100),
)
