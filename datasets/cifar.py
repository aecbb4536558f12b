"""`cifar10` and `cifar100` (Krizhevsky 2009): 60,000 colour images of 32 x 32 pixels.

Read from torchvision's archives, from class folders, or from parquet files.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from . import cifar_names, forms
from .base import DataError, File, Raw, Track
from .policy import Policy

SITE = "https://www.cs.toronto.edu/~kriz/"
SHAPE = (3, 32, 32)


@dataclass(frozen=True)
class Layout:
    """The names of an archive's batch files, the key of their labels, and the MD5 of each file."""

    folder: str
    labels: bytes
    train: dict[str, str]
    test: dict[str, str]


CIFAR10 = Layout(
    folder="cifar-10-batches-py",
    labels=b"labels",
    train={
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    },
    test={"test_batch": "40351d587109b95175f43aff81a1287e"},
)
CIFAR100 = Layout(
    folder="cifar-100-python",
    labels=b"fine_labels",
    train={"train": "16019d7e3df5f24257cddd939b257f8d"},
    test={"test": "f0ef6b0ae62326f3e7ffdfab6717acfc"},
)


def read(folder: Path, layout: Layout) -> dict[str, Raw]:
    """Both splits from the unpacked batches, in ``folder`` itself or in the archive's own folder below it."""
    inner = folder / layout.folder if (folder / layout.folder).is_dir() else folder
    splits = {}
    for split, names in (("train", layout.train), ("test", layout.test)):
        batches = [read_batch(inner / name, layout.labels) for name in names]
        labels = np.concatenate([labels for _, labels in batches])
        splits[split] = forms.canonical(np.concatenate([images for images, _ in batches]), labels)
    return splits


class _PlainArrays(pickle.Unpickler):
    """Reads the archives' pickles; it permits NumPy's array constructors, which they need, and nothing else."""

    ALLOWED: ClassVar = {("_reconstruct", "numpy"), ("ndarray", "numpy"), ("dtype", "numpy"), ("encode", "_codecs")}

    def find_class(self, module: str, name: str):
        if (name, module.split(".")[0]) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which a CIFAR batch has no use for")
        if name == "_reconstruct":
            return np.empty(0).__reduce__()[0]  # the constructor's module depends on the version of NumPy
        return super().find_class(module, name)


def read_batch(path: Path, labels_key: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 [n, 3, 32, 32] and labels int64 [n] of one batch file."""
    try:
        with path.open("rb") as stream:
            batch = _PlainArrays(stream, encoding="bytes").load()
        images = np.asarray(batch[b"data"], np.uint8).reshape(-1, *SHAPE)
        return images, np.asarray(batch[labels_key], np.int64)
    except FileNotFoundError:
        raise DataError(f"{path.parent} lacks {path.name}") from None
    except Exception as error:  # a damaged pickle raises almost anything
        raise DataError(f"{path} is damaged: {error}") from None


def _track(name: str, layout: Layout, images: forms.Set, archive: File, policy: Policy, **more: Any) -> Track:
    return Track(
        name=name,
        title=images.title,
        classes=len(images.names),
        size=images.side,
        backbone="resnet18",
        policy=policy,
        read=partial(read, layout=layout),
        forms=(partial(forms.from_folders, kind=images), partial(forms.from_parquet, kind=images)),
        files=(archive,),
        members={f"{layout.folder}/{batch}": digest for batch, digest in {**layout.train, **layout.test}.items()},
        names=images.names,
        **more,
    )


TRACKS = (
    _track(
        "cifar10",
        CIFAR10,
        forms.Set("CIFAR-10", cifar_names.CIFAR10, 32, {"train": 5000, "test": 1000}),
        File("cifar-10-python.tar.gz", f"{SITE}cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a"),
        Policy(mean=(0.4914, 0.4822, 0.4465), std=(0.2470, 0.2435, 0.2616)),
    ),
    _track(
        "cifar100",
        CIFAR100,
        forms.Set("CIFAR-100", cifar_names.CIFAR100, 32, {"train": 500, "test": 100}),
        File("cifar-100-python.tar.gz", f"{SITE}cifar-100-python.tar.gz", "eb9058c3a382ffc7106e4002c42a8d85"),
        Policy(mean=(0.5071, 0.4865, 0.4409), std=(0.2673, 0.2564, 0.2762)),
        digest="e664674b3031a894454d0b9b5832188af2ea17f6dcffe9d9629f87276f29d2e2",
        groupings={"coarse": cifar_names.GROUPING},
        leaderboard=True,
    ),
)
