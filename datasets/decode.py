"""Decodes an image file: any mode to RGB, turned upright, squashed to a square.

Pillow decodes; torch's resize of uint8 is Pillow's antialiased bilinear to within 1/255, at a third of its time.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image

from . import depth, parquet, pixels

if TYPE_CHECKING:  # datasets are listed without it
    from torch import Tensor

FORMATS = ("JPEG", "PNG", "PPM", "BMP", "TIFF", "WEBP", "GIF", "AVIF", "JPEG2000")
# recognised by content, not by name; other formats may start programs
JPEGS = ("MPO",)  # further kinds of files that Pillow opens as JPEG
GAP = 2  # a JPEG may be decoded at a half, quarter or eighth, as long as this many times the wanted side is left
ORIENTATION = 0x0112  # the EXIF tag, and what makes each of its values upright
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Unreadable(Exception):
    """A file that cannot be decoded; the message names it and the reason."""


class Decoded(NamedTuple):
    """The result of decoding some files: heights and widths, messages on unreadable files, SHA-256 of each image's pixels."""

    sizes: list[tuple[int, int]]
    complaints: list[str]
    digests: list[bytes]


@cache
def formats() -> tuple[str, ...]:
    """The `FORMATS` that this Pillow reads."""
    Image.init()
    return tuple(kind for kind in FORMATS if kind in Image.OPEN)


@cache
def suffixes() -> frozenset[str]:
    """The file name suffixes of these formats, in lower case."""
    return frozenset(end for end, kind in Image.registered_extensions().items() if kind in (*formats(), *JPEGS))


def decode(path: Path | str, side: int) -> tuple[Tensor, tuple[int, int]]:
    """One image as uint8 [3, side, side], and its upright height and width; raises `Unreadable`."""
    try:
        with Image.open(parquet.source(path), formats=formats()) as image:
            full = image.size
            drafted = image.draft(None, (GAP * side, GAP * side))
            upright = to_rgb(image)
            width, height = full if drafted else image.size
            turn = _orientation(image)
    except MemoryError:
        raise
    except Exception as error:  # a damaged file raises almost anything
        raise Unreadable(f"{path} cannot be read as an image: {error or type(error).__name__}") from None
    if turn in UPRIGHT:
        upright = upright.transpose(UPRIGHT[turn])
        height, width = (width, height) if turn >= 5 else (height, width)
    return squash(upright, side), (height, width)


def _orientation(image: Image.Image) -> int:
    try:
        return image.getexif().get(ORIENTATION, 1)
    except Exception:  # damaged EXIF data do not make the image unreadable
        return 1


def to_rgb(image: Image.Image) -> Image.Image:
    """An image of any mode as RGB, transparency on white; `ValueError` where the range of its numbers is unknown."""
    deep = depth.is_deep(image)
    image.load()
    if image.mode == "F":
        raise ValueError("its pixels are floating-point numbers of unknown range")
    if image.mode.startswith("I"):
        return Image.fromarray(depth.to_eight_bits(image)).convert("RGB")
    if deep:
        depth.require_range(int(np.asarray(image.convert("RGB")).max(initial=0)) << 8)
    if image.has_transparency_data:
        layers = image.convert("RGBA")
        ground = Image.new("RGBA", layers.size, "white")
        return Image.alpha_composite(ground, layers).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def squash(image: Image.Image, side: int) -> Tensor:
    """An RGB image as uint8 [3, side, side], by antialiased bilinear interpolation."""
    import torch

    if image.size == (side, side):
        return torch.from_numpy(np.asarray(image)).permute(2, 0, 1)
    stored, lent = pixels.of(image)
    made = torch.nn.functional.interpolate(stored.permute(2, 0, 1)[None], (side, side), mode="bilinear", antialias=True)
    del lent  # it owns the memory that ``stored`` uses
    return made[0, :3]


def decode_into(target: Path, offset: int, folder: Path, names: Sequence[str], side: int) -> Decoded:
    """Decode ``names`` and write their pixels at ``offset`` bytes of ``target``.

    They are written and not mapped: a full disk raises `OSError`, where a map would kill the process. An image that
    cannot be read is blank, with a message in ``complaints``.
    """
    import torch

    made = torch.zeros(len(names), 3, side, side, dtype=torch.uint8)
    sizes, complaints = [], []
    with warnings.catch_warnings():  # Pillow's about odd EXIF data and the like; torch's about arrays that cannot be written
        warnings.simplefilter("ignore")
        for i, name in enumerate(names):
            try:
                made[i], size = decode(f"{folder}/{name}", side)
            except Unreadable as error:
                size = (0, 0)
                complaints.append(str(error))
            sizes.append(size)
    with target.open("r+b", buffering=0) as stream:
        stream.seek(offset)
        rest = made.numpy().data.cast("B")
        while rest:
            rest = rest[stream.write(rest) :]
    return Decoded(sizes, complaints, [hashlib.sha256(image).digest() for image in made.numpy()])
