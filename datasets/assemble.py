"""Preparing a tree of image files: decoded by several processes straight into the store, chunk by chunk.

Chunks enter the journal and the digest in their order, so that the result depends neither on the number of processes nor on
interruptions. The process that decodes an image hashes it, and the digest of a split is the hash of these hashes: a single
process could not hash as fast as many decode.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from . import journal, writer
from .base import DataError, Tree
from .journal import Line
from .meta import SPLITS
from .trees import lines_hash
from .workers import decoded

CHUNK = 64  # images that a process decodes at a time, and holds in memory
Tell = Callable[[int, int], None]  # images done, images in all


class Chunk(NamedTuple):
    """Consecutive images of a split."""

    split: str
    start: int
    names: list[str]
    last: bool  # of its split


def prepare(tree: Tree, folder: Path, side: int, workers: int, tell: Tell) -> None:
    """Decode ``tree`` into the prepared track ``folder``, squashed to ``side``; continues where a killed process stopped.

    ``tell(done, total)`` is called with the progress. `DataError` names every image that cannot be read; no file is left then.
    """
    try:
        of = journal.key(tree, side)
    except OSError as error:
        raise DataError(f"cannot read {error.filename}: {error.strerror}") from None
    with writer.making(folder, resumable=True) as partial:
        chunks = list(_chunks(tree))
        assembly, done = _taken_over(partial, tree, side, of, chunks)
        _require_space(partial, tree, side, done)
        with journal.begin(partial, of, done) as stream, assembly:
            _assemble(assembly, chunks[len(done) :], min(workers, len(chunks) - len(done)), stream, tell)
        assembly.describe()
        (partial / journal.NAME).unlink()


def _chunks(tree: Tree) -> Iterator[Chunk]:
    for split in SPLITS:
        names = list(tree.names[split])
        for start in range(0, len(names), CHUNK):
            yield Chunk(split, start, names[start : start + CHUNK], start + CHUNK >= len(names))


class Assembly:
    """The files of a track in preparation, and the digest of the chunks that are complete. A context manager."""

    def __init__(self, folder: Path, tree: Tree, side: int):
        self.folder, self.tree, self.side = folder, tree, side
        self.digest, self.done, self.total = writer.Digest(), 0, sum(map(len, tree.names.values()))
        self.sizes = {split: np.zeros((len(tree.names[split]), 2), np.int32) for split in SPLITS}
        self.splits: dict[str, dict] = {}
        self.keys = {split: np.zeros(len(tree.names[split]), np.uint64) for split in SPLITS}
        self.streams = {split: self.path(split).open("rb", buffering=0) for split in SPLITS}

    def __enter__(self) -> Assembly:
        return self

    def __exit__(self, *_: object) -> None:
        for stream in self.streams.values():
            stream.close()

    def path(self, split: str) -> Path:
        return self.folder / f"{split}_images.npy"

    def offset(self, chunk: Chunk) -> int:
        """Where the chunk's images begin in their file, in bytes."""
        whole = len(self.tree.names[chunk.split]) * self.image
        return self.path(chunk.split).stat().st_size - whole + chunk.start * self.image

    @property
    def image(self) -> int:
        """Bytes of an image."""
        return 3 * self.side**2

    def hash(self, chunk: Chunk) -> list[bytes]:
        """The digests of the chunk's images as they are in their file."""
        pixels = os.pread(self.streams[chunk.split].fileno(), len(chunk.names) * self.image, self.offset(chunk))
        return [hashlib.sha256(pixels[at : at + self.image]).digest() for at in range(0, len(pixels), self.image)]

    def add(self, chunk: Chunk, sizes: list, digests: list[bytes]) -> Line:
        """Count the next chunk, whose images are in the file already, as complete; returns its line for the journal."""
        count = len(chunk.names)
        self.digest.update(b"".join(digests))
        place = slice(chunk.start, chunk.start + count)
        self.sizes[chunk.split][place] = sizes
        self.keys[chunk.split][place] = writer.keys(digests)
        self.done += count
        if chunk.last:
            self._complete(chunk.split)
        return Line(sizes, self.digest.whole.hexdigest())

    def _complete(self, split: str) -> None:
        names = self.folder / f"{split}_names.txt"
        names.write_text("".join(f"{name}\n" for name in self.tree.names[split]), encoding="utf-8", newline="\n")
        sizes = None if self.tree.square == self.side else self.sizes[split]
        described = writer.complete(self.folder, split, self.digest.end(), self.tree.labels[split], sizes, self.digest)
        self.splits[split] = described | {"names": lines_hash(self.tree.names[split])}

    def describe(self) -> None:
        classes = list(self.tree.classes)
        more = {
            "hashed_by": 1,
            "side": self.side,
            "class_list": lines_hash(classes),
            "class_names": classes,
            "duplicates": writer.duplicates(self.keys),
            **self.tree.notes,
        }
        writer.describe(self.folder, len(classes), self.splits, self.digest, **more)


def _taken_over(partial: Path, tree: Tree, side: int, of: str, chunks: list[Chunk]) -> tuple[Assembly, list[Line]]:
    """The usable work of an interrupted preparation in ``partial``, and its journal lines; else a new, empty assembly."""
    found = journal.lines(partial, of)
    if found:
        with contextlib.suppress(OSError, ValueError):
            assembly = Assembly(partial, tree, side)
            pairs = zip(chunks, found, strict=False)
            if all(assembly.add(chunk, line.sizes, assembly.hash(chunk)) == line for chunk, line in pairs):
                return assembly, found
            assembly.__exit__()
    shutil.rmtree(partial)
    partial.mkdir()
    for split in SPLITS:
        writer.create(partial, split, (len(tree.names[split]), 3, side, side))
    return Assembly(partial, tree, side), []


def _require_space(partial: Path, tree: Tree, side: int, done: list[Line]) -> None:
    missing = sum(map(len, tree.names.values())) - sum(len(line.sizes) for line in done)
    needed, free = missing * 3 * side**2, shutil.disk_usage(partial).free
    if needed > free:
        raise DataError(f"{partial.parent} has {free / 2**20:,.0f} MiB free, and {math.ceil(needed / 2**20):,} MiB are needed")


def _assemble(assembly: Assembly, chunks: list[Chunk], workers: int, stream: Any, tell: Tell) -> None:
    """Decode the missing ``chunks`` and add them in order."""
    complaints: list[str] = []
    tell(assembly.done, assembly.total)
    jobs = ((assembly.path(c.split), assembly.offset(c), assembly.tree.folder, c.names, assembly.side) for c in chunks)
    with decoded(jobs, workers) as results:
        for chunk, made in zip(chunks, results, strict=True):
            line = assembly.add(chunk, made.sizes, made.digests)
            complaints += made.complaints
            if not complaints:
                journal.note(stream, line)
            tell(assembly.done, assembly.total)
    if complaints:
        raise DataError(f"{len(complaints)} unreadable: {'; '.join(complaints)}")
