"""What a track is: a dataset, its splits, and the settings that every method shares on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .augment import Policy


class DataError(Exception):
    """A dataset that is missing, damaged or asked for wrongly; the message is one line for the user."""


class File(NamedTuple):
    """One file to fetch: its name, where it lies, and the SHA-256 or MD5 of its (unpacked) content."""

    name: str
    url: str
    digest: str


class Raw(NamedTuple):
    """A split as it is read: images arrive in chunks so that a large one never has to fit in memory."""

    shape: tuple[int, int, int]  # channels, height, width
    labels: np.ndarray  # int64 [N]
    chunks: Iterable[np.ndarray]  # uint8 [n, C, H, W], N images in all, in the order of the labels
    sizes: np.ndarray | None = None  # int32 [N, 2], original height and width, where images were squashed


@dataclass(frozen=True)
class Track:
    """A dataset with its input size, augmentation, default backbone and shared training settings.

    ``read(folder)`` turns the raw files of a folder into ``{"train": Raw, "test": Raw}`` and raises
    `DataError` naming the file that is wrong; ``files`` are what a download fetches into that folder.
    An embedded track has no files, is always ready, and its ``read`` ignores the folder.
    """

    name: str
    title: str
    classes: int
    size: int  # side of the network's input, in pixels
    backbone: str  # a timm name
    policy: Policy
    read: Callable[[Path], dict[str, Raw]]
    files: tuple[File, ...] = ()
    members: Mapping[str, str] = field(default_factory=dict)  # of an archive: the files used, and their digests
    how_to_get: str = ""  # for a track that cannot be downloaded: what to do instead
    embedded: bool = False
    leaderboard: bool = False  # taken by `--datasets auto` where it is ready
    quick_start: bool = False  # taken by `--datasets auto` where no leaderboard track is ready
    batch_size: int = 512
    lr: float = 0.06  # at the batch size above; other batch sizes scale it linearly
    weight_decay: float = 5e-4

    def at(self, px: int) -> Track:
        """This track with inputs of ``px`` pixels a side, and a blur that covers the same share of them."""
        if not self.policy.blur:
            return replace(self, size=px)
        low, high = (sigma * px / self.size for sigma in self.policy.blur_sigma)
        kernel = max(3, self.policy.blur_kernel * px // self.size // 2 * 2 + 1)
        return replace(self, size=px, policy=replace(self.policy, blur_sigma=(low, high), blur_kernel=kernel))
