"""Images of more than eight bits: the file must state the range of its numbers, or the image is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

PHOTOMETRIC, BITS, LARGEST = 262, 258, (281, 341)  # TIFF tags; the last: MaxSampleValue, SMaxSampleValue
SCALED = ("PNG", "PPM", "JPEG2000")  # in which 65,535 is white by their own definitions, or by Pillow's reading
LEAST = 1 << 14  # 16-bit numbers that are all below this are probably of 8 to 14 bits, and the file does not say of how many


def is_deep(image: Image.Image) -> bool:
    """Whether a file that has been opened, and not loaded, holds 16 bits a channel that Pillow cuts down to 8."""
    tiles = getattr(image, "tile", [])
    raw = str(tiles[0][3]) if tiles and len(tiles[0]) > 3 else ""
    return not image.mode.startswith(("I", "F")) and ";16" in raw


def require_range(largest: int) -> None:
    """`ValueError` where 16-bit numbers with this largest one probably do not use the full range."""
    if 0 < largest < LEAST:
        raise ValueError(f"its 16-bit numbers end at {largest:,}, and it does not say which is white; scale them to 65,535")


def to_eight_bits(image: Image.Image) -> np.ndarray:
    """uint8 [H, W] of a loaded image of one channel of whole numbers; `ValueError` where their range is unknown."""
    pixels = np.asarray(image).astype(np.int64)
    tags: Any = getattr(image, "tag_v2", {})
    white = _stated(tags)
    if white is None:
        if image.mode == "I" and image.format not in SCALED:
            raise ValueError("its pixels are 32-bit or signed whole numbers of unknown range")
        require_range(int(pixels.max(initial=0)))
        return _inverted(tags, (pixels.clip(0, 65535) >> 8).astype(np.uint8))
    if pixels.min(initial=0) < 0 or pixels.max(initial=0) > white:
        raise ValueError(f"it has pixels outside of 0 to {white:,}, the range that it states")
    return _inverted(tags, (pixels * 255 // white).astype(np.uint8))


def _stated(tags: Any) -> int | None:
    """The number that is white by a TIFF file's tags; None where they say only that there are 16 or 32 bits."""
    for tag in LARGEST:
        value = tags.get(tag)
        value = value[0] if isinstance(value, tuple) and value else value
        if isinstance(value, int | float) and value > 0:
            return int(value)
    bits = tags.get(BITS, (16,))[0]
    return (1 << bits) - 1 if bits < 16 else None


def _inverted(tags: Any, pixels: np.ndarray) -> np.ndarray:
    """Inverts the pixels where 0 is white by a TIFF file's tag: Pillow does so for eight bits only."""
    return 255 - pixels if tags.get(PHOTOMETRIC) == 0 else pixels
