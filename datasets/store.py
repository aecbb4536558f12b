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
ARRAYS = ("images", "labels", "sizes")  # of a split, each in its own file; the last one is optional


@dataclass(frozen=True)
class Store:
    """One split. images uint8 [N, C, H, W]; labels int64 [N]; sizes int32 [N, 2] (original h, w) or None.

    ``rows`` int64 [n], where given, are the images of this (cut) split; N counts them. ``mapped``: the images are a
    file, to be read through `feed`, and not memory.
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
        return self.images[self._rows(index)], self.sizes_of(index)

    def sizes_of(self, index: Tensor) -> Tensor | None:
        """Original sizes [B, 2] at ``index`` int64 [B], or None."""
        return None if self.sizes is None else self.sizes[self._rows(index)]

    def gather(self, index: Tensor, out: Tensor) -> None:
        """Images at ``index``, from the CPU's memory into ``out``: NumPy moves them several times as fast as torch."""
        rows = self._rows(index).numpy()
        np.take(self.images.numpy(), rows, axis=0, out=out.numpy(), mode="clip")  # other modes copy twice

    def _rows(self, index: Tensor) -> Tensor:
        return index if self.rows is None else self.rows[index]


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
    try:
        partial.mkdir(parents=True)
        digest = hashlib.sha256()
        splits = {split: _write_split(partial, split, raw[split], classes, digest) for split in SPLITS}
        meta = {"format": FORMAT, "classes": classes, "splits": splits, "fingerprint": digest.hexdigest()}
        (partial / "meta.json").write_text(json.dumps(meta, indent=1) + "\n")
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    except OSError as error:
        raise DataError(f"cannot write {folder}: {error.strerror or error}") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _write_split(folder: Path, split: str, raw: Raw, classes: int, digest) -> dict:
    labels = raw.labels.astype(np.int64)
    if len(labels) and not (labels.min() >= 0 and labels.max() < classes):
        bad = int(np.flatnonzero((labels < 0) | (labels >= classes))[0])
        raise DataError(f"{split} image {bad} has label {labels[bad]}, outside 0..{classes - 1}")
    shape = (len(labels), *raw.shape)
    images = np.lib.format.open_memmap(folder / f"{split}_images.npy", "w+", np.uint8, shape)
    own = hashlib.sha256()
    written = _fill(images, raw.chunks, digest, own)
    if written != len(labels):
        raise DataError(f"the {split} split holds {written} images but {len(labels)} labels")
    images.flush()
    digests = {"images": own.hexdigest()}
    small = {"labels": labels} | ({} if raw.sizes is None else {"sizes": raw.sizes.astype(np.int32)})
    for name, array in small.items():
        np.save(folder / f"{split}_{name}.npy", array)
        digest.update(array.tobytes())
        digests[name] = hashlib.sha256(array.tobytes()).hexdigest()
    size = sum(f.stat().st_size for f in folder.glob(f"{split}_*.npy"))
    return {"images": len(labels), "bytes": size, "digests": digests}


def _fill(images: np.ndarray, chunks: Iterable[np.ndarray], *digests) -> int:
    start = 0
    for chunk in chunks:
        for digest in digests:
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
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{folder / 'meta.json'} is damaged ({error}); prepare the dataset again") from None
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        raise DataError(f"{folder} was prepared by another version; prepare the dataset again")
    if not _is_whole(meta):
        raise DataError(f"{folder / 'meta.json'} is damaged; prepare the dataset again")
    return meta


def _is_whole(meta: dict) -> bool:
    splits = meta.get("splits")
    if not isinstance(splits, dict) or not isinstance(meta.get("classes"), int) or not isinstance(meta.get("fingerprint"), str):
        return False
    described = [splits.get(split) for split in SPLITS]
    return all(isinstance(d, dict) and isinstance(d.get("images"), int) and isinstance(d.get("bytes"), int) for d in described)


def load(folder: Path) -> Splits:
    """Memory-map a prepared track; `DataError` names the file that is missing or has the wrong length."""
    meta = read_meta(folder)
    if meta is None:
        raise DataError(f"no prepared dataset in {folder}")
    stores = [_load_split(folder, split, meta["splits"][split], meta["classes"]) for split in SPLITS]
    return Splits(stores[0], stores[1], meta["classes"], meta["fingerprint"])


def _load_split(folder: Path, split: str, expected: dict, classes: int) -> Store:
    size = sum(f.stat().st_size for f in folder.glob(f"{split}_*.npy"))
    if size != expected["bytes"]:
        raise DataError(f"{folder}: the {split} files hold {size} bytes instead of {expected['bytes']}; prepare it again")

    def tensor(name: str) -> Tensor:
        path = folder / f"{split}_{name}.npy"
        try:  # "c": private pages, so that torch may hold a writable view while the file stays as it is
            return torch.from_numpy(np.load(path, mmap_mode="c", allow_pickle=False))
        except (OSError, ValueError, EOFError) as error:
            raise DataError(f"{path} is damaged ({error}); prepare the dataset again") from None

    sizes = tensor("sizes") if (folder / f"{split}_sizes.npy").exists() else None
    images, labels = tensor("images"), tensor("labels")
    if images.dtype != torch.uint8 or images.ndim != 4 or labels.dtype != torch.int64 or not len(images) == len(labels):
        raise DataError(f"{folder}: the {split} files are damaged: images and labels do not fit; prepare the dataset again")
    if len(labels) and not (int(labels.min()) >= 0 and int(labels.max()) < classes):
        path = folder / f"{split}_labels.npy"
        raise DataError(f"{path} is damaged: it has labels outside 0..{classes - 1}; prepare the dataset again")
    return Store(images, labels, sizes, mapped=True)
