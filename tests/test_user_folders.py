"""Folders as users' machines have them: names of splits, strange files, links, small images, and what is said of all that."""

import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from bench import folders
from bench.datasets import decode, folder, foreign, imagenet_val, layout, measure, store, trees
from bench.datasets.base import DataError
from bench.datasets.registry import known
from tests.made_data import encoded, write_table

pytestmark = pytest.mark.filterwarnings("ignore:The given NumPy array is not writable")


def pixels(seed: int, side: int = 16, width: int | None = None) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (side, width or side, 3), dtype=np.uint8)


def fill(root: Path, counts: dict[str, int], side: int = 16) -> Path:
    """So many images in each folder, no two alike."""
    for k, (name, count) in enumerate(counts.items()):
        (root / name).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            (root / name / f"{i}.png").write_bytes(encoded(pixels(1000 * k + i, side)))
    return root


def pair(train: str, test: str) -> dict[str, int]:
    return {f"{split}/{name}": n for split, n in ((train, 3), (test, 2)) for name in ("cat", "dog")}


# names of splits


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("train", "val"),
        ("Training", "Testing"),
        ("TRAIN", "TEST"),
        ("train_set", "test_set"),
        ("training", "validation"),
        ("train2017", "val2017"),
        ("TrainSet", "TestSet"),
        ("train-images", "valid images"),
        ("images_train", "images_eval"),
        ("trn", "dev"),
        ("trainval", "test"),
        ("seg_train", "seg_test"),
        ("ILSVRC2012_img_train", "ILSVRC2012_img_val"),
    ],
)
def test_splits_in_any_form(tmp_path, train, test):
    found = folder.tree(fill(tmp_path, pair(train, test)))
    assert found.classes == ["cat", "dog"] and found.notes["test_split"] == test
    assert [len(found.names[split]) for split in ("train", "test")] == [6, 4]


def test_of_several_the_one_that_has_the_classes(tmp_path):
    fill(tmp_path, pair("Train", "Test") | {"Val/x": 1, "extra/stuff": 3})
    found = folder.tree(tmp_path)
    assert found.notes["test_split"] == "Test"
    assert found.notes["left_out"] == {"files in Val, which is not used": 1, "files in extra, which is not used": 3}
    fill(tmp_path, pair("Train", "Val"))
    shutil.rmtree(tmp_path / "Val" / "x")
    assert folder.tree(tmp_path).notes["test_split"] == "Val"


@pytest.mark.parametrize(
    "names",
    [
        ("train", "bus", "car"),
        ("test", "exam"),
        ("Training", "yoga"),
        ("valid", "expired"),
        ("test_tube", "train_station"),
        ("strain", "contest"),
    ],
)
def test_a_class_that_is_called_like_a_split(tmp_path, names):
    assert folder.tree(fill(tmp_path, {name: 5 for name in names})).classes == sorted(names)


@pytest.mark.parametrize(
    ("counts", "says"),
    [
        (pair("train", "Training"), "which mean the same split"),
        (pair("trainA", "testA") | pair("trainB", "testB"), "testA, testB, which mean the same split"),
        (pair("validation", "test"), "no folder train"),
        ({"train/cat": 2, "train/dog": 2}, "neither val nor test"),
        ({"Training/cat": 2, "Training/dog": 2, "more": 2}, "neither val nor test"),
        ({"train": 3, "test": 3}, "has no folders of classes"),
        ({"train": 3, "test": 3, "bus": 3}, "has no folders of classes"),
    ],
)
def test_what_cannot_be_told_is_refused(tmp_path, counts, says):
    with pytest.raises(DataError, match=says):
        folder.tree(fill(tmp_path, counts))


@pytest.mark.parametrize("name", ["trainer", "strain", "contest", "device", "evaluator", "latest", "images", "invalid", "data"])
def test_names_that_are_no_splits(name):
    assert layout.role(name) is None


def test_a_flat_val_with_its_table(tmp_path):
    """As in Tiny ImageNet, whatever the number of classes."""
    fill(tmp_path, {"train/cat/images": 3, "train/dog/images": 3, "val/images": 4})
    lines = [f"{i}.png\t{'dog' if i % 2 else 'cat'}\t0\t0\t9\t9" for i in range(4)]
    (tmp_path / "val" / "val_annotations.txt").write_text("\n".join(lines))
    for name in ("images/._0.png", "@eaDir/0.png", "notes.txt"):
        (tmp_path / "val" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "val" / name).touch()
    found = folder.tree(tmp_path)
    assert found.names["test"] == [f"val/images/{i}.png" for i in (0, 2, 1, 3)]
    assert found.labels["test"].tolist() == [0, 0, 1, 1]
    assert found.notes["left_out"] == {foreign.FORKS: 1, foreign.THUMBNAILS: 1, ".txt files": 1}  # not the table


@pytest.mark.parametrize("name", ["dev", "Auto", "raw"])
def test_a_word_of_the_command_line_or_of_specs_is_no_name(name):
    with pytest.raises(DataError, match=f"--name '{name}' is taken"):
        folder.require_name(name, {})


# files that are taken, and such that are not


def test_what_the_library_reads_is_taken(tmp_path):
    fill(tmp_path, {"a": 2, "b": 2})
    formats = {".gif": "GIF", ".jfif": "JPEG", ".jpe": "JPEG", ".mpo": "MPO", ".JP2": "JPEG2000", ".avif": "AVIF", ".bmp": "BMP"}
    there = {end: kind for end, kind in formats.items() if kind == "MPO" or kind in Image.SAVE}
    for end, kind in there.items():
        image, other = (Image.fromarray(pixels(number, 32)) for number in (7, 8))
        several = {"save_all": True, "append_images": [other]} if kind in ("MPO", "GIF") else {}
        image.save(tmp_path / "a" / f"x{end}", kind, **several)
    found = folder.tree(tmp_path)
    taken = {Path(name).suffix for names in found.names.values() for name in names}
    assert taken == {".png", *there} and {".gif", ".jfif", ".jpe", ".mpo", ".bmp"} <= taken
    read = {Path(name).suffix: decode.decode(tmp_path / name, 32)[0] for names in found.names.values() for name in names}
    first, second = (pixels(number, 32).transpose(2, 0, 1).astype(int) for number in (7, 8))
    for end in there:  # of several frames the first one
        found = read[end].numpy().astype(int)
        assert found.shape == (3, 32, 32) and np.abs(found - first).mean() < 0.7 * np.abs(found - second).mean(), end


def test_what_is_left_out_is_counted_by_why(tmp_path):
    fill(tmp_path, {"a": 4, "b": 4})
    strange = [
        "a/@eaDir/0.png/SYNOPHOTO_THUMB_M.jpg",
        "a/@eaDir/0.png/SYNOPHOTO_THUMB_S.jpg",
        "b/.thumbnails/1.jpg",
        "b/.@__thumb/default1.png",
        "@eaDir/a/x.jpg",
        "a/._1.png",
        "__MACOSX/a/._0.png",
        "b/Thumbs.db",
        "b/.ipynb_checkpoints/0-checkpoint.png",
        "#recycle/a/9.png",
        "#snapshot/GMT-2026/a/0.png",
        "b/desktop.ini",
        ".DS_Store",
        "a/notes.txt",
        "a/more/clip.MP4",
        "b/README",
        "b/.hidden.png",
        "b/.git/x.png",
        "loose.png",
        "labels.csv",
    ]
    for name in strange:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"strange")
    found = folder.tree(tmp_path)
    assert sum(map(len, found.names.values())) == 8 and found.classes == ["a", "b"]
    assert found.notes["left_out"] == {
        foreign.THUMBNAILS: 6,
        foreign.FORKS: 2,
        foreign.CHECKPOINTS: 1,
        foreign.DELETED: 1,
        foreign.SNAPSHOTS: 1,
        foreign.SYSTEM: 2,
        ".txt files": 1,
        ".mp4 files": 1,
        "nameless files": 1,
        "hidden files": 1,
        "files in hidden folders": 1,
        trees.OUTSIDE: 1,
        trees.OTHER: 1,
    }
    assert sum(found.notes["left_out"].values()) == len(strange)


def test_a_class_of_other_files_alone_is_refused_with_their_kinds(tmp_path):
    fill(tmp_path, {"a": 2, "b": 0})
    (tmp_path / "b" / "0.raw").touch()
    with pytest.raises(DataError, match=r"lacks images of 1 of the 2 classes: b; left out: 1 \.raw files"):
        folder.tree(tmp_path)


def test_a_table_of_classes_is_found_among_other_tables(tmp_path):
    fill(tmp_path, {"val": 2})
    (tmp_path / "._x.csv").write_bytes(b"\0\5")
    (tmp_path / "a.csv").write_bytes("Müller,1".encode("latin-1"))
    with pytest.raises(DataError, match=r"put the devkit .* \(cannot read .*a\.csv"):
        imagenet_val.flat_classes(tmp_path, "val", ["n00000001"], Counter())
    (tmp_path / "val" / "b.csv").write_text("\ufeff0.png,n00000001\n1.png,n00000001 3 4 5 6\n", encoding="utf-8")
    left = Counter()
    assert imagenet_val.flat_classes(tmp_path, "val", ["n00000001"], left) == [("0.png", 0), ("1.png", 0)]
    assert trees.counts(left) == {}


def test_links_to_folders_and_files_are_followed(tmp_path):
    elsewhere = fill(tmp_path / "elsewhere", {"cats": 3, "dogs": 3})
    root = tmp_path / "root"
    (root / "dog").mkdir(parents=True)
    (root / "cat").symlink_to(elsewhere / "cats", target_is_directory=True)
    (root / "dog" / "inner").symlink_to(elsewhere / "dogs", target_is_directory=True)
    (root / "dog" / "one.png").symlink_to(elsewhere / "cats" / "0.png")
    (root / "dog" / "round").symlink_to(root / "dog", target_is_directory=True)
    left = Counter()
    assert trees.by_class(root, ["cat", "dog"], left) == [
        *((f"cat/{i}.png", 0) for i in range(3)),
        *((f"dog/inner/{i}.png", 1) for i in range(3)),
        ("dog/one.png", 1),
    ]
    assert left == {"links that lead back to a folder around them": 1}


def test_what_cannot_be_read_is_named(tmp_path, monkeypatch):
    fill(tmp_path, {"a": 2, "a/closed": 2, "b": 2})
    (tmp_path / "b" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "b" / "loop.png").symlink_to(tmp_path / "b" / "loop.png")
    scandir = trees.os.scandir

    def closed(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(trees.os, "scandir", closed)
    with pytest.raises(DataError, match=r"closed \(Permission denied\)"):
        folder.tree(tmp_path)
    (tmp_path / "c").symlink_to(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"/c \(a link to nothing\)"):
        folder.tree(tmp_path)
    for name in ("gone", "loop"):
        with pytest.raises(DataError, match=rf"{name}\.png \(a link to nothing\)"):
            trees.images_below(tmp_path / "b")


# how large they are


@pytest.mark.parametrize(
    ("sides", "expected"),
    [
        ([(32, 32)] * 5, (32, 32)),
        ([(32, 32)] * 4 + [(32, 40)], (32, None)),
        ([(20, 30), (50, 40), (90, 60)], (40, None)),
        ([(20, 30)] * 3, (20, None)),
    ],
)
def test_the_median_of_the_shorter_sides(tmp_path, sides, expected):
    fill(tmp_path, {"a": 0, "b": 0})
    for i, (height, width) in enumerate(sides * 2):
        (tmp_path / "ab"[i % 2] / f"{i}.png").write_bytes(encoded(pixels(i, height, width)))
    assert measure.sides(folder.tree(tmp_path)) == expected


@pytest.mark.parametrize(("side", "stored", "size"), [(6, 8, 8), (32, 32, 32), (96, 96, 96), (300, 256, 224)])
def test_a_track_follows_its_images(side, stored, size):
    assert folder.stored_side(side) == stored
    track = folder.track("x", stored)
    assert track.size == size and bool(track.policy.blur) == (size > 64)
    if size == 96:
        assert track.policy.blur_kernel == 9 and track.policy.blur_sigma == pytest.approx((0.1 * 96 / 224, 2 * 96 / 224))


def get(bench_command, tmp_path, source: Path, *flags: str) -> str:
    place = ("--data-dir", str(tmp_path / "data"), "--workers", "1")
    code, out, err = bench_command("data", "get", "folder", "--from", str(source), "--name", "x", *place, *flags)
    assert code == 0, err
    return out


def test_small_images_are_not_blown_up(tmp_path, bench_command):
    tree = fill(tmp_path / "tree", {"a": 6, "b": 9}, 32)
    out = get(bench_command, tmp_path, tree)
    assert "train: 12 images, test: 3, from a seeded fifth" in out
    assert "2 classes, train + test: a 5 + 1, b 7 + 2" in out
    assert "stored at 32 x 32 pixels; views have 32, not blurred; backbone" in out
    splits = store.load(tmp_path / "data" / "x")
    assert splits.train.images.shape[1:] == (3, 32, 32) and splits.train.sizes is None  # evaluation sees the whole image
    assert known(tmp_path / "data")["x"].size == 32
    names = (tmp_path / "data" / "x" / "train_names.txt").read_text().splitlines()
    for i, name in enumerate(names):
        assert np.array_equal(splits.train.images[i].numpy().transpose(1, 2, 0), np.asarray(Image.open(tree / name)))
    get(bench_command, tmp_path, tree, "--side", "16")
    splits = store.load(tmp_path / "data" / "x")
    assert splits.train.images.shape[1:] == (3, 16, 16) and splits.train.sizes[0].tolist() == [32, 32]


def test_images_of_many_sizes_keep_them(tmp_path, bench_command):
    tree = fill(tmp_path / "tree", {"a": 4, "b": 4}, 40)
    (tree / "b" / "odd.png").write_bytes(encoded(pixels(99, 40, 44)))
    get(bench_command, tmp_path, tree)
    splits = store.load(tmp_path / "data" / "x")
    assert splits.train.images.shape[1:] == (3, 40, 40) and len(splits.train.sizes) == len(splits.train)
    assert bench_command("data", "check", "--data-dir", str(tmp_path / "data"))[0] == 0


def test_foreign_files_and_duplicates_are_said(tmp_path, bench_command):
    tree = fill(tmp_path / "tree", pair("Training", "Testing"))
    shutil.copy(tree / "Training" / "cat" / "1.png", tree / "Testing" / "dog" / "copy.png")
    (tree / "Training" / "cat" / "Thumbs.db").touch()
    out = get(bench_command, tmp_path, tree)
    assert "train: 6 images, test: 5, from Testing" in out
    assert "left out: 1 thumbnails" in out
    assert "warning: 1 of the test images are in train as well, to the bit" in out
    meta = json.loads((tmp_path / "data" / "x" / "meta.json").read_text())
    assert meta["duplicates"] == 1 and meta["left_out"] == {"thumbnails": 1}
    code, out, _ = bench_command("list", "datasets", "--data-dir", str(tmp_path / "data"))
    assert (
        code == 0
        and "data get folder --from DIR --name NAME" in out
        and "data get cifar100\n" in out
        and "with --from DIR" in out
    )


# numbers of unknown range


def ramp(top: int, kind=np.uint16) -> np.ndarray:
    return np.linspace(0, top, 64).astype(kind).reshape(8, 8)


@pytest.mark.parametrize(
    ("pixels", "end", "options", "says"),
    [
        (ramp(4095), "png", {}, "16-bit numbers end at 4,095"),
        (ramp(255), "png", {}, "16-bit numbers end at 255"),
        (ramp(4095), "tif", {}, "16-bit numbers end at 4,095"),
        (ramp(65535, np.int32), "tif", {}, "32-bit or signed whole numbers"),
        (ramp(30000), "tif", {"tiffinfo": {339: 2}}, "32-bit or signed whole numbers"),
        (ramp(65535), "tif", {"tiffinfo": {281: 4095}}, "outside of 0 to 4,095"),
        (ramp(1, np.float32), "tif", {}, "floating-point"),
    ],
)
def test_an_unknown_range_is_refused(tmp_path, pixels, end, options, says):
    Image.fromarray(pixels).save(tmp_path / f"a.{end}", **options)
    with pytest.raises(decode.Unreadable, match=says):
        decode.decode(tmp_path / f"a.{end}", 8)


def test_sixteen_bit_colour_of_unknown_range_is_refused(tmp_path):
    """Of three channels the library gives the upper eight bits alone."""
    import struct
    import zlib

    def png(top: int) -> bytes:
        rows = b"".join(b"\0" + ramp(top).astype(">u2")[y].repeat(3).tobytes() for y in range(8))
        parts = {b"IHDR": struct.pack(">IIBBBBB", 8, 8, 16, 2, 0, 0, 0), b"IDAT": zlib.compress(rows), b"IEND": b""}
        return b"\x89PNG\r\n\x1a\n" + b"".join(
            struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts.items()
        )

    (tmp_path / "full.png").write_bytes(png(65535))
    assert np.array_equal(decode.decode(tmp_path / "full.png", 8)[0][1].numpy(), ramp(65535) >> 8)
    (tmp_path / "part.png").write_bytes(png(4095))
    with pytest.raises(decode.Unreadable, match="16-bit numbers end at"):
        decode.decode(tmp_path / "part.png", 8)


def test_a_stated_range_is_used(tmp_path):
    def gray(name: str) -> np.ndarray:
        found = decode.decode(tmp_path / name, 8)[0].numpy()
        assert np.array_equal(found[0], found[1]) and np.array_equal(found[0], found[2])
        return found[0]

    full, twelve = (ramp(65535) >> 8).astype(int), ramp(4095).astype(int) * 255 // 4095
    Image.fromarray(ramp(65535)).save(tmp_path / "full.png")
    Image.fromarray(ramp(65535)).save(tmp_path / "white_is_zero.tif", tiffinfo={262: 0})
    Image.fromarray(ramp(4095)).save(tmp_path / "stated.tif", tiffinfo={281: 4095})
    Image.fromarray(ramp(0)).save(tmp_path / "black.png")
    (tmp_path / "stated.pgm").write_bytes(b"P5 8 8 4095\n" + ramp(4095).astype(">u2").tobytes())
    assert np.array_equal(gray("full.png"), full)
    assert np.array_equal(gray("white_is_zero.tif"), 255 - full)
    assert np.array_equal(gray("stated.tif"), twelve)
    assert not gray("black.png").any()
    assert abs(gray("stated.pgm").astype(int) - twelve).max() <= 1


def test_without_a_home_everything_else_works(monkeypatch, bench_command, tmp_path):
    import pwd

    def nobody(*_):
        raise KeyError("getpwuid(): uid not found: 54321")

    for name in ("HOME", "XDG_CACHE_HOME", "BENCH_DATA", "USER", "LOGNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    monkeypatch.chdir(tmp_path)
    code, out, err = bench_command("list", "datasets")
    assert code == 0 and "digits" in out and not err
    assert bench_command("run", "--datasets", "digits", "--budget", "1ep", "--dry-run", "--methods", "simclr")[0] == 0
    assert list(tmp_path.iterdir()) == []
    tree = fill(tmp_path / "tree", {"a": 2, "b": 2})
    code, out, err = bench_command("data", "get", "folder", "--from", str(tree), "--name", "x", "--workers", "1")
    assert code == 0 and "x is ready in ssl-bench-data/x" in out, err


def test_a_cache_folder_that_is_no_path_is_not_made(monkeypatch):
    monkeypatch.delenv("BENCH_DATA", raising=False)
    monkeypatch.setattr(folders, "user_cache_dir", lambda name: f"~/.cache/{name}")  # as older ones do without a home
    assert folders.user_cache() is None and folders.data_root(None) == Path("ssl-bench-data")
    monkeypatch.setenv("BENCH_DATA", "~/data")
    monkeypatch.setenv("HOME", "/home/me")
    assert folders.data_root(None) == Path("/home/me/data") == folders.data_root("~/data")


# parquet files


def as_parquet(tree: Path, target: Path, names: tuple[str, ...], splits: dict[str, str]) -> Path:
    """The images of ``tree`` in two files a split; ``splits`` says how the folders are called there."""
    for folder_, split in splits.items():
        found = [
            (path.read_bytes(), label) for label, name in enumerate(names) for path in sorted((tree / folder_ / name).iterdir())
        ]
        for i in (0, 1):
            write_table(target / "data" / f"{split}-0000{i}-of-00002.parquet", found[i::2], "image", "label", names)
    return target


def test_a_folder_of_parquet_files(tmp_path, bench_command):
    tree = fill(tmp_path / "tree", pair("train", "val"), 32)
    source = as_parquet(tree, tmp_path / "parquet", ("cat", "dog"), {"train": "train", "val": "validation"})
    out = get(bench_command, tmp_path, source)
    assert "train: 6 images, test: 4, from the val files" in out and "stored at 32 x 32" in out
    assert "2 classes, train + test: cat 3 + 2, dog 3 + 2" in out
    place = tmp_path / "data" / "x"
    splits, names = store.load(place), (place / "train_names.txt").read_text().splitlines()
    assert names[:2] == ["data/train-00000-of-00002.parquet#0", "data/train-00000-of-00002.parquet#1"]
    there = sorted(np.asarray(Image.open(path)).tobytes() for path in tree.glob("train/*/*.png"))
    assert sorted(image.numpy().transpose(1, 2, 0).tobytes() for image in splits.train.images) == there
    whole = Counter(zip(splits.train.labels.tolist(), (i.numpy().tobytes() for i in splits.train.images), strict=True))
    shutil.rmtree(place)
    get(bench_command, tmp_path, tree)
    again = store.load(place).train
    assert whole == Counter(zip(again.labels.tolist(), (i.numpy().tobytes() for i in again.images), strict=True))


@pytest.mark.parametrize("unknown", [-1, None])
def test_a_test_split_without_labels_is_left_out(tmp_path, unknown):
    rows = [(encoded(pixels(i)), i % 2) for i in range(10)]
    for split in ("train", "validation"):
        write_table(tmp_path / f"{split}.parquet", rows, "image", "label", ("a", "b"))
    few = [(content, label and unknown) for content, label in rows[:3]]
    write_table(tmp_path / "test.parquet", few, "image", "label", ("a", "b"))
    found = folder.tree(tmp_path)
    assert [len(found.names[s]) for s in ("train", "test")] == [10, 10]
    assert found.notes["left_out"] == {"images in the test files, which are not used": 3}


def test_parquet_files_without_a_test_split_or_names(tmp_path):
    rows = [(encoded(pixels(i)), i % 2) for i in range(10)]
    write_table(tmp_path / "train.parquet", rows, "image", "label")
    found = folder.tree(tmp_path)
    assert found.classes == ["0", "1"] and [len(found.names[s]) for s in ("train", "test")] == [8, 2]
    write_table(tmp_path / "train.parquet", [(content, 3 * label) for content, label in rows], "image", "label")
    with pytest.raises(DataError, match="are not 0, 1, 2 and so on"):
        folder.tree(tmp_path)
    write_table(tmp_path / "train.parquet", [(content, label - 1) for content, label in rows], "image", "label", ("a", "b"))
    with pytest.raises(DataError, match="row 0 has the label -1, which is of no class"):
        folder.tree(tmp_path)
    write_table(tmp_path / "train.parquet", rows, "image", "label", ("a", "b", "c"))
    with pytest.raises(DataError, match="lacks images of 1 of the 3 classes: c"):
        folder.tree(tmp_path)


def test_what_stands_beside_parquet_files_is_left_out_and_counted(tmp_path):
    rows = [(encoded(pixels(i)), i % 2) for i in range(10)]
    write_table(tmp_path / "data" / "train.PARQUET", rows, "image", "label")
    write_table(tmp_path / "#recycle" / "train.parquet", rows, "image", "label")
    write_table(tmp_path / ".cache" / "test.parquet", rows, "image", "label")
    for name in (
        "@eaDir/data/THUMB.jpg",
        "data/._train.parquet",
        "data/._logo.png",
        "README.md",
        ".gitattributes",
        "assets/logo.png",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"strange")
    found = folder.tree(tmp_path)
    assert [len(found.names[split]) for split in ("train", "test")] == [8, 2]
    assert found.notes["left_out"] == {
        foreign.DELETED: 1,
        foreign.FORKS: 2,
        foreign.THUMBNAILS: 1,
        "files in hidden folders": 1,
        "hidden files": 1,
        ".md files": 1,
        ".png files": 1,
    }
    before, _ = decode.decode(tmp_path / found.names["test"][0], 16)
    write_table(tmp_path / "data" / "train.PARQUET", [(encoded(pixels(i + 50)), i % 2) for i in range(10)], "image", "label")
    found = folder.tree(tmp_path)
    assert not torch.equal(decode.decode(tmp_path / found.names["test"][0], 16)[0], before)


def test_images_in_linked_folders_go_before_a_stray_parquet_file(tmp_path):
    elsewhere = fill(tmp_path / "elsewhere", {"cats": 3, "dogs": 3})
    (tmp_path / "root").mkdir()
    for name in ("cats", "dogs"):
        (tmp_path / "root" / name).symlink_to(elsewhere / name, target_is_directory=True)
    write_table(tmp_path / "root" / "train.parquet", [(encoded(pixels(i)), i % 2) for i in range(4)], "image", "label")
    found = folder.tree(tmp_path / "root")
    assert found.classes == ["cats", "dogs"] and found.notes["left_out"] == {trees.OTHER: 1}


def test_an_unreadable_image_in_a_parquet_file_is_named(tmp_path, bench_command):
    rows = [(b"text" if i == 3 else encoded(pixels(i)), i % 2) for i in range(10)]
    write_table(tmp_path / "there" / "train.parquet", rows, "image", "label")
    flags = ("--from", str(tmp_path / "there"), "--name", "x", "--data-dir", str(tmp_path / "data"), "--workers", "1")
    code, _, err = bench_command("data", "get", "folder", *flags)
    assert code == 2 and "1 unreadable" in err and "train.parquet#3 cannot be read" in err and err.count("\n") == 1
    assert not (tmp_path / "data").exists()


def test_imagenet_from_parquet(tmp_path, monkeypatch):
    from bench.datasets import imagenet, imagenet100

    ids = imagenet100.CLASSES[:2]
    monkeypatch.setattr(imagenet100, "CLASSES", ids)
    names = (*ids, "n99999999")
    fill(tmp_path / "tree", {f"{split}/{name}": 2 for split in ("train", "val") for name in names})
    source = as_parquet(tmp_path / "tree", tmp_path / "parquet", names, {"train": "train", "val": "validation"})
    found = imagenet.tree(source, lambda: ids)
    assert sorted(found.labels["train"]) == [0, 0, 1, 1] and len(found.names["test"]) == 4
    with pytest.raises(DataError, match=r"not called by ImageNet's ids .* data get folder --from"):
        imagenet.tree(source, lambda: imagenet.thousand()[:3])
    with pytest.raises(DataError, match="not called by ImageNet's ids"):
        shutil.rmtree(source)
        imagenet.tree(
            as_parquet(tmp_path / "tree", source, names, {"train": "train", "val": "validation"}), lambda: [*ids, "n01440764"]
        )
