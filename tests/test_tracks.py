"""Tracks read from files in their real formats, and cut by specs."""

import gzip
import hashlib
import pickle
import tarfile
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from bench.datasets import store, writer
from bench.datasets.base import DataError, File, Raw
from bench.datasets.cut import cut
from bench.datasets.prepare import get
from bench.datasets.registry import find, open_splits, track_of, tracks
from bench.datasets.spec import Spec, parse_spec, split_specs
from bench.datasets.store import Splits, Store


def md5(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


@pytest.fixture
def cifar100(tmp_path):
    """A small CIFAR-100 in the archive's own format, as a track that knows its checksums, and the truth."""
    rng = np.random.default_rng(0)
    truth, folder = {}, tmp_path / "made" / "cifar-100-python"
    folder.mkdir(parents=True)
    for split, count in (("train", 300), ("test", 100)):
        data = rng.integers(0, 256, (count, 3072), dtype=np.uint8)
        labels = [i % 100 for i in range(count)]
        batch = {b"data": data, b"fine_labels": labels, b"coarse_labels": [0] * count, b"filenames": [b"x"] * count}
        (folder / split).write_bytes(pickle.dumps(batch, protocol=2))
        truth[split] = (data.reshape(-1, 3, 32, 32), labels)
    archive = tmp_path / "made" / "cifar-100-python.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, "cifar-100-python")
    members = {f"cifar-100-python/{split}": md5(folder / split) for split in truth}
    there = (File(archive.name, "http://127.0.0.1:9/none", md5(archive)),)
    track = replace(find("cifar100"), files=there, members=members, digest=None)
    return track, tmp_path / "made", truth


@pytest.mark.parametrize("keep", ["archive", "folder", "inner"])
def test_cifar_through_the_real_loader(cifar100, tmp_path, keep):
    track, made, truth = cifar100
    source = made / "cifar-100-python" if keep == "inner" else made
    if keep != "archive":
        (made / "cifar-100-python.tar.gz").unlink()
    get(track, tmp_path / "root", source)
    splits = store.load(tmp_path / "root" / "cifar100")
    for name, part in (("train", splits.train), ("test", splits.test)):
        images, sizes = part.take(torch.arange(len(part)))
        assert sizes is None
        expected = sorted(zip(truth[name][1], map(bytes, truth[name][0]), strict=True))
        assert list(zip(part.labels.tolist(), (image.numpy().tobytes() for image in images), strict=True)) == expected


def test_without_a_network_it_says_what_to_fetch_and_where_to_put_it(cifar100, tmp_path):
    track, _, _ = cifar100
    with pytest.raises(DataError) as error:
        get(track, tmp_path / "root")
    assert "http://127.0.0.1:9/none" in str(error.value)
    assert str(tmp_path / "root" / "raw" / "cifar100") in str(error.value)


def idx(array):
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return header + array.tobytes()


@pytest.mark.parametrize("packed", [True, False])
def test_fashion_mnist_from_idx_files(tmp_path, packed):
    rng = np.random.default_rng(0)
    files, truth = [], {}
    for prefix, count in (("train", 40), ("t10k", 20)):
        for kind, array in (
            ("images-idx3", rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)),
            ("labels-idx1", rng.integers(0, 10, count, dtype=np.uint8)),
        ):
            name, content = f"{prefix}-{kind}-ubyte", idx(array)
            path = tmp_path / (f"{name}.gz" if packed else name)
            path.write_bytes(gzip.compress(content) if packed else content)
            files.append(File(f"{name}.gz", "", hashlib.sha256(content).hexdigest()))
            truth[prefix, kind] = array
    track = replace(find("fashion_mnist"), files=tuple(files))
    get(track, tmp_path / "root", tmp_path)
    splits = store.load(tmp_path / "root" / "fashion_mnist")
    assert np.array_equal(splits.train.images[:, 0].numpy(), truth["train", "images-idx3"])
    assert np.array_equal(splits.test.labels.numpy(), truth["t10k", "labels-idx1"])


def test_a_shortened_store_is_noticed(tmp_path):
    raw = Raw((1, 2, 2), np.array([0, 1, 1]), [np.zeros((3, 1, 2, 2), np.uint8)])
    writer.write(tmp_path / "x", {"train": raw, "test": raw}, classes=2)
    with (tmp_path / "x" / "train_images.npy").open("r+b") as stream:
        stream.truncate(100)
    with pytest.raises(DataError, match="prepare it again"):
        store.load(tmp_path / "x")


def test_digits_is_a_fixed_stratified_split(tmp_path):
    splits = open_splits(Spec("digits"), tmp_path)
    assert (len(splits.train), len(splits.test)) == (1437, 360)
    train, test = Counter(splits.train.labels.tolist()), Counter(splits.test.labels.tolist())
    assert max(abs(test[c] / (train[c] + test[c]) - 0.2) for c in range(10)) < 0.01
    assert splits.fingerprint == open_splits(Spec("digits"), tmp_path).fingerprint


def test_every_policy_standardises_what_it_reads(tmp_path):
    train = open_splits(Spec("digits"), tmp_path).train.images.double() / 255
    policy = tracks()["digits"].policy
    assert abs(train.mean() - policy.mean[0]) < 1e-3
    assert abs(train.std() - policy.std[0]) < 1e-3


@pytest.fixture
def hundred():
    """A dataset of 100 classes, 20 train and 5 test images each; an image holds its own number."""

    def part(per_class):
        labels = torch.arange(100).repeat_interleave(per_class)
        return Store(torch.arange(len(labels)).view(-1, 1, 1, 1).expand(-1, 1, 2, 2), labels)

    return Splits(part(20), part(5), 100, "whole")


def content(part):
    return set(part.take(torch.arange(len(part)))[0][:, 0, 0, 0].tolist())


def test_cuts_are_nested_balanced_and_have_fingerprints(hundred):
    smaller, larger = (cut(hundred, Spec("x", classes=c, fraction=f)) for c, f in ((10, 0.1), (20, 0.5)))
    assert content(smaller.train) < content(larger.train)
    assert content(smaller.test) < content(larger.test)
    assert set(Counter(smaller.train.labels.tolist()).values()) == {2}
    assert (smaller.classes, len(smaller.test)) == (10, 50)
    assert len({hundred.fingerprint, smaller.fingerprint, larger.fingerprint}) == 3


def test_a_cut_keeps_whole_classes_together(hundred):
    part = cut(hundred, Spec("x", classes=7))
    images, _ = part.train.take(torch.arange(len(part.train)))
    old = images[:, 0, 0, 0] // 20
    assert len(set(zip(old.tolist(), part.train.labels.tolist(), strict=True))) == 7


def test_a_fraction_of_a_cut_is_a_cut_of_the_fraction(hundred):
    tenth, whole = cut(hundred, Spec("x", classes=5, fraction=0.1)), cut(hundred, Spec("x", classes=5))
    assert content(tenth.train) < content(whole.train)
    assert content(tenth.test) == content(whole.test)


@pytest.mark.parametrize("classes", [10, 20, 50])
def test_cuts_of_any_class_count_have_equally_many_images(hundred, classes):
    part = cut(hundred, Spec("x", classes=classes, images=130, test=50))
    assert (len(part.train), len(part.test)) == (130, 50)
    sizes = Counter(part.train.labels.tolist()).values()
    assert len(sizes) == classes and max(sizes) - min(sizes) <= 1
    assert content(part.train) < content(cut(hundred, Spec("x", classes=classes, images=200)).train)


def test_draws_are_other_classes(hundred):
    drawn = [content(cut(hundred, Spec("x", classes=10, draw=draw)).test) for draw in (None, 1, 2, 2)]
    assert drawn[2] == drawn[3] and len({frozenset(one) for one in drawn}) == 3


@pytest.mark.parametrize("spec", [Spec("x", images=99), Spec("x", classes=10, images=201), Spec("x", classes=10, test=51)])
def test_a_cut_that_is_too_small_or_too_large_says_what_is_possible(hundred, spec):
    with pytest.raises(DataError, match=r"must be from 10.? to .*: an equal share of each class"):
        cut(hundred, spec)


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("cifar100:draw=2,classes=5,test=1000,images=500", Spec("cifar100", 5, draw=2, images=500, test=1000)),
        ("cifar100", Spec("cifar100")),
        ("cifar100:classes=20", Spec("cifar100", 20)),
        ("cifar100:fraction=0.1", Spec("cifar100", None, 0.1)),
        ("cifar100:fraction=0.1,classes=20", Spec("cifar100", 20, 0.1)),
        ("cifar100:classes=20:fraction=0.10", Spec("cifar100", 20, 0.1)),
        ("imagenet100:px=64", Spec("imagenet100", px=64)),
        ("cifar100:classes=5,labels=coarse", Spec("cifar100", 5, labels="coarse")),
        ("imagenet100:px=112,classes=25,fraction=0.1", Spec("imagenet100", 25, 0.1, 112)),
    ],
)
def test_specs(text, spec):
    assert parse_spec(text) == spec
    assert parse_spec(str(spec)) == spec


def test_a_comma_list_of_specs_with_commas():
    assert split_specs("digits,a:classes=20,fraction=0.1,b") == ["digits", "a:classes=20,fraction=0.1", "b"]


MALFORMED = ("", ":", "x:", "x:classes", "x:classes=", "x:classes=1", "x:classes=2.5", "x:classes=2,classes=3")
MALFORMED += ("x:fraction=0", "x:fraction=1.1", "x:fraction=nan", "x:size=3", "x:px=7", "x:px=64.5", "x:px=2000", "x:labels=")


def test_a_smaller_input_has_a_narrower_blur():
    track, small = find("imagenet100"), track_of(Spec("imagenet100", px=112))
    assert small.size == 112
    assert small.policy.blur_kernel == 11  # a tenth of the side, odd
    assert small.policy.blur_sigma == (track.policy.blur_sigma[0] / 2, track.policy.blur_sigma[1] / 2)
    assert track_of(Spec("imagenet100")) is track
    assert track_of(Spec("digits", px=16)).policy == find("digits").policy


@pytest.mark.parametrize("text", MALFORMED)
def test_malformed_specs_are_refused(text):
    with pytest.raises(DataError):
        parse_spec(text)


def test_more_classes_than_there_are(hundred):
    with pytest.raises(DataError, match="at most 100"):
        cut(hundred, Spec("x", classes=101))


def test_imagenet_tree(tmp_path, monkeypatch):
    from PIL import Image

    from bench.datasets import imagenet100

    assert hashlib.sha256(("\n".join(sorted(imagenet100.CLASSES)) + "\n").encode()).hexdigest().startswith("5ee5db69d488bb79")
    assert sorted(imagenet100.CLASSES) == imagenet100.CLASSES
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        for wnid in imagenet100.CLASSES:
            folder = tmp_path / split / wnid
            folder.mkdir(parents=True)
            Image.fromarray(rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(folder / "a.JPEG")
    get(find("imagenet100"), tmp_path / "root", tmp_path)
    splits = store.load(tmp_path / "root" / "imagenet100")
    assert splits.train.images.shape == (100, 3, 256, 256)
    assert splits.train.sizes.tolist() == [[20, 30]] * 100
