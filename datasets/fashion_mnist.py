"""`fashion_mnist`: 70,000 clothes of 28 x 28 grey pixels (Xiao et al. 2017), from its four IDX files."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from .base import DataError, File, Raw, Track
from .files import find
from .policy import Policy

SITE = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
DIGESTS = {  # SHA-256 of the unpacked files: packers differ, contents do not
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
FILES = tuple(File(f"{name}.gz", f"{SITE}{name}.gz", digest) for name, digest in DIGESTS.items())


def read(folder: Path) -> dict[str, Raw]:
    """Both splits from a folder with the four IDX files, packed or not."""
    splits = {}
    for split, prefix in (("train", "train"), ("test", "t10k")):
        images = read_idx(folder, f"{prefix}-images-idx3-ubyte")[:, None]
        labels = read_idx(folder, f"{prefix}-labels-idx1-ubyte").astype(np.int64)
        splits[split] = Raw((1, *images.shape[2:]), labels, [images])
    return splits


def read_idx(folder: Path, name: str) -> np.ndarray:
    """The uint8 array of an IDX file: two zero bytes, type 8, number of dimensions, big-endian sizes, data."""
    path = find(folder, name)
    if path is None:
        raise DataError(f"{folder} lacks {name} (or {name}.gz)")
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        dimensions = content[3]
        shape = np.frombuffer(content, ">u4", dimensions, offset=4).astype(int)
        return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape).copy()
    except (OSError, EOFError, ValueError, IndexError) as error:
        raise DataError(f"{path} is damaged: {error}") from None


TRACK = Track(
    name="fashion_mnist",
    title="Fashion-MNIST",
    classes=10,
    size=28,
    backbone="resnet18",
    policy=Policy(mean=(0.2860,), std=(0.3530,), jitter=(0.4, 0.4, 0.0, 0.0), gray=0.0),  # measured on the train split
    read=read,
    files=FILES,
)
