"""Dense uint8 image stores: on disk as plain ``.npy`` files, in memory as one tensor a split."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .base import DataError, Raw

FORMAT = 1
SPLITS = ("train", "test")


@dataclass(frozen=True)
class Store:
    """One split. images uint8 [N, C, H, W]; labels int64 [N]; sizes int32 [N, 2] (original h, w) or None.

    ``rows`` int64 [n], where given, are the images of this (cut) split; N counts them.
    """

    images: Tensor
    labels: Tensor
    sizes: Tensor | None = None
    rows: Tensor | None = None

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

    def resident(self, device: torch.device) -> Store:
        """This store, its own images only, as dense memory on ``device``."""
        if self.rows is None:
            images, sizes = self.images, self.sizes
        else:
            images = self.images[self.rows]
            sizes = None if self.sizes is None else self.sizes[self.rows]
        moved = None if sizes is None else sizes.to(device)
        return Store(images.to(device), self.labels.to(device), moved)

    def take(self, index: Tensor) -> tuple[Tensor, Tensor | None]:
        """Images uint8 [B, C, H, W] and sizes [B, 2] (or None) at ``index`` int64 [B]."""
        rows = index if self.rows is None else self.rows[index]
        return self.images[rows], None if self.sizes is None else self.sizes[rows]


@dataclass(frozen=True)
class Splits:
    """A track's data: train and test stores, number of classes, and a hash of all of it."""

    train: Store
    test: Store
    classes: int
    fingerprint: str


def in_memory(raw: Mapping[str, Raw]) -> Splits:
    """Splits of an embedded track, straight from what it read."""
    digest = hashlib.sha256()
    stores, classes = [], 0
    for split in SPLITS:
        images = np.concatenate(list(raw[split].chunks))
        labels = raw[split].labels
        digest.update(images.tobytes() + labels.tobytes())
        classes = max(classes, int(labels.max()) + 1)
        stores.append(Store(torch.from_numpy(images), torch.from_numpy(labels)))
    return Splits(stores[0], stores[1], classes, digest.hexdigest())


def write(folder: Path, raw: Mapping[str, Raw], classes: int) -> None:
    """Write a prepared track; ``folder`` appears complete or not at all.

    Raises `DataError` on labels outside [0, classes) or when images and labels differ in number.
    """
    partial = folder.with_name(f".{folder.name}.partial-{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        digest = hashlib.sha256()
        splits = {split: _write_split(partial, split, raw[split], classes, digest) for split in SPLITS}
        meta = {"format": FORMAT, "classes": classes, "splits": splits, "fingerprint": digest.hexdigest()}
        (partial / "meta.json").write_text(json.dumps(meta, indent=1) + "\n")
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _write_split(folder: Path, split: str, raw: Raw, classes: int, digest) -> dict:
    labels = raw.labels.astype(np.int64)
    if len(labels) and not (labels.min() >= 0 and labels.max() < classes):
        bad = int(np.flatnonzero((labels < 0) | (labels >= classes))[0])
        raise DataError(f"{split} image {bad} has label {labels[bad]}, outside 0..{classes - 1}")
    shape = (len(labels), *raw.shape)
    images = np.lib.format.open_memmap(folder / f"{split}_images.npy", "w+", np.uint8, shape)
    written = _fill(images, raw.chunks, digest)
    if written != len(labels):
        raise DataError(f"the {split} split holds {written} images but {len(labels)} labels")
    images.flush()
    np.save(folder / f"{split}_labels.npy", labels)
    digest.update(labels.tobytes())
    if raw.sizes is not None:
        np.save(folder / f"{split}_sizes.npy", raw.sizes.astype(np.int32))
        digest.update(raw.sizes.astype(np.int32).tobytes())
    return {"images": len(labels), "bytes": sum(f.stat().st_size for f in folder.glob(f"{split}_*.npy"))}


def _fill(images: np.ndarray, chunks: Iterable[np.ndarray], digest) -> int:
    start = 0
    for chunk in chunks:
        digest.update(np.ascontiguousarray(chunk))
        if start + len(chunk) <= len(images):
            images[start : start + len(chunk)] = chunk
        start += len(chunk)
    return start


def read_meta(folder: Path) -> dict | None:
    """The description of a prepared track, or None where there is none; `DataError` where it is damaged."""
    try:
        meta = json.loads((folder / "meta.json").read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise DataError(f"{folder / 'meta.json'} is damaged ({error}); prepare the dataset again") from None
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        raise DataError(f"{folder} was prepared by another version; prepare the dataset again")
    return meta


def load(folder: Path) -> Splits:
    """Memory-map a prepared track; `DataError` names the file that is missing or has the wrong length."""
    meta = read_meta(folder)
    if meta is None:
        raise DataError(f"no prepared dataset in {folder}")
    stores = [_load_split(folder, split, meta["splits"][split]) for split in SPLITS]
    return Splits(stores[0], stores[1], meta["classes"], meta["fingerprint"])


def _load_split(folder: Path, split: str, expected: dict) -> Store:
    size = sum(f.stat().st_size for f in folder.glob(f"{split}_*.npy"))
    if size != expected["bytes"]:
        raise DataError(f"{folder}: the {split} files hold {size} bytes instead of {expected['bytes']}; prepare it again")

    def tensor(name: str) -> Tensor:
        path = folder / f"{split}_{name}.npy"
        try:  # "c": private pages, so that torch may hold a writable view while the file stays as it is
            return torch.from_numpy(np.load(path, mmap_mode="c", allow_pickle=False))
        except (OSError, ValueError) as error:
            raise DataError(f"{path} is damaged ({error}); prepare the dataset again") from None

    sizes = tensor("sizes") if (folder / f"{split}_sizes.npy").exists() else None
    return Store(tensor("images"), tensor("labels"), sizes)
