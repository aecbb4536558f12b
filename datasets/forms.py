"""Reads datasets of small images of one size from class folders or Hugging Face's parquet files.

Every form gives the same store: images are sorted by label, and those of a label by content.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from . import decode, layout, parquet, trees
from .base import DataError, Raw

LOSSLESS = ("PNG", "BMP", "PPM", "TIFF", "GIF")  # others have changed the pixels
Read = Callable[[], bytes]


@dataclass(frozen=True)
class Set:
    """The expected content of a dataset: title, classes in the order of their labels, side of the images, and the number
    of images of each class in each split.

    ``lossy``: its original files are JPEGs. ``part``: it is a part of a larger dataset, whose other classes are left out.
    ``files``: the expected `files_digest` of each split, where it is known.
    """

    title: str
    names: tuple[str, ...]
    side: int
    counts: Mapping[str, int]
    lossy: bool = False
    part: bool = False
    files: Mapping[str, str] = field(default_factory=dict)


class Encoded(NamedTuple):
    """An image's file: its path, for messages; a function that reads it; the name of its class."""

    place: str
    read: Read
    name: str


def from_folders(folder: Path, left: Counter[str], kind: Set) -> dict[str, Raw] | None:
    """Both splits from ``train/<class>/`` and ``test/<class>/``, or with folders of superclasses between the two levels.

    None where there are no images in such folders; `DataError` names what differs from ``kind``. Other files are counted in
    ``left``.
    """
    places = {split: folder / layout.named(folder, *(("test", "val") if split == "test" else (split,))) for split in kind.counts}
    listed = {split: [place / name for name in trees.images_below(place, left)] for split, place in places.items()}
    if not any(listed.values()):
        return None
    trees.beside(folder, [place.name for place in places.values()], left)
    return assemble(
        {split: [Encoded(str(p), p.read_bytes, p.parent.name) for p in paths] for split, paths in listed.items()}, folder, kind
    )


def from_parquet(folder: Path, left: Counter[str], kind: Set) -> dict[str, Raw] | None:
    """Both splits from the parquet files below ``folder``; None, ``left`` and `DataError` as `from_folders`."""
    found = parquet.splits(folder, trees.files_below(folder, parquet.ENDS, left))
    if not found:
        return None
    if "test" not in found and "val" in found:
        found["test"] = found.pop("val")
    missing = [split for split in kind.counts if split not in found]
    if missing:
        raise DataError(f"{folder} has parquet files of {' and '.join(found)}, but none of {' and '.join(missing)}")
    return assemble({split: list(_rows(found[split], kind)) for split in kind.counts}, folder, kind)


def _rows(table: parquet.Table, kind: Set) -> Iterator[Encoded]:
    names = table.names or kind.names
    if kind.part and not table.names:
        raise DataError(f"{table.paths[0]} does not give the names of the classes in its column {table.label}")
    for place, content, number in parquet.rows(table):
        if not 0 <= number < len(names):
            raise DataError(f"{place}: its {table.label} is not within 0..{len(names) - 1}")
        yield Encoded(place, partial(bytes, content), names[number])


def assemble(found: Mapping[str, list[Encoded]], where: Path, kind: Set) -> dict[str, Raw]:
    """The splits of ``kind`` from the files ``found`` in ``where``; `DataError` where there are other classes or counts.

    Pixels are decoded lazily, class by class; errors in them are raised then.
    """
    label = {_plain(name): i for i, name in enumerate(kind.names)}
    groups = {split: [(one, label.get(_plain(one.name))) for one in files] for split, files in found.items()}
    for one, number in (pair for pairs in groups.values() for pair in pairs):
        if number is None and not kind.part:
            raise DataError(f"{one.place} is of the class {one.name}, none of the {len(label)} of {kind.title}")
    known = {s: [(one, number) for one, number in pairs if number is not None] for s, pairs in groups.items()}
    for split, pairs in known.items():
        _require_counts(where, Counter(number for _, number in pairs), kind, split)
    return {split: _raw(pairs, where, kind, split) for split, pairs in known.items()}


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower())


def _require_counts(where: Path, counts: Counter[int], kind: Set, split: str) -> None:
    wanted = kind.counts[split]
    missing = [name for i, name in enumerate(kind.names) if not counts[i]]
    if missing:
        raise DataError(f"{where} lacks {len(missing)} of the {len(kind.names)} classes in {split}: {trees.few(missing)}")
    wrong = [f"{counts[i]} of {name}" for i, name in enumerate(kind.names) if counts[i] != wanted]
    if wrong:
        raise DataError(f"{where} must have {wanted} {split} images of every class of {kind.title}, and has {trees.few(wrong)}")


def _raw(pairs: list[tuple[Encoded, int]], where: Path, kind: Set, split: str) -> Raw:
    groups: list[list[Encoded]] = [[] for _ in kind.names]
    for one, number in pairs:
        groups[number].append(one)
    labels = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    return Raw((3, kind.side, kind.side), labels, _classes(groups, where, kind, split))


def _classes(groups: list[list[Encoded]], where: Path, kind: Set, split: str) -> Iterator[np.ndarray]:
    """The pixels of one class after the other; `DataError` at the end where the files' digest is not the expected one."""
    digest = hashlib.sha256()
    for group in groups:
        contents = [_content(one) for one in group]
        digest.update(files_digest(contents))
        yield in_order(np.stack([_pixels(one.place, content, kind) for one, content in zip(group, contents, strict=True)]))
    if digest.hexdigest() != kind.files.get(split, digest.hexdigest()):
        raise DataError(f"{where} holds other {split} files than those of {kind.title}: their digest is {digest.hexdigest()}")


def _content(one: Encoded) -> bytes:
    try:
        return one.read()
    except OSError as error:
        raise DataError(f"cannot read {one.place}: {error.strerror or error}") from None


def files_digest(contents: Iterable[bytes]) -> bytes:
    """The digests of a class's files, sorted and hashed: independent of their names, of their order and of the decoder."""
    return hashlib.sha256(b"".join(sorted(hashlib.sha256(content).digest() for content in contents))).digest()


def _pixels(place: str, content: bytes, kind: Set) -> np.ndarray:
    try:
        with Image.open(io.BytesIO(content), formats=decode.formats()) as image:
            rgb = decode.to_rgb(image)
    except Exception as error:  # a damaged file raises almost anything
        raise DataError(f"{place} cannot be read as an image: {error or type(error).__name__}") from None
    if rgb.size != (kind.side, kind.side):
        raise DataError(f"{place} is {rgb.width} x {rgb.height}, and the images of {kind.title} {kind.side} x {kind.side}")
    if image.format not in LOSSLESS and not kind.lossy:
        raise DataError(f"{place} is a {image.format}, which has changed its pixels: {kind.title} is taken from PNG and the like")
    return np.asarray(rgb).transpose(2, 0, 1)


def canonical(images: np.ndarray, labels: np.ndarray) -> Raw:
    """A split of uint8 [N, C, H, W] and int64 [N], sorted by label and then by content."""
    _, channels, height, width = images.shape
    chunks = (in_order(images[labels == label]) for label in np.unique(labels))
    return Raw((channels, height, width), np.sort(labels), chunks)


def in_order(images: np.ndarray) -> np.ndarray:
    """Images uint8 [n, C, H, W] sorted by their content, as bytes."""
    keys = [image.tobytes() for image in images]
    return images[sorted(range(len(keys)), key=keys.__getitem__)]
