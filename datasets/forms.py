"""Small images of one size in other forms than their archive: folders of image files, and Hugging Face's parquet files.

Every form leads to the same store: images in the order of their labels, those of a label in the order of their content.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from . import decode, parquet, trees
from .base import DataError, Raw

LOSSLESS = ("PNG", "BMP", "PPM", "TIFF", "GIF")  # others have changed the pixels
NAMED = 5  # things that a complaint names; the rest are counted
Encoded = tuple[str, bytes, int]  # where it lies, for messages; an image's file; its label


@dataclass(frozen=True)
class Set:
    """What a dataset must be: its title, its classes in the order of their labels, the side of its images, and how many
    of them each class has in each split."""

    title: str
    names: tuple[str, ...]
    side: int
    counts: Mapping[str, int]


def from_folders(folder: Path, kind: Set) -> dict[str, Raw] | None:
    """Both splits from ``train/<class>/`` and ``test/<class>/``, maybe with folders of superclasses between.

    None where there are no images in such; `DataError` names what is not as in ``kind``.
    """
    label = {_plain(name): i for i, name in enumerate(kind.names)}
    listed = {split: [(folder / split / name) for name in trees.images_below(folder / split)] for split in kind.counts}
    if not any(listed.values()):
        return None
    for path in (path for paths in listed.values() for path in paths):
        if _plain(path.parent.name) not in label:
            raise DataError(f"{path.parent} is none of the {len(label)} classes of {kind.title}")
    labelled = {split: [(path, label[_plain(path.parent.name)]) for path in paths] for split, paths in listed.items()}
    for split, pairs in labelled.items():
        _require_counts(folder / split, [number for _, number in pairs], kind, split)
    return {split: _raw(((str(p), p.read_bytes(), i) for p, i in pairs), kind) for split, pairs in labelled.items()}


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower())


def from_parquet(folder: Path, kind: Set) -> dict[str, Raw] | None:
    """Both splits from the parquet files below ``folder``; None where there are none, `DataError` as `from_folders`."""
    found = parquet.splits(folder)
    if not found:
        return None
    if "test" not in found and "val" in found:
        found["test"] = found.pop("val")
    missing = [split for split in kind.counts if split not in found]
    if missing:
        raise DataError(f"{folder} has parquet files of {' and '.join(found)}, but none of {' and '.join(missing)}")
    return {split: _raw(_relabelled(found[split], kind, folder, split), kind) for split in kind.counts}


def _relabelled(table: parquet.Table, kind: Set, folder: Path, split: str) -> list[Encoded]:
    known = {_plain(name): i for i, name in enumerate(kind.names)}
    if {_plain(name) for name in table.names or kind.names} != set(known):
        raise DataError(f"{table.paths[0]}: the classes of its column {table.label} are not those of {kind.title}")
    label = [known[_plain(name)] for name in table.names or kind.names]
    found = list(parquet.rows(table))
    strange = next((place for place, _, number in found if not 0 <= number < len(label)), None)
    if strange is not None:
        raise DataError(f"{strange}: its {table.label} is not within 0..{len(label) - 1}")
    relabelled = [(place, content, label[number]) for place, content, number in found]
    _require_counts(folder, [number for *_, number in relabelled], kind, split)
    return relabelled


def _require_counts(where: Path, labels: Iterable[int], kind: Set, split: str) -> None:
    counts, wanted = Counter(labels), kind.counts[split]
    missing = [name for i, name in enumerate(kind.names) if not counts[i]]
    if missing:
        raise DataError(f"{where} lacks {len(missing)} of the {len(kind.names)} classes in {split}: {_few(missing)}")
    wrong = [f"{counts[i]} of {name}" for i, name in enumerate(kind.names) if counts[i] != wanted]
    if wrong:
        raise DataError(f"{where} must have {wanted} {split} images of every class of {kind.title}, and has {_few(wrong)}")


def _few(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _raw(encoded: Iterable[Encoded], kind: Set) -> Raw:
    images, labels = [], []
    for place, content, label in encoded:
        images.append(_pixels(place, content, kind))
        labels.append(label)
    return canonical(np.stack(images), np.array(labels, np.int64))


def _pixels(place: str, content: bytes, kind: Set) -> np.ndarray:
    try:
        with Image.open(io.BytesIO(content), formats=decode.FORMATS) as image:
            image.load()
            rgb = decode.to_rgb(image)
    except Exception as error:  # a damaged file raises almost anything
        raise DataError(f"{place} cannot be read as an image: {error or type(error).__name__}") from None
    if rgb.size != (kind.side, kind.side):
        raise DataError(f"{place} is {rgb.width} x {rgb.height}, and the images of {kind.title} {kind.side} x {kind.side}")
    if image.format not in LOSSLESS:
        raise DataError(f"{place} is a {image.format}, which has changed its pixels: {kind.title} is taken from PNG and the like")
    return np.asarray(rgb).transpose(2, 0, 1)


def canonical(images: np.ndarray, labels: np.ndarray) -> Raw:
    """A split of uint8 [N, C, H, W] and int64 [N], sorted by label, then by content (as bytes)."""
    keys = [(label, image.tobytes()) for label, image in zip(labels.tolist(), images, strict=True)]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    _, *shape = images.shape
    return Raw((shape[0], shape[1], shape[2]), labels[order], [np.ascontiguousarray(images[order])])
