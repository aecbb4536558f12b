"""Folders of image files: what becomes of strange files, flat folders, kills, and folders of the user's own."""

import csv
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps
from scipy.io import savemat

from bench.datasets import assemble, decode, folder, imagenet, imagenet100, store, trees, writer
from bench.datasets.base import DataError, Raw
from bench.datasets.prepare import get
from bench.datasets.registry import find, known
from tests.made_data import fingerprint
from tests.small_cells import ROOT

pytestmark = pytest.mark.filterwarnings("ignore:The given NumPy array is not writable")
IDS = ["n00000001", "n00000002", "n00000003"]


def photo(height: int, width: int, seed: int = 0) -> Image.Image:
    """Smooth colours with some texture."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)).resize((width, height), Image.Resampling.BICUBIC)
    return Image.fromarray((np.asarray(coarse, int) + rng.normal(0, 6, (height, width, 1))).clip(0, 255).astype(np.uint8))


def reference(image: Image.Image, side: int) -> np.ndarray:
    """Pillow's antialiased resize of the whole image, int [3, side, side]."""
    return np.asarray(image.resize((side, side), Image.Resampling.BILINEAR), int).transpose(2, 0, 1)


def decoded(path: Path, side: int = 32) -> np.ndarray:
    return decode.decode(path, side)[0].numpy().astype(int)


def fill(root: Path, names: dict[str, int]) -> Path:
    """A tree with so many small images in each folder."""
    for seed, (name, count) in enumerate(names.items()):
        (root / name).mkdir(parents=True)
        for i in range(count):
            photo(20 + i, 30, 100 * seed + i).save(root / name / f"{i}.JPEG")
    return root


@pytest.fixture
def small(tmp_path, monkeypatch) -> Path:
    """A tree of three classes, 5 train and 2 validation images each, that passes for ImageNet-100; chunks of 2."""
    monkeypatch.setattr(imagenet100, "CLASSES", IDS)
    monkeypatch.setattr(assemble, "CHUNK", 2)
    return fill(tmp_path / "tree", {f"{split}/{wnid}": n for split, n in (("train", 5), ("val", 2)) for wnid in IDS})


# one image


@pytest.mark.parametrize("size", [(375, 500), (500, 333), (64, 64), (40, 30), (1, 1), (1, 90)])
def test_pixels_are_pillows_to_within_one(tmp_path, size):
    image = photo(*size)
    image.save(tmp_path / "a.png")
    pixels, found = decode.decode(tmp_path / "a.png", 64)
    assert found == size
    assert abs(pixels.numpy().astype(int) - reference(image, 64)).max() <= 1


def test_a_big_jpeg_is_decoded_at_a_fraction_with_little_loss(tmp_path):
    photo(700, 1100).save(tmp_path / "a.JPEG", quality=95)
    pixels, size = decode.decode(tmp_path / "a.JPEG", 64)
    whole = reference(Image.open(tmp_path / "a.JPEG"), 64)
    assert size == (700, 1100)
    assert 0 < abs(pixels.numpy() - whole).max() <= 4 and abs(pixels.numpy() - whole).mean() < 0.5


@pytest.mark.parametrize("size", [(1, 1), (33, 21), (300, 500), (2100, 2300)])  # the last one is lent in no single piece
def test_lent_pixels_are_the_librarys(size):
    from bench.datasets import pixels

    for image in (photo(*size), photo(*size).transpose(Image.Transpose.ROTATE_90)):
        lent, keeper = pixels.of(image)
        assert np.array_equal(lent.numpy()[..., :3], np.asarray(image))
    if hasattr(image, "__arrow_c_array__") and size[0] < 2000:
        assert keeper is not None and lent.shape[2] == 4


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(40, 60), (300, 500)])  # the second one is decoded at a fraction
def test_photos_stand_upright(tmp_path, orientation, size):
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo(*size).save(tmp_path / "a.JPEG", exif=exif, quality=95)
    upright = ImageOps.exif_transpose(Image.open(tmp_path / "a.JPEG"))
    pixels, found = decode.decode(tmp_path / "a.JPEG", 32)
    assert found == (upright.height, upright.width)
    assert abs(pixels.numpy() - reference(upright.convert("RGB"), 32)).max() <= 4


@pytest.mark.parametrize(
    ("mode", "format_"),
    [("L", "JPEG"), ("CMYK", "JPEG"), ("1", "PNG"), ("P", "PNG"), ("RGB", "PNG"), ("RGB", "WEBP"), ("RGB", "BMP")],
)
def test_any_mode_becomes_rgb_whatever_the_name_says(tmp_path, mode, format_):
    photo(30, 40).convert(mode).save(tmp_path / "a.JPEG", format=format_)
    expected = reference(Image.open(tmp_path / "a.JPEG").convert("RGB"), 32)
    assert abs(decoded(tmp_path / "a.JPEG") - expected).max() <= 1


def test_of_sixteen_bits_the_upper_eight_count(tmp_path):
    values = np.linspace(0, 65535, 32 * 32).astype(np.uint16).reshape(32, 32)
    Image.fromarray(values).save(tmp_path / "a.png")
    assert np.array_equal(decoded(tmp_path / "a.png"), np.stack([values // 256] * 3))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_what_is_transparent_lies_on_white(tmp_path, mode):
    clear = Image.new("RGBA", (32, 32), (10, 20, 30, 0)).convert("LA" if mode == "LA" else "RGBA")
    (clear.quantize() if mode == "PA" else clear).save(tmp_path / "a.png")
    assert (decoded(tmp_path / "a.png") == 255).all()


def test_a_file_that_would_start_a_program_is_no_image(tmp_path):
    (tmp_path / "a.JPEG").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    with pytest.raises(decode.Unreadable, match=r"a\.JPEG cannot be read"):
        decode.decode(tmp_path / "a.JPEG", 32)


# a tree


def test_every_image_its_label_size_and_name(small, tmp_path):
    (small / "train" / IDS[0] / "notes.txt").write_text("no image by its name")
    get(find("imagenet100"), tmp_path / "root", small, side=32)
    where = tmp_path / "root" / "imagenet100"
    splits = store.load(where)
    names = (where / "train_names.txt").read_text().splitlines()
    assert names == [f"train/{wnid}/{i}.JPEG" for wnid in IDS for i in range(5)]
    assert splits.train.labels.tolist() == [0] * 5 + [1] * 5 + [2] * 5
    for i, name in enumerate(names):
        image = Image.open(small / name)
        assert splits.train.sizes[i].tolist() == [image.height, image.width]
        assert abs(splits.train.images[i].numpy() - reference(image, 32)).max() <= 1
    meta = json.loads((where / "meta.json").read_text())
    assert meta["side"] == 32
    assert meta["class_list"] == splits.class_list == hashlib.sha256("".join(f"{i}\n" for i in IDS).encode()).hexdigest()


def test_the_fingerprint_is_that_of_the_arrays(small, tmp_path):
    """Of images, that of the digests of every so many of them, as meta.json says."""
    get(find("imagenet100"), tmp_path / "root", small, side=16)
    meta = json.loads((tmp_path / "root" / "imagenet100" / "meta.json").read_text())
    by = meta["hashed_by"]
    whole = hashlib.sha256()
    for split in ("train", "test"):
        for array in ("images", "labels", "sizes"):
            content = np.load(tmp_path / "root" / "imagenet100" / f"{split}_{array}.npy")
            parts = [content[i : i + by] for i in range(0, len(content), by)]
            fed = b"".join(hashlib.sha256(part).digest() for part in parts) if array == "images" else content.tobytes()
            whole.update(fed)
            assert meta["splits"][split]["digests"][array] == hashlib.sha256(fed).hexdigest()
    assert fingerprint(tmp_path / "root" / "imagenet100") == whole.hexdigest()


def test_the_list_of_classes_is_cmcs():
    assert trees.lines_hash(imagenet100.CLASSES) == "5ee5db69d488bb799a286d8e181801c3d02798776c1ce9203e5450f64e086e07"


def test_the_other_lists():
    ids = imagenet.thousand()
    assert len(ids) == 1000 and ids[0] == "n01440764" and ids[-1] == "n15075141" and ids == sorted(ids)
    assert len(set(ids[:100]) & set(imagenet100.CLASSES)) == 8
    assert set(imagenet100.CLASSES) <= set(ids)


def test_missing_classes_are_all_named(small, tmp_path):
    for path in (small / "val" / IDS[1]).iterdir():
        path.unlink()
    with pytest.raises(DataError, match=f"val lacks images of 1 of the 3 classes: {IDS[1]}"):
        get(find("imagenet100"), tmp_path / "root", small)
    assert not (tmp_path / "root").exists()


def test_all_unreadable_files_are_named_and_nothing_is_left(small, tmp_path):
    bad = [small / "train" / IDS[0] / "3.JPEG", small / "train" / IDS[2] / "0.JPEG", small / "val" / IDS[2] / "1.JPEG"]
    bad[0].write_bytes(b"")
    bad[1].write_bytes(bad[1].read_bytes()[:-150])
    bad[2].write_text("text")
    with pytest.raises(DataError, match=r"^3 unreadable") as error:
        get(find("imagenet100"), tmp_path / "root", small, side=16)
    assert all(str(path) in str(error.value) for path in bad)
    assert not (tmp_path / "root").exists()


# a flat val


def flatten(tree: Path) -> dict[str, str]:
    """Move the validation images into one folder, shuffled: file name -> id."""
    answers, paths = {}, sorted((tree / "val").glob("*/*.JPEG"), key=lambda p: p.name)
    for i, path in enumerate(paths):
        name = f"ILSVRC2012_val_{i + 1:08d}.JPEG"
        answers[name] = path.parent.name
        path.rename(tree / "val" / name)
    for wnid in IDS:
        (tree / "val" / wnid).rmdir()
    return answers


def as_devkit(tree: Path, answers: dict[str, str]) -> None:
    data = tree / "ILSVRC2012_devkit_t12" / "data"
    data.mkdir(parents=True)
    numbers = {wnid: 7 + i for i, wnid in enumerate(reversed(IDS))}
    rows = [(numbers[wnid], wnid, "words", "gloss", 0) for wnid in IDS] + [(1001, "n00000000", "all", "group", 3)]
    kind = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O"), ("gloss", "O"), ("num_children", "O")]
    savemat(data / "meta.mat", {"synsets": np.array(rows, dtype=kind)})
    truth = "".join(f"{numbers[wnid]}\n" for _, wnid in sorted(answers.items()))
    (data / "ILSVRC2012_validation_ground_truth.txt").write_text(truth)


def as_kaggle(tree: Path, answers: dict[str, str]) -> None:
    rows = [(Path(name).stem, f"{wnid} 1 2 3 4 {wnid} 5 6 7 8") for name, wnid in answers.items()]
    write_csv(tree / "LOC_val_solution.csv", [("ImageId", "PredictionString"), *rows])


def as_plain(tree: Path, answers: dict[str, str]) -> None:
    write_csv(tree / "val.csv", [("filename", "wnid"), *answers.items()])


def write_csv(path: Path, rows) -> None:
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)


@pytest.mark.parametrize("tell", [as_devkit, as_kaggle, as_plain])
def test_a_flat_val_finds_its_classes(small, tmp_path, tell):
    answers = flatten(small)
    tell(small, answers)
    get(find("imagenet100"), tmp_path / "root", small, side=16, processes=1)
    names = (tmp_path / "root" / "imagenet100" / "test_names.txt").read_text().splitlines()
    labels = store.load(tmp_path / "root" / "imagenet100").test.labels.tolist()
    assert [IDS[label] for label in labels] == [answers[Path(name).name] for name in names]
    assert labels == sorted(labels) and len(labels) == 6


def test_a_flat_val_without_answers_says_what_to_add(small, tmp_path):
    flatten(small)
    with pytest.raises(DataError, match=r"put the devkit \(ILSVRC2012_devkit_t12\) or LOC_val_solution\.csv into"):
        get(find("imagenet100"), tmp_path / "root", small)
    write_csv(small / "val.csv", [("ILSVRC2012_val_00000001.JPEG", IDS[0])])
    with pytest.raises(DataError, match=r"val\.csv gives no class for ILSVRC2012_val_00000002\.JPEG"):
        get(find("imagenet100"), tmp_path / "root", small)


def test_a_damaged_devkit_is_named(small, tmp_path):
    as_devkit(small, flatten(small))
    (small / "ILSVRC2012_devkit_t12" / "data" / "meta.mat").write_bytes(b"x" * 300)
    with pytest.raises(DataError, match=r"meta\.mat is damaged"):
        get(find("imagenet100"), tmp_path / "root", small)
    shutil.rmtree(small / "ILSVRC2012_devkit_t12")
    as_devkit(small, {})
    truth = small / "ILSVRC2012_devkit_t12" / "data" / "ILSVRC2012_validation_ground_truth.txt"
    truth.write_text("7\nx\n")
    with pytest.raises(DataError, match=r"ground_truth\.txt is damaged: invalid literal for int"):
        get(find("imagenet100"), tmp_path / "root", small)


# kills, and two at once

PREPARE = """
import os, signal, sys
from pathlib import Path
from bench.datasets import assemble, imagenet100
from bench.datasets.prepare import get
from bench.datasets.registry import find
imagenet100.CLASSES = sys.argv[3].split()
assemble.CHUNK = 2
def kill(done, total):
    if done >= 8:
        os.kill(os.getpid(), signal.SIGKILL)
get(find("imagenet100"), Path(sys.argv[1]), Path(sys.argv[2]), side=16, processes=2, tell=kill)
"""


def test_a_killed_preparation_is_taken_up_and_makes_the_same(small, tmp_path):
    get(find("imagenet100"), tmp_path / "whole", small, side=16, processes=1)
    command = [sys.executable, "-c", PREPARE, str(tmp_path / "root"), str(small), " ".join(IDS)]
    assert subprocess.run(command, cwd=ROOT, timeout=120).returncode == -signal.SIGKILL
    assert {p.name for p in (tmp_path / "root").iterdir()} == {".imagenet100.partial", ".imagenet100.lock"}
    told = []
    get(find("imagenet100"), tmp_path / "root", small, side=16, processes=2, tell=lambda *now: told.append(now))
    assert told[0] == (8, 21)
    assert fingerprint(tmp_path / "root" / "imagenet100") == fingerprint(tmp_path / "whole" / "imagenet100")
    assert [p.name for p in (tmp_path / "root").iterdir()] == ["imagenet100"]


def interrupted(small: Path, root: Path) -> None:
    """A preparation that Ctrl-C ends after 8 images."""

    def press(done: int, total: int) -> None:
        if done >= 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        get(find("imagenet100"), root, small, side=16, processes=1, tell=press)


def first_told(small: Path, root: Path, side: int = 16) -> int:
    told = []
    get(find("imagenet100"), root, small, side=side, processes=1, tell=lambda *now: told.append(now[0]))
    return told[0]


def test_ctrl_c_keeps_what_is_done(small, tmp_path):
    interrupted(small, tmp_path / "root")
    assert first_told(small, tmp_path / "root") == 8


@pytest.mark.parametrize("change", ["file", "side", "torn", "pixels"])
def test_what_no_longer_fits_is_not_taken_over(small, tmp_path, change):
    interrupted(small, tmp_path / "root")
    partial = tmp_path / "root" / ".imagenet100.partial"
    if change == "file":
        os.utime(small / "train" / IDS[2] / "4.JPEG", (1, 1))
    if change == "torn":
        text = (partial / "journal").read_text()
        (partial / "journal").write_text(text[:-20])  # the last line only is lost
    if change == "pixels":
        with (partial / "train_images.npy").open("r+b") as stream:
            stream.seek(-16 * 16 * 3 * 14, os.SEEK_END)  # in the second image
            stream.write(b"damage")
    began = first_told(small, tmp_path / "root", side=24 if change == "side" else 16)
    assert began == (6 if change == "torn" else 0)
    if change != "side":
        get(find("imagenet100"), tmp_path / "whole", small, side=16, processes=1)
        assert fingerprint(tmp_path / "root" / "imagenet100") == fingerprint(tmp_path / "whole" / "imagenet100")


def test_a_second_one_at_the_same_time_is_told_and_harms_nothing(small, tmp_path):
    def second(done: int, total: int) -> None:
        with pytest.raises(DataError, match="imagenet100 is being prepared by another process"):
            get(find("imagenet100"), tmp_path / "root", small, side=16, processes=1)

    get(find("imagenet100"), tmp_path / "root", small, side=16, processes=1, tell=second)
    assert not list((tmp_path / "root").glob(".*"))


def test_leftovers_of_killed_small_preparations_go(tmp_path):
    raw = Raw((1, 2, 2), np.array([0, 1]), [np.zeros((2, 1, 2, 2), np.uint8)])
    (tmp_path / ".cifar10.partial-4711").mkdir()
    (tmp_path / ".cifar10.partial").mkdir()
    (tmp_path / ".cifar10.partial" / "x").touch()
    writer.write(tmp_path / "cifar10", {"train": raw, "test": raw}, 10)
    assert [p.name for p in tmp_path.iterdir()] == ["cifar10"]


@pytest.mark.parametrize("name", ["precious.txt", "precious.npy", "my_names.txt", "train_images.npy.bak"])
def test_a_folder_of_the_users_is_never_replaced(small, tmp_path, name):
    (tmp_path / "root" / "imagenet100").mkdir(parents=True)
    (tmp_path / "root" / "imagenet100" / name).touch()
    with pytest.raises(DataError, match="is no prepared dataset"):
        get(find("imagenet100"), tmp_path / "root", small, side=16, processes=1)
    assert [p.name for p in (tmp_path / "root").rglob("*")] == ["imagenet100", name]


def test_a_link_to_another_disk_stays_and_leads_to_what_is_prepared(tmp_path):
    raw = Raw((1, 2, 2), np.array([0, 1]), [np.zeros((2, 1, 2, 2), np.uint8)])
    (tmp_path / "big").mkdir()
    (tmp_path / "cifar10").symlink_to(tmp_path / "big" / "cifar10")
    for _ in range(3):
        writer.write(tmp_path / "cifar10", {"train": raw, "test": raw}, 10)
        assert (tmp_path / "cifar10").is_symlink() and (tmp_path / "cifar10" / "meta.json").is_file()
        assert sorted(p.name for p in [*tmp_path.iterdir(), *(tmp_path / "big").iterdir()]) == ["big", "cifar10", "cifar10"]


# folders of the user's own


def test_a_seeded_stratified_fifth_is_split_off(tmp_path):
    tree = fill(tmp_path / "pets", {"cat": 10, "dog": 6, "emu/young": 2})
    found = folder.tree(tree)
    assert found.classes == ["cat", "dog", "emu"]
    assert [np.bincount(found.labels[split]).tolist() for split in ("train", "test")] == [[8, 5, 1], [2, 1, 1]]
    assert set(found.names["train"]).isdisjoint(found.names["test"])
    assert found.names == folder.tree(tree).names
    (tree / "fox").mkdir()
    photo(9, 9).save(tree / "fox" / "0.png")
    with pytest.raises(DataError, match="has 1 image of fox"):
        folder.tree(tree)


@pytest.mark.parametrize("test", ["val", "test"])
def test_given_splits_are_kept(tmp_path, test):
    tree = fill(tmp_path / "pets", {"train/cat": 2, "train/dog": 2, f"{test}/cat": 1, f"{test}/dog": 1})
    found = folder.tree(tree)
    assert found.names["test"] == [f"{test}/cat/0.JPEG", f"{test}/dog/0.JPEG"]
    (tree / test / "eel").mkdir()
    with pytest.raises(DataError, match=r"has classes that .*train lacks: eel"):
        folder.tree(tree)


@pytest.mark.parametrize(
    "name", ["../x", "a/b", "a:b", "a,b", "a=b", "", ".x", "-x", "cifar10", "CIFAR10", "auto", "folder", "raw"]
)
def test_names_that_cannot_be_a_tracks(tmp_path, bench_command, name):
    fill(tmp_path / "pets", {"cat": 2, "dog": 2})
    place = ("--from", str(tmp_path / "pets"), "--data-dir", str(tmp_path / "data"))
    code, _, err = bench_command("data", "get", "folder", *place, f"--name={name}")
    assert code == 2 and err.startswith("error: --name") and err.count("\n") == 1
    assert not (tmp_path / "data").exists()


def test_a_folder_is_a_track_everywhere(tmp_path, bench_command, monkeypatch):
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "data"))
    tree = fill(tmp_path / "pets", {"cat": 12, "dog": 12, "emu": 12})
    code, out, err = bench_command(
        "data", "get", "folder", "--from", str(tree), "--name", "pets", "--side", "32", "--workers", "1"
    )
    assert code == 0 and "36 of 36 images" in out and "pets is ready" in out, err
    for command in (("data", "list"), ("list", "datasets"), ("data", "check"), ("data", "check", "pets")):
        code, out, _ = bench_command(*command)
        assert code == 0 and "pets" in out
    track = known(tmp_path / "data")["pets"]
    assert (track.size, track.backbone, track.policy.blur, track.classes) == (32, folder.backbone(), 0.0, 3)
    flags = ("--datasets", "pets:classes=2", "--methods", "simclr", "--backbone", "test_resnet", "--budget", "1ep")
    places = ("--out", str(tmp_path / "results"), "--device", "cpu", "--seeds", "1", "--batch-size", "8")
    code, out, err = bench_command("run", *flags, *places)
    assert code == 0, out + err
    record = json.loads(next((tmp_path / "results").rglob("seed0.json")).read_text())
    assert record["recipe"]["side"] == 32 and record["data"]["classes"] == 2
    assert record["data"]["class_list"] == hashlib.sha256(b"cat\ndog\nemu\n").hexdigest()
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "elsewhere"))  # a record is judged without the data
    code, out, _ = bench_command("list", "results", "--stale", "--out", str(tmp_path / "results"))
    assert "pets" not in out
    assert bench_command("run", *flags, *places)[0] == 2
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "data"))
    (tmp_path / "data" / "pets" / "train_names.txt").write_text("others\n")
    code, out, _ = bench_command("data", "check")
    assert code == 1 and "train_names.txt was altered" in out
    (tmp_path / "data" / "pets" / "meta.json").write_text("{")
    assert "damaged" in bench_command("data", "list")[1]
