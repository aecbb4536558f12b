"""Writes a prepared track: in a hidden folder next to its place, by one process at a time, and renamed when complete."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from .base import DataError, Interrupted, Raw
from .foreign import of_system
from .meta import ARRAYS, FORMAT, SPLITS

OURS = re.compile(rf"meta\.json|(?:{'|'.join(SPLITS)})_(?:(?:{'|'.join(ARRAYS)})\.npy|names\.txt)")


@contextlib.contextmanager
def making(folder: Path, resumable: bool = False) -> Iterator[Path]:
    """The hidden folder that is renamed to ``folder`` when the block succeeds; no other process writes to it.

    It is empty or, where ``resumable``, holds the work of an interrupted or killed process. Any other error
    removes it. A link is left, and what it leads to is replaced. `DataError` where another process uses it, or where it
    cannot be written.
    """
    folder = folder.resolve() if folder.is_symlink() else folder
    partial = folder.with_name(f".{folder.name}.partial")
    with _as_data_error(folder), _root(folder.parent), _lock(folder):
        _require_ours(folder)
        _remove(*folder.parent.glob(f".{folder.name}.partial-*"), _old(folder), *([] if resumable else [partial]))
        try:
            partial.mkdir(exist_ok=True)
            yield partial
            _put(partial, folder)
        except BaseException as error:
            if not (resumable and isinstance(error, KeyboardInterrupt | Interrupted)):
                _remove(partial)
            raise


def _remove(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _require_ours(folder: Path) -> None:
    """`DataError` where ``folder`` holds files that no preparation has written: it must not be replaced."""
    names = [path.name for path in folder.glob("*") if not of_system(path.name)]
    foreign = [name for name in names if not OURS.fullmatch(name)]
    if foreign:
        raise DataError(f"{folder} is no prepared dataset (it holds {foreign[0]}): choose another place with --data-dir")


def _old(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.old")


def _put(partial: Path, folder: Path) -> None:
    """Flush ``partial`` to disk and move it to its place; the old folder is removed after that."""
    for path in partial.iterdir():
        with path.open("rb") as stream:
            os.fsync(stream.fileno())
    if folder.exists():
        folder.rename(_old(folder))
    partial.rename(folder)
    _remove(_old(folder))


@contextlib.contextmanager
def _as_data_error(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(f"cannot write {folder}: {error.strerror or error}") from None


@contextlib.contextmanager
def _root(root: Path) -> Iterator[None]:
    """Make ``root``; after an error, remove it if it is new and empty."""
    fresh = not root.exists()
    root.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        if fresh:
            with contextlib.suppress(OSError):
                root.rmdir()
        raise


@contextlib.contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Exclusive use of ``folder``, by a locked file next to it; the system unlocks it when the process ends."""
    path = folder.with_name(f".{folder.name}.lock")
    stream = _locked(path)
    while not _is_at(path, stream):  # its last owner removed it after we opened and before we locked it
        stream.close()
        stream = _locked(path)
    with stream:
        try:
            yield
        finally:
            path.unlink()


def _locked(path: Path) -> IO[bytes]:
    stream = path.open("ab")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        stream.close()
        name = path.name[1:].removesuffix(".lock")
        raise DataError(f"{name} is being prepared by another process in {path.parent}; try again when that has ended") from None
    return stream


def _is_at(path: Path, stream: IO[bytes]) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(stream.fileno()))
    except FileNotFoundError:
        return False


class Digest:
    """SHA-256 of a track's arrays: of each, and of all in their order."""

    def __init__(self) -> None:
        self.whole = hashlib.sha256()
        self.first = True  # the first array is hashed once, for itself and for the whole
        self.begin()

    def begin(self) -> None:
        """Begin the next array."""
        self.own = self.whole if self.first else hashlib.sha256()

    def update(self, part: Any) -> None:
        """Add bytes of the array."""
        self.whole.update(part)
        if not self.first:
            self.own.update(part)

    def end(self) -> str:
        """End the array; returns its digest."""
        digest = self.own.hexdigest()
        self.first = False
        self.begin()
        return digest

    def array(self, array: np.ndarray) -> str:
        """Add a whole array; returns its digest."""
        self.update(np.ascontiguousarray(array).data)
        return self.end()


def create(folder: Path, split: str, shape: tuple[int, ...]) -> np.memmap:
    """Create the split's image file, uint8 of this shape, memory-mapped; it takes no space until it is filled."""
    return np.lib.format.open_memmap(folder / f"{split}_images.npy", "w+", np.uint8, shape)


def complete(folder: Path, split: str, images: str, labels: np.ndarray, sizes: np.ndarray | None, digest: Digest) -> dict:
    """Write a split's labels (and sizes); ``images`` is the digest of its images. Returns the split's part of meta.json."""
    digests = {"images": images}
    small = {"labels": labels} | ({} if sizes is None else {"sizes": sizes})
    for name, array in small.items():
        np.save(folder / f"{split}_{name}.npy", array)
        digests[name] = digest.array(array)
    size = sum(f.stat().st_size for f in folder.glob(f"{split}_*.npy"))
    return {"images": len(labels), "bytes": size, "digests": digests}


def describe(folder: Path, classes: int, splits: Mapping[str, dict], digest: Digest, **more: Any) -> None:
    """Write meta.json, which is written last: a track with it is complete."""
    meta = {"format": FORMAT, "classes": classes, "splits": splits, "fingerprint": digest.whole.hexdigest(), **more}
    (folder / "meta.json").write_text(json.dumps(meta, indent=1) + "\n")


def write(folder: Path, raw: Mapping[str, Raw], classes: int, expected: str | None = None, **more: Any) -> None:
    """Write the splits ``raw`` as a prepared track; ``folder`` appears complete or not at all.

    Raises `DataError` on labels outside [0, classes), where images and labels differ in number, or where the
    fingerprint is not the ``expected`` one.
    """
    with making(folder) as partial:
        digest, seen = Digest(), dict[str, np.ndarray]()
        splits = {split: _write_split(partial, split, raw[split], classes, digest, seen) for split in SPLITS}
        if expected and digest.whole.hexdigest() != expected:
            found = digest.whole.hexdigest()
            raise DataError(f"the images are not those of {folder.name}: their digest is {found} instead of {expected}")
        describe(partial, classes, splits, digest, duplicates=duplicates(seen), **more)


def _write_split(folder: Path, split: str, raw: Raw, classes: int, digest: Digest, seen: dict) -> dict:
    labels = raw.labels.astype(np.int64)
    if len(labels) and not (labels.min() >= 0 and labels.max() < classes):
        bad = int(np.flatnonzero((labels < 0) | (labels >= classes))[0])
        raise DataError(f"{split} image {bad} has label {labels[bad]}, outside 0..{classes - 1}")
    images = create(folder, split, (len(labels), *raw.shape))
    start, found = 0, [np.zeros(0, np.uint64)]
    for chunk in map(np.ascontiguousarray, raw.chunks):
        digest.update(chunk.data)
        found.append(keys([hashlib.sha256(image).digest() for image in chunk]))
        if start + len(chunk) <= len(images):
            images[start : start + len(chunk)] = chunk
        start += len(chunk)
    if start != len(labels):
        raise DataError(f"the {split} split holds {start} images but {len(labels)} labels")
    seen[split] = np.concatenate(found)
    return complete(folder, split, digest.end(), labels, None, digest)


def keys(digests: list[bytes]) -> np.ndarray:
    """64 bits of each image's digest, uint64 [n]: equal images have equal keys, different images almost never."""
    return np.frombuffer(b"".join(digest[:8] for digest in digests), np.uint64)


def duplicates(keys: Mapping[str, np.ndarray]) -> int:
    """The number of test images with an exact copy in train."""
    return int(np.isin(keys["test"], keys["train"]).sum())
