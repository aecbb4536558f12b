"""The summary that `data get` prints of a prepared dataset: its splits, its classes, and what was left out of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .base import Track
from .meta import SPLITS, read_meta
from .trees import listed

LISTED = 12  # with at most so many classes, each is listed


def lines(track: Track, place: Path) -> list[str]:
    """The lines of the summary of ``track``, prepared in ``place``."""
    meta = read_meta(place)
    if meta is None:
        return []
    counts = [_counts(place, split, meta["classes"]) for split in SPLITS]
    found = [f"train: {sum(counts[0]):,} images, test: {sum(counts[1]):,}{_split_by(meta)}"]
    found.append(_classes(meta, *counts))
    if track.side is not None:
        found += _follows(track)
    if meta.get("left_out"):
        found.append(f"left out: {listed(meta['left_out'])}")
    if meta.get("duplicates"):
        found.append(f"warning: {meta['duplicates']:,} of the test images are in train as well, to the bit")
    return found


def _counts(place: Path, split: str, classes: int) -> list[int]:
    labels = np.load(place / f"{split}_labels.npy", allow_pickle=False)
    return np.bincount(labels, minlength=classes).tolist()


def _split_by(meta: dict) -> str:
    return f", from {meta['test_split']}" if "test_split" in meta else ""


def _classes(meta: dict, train: list[int], test: list[int]) -> str:
    names = meta.get("class_names") or [str(label) for label in range(meta["classes"])]
    listed = [f"{name} {a:,} + {b:,}" for name, a, b in zip(names, train, test, strict=True)]
    if len(names) <= LISTED:
        return f"{len(names)} classes, train + test: {', '.join(listed)}"
    return f"{len(names)} classes, {listed[0]} to {listed[-1]}: {_range(train)} for training, {_range(test)} for testing each"


def _range(counts: list[int]) -> str:
    low, high = min(counts), max(counts)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _follows(track: Track) -> list[str]:
    blur = "blurred with p = 0.5" if track.policy.blur else "not blurred"
    said = f"stored at {track.side} x {track.side} pixels; views have {track.size}, {blur}; backbone {track.backbone}"
    small = " (small, as there is no GPU here; --backbone resnet18 for the usual one)"
    return [said + (small if track.backbone != "resnet18" else "")]
