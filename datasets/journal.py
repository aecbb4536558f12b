"""What a preparation has finished, so that the next one can go on after a kill.

The first line describes the tree of files; then comes a line for each finished chunk, in order: the original sizes of
its images, and the digest of all up to it. That digest, and not the journal's word, decides what is taken over: after
a power cut, lines may be on the disk whose images are not.
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
VERSION = 2  # of what decoding makes of an image


class Line(NamedTuple):
    """A finished chunk."""

    sizes: list[list[int]]  # height and width of each image
    digest: str


def key(tree: Tree, side: int) -> str:
    """Changes with the files (names, sizes, times), their labels, the side, and what decodes them."""
    hasher = hashlib.sha256(repr((VERSION, PIL.__version__, torch.__version__, side, tree.square, list(tree.classes))).encode())
    for split, names in tree.names.items():
        hasher.update(split.encode() + tree.labels[split].tobytes())
        for name in names:
            found = (tree.folder / file_of(name)).stat()
            hasher.update(f"{name}\n{found.st_size} {found.st_mtime_ns}\n".encode())
    return hasher.hexdigest()


def lines(folder: Path, of: str) -> list[Line]:
    """The finished chunks in the journal of ``folder``; none where the journal is of other files."""
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
    """A stream to which `note` adds, with the lines ``kept`` in it."""
    stream = (folder / NAME).open("w")
    stream.write(f"{of}\n")
    for line in kept:
        note(stream, line)
    stream.flush()
    return stream


def note(stream: Any, line: Line) -> None:
    stream.write(json.dumps(line._asdict()) + "\n")
    stream.flush()
