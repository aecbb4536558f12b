"""`tiny_imagenet` (CS231n): 200 classes of ImageNet at 64 x 64 pixels, 500 images each for training and 50 for testing.

`tiny_imagenet40` is 40 of its classes, listed below: a track of its own, so that its leaderboard has a name of its own.
"""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from . import forms, trees
from .base import DataError, File, Raw, Track
from .forms import Encoded, Read
from .policy import Policy

CLASSES = tuple(
    """
n01443537 n01629819 n01641577 n01644900 n01698640 n01742172 n01768244 n01770393 n01774384 n01774750
n01784675 n01855672 n01882714 n01910747 n01917289 n01944390 n01945685 n01950731 n01983481 n01984695
n02002724 n02056570 n02058221 n02074367 n02085620 n02094433 n02099601 n02099712 n02106662 n02113799
n02123045 n02123394 n02124075 n02125311 n02129165 n02132136 n02165456 n02190166 n02206856 n02226429
n02231487 n02233338 n02236044 n02268443 n02279972 n02281406 n02321529 n02364673 n02395406 n02403003
n02410509 n02415577 n02423022 n02437312 n02480495 n02481823 n02486410 n02504458 n02509815 n02666196
n02669723 n02699494 n02730930 n02769748 n02788148 n02791270 n02793495 n02795169 n02802426 n02808440
n02814533 n02814860 n02815834 n02823428 n02837789 n02841315 n02843684 n02883205 n02892201 n02906734
n02909870 n02917067 n02927161 n02948072 n02950826 n02963159 n02977058 n02988304 n02999410 n03014705
n03026506 n03042490 n03085013 n03089624 n03100240 n03126707 n03160309 n03179701 n03201208 n03250847
n03255030 n03355925 n03388043 n03393912 n03400231 n03404251 n03424325 n03444034 n03447447 n03544143
n03584254 n03599486 n03617480 n03637318 n03649909 n03662601 n03670208 n03706229 n03733131 n03763968
n03770439 n03796401 n03804744 n03814639 n03837869 n03838899 n03854065 n03891332 n03902125 n03930313
n03937543 n03970156 n03976657 n03977966 n03980874 n03983396 n03992509 n04008634 n04023962 n04067472
n04070727 n04074963 n04099969 n04118538 n04133789 n04146614 n04149813 n04179913 n04251144 n04254777
n04259630 n04265275 n04275548 n04285008 n04311004 n04328186 n04356056 n04366367 n04371430 n04376876
n04398044 n04399382 n04417672 n04456115 n04465501 n04486054 n04487081 n04501370 n04507155 n04532106
n04532670 n04540053 n04560804 n04562935 n04596742 n04597913 n06596364 n07579787 n07583066 n07614500
n07615774 n07695742 n07711569 n07715103 n07720875 n07734744 n07747607 n07749582 n07753592 n07768694
n07871810 n07873807 n07875152 n07920052 n09193705 n09246464 n09256479 n09332890 n09428293 n12267677
""".split()
)
FORTY = tuple(
    """
n01644900 n01770393 n01855672 n01917289 n01983481 n02085620 n02113799 n02123045 n02123394 n02125311
n02231487 n02321529 n02423022 n02699494 n02788148 n02814533 n02815834 n02892201 n03085013 n03250847
n03393912 n03404251 n03424325 n03637318 n03649909 n03837869 n03937543 n03970156 n04067472 n04099969
n04251144 n04275548 n04376876 n04560804 n07614500 n07715103 n07720875 n07871810 n07873807 n09246464
""".split()
)
ARCHIVE = File("tiny-imagenet-200.zip", "http://cs231n.stanford.edu/tiny-imagenet-200.zip", "90528d7ca1a48142e341f4ef8d21d0de")
INNER = "tiny-imagenet-200"  # the archive's own folder
ANNOTATIONS = "val/val_annotations.txt"
COUNTS = {"train": 500, "test": 50}
FORTY_FILES = {
    "train": "ab74f805a001a1e23dc5c5d192827115fa7389e205620ca496982191d07da86a",
    "test": "818797c9091802c57e0581c8e8353d0225060fdf81a11e76d994a1ac839532d5",
}


def from_tree(folder: Path, left: Counter[str], kind: forms.Set) -> dict[str, Raw] | None:
    """Both splits from the unpacked archive, in ``folder`` or in the archive's folder below it; None where it is not there.

    It has ``train/<id>/`` and ``val/<id>/`` with images below, or a flat ``val/`` with a table of labels. Other files are
    counted in ``left``.
    """
    inner = folder / INNER if (folder / INNER).is_dir() else folder
    if not (inner / "train").is_dir() or not (inner / "val").is_dir():
        return None
    parts = ("train", "val")
    images = {
        f"{part}/{name}": (inner / part / name).read_bytes for part in parts for name in trees.images_below(inner / part, left)
    }
    trees.beside(inner, parts, left)
    table = inner / ANNOTATIONS
    left[trees.kind(table.name)] -= table.is_file()  # it is used
    return _read(inner, images, table.read_bytes if table.is_file() else None, kind) if images else None


def from_zip(folder: Path, kind: forms.Set) -> dict[str, Raw]:
    """Both splits from the archive in ``folder``, which need not be unpacked."""
    path = folder / ARCHIVE.name
    try:
        archive = zipfile.ZipFile(path)
        names = [name.removeprefix(f"{INNER}/") for name in archive.namelist() if name.endswith(".JPEG")]
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is damaged: {error}") from None
    images = {name: partial(archive.read, f"{INNER}/{name}") for name in names if not name.startswith("test/")}
    return _read(path, images, partial(archive.read, f"{INNER}/{ANNOTATIONS}"), kind)


def _read(place: Path, images: Mapping[str, Read], table: Read | None, kind: forms.Set) -> dict[str, Raw]:
    known = _annotated(place, table)
    found: dict[str, list[Encoded]] = {"train": [], "test": []}
    for name, read in images.items():
        part, inner, *_ = name.split("/")
        wnid = inner if part == "train" or inner in CLASSES else known.get(Path(name).name)
        if wnid is None:
            raise DataError(f"{place} gives no class for {name}: neither a folder nor {ANNOTATIONS} does")
        found["train" if part == "train" else "test"].append(Encoded(f"{place}/{name}", read, wnid))
    return forms.assemble(found, place, kind)


def _annotated(place: Path, table: Read | None) -> dict[str, str]:
    """File names of the validation images -> ids of their classes."""
    try:
        rows = [line.split("\t") for line in table().decode().splitlines()] if table else []
        return {row[0]: row[1] for row in rows}
    except (OSError, ValueError, IndexError, KeyError) as error:
        raise DataError(f"{place}/{ANNOTATIONS} is damaged: {error}") from None


def _track(name: str, kind: forms.Set) -> Track:
    return Track(
        name=name,
        title=kind.title,
        classes=len(kind.names),
        size=kind.side,
        backbone="resnet18",
        policy=Policy(mean=(0.4802, 0.4481, 0.3975), std=(0.2770, 0.2691, 0.2821)),
        read=partial(from_zip, kind=kind),
        forms=(partial(from_tree, kind=kind), partial(forms.from_parquet, kind=kind)),
        files=(ARCHIVE,),
        names=kind.names,
        batch_size=256,
        lr=0.03,
        weight_decay=5e-4,
    )


TRACKS = (
    _track("tiny_imagenet", forms.Set("Tiny ImageNet", CLASSES, 64, COUNTS, lossy=True)),
    _track("tiny_imagenet40", forms.Set("Tiny ImageNet, 40 classes", FORTY, 64, COUNTS, True, True, FORTY_FILES)),
)
