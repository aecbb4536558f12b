"""What the order of access costs when images stay on disk: in the page cache, and when none of them is.

    PYTHONPATH=. python tests/benchmarks/feeding.py [IMAGES [FOLDER]]

Images of 3 x 256 x 256 through `bench.datasets.feed`, in turn in sequential and in random order, medians of five; the
file is dropped from the page cache before each cold pass. The folder must lie on the disk that is to be measured.
"""

import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import torch

from bench.datasets.feed import feed
from bench.datasets.store import Store

SIDE, BATCH, REPEATS = 256, 256, 5


def make(path: Path, images: int) -> None:
    pixels = np.lib.format.open_memmap(path, "w+", np.uint8, (images, 3, SIDE, SIDE))
    pixels[:] = np.random.default_rng(0).integers(0, 256, (1, 3, SIDE, SIDE), dtype=np.uint8)
    pixels.flush()


def drop(path: Path) -> None:
    """Take the file out of the page cache."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def rate(path: Path, order: torch.Tensor) -> float:
    """Images a second in this order, by a map that is opened anew."""
    store = Store(torch.from_numpy(np.load(path, mmap_mode="c")), torch.zeros(len(order), dtype=torch.int64), mapped=True)
    begun = time.perf_counter()
    for _ in feed(store, order.split(BATCH), torch.device("cpu")):
        pass
    return len(order) / (time.perf_counter() - begun)


def measure(path: Path, images: int, cold: bool) -> str:
    found: dict[str, list[float]] = {"sequential": [], "random": []}
    for repeat in range(REPEATS):
        random = torch.randperm(images, generator=torch.Generator().manual_seed(repeat))
        for name, order in (("sequential", torch.arange(images)), ("random", random)):
            if cold:
                drop(path)
            found[name].append(rate(path, order))
    sequential, random = (median(rates) for rates in found.values())
    ratio = median(r / s for s, r in zip(*found.values(), strict=True))
    where = "from disk" if cold else "page cache"
    return f"| {where} | {sequential:,.0f} images/s | {random:,.0f} images/s | {ratio:.2f} |"


def main() -> None:
    images = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory(dir=sys.argv[2] if len(sys.argv) > 2 else None) as folder:
        path = Path(folder) / "images.npy"
        make(path, images)
        rate(path, torch.arange(images))
        print(f"{images:,} images, {path.stat().st_size / 2**30:.1f} GiB\n")
        print("| where they are | sequential | random | random / sequential |")
        print("| --- | --- | --- | --- |", flush=True)
        for cold in (False, True):
            print(measure(path, images, cold), flush=True)


if __name__ == "__main__":
    main()
