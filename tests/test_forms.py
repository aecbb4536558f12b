"""CIFAR in every form that people have it in: one store, one fingerprint; and what is no CIFAR."""

import json
import pickle
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from pyarrow import parquet

from bench.datasets import cifar_names, files, forms, store, trees
from bench.datasets.base import DataError, Grouping
from bench.datasets.cut import regroup
from bench.datasets.prepare import get
from bench.datasets.registry import find, open_splits, tracks
from bench.datasets.spec import Spec
from tests import made_up
from tests.made_data import encoded, fingerprint, write_table

NAMES = ("ant", "bee_fly", "cow", "dog")
COUNTS = {"train": 3, "test": 2}
KIND = forms.Set("Small", NAMES, 32, COUNTS)
COARSE = [4, 1, 14, 8, 0, 6, 7, 7, 18, 3, 3, 14, 9, 18, 7, 11, 3, 9, 7, 11, 6, 11, 5, 10, 7, 6, 13, 15, 3, 15, 0, 11, 1, 10, 12]
COARSE += [14, 16, 9, 11, 5, 5, 19, 8, 8, 15, 13, 14, 17, 18, 10, 16, 4, 17, 4, 2, 0, 17, 4, 18, 17, 10, 3, 2, 12, 12, 16, 12, 1]
COARSE += [9, 19, 2, 10, 0, 1, 16, 12, 9, 13, 15, 13, 16, 19, 2, 4, 6, 19, 5, 5, 8, 19, 18, 1, 2, 15, 6, 0, 17, 8, 14, 13]
# by label, as the archive's own files have them


@pytest.fixture
def images():
    """(split, label) -> uint8 [n, 32, 32, 3]."""
    rng = np.random.default_rng(0)
    return {(s, i): rng.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8) for s, n in COUNTS.items() for i in range(len(NAMES))}


@pytest.fixture
def track():
    kinds = (partial(forms.from_folders, kind=KIND), partial(forms.from_parquet, kind=KIND))
    return replace(find("cifar100"), classes=len(NAMES), names=NAMES, forms=kinds, digest=None)


def as_folders(images, root: Path, between: str = "") -> Path:
    for (split, label), group in images.items():
        place = root / split / between / NAMES[label]
        place.mkdir(parents=True)
        for i, image in enumerate(group):
            (place / f"{9 - i}.png").write_bytes(encoded(image))
    return root


def rows(images, split: str, names=NAMES) -> list[tuple[bytes, int]]:
    """In an order of its own."""
    pairs = [(encoded(image), names.index(NAMES[i])) for (s, i), group in images.items() for image in group if s == split]
    return pairs[::-1]


def as_parquet(images, root: Path) -> Path:
    train = rows(images, "train")
    for i, part in enumerate((train[:5], train[5:])):
        write_table(root / "data" / f"train-0000{i}-of-00002.parquet", part)
    write_table(root / "data" / "test-00000-of-00001.parquet", rows(images, "test"))
    return root


def as_converted(images, root: Path) -> Path:
    """Other names of columns and files, and another order of the classes, which the metadata tell."""
    names = NAMES[::-1]
    for split, folder in (("train", "train"), ("test", "validation")):
        write_table(root / "default" / folder / "0000.parquet", rows(images, split, names), "image", "label", names)
    return root


def as_archive(images, root: Path, track):
    for split in COUNTS:
        data, labels = zip(*[(image, i) for (s, i), g in images.items() for image in g if s == split], strict=True)
        batch = {b"data": np.stack(data).transpose(0, 3, 1, 2).reshape(len(data), -1), b"fine_labels": list(labels)}
        (root / "cifar-100-python").mkdir(parents=True, exist_ok=True)
        (root / "cifar-100-python" / split).write_bytes(pickle.dumps(batch, protocol=2))
    return replace(track, members={name: files.digest_of(root / name, 32) for name in track.members})


def test_every_form_leads_to_one_fingerprint(images, track, tmp_path):
    archive = as_archive(images, tmp_path / "archive", track)
    made = {
        "archive": get(archive, tmp_path / "a", tmp_path / "archive"),
        "folders": get(track, tmp_path / "f", as_folders(images, tmp_path / "folders")),
        "superclasses": get(track, tmp_path / "s", as_folders(images, tmp_path / "super", "insects")),
        "parquet": get(track, tmp_path / "p", as_parquet(images, tmp_path / "parquet")),
        "converted": get(track, tmp_path / "c", as_converted(images, tmp_path / "converted")),
    }
    found = {way: fingerprint(place) for way, place in made.items()}
    assert len(set(found.values())) == 1, found
    splits = store.load(made["parquet"])
    for split, part in (("train", splits.train), ("test", splits.test)):
        assert part.labels.tolist() == [i for i in range(len(NAMES)) for _ in range(COUNTS[split])]
        expected = [
            bytes(image) for i in range(len(NAMES)) for image in sorted(images[split, i].transpose(0, 3, 1, 2), key=bytes)
        ]
        assert [image.numpy().tobytes() for image in part.images] == expected
    assert json.loads((made["parquet"] / "meta.json").read_text())["class_names"] == list(NAMES)


def test_what_is_left_out_is_counted_in_every_form(images, track, tmp_path):
    tree, tables = as_folders(images, tmp_path / "tree"), as_parquet(images, tmp_path / "parquet")
    for place in (tree / "train" / "ant", tables / "data"):
        for name in ("@eaDir/x.png", "._9.png", "#recycle/train.parquet", "notes.txt"):
            (place / name).parent.mkdir(exist_ok=True)
            (place / name).touch()
    (tree / "labels.csv").touch()
    (tree / "extra").mkdir()
    (tree / "extra" / "x.png").touch()
    usual = {"thumbnails": 1, "resource forks": 1, "deleted files": 1, ".txt files": 1}
    beside = {"files in extra, which is not used": 1, trees.OTHER: 1}
    for source, more in ((tree, beside), (tables, {})):
        for _ in range(2):
            place = get(track, tmp_path / "root", source)
            (place / "@eaDir").mkdir()  # a system may put these there; the next preparation replaces the folder all the same
            (place / ".DS_Store").touch()
        assert json.loads((place / "meta.json").read_text())["left_out"] == usual | more
    (place / "notes.txt").touch()
    with pytest.raises(DataError, match=r"no prepared dataset \(it holds notes\.txt\)"):
        get(track, tmp_path / "root", tables)


def refused(track, source: Path, tmp_path: Path, says: str) -> None:
    with pytest.raises(DataError, match=says) as error:
        get(track, tmp_path / "root", source)
    assert "\n" not in str(error.value) and not (tmp_path / "root").exists()


def test_folders_that_are_not_the_dataset(images, track, tmp_path):
    tree = as_folders(images, tmp_path / "tree")
    extra = tree / "train" / "ant" / "extra.png"
    extra.write_bytes(encoded(images["train", 0][0]))
    refused(track, tree, tmp_path, "must have 3 train images of every class of Small, and has 4 of ant")
    extra.write_bytes(b"text")
    (tree / "train" / "ant" / "9.png").unlink()
    refused(track, tree, tmp_path, "extra.png cannot be read as an image")
    extra.write_bytes(encoded(images["train", 0][0][:31]))
    refused(track, tree, tmp_path, "extra.png is 32 x 31, and the images of Small 32 x 32")
    extra.write_bytes(encoded(images["train", 0][0], "JPEG"))
    refused(track, tree, tmp_path, "extra.png is a JPEG, which has changed its pixels")
    (tree / "test" / "cow").rename(tree / "test" / "cat")
    refused(track, tree, tmp_path, "is of the class cat, none of the 4 of Small")
    for path in (tree / "test" / "cat").iterdir():
        path.unlink()
    refused(track, tree, tmp_path, "lacks 1 of the 4 classes in test: cow")


def test_parquet_files_that_are_not_the_dataset(images, track, tmp_path):
    source = as_parquet(images, tmp_path / "parquet")
    path = source / "data" / "test-00000-of-00001.parquet"
    write_table(path, rows(images, "test"), image="picture")
    refused(track, source, tmp_path, "lacks a column img or image: it has picture, fine_label")
    write_table(path, rows(images, "test"), label="coarse_label")
    refused(track, source, tmp_path, "lacks a column fine_label or label: it has img, coarse_label")
    write_table(path, rows(images, "test"), names=("a", "b", "c", "d"))
    refused(track, source, tmp_path, "row 0 is of the class d, none of the 4 of Small")
    write_table(path, rows(images, "test"), names=("ant", "bee", "ant", "dog"))
    refused(track, source, tmp_path, "the metadata of its column fine_label has two classes ant")
    write_table(path, rows(images, "test")[:-1])
    refused(track, source, tmp_path, "must have 2 test images of every class of Small, and has 1 of ant")
    write_table(path, [(content, label + 1) for content, label in rows(images, "test")])
    refused(track, source, tmp_path, "its fine_label is not within 0..3")
    write_table(path, [(None, label) for _, label in rows(images, "test")])
    refused(track, source, tmp_path, "row 0 has no image in the file")
    parquet.write_table(pa.table({"img": [1], "fine_label": ["x"]}), path)
    refused(track, source, tmp_path, "not encoded images")
    write_table(path, rows(images, "test"))
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    refused(track, source, tmp_path, "is damaged or cut short")
    path.write_bytes(whole[:50] + bytes(2000) + whole[2050:])
    refused(track, source, tmp_path, "damaged|cannot be read")
    path.unlink()
    refused(track, source, tmp_path, "has parquet files of train, but none of test")
    (source / "data" / "train-00001-of-00002.parquet").unlink()
    refused(track, source, tmp_path, "lacks 1 of 2 files: the first is 00001-of-00002")


def test_other_images_are_found_out_by_their_digest(images, track, tmp_path):
    tree = as_folders(images, tmp_path / "tree")
    genuine = replace(track, digest=fingerprint(get(track, tmp_path / "f", tree)))
    get(genuine, tmp_path / "g", tree)
    pixels = images["train", 2][0].copy()
    pixels[5, 5, 1] ^= 1
    (tree / "train" / "cow" / "9.png").write_bytes(encoded(pixels))
    refused(genuine, tree, tmp_path, "the images are not those of cifar100: their digest is")


def test_neither_form(track, tmp_path):
    (tmp_path / "empty").mkdir()
    refused(track, tmp_path / "empty", tmp_path, "nor train/<class> and test/<class> nor parquet files")


def test_the_superclasses_are_those_of_the_archive():
    grouping = find("cifar100").groupings["coarse"]
    assert list(grouping.of) == COARSE
    assert len(cifar_names.CIFAR100) == 100 and cifar_names.CIFAR100[:3] == ("apple", "aquarium_fish", "baby")
    assert sorted(grouping.names) == list(grouping.names) and len(grouping.names) == 20


def test_coarse_labels_of_the_same_images(images, track, tmp_path, monkeypatch):
    coarse = replace(track, groupings={"coarse": Grouping(("insect", "mammal"), (0, 0, 1, 1))})
    made_up.add(monkeypatch, tracks(), "cifar100", coarse)
    get(coarse, tmp_path / "root", as_folders(images, tmp_path / "tree"))
    fine, found = (open_splits(Spec("cifar100", labels=of), tmp_path / "root") for of in (None, "coarse"))
    assert found.classes == 2 and found.train.labels.tolist() == [0] * 6 + [1] * 6
    assert torch.equal(found.train.images, fine.train.images)
    assert len({found.fingerprint, fine.fingerprint}) == 2 and found.class_list != fine.class_list
    assert found.fingerprint == regroup(fine, coarse.groupings["coarse"]).fingerprint
    for cut in ({"fraction": 0.5}, {"images": 6}, {"images": 4, "test": 4}):
        fine, found = (open_splits(Spec("cifar100", labels=of, **cut), tmp_path / "root") for of in (None, "coarse"))
        for own, few in ((fine.train, found.train), (fine.test, found.test)):
            assert torch.equal(few.rows, own.rows) and torch.equal(few.labels, own.labels // 2)
    one = open_splits(Spec("cifar100", labels="coarse", classes=1, images=4), tmp_path / "root")
    assert one.train.labels.tolist() == [0] * 4 and (one.train.rows // 3).unique(return_counts=True)[1].tolist() == [2, 2]


def test_coarse_labels_that_there_are_not(bench_command, tmp_path):
    flags = ("--methods", "random_init", "--budget", "1ep", "--out", str(tmp_path / "out"), "--data-dir", str(tmp_path / "data"))
    for spec, says in (
        ("cifar10:labels=coarse", "cifar10 has no labels=coarse; it takes its own alone"),
        ("cifar100:labels=fine", "cifar100 has no labels=fine; it takes labels=coarse, or without for its own"),
    ):
        code, _, err = bench_command("run", "--datasets", spec, *flags)
        assert code == 2 and err == f"error: {says}\n"
        assert list(tmp_path.iterdir()) == []
