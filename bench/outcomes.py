"""Outcomes: which test images a classifier got right, as text for a record; one bit for each image, 1.7 kB for 10,000."""

from __future__ import annotations

import base64
import binascii

import numpy as np


def pack(right: np.ndarray) -> str:
    """Base64 of the packed bits of bool [N]."""
    return base64.b64encode(np.packbits(np.asarray(right, bool)).tobytes()).decode()


def unpack(text: str, n: int) -> np.ndarray:
    """The bool [n] that `pack` encoded as ``text``; ValueError where it does not encode ``n`` images."""
    try:
        packed = np.frombuffer(base64.b64decode(text, validate=True), np.uint8)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"{text[:40]!r} is not base64: {error}") from None
    bits = np.unpackbits(packed)
    if len(packed) != -(-n // 8) or bits[n:].any():
        raise ValueError(f"{text[:40]!r} holds {len(packed)} bytes, which are not the bits of {n} images")
    return bits[:n].astype(bool)
