"""Preparing a tree of image files against what the decoder alone does with it, on all cores, in turn.

    PYTHONPATH=. python tests/benchmarks/preparing.py IMAGENET_DIR [REPEATS]

The decoder alone: as many processes open every file and make an RGB array of it, and that is all.
"""

import multiprocessing
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

from bench.datasets.decode import formats
from bench.datasets.prepare import get
from bench.datasets.registry import find
from bench.datasets.workers import available


def decode(path: str) -> int:
    with Image.open(path, formats=formats()) as image:
        return np.asarray(image.convert("RGB")).nbytes


def decoder_alone(paths: list[str], processes: int) -> float:
    """Images a second; the start of the processes is not counted."""
    with multiprocessing.get_context("forkserver").Pool(processes) as pool:
        pool.map(decode, paths[: 4 * processes], chunksize=1)
        begun = time.perf_counter()
        pool.map(decode, paths, chunksize=64)
        return len(paths) / (time.perf_counter() - begun)


def preparing(source: Path, images: int) -> float:
    """Images a second, from the first to the last, hashing and writing included; the start is not counted."""
    marks: list[tuple[float, int]] = []
    with tempfile.TemporaryDirectory() as root:
        get(find("imagenet100"), Path(root), source, tell=lambda done, total: marks.append((time.perf_counter(), done)))
    (begun, first), (ended, last) = marks[1], marks[-1]  # the first mark of all is told before the processes start
    return (last - first) / (ended - begun)


def main() -> None:
    source, repeats = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 5
    paths = sorted(map(str, source.glob("*/*/*.JPEG")))
    cores = available()
    pairs = [(preparing(source, len(paths)), decoder_alone(paths, cores)) for _ in range(repeats)]
    ours, alone = (median(rates) for rates in zip(*pairs, strict=True))
    ratios = sorted(a / b for a, b in pairs)
    print(f"{len(paths):,} images, {cores} cores, medians of {repeats}")
    print(f"preparing {ours:,.0f} images/s, decoder alone {alone:,.0f} images/s, ratio {median(ratios):.2f}", end=" ")
    print(f"({ratios[0]:.2f} to {ratios[-1]:.2f})")


if __name__ == "__main__":
    main()
