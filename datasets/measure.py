"""The sizes of the images of a tree, read from the headers of their files."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import median

from PIL import Image

from .base import Tree
from .decode import formats
from .parquet import source

RUNS, RUN = 40, 50  # the median is estimated from so many runs of so many consecutive images


def sides(tree: Tree) -> tuple[int, int | None]:
    """The median of the images' shorter sides, in pixels, and the side of all of them where they are squares of one size.

    The median is estimated from evenly spaced runs of images; unreadable images are skipped.
    """
    paths = [tree.folder / name for names in tree.names.values() for name in names]
    starts = range(0, len(paths), max(RUN, len(paths) // RUNS))
    sample = list(_sizes(path for start in starts for path in paths[start : start + RUN]))
    if not sample:
        return 0, None
    one = set(sample)
    uniform = len(one) == 1 and sample[0][0] == sample[0][1] and set(_sizes(paths)) == one
    return int(median(map(min, sample))), sample[0][0] if uniform else None


def _sizes(paths: Iterable[Path]) -> Iterator[tuple[int, int]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in paths:
            try:
                with Image.open(source(path), formats=formats()) as image:
                    yield image.size
            except Exception:  # decoding will report it
                continue
