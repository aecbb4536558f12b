"""The journal of a preparation: its finished chunks, from which the next one continues after an interruption.

The first line is a key of the tree of files; a line follows for each finished chunk, in order: the original sizes of its
images, and the digest of all images so far. A chunk is reused only where the images on disk have that digest: after a
power cut, the journal may have reached the disk and the images not.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import PIL
import torch

from .base import Tree
from .parquet import file_of

NAME = "journal"
VERSION = 2  # changes when decoding gives other pixels


class Line(NamedTuple):
    """A finished chunk."""

    sizes: list[list[int]]  # height and width of each image
    digest: str


def key(tree: Tree, side: int) -> str:
    """A hash of the files (names, sizes, times), their labels, the side, and the versions of the decoding libraries."""
    hasher = hashlib.sha256(repr((VERSION, PIL.__version__, torch.__version__, side, tree.square, list(tree.classes))).encode())
    for split, names in tree.names.items():
        hasher.update(split.encode() + tree.labels[split].tobytes())
        for name in names:
            found = (tree.folder / file_of(name)).stat()
            hasher.update(f"{name}\n{found.st_size} {found.st_mtime_ns}\n".encode())
    return hasher.hexdigest()


def lines(folder: Path, of: str) -> list[Line]:
    """The finished chunks in the journal of ``folder``; none where its key is not ``of``."""
    try:
        first, *rest = (folder / NAME).read_text().splitlines()
    except (OSError, ValueError):
        return []
    if first != of:
        return []
    found = []
    for text in rest:
        try:
            found.append(Line(**json.loads(text)))
        except (ValueError, TypeError):  # the process was killed while it wrote this one
            break
    return found


def begin(folder: Path, of: str, kept: list[Line]) -> Any:
    """Start a journal with the lines ``kept``; returns the stream for `note`."""
    stream = (folder / NAME).open("w")
    stream.write(f"{of}\n")
    for line in kept:
        note(stream, line)
    stream.flush()
    return stream


def note(stream: Any, line: Line) -> None:
    stream.write(json.dumps(line._asdict()) + "\n")
    stream.flush()
