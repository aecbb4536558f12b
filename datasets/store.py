"""Dense uint8 image stores: plain ``.npy`` files on disk, one tensor for each split in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .base import DataError, Raw
from .meta import SPLITS, read_meta


@dataclass(frozen=True)
class Store:
    """One split. images uint8 [N, C, H, W]; labels int64 [N]; sizes int32 [N, 2] (original h, w) or None.

    ``rows`` int64 [n], where given, are the rows of ``images`` and ``sizes`` that belong to this (cut) split; then N is n.
    ``mapped``: the images are a file on disk, read through `feed`.
    """

    images: Tensor
    labels: Tensor
    sizes: Tensor | None = None
    rows: Tensor | None = None
    mapped: bool = False

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def channels(self) -> int:
        return self.images.shape[1]

    @property
    def nbytes(self) -> int:
        return len(self) * self.images[0].numel()

    def select(self, rows: Tensor, labels: Tensor) -> Store:
        """The images ``rows`` (int64 [n]) of this store under new ``labels`` (int64 [n]); copies no image."""
        return replace(self, rows=rows if self.rows is None else self.rows[rows], labels=labels)

    def evenly(self, most: int) -> Store:
        """At most ``most`` images of this store, evenly spaced: where it is sorted by label, this is even over classes too."""
        if len(self) <= most:
            return self
        rows = evenly(len(self), most).to(self.labels.device)
        return self.select(rows, self.labels[rows])

    def resident(self, device: torch.device) -> Store:
        """This store with only its own images, in the memory of ``device``."""
        if self.rows is None:
            images, sizes = self.images, self.sizes
        else:
            images = self.images[self.rows]
            sizes = None if self.sizes is None else self.sizes[self.rows]
        moved = None if sizes is None else sizes.to(device)
        return Store(images.to(device), self.labels.to(device), moved)

    def take(self, index: Tensor) -> tuple[Tensor, Tensor | None]:
        """Images uint8 [B, C, H, W] and sizes [B, 2] (or None) at ``index`` int64 [B]."""
        return self.images[self._rows(index)], self.sizes_of(index)

    def sizes_of(self, index: Tensor) -> Tensor | None:
        """Original sizes [B, 2] at ``index`` int64 [B], or None."""
        return None if self.sizes is None else self.sizes[self._rows(index)]

    def gather(self, index: Tensor, out: Tensor) -> None:
        """Copy the images at ``index`` into ``out``, both in the CPU's memory; NumPy is several times as fast as torch here."""
        rows = self._rows(index).numpy()
        np.take(self.images.numpy(), rows, axis=0, out=out.numpy(), mode="clip")  # other modes copy twice

    def _rows(self, index: Tensor) -> Tensor:
        return index if self.rows is None else self.rows[index]


def evenly(count: int, most: int) -> Tensor:
    """Numbers of at most ``most`` of ``count`` rows, evenly spaced, with the first and the last: int64."""
    return torch.linspace(0, count - 1, min(count, most), dtype=torch.float64).round().long()


@dataclass(frozen=True)
class Splits:
    """A track's data: train and test stores, number of classes, a hash of the data, and a hash of the class names."""

    train: Store
    test: Store
    classes: int
    fingerprint: str
    class_list: str | None = None  # SHA-256 of the class names, one a line, in the order of the labels; None where unknown


def in_memory(raw: Mapping[str, Raw], dev: bool) -> Splits:
    """Splits of an embedded track from ``raw``; for a ``dev`` form train alone, without making any test image."""
    digest = hashlib.sha256()
    stores, classes = [], 0
    for split in SPLITS[:1] if dev else SPLITS:
        images = np.concatenate(list(raw[split].chunks))
        labels = raw[split].labels
        digest.update(images.tobytes() + labels.tobytes())
        classes = max(classes, int(labels.max()) + 1)
        stores.append(Store(torch.from_numpy(images), torch.from_numpy(labels)))
    return Splits(stores[0], none_of(stores[0]) if dev else stores[1], classes, digest.hexdigest())


def none_of(store: Store) -> Store:
    """An empty store of the kind of ``store``."""
    return store.select(torch.empty(0, dtype=torch.int64), torch.empty(0, dtype=torch.int64))


def load(folder: Path, dev: bool = False) -> Splits:
    """Memory-map a prepared track; for a ``dev`` form train alone, without opening a test file.

    `DataError` names the file that is missing or has the wrong length.
    """
    meta = read_meta(folder)
    if meta is None:
        raise DataError(f"no prepared dataset in {folder}")
    wanted = SPLITS[:1] if dev else SPLITS
    stores = [_load_split(folder, split, meta["splits"][split], meta["classes"]) for split in wanted]
    return Splits(
        stores[0], none_of(stores[0]) if dev else stores[1], meta["classes"], meta["fingerprint"], meta.get("class_list")
    )


def _load_split(folder: Path, split: str, expected: dict, classes: int) -> Store:
    size = sum(f.stat().st_size for f in folder.glob(f"{split}_*.npy"))
    if size != expected["bytes"]:
        raise DataError(f"{folder}: the {split} files hold {size} bytes instead of {expected['bytes']}; prepare it again")

    def tensor(name: str) -> Tensor:
        path = folder / f"{split}_{name}.npy"
        try:  # "c": private pages, so that torch may hold a writable view while the file stays as it is
            return torch.from_numpy(np.load(path, mmap_mode="c", allow_pickle=False))
        except (OSError, ValueError, TypeError, EOFError) as error:
            raise DataError(f"{path} is damaged ({error}); prepare the dataset again") from None

    sizes = tensor("sizes") if (folder / f"{split}_sizes.npy").exists() else None
    images, labels = tensor("images"), tensor("labels")
    if images.dtype != torch.uint8 or images.ndim != 4 or labels.dtype != torch.int64 or labels.shape != images.shape[:1]:
        raise DataError(f"{folder}: the {split} files are damaged: images and labels do not fit; prepare the dataset again")
    if len(labels) and not (int(labels.min()) >= 0 and int(labels.max()) < classes):
        path = folder / f"{split}_labels.npy"
        raise DataError(f"{path} is damaged: it has labels outside 0..{classes - 1}; prepare the dataset again")
    return Store(images, labels, sizes, mapped=True)
