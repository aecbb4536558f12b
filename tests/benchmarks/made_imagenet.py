"""Makes a tree of photograph-like JPEGs in the shape of ImageNet: ``python tests/benchmarks/made_imagenet.py DIR``.

An image is a smooth field of colour, a texture and noise, of 200 to 800 pixels a side. The texture's direction and pitch
and the colours lean on the class, so that there is something to learn. The same arguments give the same files.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
from pathlib import Path

import numpy as np
from PIL import Image

QUALITY = 92
SHORTEST, LONGEST = 200, 800  # pixels
GRID = 6  # the field of colour is drawn on so many points a side, and enlarged
NOISE = 14.0  # standard deviation, of 255
TILE = 512  # pixels: noise is cut out of a square of this size, as drawing it anew takes longer than all the rest


def classes(count: int) -> list[str]:
    """The ids to use: those of `imagenet100` first, then made-up ones."""
    from bench.datasets.imagenet100 import CLASSES

    return [*CLASSES, *(f"n9{i:07d}" for i in range(max(0, count - len(CLASSES))))][:count]


def picture(label: int, rng: np.random.Generator, noise: np.ndarray) -> Image.Image:
    """One image of class ``label``; ``noise`` is int16 [2 * TILE, 2 * TILE]."""
    width, height = np.exp(rng.uniform(np.log(SHORTEST), np.log(LONGEST), 2)).astype(int)
    own = np.random.default_rng(label)  # what the class has of its own
    tint, angle, pitch = own.uniform(60, 190, 3), own.uniform(0, np.pi), own.uniform(6, 40)
    field = (tint + rng.normal(0, 45, (GRID, GRID, 3))).clip(0, 255).astype(np.uint8)
    smooth = np.asarray(Image.fromarray(field).resize((width, height), Image.Resampling.BICUBIC), np.int16)
    angle, pitch = angle + rng.normal(0, 0.15), pitch * np.exp(rng.normal(0, 0.15))
    across = np.arange(width, dtype=np.float32) * (np.cos(angle) * 2 * np.pi / pitch)
    down = np.arange(height, dtype=np.float32) * (np.sin(angle) * 2 * np.pi / pitch)
    # cos(a + b) from the sides' own sines: two products instead of a cosine a pixel
    wave = np.outer(np.cos(down), np.cos(across)) - np.outer(np.sin(down), np.sin(across))
    texture = (wave * rng.uniform(15, 45)).astype(np.int16)
    top, left = rng.integers(0, TILE, 2)
    texture += np.tile(noise[top : top + TILE, left : left + TILE], (2, 2))[:height, :width]
    return Image.fromarray((smooth + texture[..., None]).clip(0, 255).astype(np.uint8))


def fill(folder: Path, label: int, count: int, seed: int) -> None:
    """Write ``count`` images of a class."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng((seed, label))
    noise = (rng.standard_normal((2 * TILE, 2 * TILE), np.float32) * NOISE).astype(np.int16)
    for i in range(count):
        picture(label, rng, noise).save(folder / f"{folder.name}_{i}.JPEG", quality=QUALITY)


def make(root: Path, count: int, train: int, val: int, seed: int = 0, processes: int = 1) -> None:
    """``train/<id>`` and ``val/<id>`` below ``root``, of ``count`` classes with so many images each."""
    jobs = [
        (root / split / wnid, label, images, 2 * seed + (split == "val"))
        for label, wnid in enumerate(classes(count))
        for split, images in (("train", train), ("val", val))
    ]
    if processes == 1:
        for job in jobs:
            fill(*job)
        return
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        pool.starmap(fill, jobs, chunksize=1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--classes", type=int, default=100)
    parser.add_argument("--images-per-class", type=int, default=260)
    parser.add_argument("--val-per-class", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    make(given.folder, given.classes, given.images_per_class, given.val_per_class, given.seed, given.processes)
