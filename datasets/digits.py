"""`digits`: scikit-learn's 1,797 real handwritten digits of 8 x 8 pixels, embedded."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .base import Raw, Track
from .policy import Policy

TEST_SHARE = 0.2


def read(_: Path) -> dict[str, Raw]:
    """A fixed stratified split, 80% train: 1,437 and 360 images."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    data = load_digits()
    images = np.rint(data.images * (255 / 16)).astype(np.uint8)[:, None]
    parts = train_test_split(images, data.target.astype(np.int64), test_size=TEST_SHARE, stratify=data.target, random_state=0)
    train_images, test_images, train_labels, test_labels = parts
    return {
        "train": Raw((1, 8, 8), train_labels, [train_images]),
        "test": Raw((1, 8, 8), test_labels, [test_images]),
    }


TRACK = Track(
    name="digits",
    title="scikit-learn's handwritten digits",
    classes=10,
    size=8,
    backbone="test_resnet",
    policy=Policy(
        mean=(0.3053,),  # measured on the train split
        std=(0.3763,),
        crop_scale=(0.5, 1.0),  # smaller crops of 8 pixels leave too little
        flip=0.0,  # a mirrored digit is no digit
        jitter=(0.4, 0.4, 0.0, 0.0),
        gray=0.0,
    ),
    read=read,
    embedded=True,
    digest="3616d13d9b8a0a7a70107bddfd1b1572ec4785e7884f0571b848e039b01e1a3f",
    batch_size=128,
    lr=0.06,  # as lightly's benchmarks on small images: SGD, 0.06 at batch 128, weight decay 5e-4
)
