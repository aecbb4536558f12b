"""Tiny ImageNet: the archive, its tree, its usual rearrangements and parquet lead to one store; a part of it has its own."""

import hashlib
import json
import shutil
import zipfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from bench.datasets import files, forms, store, tiny_imagenet, trees
from bench.datasets.base import DataError
from bench.datasets.prepare import get
from bench.datasets.registry import find
from tests.made_data import encoded, fingerprint, write_table

IDS = tiny_imagenet.CLASSES[:3]
KIND = forms.Set("Mini", IDS, 64, {"train": 3, "test": 2}, lossy=True)


def made(kind: forms.Set):
    kinds = (partial(tiny_imagenet.from_tree, kind=kind), partial(forms.from_parquet, kind=kind))
    read = partial(tiny_imagenet.from_zip, kind=kind)
    return replace(find("tiny_imagenet"), classes=len(kind.names), names=kind.names, read=read, forms=kinds)


def jpeg(seed: int) -> bytes:
    """Every third one is grey, as some of the real ones are."""
    pixels = np.random.default_rng(seed).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    return encoded(pixels, "JPEG", "L" if seed % 3 == 0 else "RGB")


@pytest.fixture
def tree(tmp_path) -> Path:
    """The archive's layout."""
    root, lines = tmp_path / "there" / "tiny-imagenet-200", []
    (root / "val" / "images").mkdir(parents=True)
    for i, wnid in enumerate(IDS):
        (root / "train" / wnid / "images").mkdir(parents=True)
        (root / "train" / wnid / f"{wnid}_boxes.txt").write_text("boxes")
        for j in range(3):
            (root / "train" / wnid / "images" / f"{wnid}_{j}.JPEG").write_bytes(jpeg(10 * i + j))
        for j in range(2):
            (root / "val" / "images" / f"val_{2 * i + j}.JPEG").write_bytes(jpeg(100 + 10 * i + j))
            lines.append(f"val_{2 * i + j}.JPEG\t{wnid}\t0\t0\t9\t9")
    (root / "val" / "val_annotations.txt").write_text("\n".join(lines) + "\n")
    (root / "test" / "images").mkdir(parents=True)
    (root / "test" / "images" / "test_0.JPEG").write_bytes(jpeg(1))
    return root


def pack(tree: Path, place: Path) -> Path:
    place.mkdir()
    with zipfile.ZipFile(place / "tiny-imagenet-200.zip", "w") as archive:
        for path in sorted(tree.rglob("*"), reverse=True):
            archive.write(path, path.relative_to(tree.parent))
    return place


def sort_val(tree: Path, place: Path) -> Path:
    """``val/<id>/`` instead of the flat folder, as scripts in circulation do it."""
    shutil.copytree(tree, place)
    for line in (place / "val" / "val_annotations.txt").read_text().splitlines():
        name, wnid = line.split("\t")[:2]
        (place / "val" / wnid).mkdir(exist_ok=True)
        (place / "val" / "images" / name).rename(place / "val" / wnid / name)
    (place / "val" / "val_annotations.txt").unlink()
    return place


def as_parquet(tree: Path, place: Path) -> Path:
    names = IDS[::-1]
    truth = dict(line.split("\t")[:2] for line in (tree / "val" / "val_annotations.txt").read_text().splitlines())
    train = [(path.read_bytes(), names.index(path.parent.parent.name)) for path in sorted(tree.glob("train/*/images/*"))]
    val = [(path.read_bytes(), names.index(truth[path.name])) for path in sorted(tree.glob("val/images/*"))]
    write_table(place / "train-00000-of-00001-1359597a978bc4fa.parquet", train, "image", "label", names)
    write_table(place / "valid-00000-of-00001-70d52db3c749a935.parquet", val, "image", "label", names)
    return place


def test_every_form_leads_to_one_fingerprint(tree, tmp_path):
    packed = pack(tree, tmp_path / "packed")
    archive = packed / "tiny-imagenet-200.zip"
    genuine = replace(made(KIND), files=(replace_digest(archive),))
    found = {
        "tree": fingerprint(get(made(KIND), tmp_path / "t", tree.parent)),
        "inner": fingerprint(get(made(KIND), tmp_path / "i", tree)),
        "zip": fingerprint(get(genuine, tmp_path / "z", packed)),
        "sorted": fingerprint(get(made(KIND), tmp_path / "s", sort_val(tree, tmp_path / "sorted"))),
        "parquet": fingerprint(get(made(KIND), tmp_path / "p", as_parquet(tree, tmp_path / "parquet"))),
    }
    assert len(set(found.values())) == 1, found
    left = json.loads((tmp_path / "t" / "tiny_imagenet" / "meta.json").read_text())["left_out"]
    assert left == {".txt files": 3, "files in test, which is not used": 1}  # without the table, which is used
    splits = store.load(tmp_path / "z" / "tiny_imagenet")
    assert splits.train.images.shape == (9, 3, 64, 64) and splits.test.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert splits.train.sizes is None
    with pytest.raises(DataError, match=r"tiny-imagenet-200\.zip is damaged or another file"):
        get(made(KIND), tmp_path / "other", packed)


def replace_digest(archive: Path):
    return tiny_imagenet.ARCHIVE._replace(digest=files.digest_of(archive, 32))


def test_a_part_takes_its_classes_out_of_the_whole(tree, tmp_path):
    part = replace(KIND, names=IDS[1:], part=True)
    some = fingerprint(get(made(part), tmp_path / "a", tree))
    shutil.rmtree(tree / "train" / IDS[0])
    for i in (0, 1):
        (tree / "val" / "images" / f"val_{i}.JPEG").unlink()
    assert fingerprint(get(made(part), tmp_path / "b", tree)) == some
    with pytest.raises(DataError, match=f"lacks 1 of the 3 classes in train: {IDS[0]}"):
        get(made(KIND), tmp_path / "c", tree)


def test_files_that_are_not_the_archives_are_found_out(tree, tmp_path):
    images = [[path.read_bytes() for path in sorted((tree / "train" / wnid / "images").iterdir())] for wnid in IDS]
    whole = hashlib.sha256(b"".join(map(forms.files_digest, images))).hexdigest()
    sealed = replace(KIND, files={"train": whole})
    get(made(sealed), tmp_path / "a", tree)
    path = tree / "train" / IDS[2] / "images" / f"{IDS[2]}_1.JPEG"
    path.write_bytes(path.read_bytes() + b"\0")  # the same pixels
    with pytest.raises(DataError, match="other train files than those of Mini"):
        get(made(sealed), tmp_path / "b", tree)
    assert not (tmp_path / "b").exists()


def test_bad_trees(tree, tmp_path):
    def refused(says: str) -> None:
        with pytest.raises(DataError, match=says) as error:
            get(made(KIND), tmp_path / "root", tree)
        assert "\n" not in str(error.value) and not (tmp_path / "root").exists()

    table = tree / "val" / "val_annotations.txt"
    text = table.read_text()
    table.write_text(text.split("\n", 1)[1])
    refused("gives no class for val/images/val_0.JPEG")
    table.write_text("x\n")
    refused("val_annotations.txt is damaged")
    table.write_text(text)
    (tree / "val" / "images" / "val_3.JPEG").write_bytes(b"")
    refused("val_3.JPEG cannot be read as an image")
    (tree / "val" / "images" / "val_3.JPEG").unlink()
    refused(f"must have 2 test images of every class of Mini, and has 1 of {IDS[1]}")


def test_the_lists():
    assert len(set(tiny_imagenet.CLASSES)) == 200 and len(set(tiny_imagenet.FORTY)) == 40
    assert set(tiny_imagenet.FORTY) < set(tiny_imagenet.CLASSES)
    for names in (tiny_imagenet.CLASSES, tiny_imagenet.FORTY):
        assert list(names) == sorted(names)
    assert trees.lines_hash(tiny_imagenet.FORTY) == "393e04e78c58add88f5780d5c8ac90c3e9cc1a4e45d1866d239c1863c1d820e1"
