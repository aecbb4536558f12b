"""`imagenet100`: 100 classes of ImageNet, by the list of CMC (Tian et al. 2020) that most papers use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from .augment import Policy
from .base import DataError, Raw, Track

SIDE = 256  # images are squashed to SIDE x SIDE; their original sizes are kept beside them
CHUNK = 256
SUFFIXES = {".jpeg", ".jpg", ".png"}
CLASSES = """
n01558993 n01692333 n01729322 n01735189 n01749939 n01773797 n01820546 n01855672 n01978455 n01980166
n01983481 n02009229 n02018207 n02085620 n02086240 n02086910 n02087046 n02089867 n02089973 n02090622
n02091831 n02093428 n02099849 n02100583 n02104029 n02105505 n02106550 n02107142 n02108089 n02109047
n02113799 n02113978 n02114855 n02116738 n02119022 n02123045 n02138441 n02172182 n02231487 n02259212
n02326432 n02396427 n02483362 n02488291 n02701002 n02788148 n02804414 n02859443 n02869837 n02877765
n02974003 n03017168 n03032252 n03062245 n03085013 n03259280 n03379051 n03424325 n03492542 n03494278
n03530642 n03584829 n03594734 n03637318 n03642806 n03764736 n03775546 n03777754 n03785016 n03787032
n03794056 n03837869 n03891251 n03903868 n03930630 n03947888 n04026417 n04067472 n04099969 n04111531
n04127249 n04136333 n04229816 n04238763 n04336792 n04418357 n04429376 n04435653 n04485082 n04493381
n04517823 n04589890 n04592741 n07714571 n07715103 n07753275 n07831146 n07836838 n13037406 n13040303
""".split()  # labels follow the sorted ids; the other list in circulation, the first 100 ids, shares only 8


def read(folder: Path) -> dict[str, Raw]:
    """Both splits from an ImageNet tree: ``train/<id>/*.JPEG`` and ``val/<id>/*.JPEG``.

    Images that cannot be read are all named at once, in the `DataError` that the last chunk raises.
    """
    unreadable: list[str] = []
    train, test = read_tree(folder / "train", unreadable), read_tree(folder / "val", unreadable)
    return {"train": train, "test": test._replace(chunks=_then_complain(test.chunks, unreadable))}


def read_tree(folder: Path, unreadable: list[str]) -> Raw:
    """One split; `DataError` names the classes that the tree lacks. What cannot be read goes to ``unreadable``."""
    missing = [wnid for wnid in CLASSES if not (folder / wnid).is_dir()]
    if missing:
        raise DataError(f"{folder} lacks {len(missing)} of the 100 classes: {' '.join(missing)}")
    paths, labels = [], []
    for label, wnid in enumerate(CLASSES):
        found = sorted(path for path in (folder / wnid).iterdir() if path.suffix.lower() in SUFFIXES)
        paths += found
        labels += [label] * len(found)
    sizes = np.zeros((len(paths), 2), np.int32)
    return Raw((3, SIDE, SIDE), np.array(labels, np.int64), _chunks(paths, sizes, unreadable), sizes)


def _chunks(paths: list[Path], sizes: np.ndarray, unreadable: list[str]) -> Iterator[np.ndarray]:
    """Images in chunks; fills ``sizes`` on the way. An image that cannot be read is blank, and goes to ``unreadable``."""
    for start in range(0, len(paths), CHUNK):
        chunk = np.zeros((len(paths[start : start + CHUNK]), 3, SIDE, SIDE), np.uint8)
        for i, path in enumerate(paths[start : start + CHUNK]):
            try:
                chunk[i], sizes[start + i] = _decode(path)
            except DataError as error:
                unreadable.append(str(error))
        yield chunk


def _then_complain(chunks: Iterable[np.ndarray], unreadable: list[str]) -> Iterator[np.ndarray]:
    yield from chunks
    if unreadable:
        raise DataError(f"{len(unreadable)} unreadable: {'; '.join(unreadable)}")


def _decode(path: Path) -> tuple[np.ndarray, tuple[int, int]]:
    """One image as uint8 [3, SIDE, SIDE], and its height and width; upright, whatever its mode."""
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image).convert("RGB")
            squashed = upright.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
            return np.asarray(squashed).transpose(2, 0, 1), (upright.height, upright.width)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{path} cannot be read as an image: {error}") from None


TRACK = Track(
    name="imagenet100",
    title="ImageNet-100 (the list of CMC)",
    classes=100,
    size=224,
    backbone="resnet18",
    policy=Policy(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), blur=0.5),
    read=read,
    how_to_get="python -m bench data get imagenet100 --from IMAGENET_DIR (with train/<id>/*.JPEG and val/<id>/*.JPEG)",
    leaderboard=True,
    batch_size=256,
    lr=0.03,  # MoCo at batch 256
    weight_decay=1e-4,
)
