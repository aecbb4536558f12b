"""Tells split folders from class folders, by the common names of splits in any case and form."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from .base import DataError
from .trees import class_folders, few

AROUND = r"(?:images?|imgs?|data|set|split|folder)*"
WORDS = {
    "train": ("train", "training", "trn", "trainval"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing", "tst", "eval", "evaluation"),
}
ROLES = {split: re.compile(f"{AROUND}(?:{'|'.join(words)}){AROUND}") for split, words in WORDS.items()}


def role(name: str) -> str | None:
    """``train``, ``val`` or ``test`` where a folder of this name is likely one, such as Training, TRAIN_SET or train2017."""
    return next((split for split, pattern in ROLES.items() if pattern.fullmatch(_plain(name))), None)


def _plain(name: str) -> str:
    return re.sub("[^a-z]", "", name.lower())


def _roles(names: Sequence[str]) -> dict[str, str | None]:
    """The `role` of each name; also of seg_train and seg_test, which are alike but for the word of a split."""
    found = {name: role(name) for name in names}
    alike: dict[str, dict[str, str]] = {}
    for name in (name for name in names if found[name] is None):
        for split, word in ((split, word) for split, words in WORDS.items() for word in words):
            for rest in {_plain(name).removeprefix(word), _plain(name).removesuffix(word)} - {_plain(name)}:
                alike.setdefault(rest, {})[name] = split
    for together in alike.values():
        if {"train"} < {*together.values()}:
            found |= together
    return found


def splits(folder: Path) -> dict[str, str]:
    """The names of the split folders in ``folder``, by split; empty where its folders are classes.

    A folder called train whose siblings are all classes is a class. `DataError` with advice where this is ambiguous.
    """
    roles = _roles(class_folders(folder))
    found: dict[str, list[str]] = {}
    for name, split in roles.items():
        if split is not None:
            found.setdefault(split, []).append(name)
    others = [name for name, split in roles.items() if split is None]
    if not found or (others and len(found) == 1 and not _twice(found) and not _alone(folder, found, others)):
        return {}
    return _certain(folder, found)


def named(folder: Path, *splits: str) -> str:
    """The name of the folder for the first of ``splits`` that ``folder`` has, in any form; the first of ``splits`` if none."""
    there = _roles(class_folders(folder))
    for split in splits:
        meant = [split] if split in there else [name for name, meaning in there.items() if meaning == split]
        if len(meant) == 1:
            return meant[0]
    return splits[0]


def _alone(folder: Path, found: dict[str, list[str]], others: list[str]) -> bool:
    """Whether the only folder with the name of a split has subfolders and its siblings have none."""
    inner = [bool(class_folders(folder / name)) for name in (*next(iter(found.values())), *others)]
    return inner[0] and not any(inner[1:])


def _twice(found: dict[str, list[str]]) -> list[str] | None:
    return next((names for names in found.values() if len(names) > 1), None)


def _certain(folder: Path, found: dict[str, list[str]]) -> dict[str, str]:
    twice = _twice(found)
    if twice:
        raise DataError(f"{folder} has {few(twice)}, which mean the same split; leave one of them there, or rename the others")
    named = {split: names[0] for split, names in found.items()}
    if "train" not in named:
        raise DataError(f"{folder} has {few(list(named.values()))} and no folder train; rename one to train, or rename classes")
    if len(named) > 1 and not class_folders(folder / named["train"]):
        raise DataError(f"{folder / named['train']} has no folders of classes; sort its images into such (or rename the class)")
    return named
