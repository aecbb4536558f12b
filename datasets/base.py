"""The definition of a track: a dataset, its splits, and the settings that all methods share on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .errors import DataError, Interrupted
from .policy import Policy

__all__ = ["DataError", "File", "Grouping", "Interrupted", "Raw", "Track", "Tree"]


class File(NamedTuple):
    """One file to fetch: its name, its address, and the SHA-256 or MD5 of its (unpacked) content."""

    name: str
    url: str
    digest: str


class Raw(NamedTuple):
    """A split as read from raw files: images come in chunks, so that a large split need not fit into memory."""

    shape: tuple[int, int, int]  # channels, height, width
    labels: np.ndarray  # int64 [N]
    chunks: Iterable[np.ndarray]  # uint8 [n, C, H, W], N images in all, in the order of the labels


@dataclass(frozen=True)
class Tree:
    """A dataset of image files that were found but not decoded yet."""

    folder: Path
    names: Mapping[str, Sequence[str]]  # of both splits: files below the folder, in the order of the labels
    labels: Mapping[str, np.ndarray]  # of both splits: int64 [N]
    classes: Sequence[str]  # their names, in the order of the labels
    notes: Mapping[str, Any] = field(default_factory=dict)  # further entries of meta.json
    square: int | None = None  # the side of every image, where all are squares of one size: they are used whole


class Grouping(NamedTuple):
    """Coarser labels: their names, and the coarse label of each class in the order of the classes."""

    names: tuple[str, ...]
    of: tuple[int, ...]


@dataclass(frozen=True)
class Track:
    """A dataset with its input size, augmentation, default backbone and shared training settings.

    ``read(folder)`` turns the raw files of a folder into ``{"train": Raw, "test": Raw}`` and raises
    `DataError` naming the file that is wrong; ``files`` are what a download fetches into that folder.
    An embedded track has no files, is always ready, and its ``read`` ignores the folder.
    ``forms`` are functions like ``read`` for other forms of the dataset; they return None where the folder has no such form, and
    count the files that they leave out, by reason, in a Counter that they get.
    A track of image files has ``tree(folder)`` instead of ``read``.
    """

    name: str
    title: str
    classes: int
    size: int  # side of the network's input, in pixels
    backbone: str  # a timm name
    policy: Policy
    read: Callable[[Path], dict[str, Raw]] | None = None
    tree: Callable[[Path], Tree] | None = None
    files: tuple[File, ...] = ()
    members: Mapping[str, str] = field(default_factory=dict)  # files in the archive that are used, and their digests
    forms: tuple[Callable[[Path, Counter[str]], dict[str, Raw] | None], ...] = ()
    digest: str | None = None  # the fingerprint of its content, where it is known
    names: tuple[str, ...] = ()  # of the classes, in the order of their labels
    groupings: Mapping[str, Grouping] = field(default_factory=dict)  # coarser labels that a spec may ask for
    how_to_get: str = ""  # for a track that cannot be downloaded: the command to prepare it
    embedded: bool = False
    leaderboard: bool = False  # taken by `--datasets auto` where it is ready
    quick_start: str = ""  # the spec that `--datasets auto` takes where no leaderboard track is ready
    batch_size: int = 512
    lr: float = 0.06  # at the batch size above; other batch sizes scale it linearly
    weight_decay: float = 5e-4
    side: int | None = None  # of the stored images, on a track that was made from a folder of the user's

    @property
    def command(self) -> str:
        """The command that prepares it."""
        return self.how_to_get or f"python -m bench data get {self.name}"

    def at(self, px: int | None) -> Track:
        """This track with inputs of ``px`` pixels a side (None: its own), and a blur that covers the same share of them."""
        if px is None:
            return self
        if not self.policy.blur:
            return replace(self, size=px)
        low, high = (sigma * px / self.size for sigma in self.policy.blur_sigma)
        kernel = max(3, self.policy.blur_kernel * px // self.size // 2 * 2 + 1)
        return replace(self, size=px, policy=replace(self.policy, blur_sigma=(low, high), blur_kernel=kernel))
