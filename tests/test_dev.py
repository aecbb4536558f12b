"""The dev form of a track: judged on the held-out tenth of train, and no test image is opened."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from bench.budget import parse_budget
from bench.cells import Cell
from bench.datasets import registry as tracks
from bench.datasets.base import DataError
from bench.datasets.held_out import held_out
from bench.datasets.registry import open_splits, track_of
from bench.datasets.spec import Spec, parse_spec, split_specs
from bench.methods import registry
from bench.recipe import resolve
from bench.running import cell
from tests import made_up

PIXELS = 16


@pytest.fixture
def root(tmp_path, bench_command):
    """A prepared track ``mine`` of two classes."""
    draw = np.random.default_rng(0)
    for split, count in (("train", 20), ("val", 6)):
        for name in ("dark", "light"):
            folder = tmp_path / "images" / split / name
            folder.mkdir(parents=True)
            for i in range(count):
                low = 0 if name == "dark" else 100
                pixels = draw.integers(low, low + 150, (PIXELS, PIXELS, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{i}.png")
    source = ("--from", str(tmp_path / "images"), "--name", "mine", "--data-dir", str(tmp_path / "store"))
    assert bench_command("data", "get", "folder", *source)[0] == 0
    return tmp_path / "store"


def record(root: Path, runs: Path, contender: str = "raw_pixels"):
    spec = Spec("mine", dev=True)
    images = len(open_splits(spec, root).train)
    method, budget = registry()[contender], parse_budget("2steps")
    settings = {"batch_size": "8"} if method.trains else {}
    recipe = resolve(spec, track_of(spec, root), images, method, budget, "test_resnet", settings)
    return cell.run(cell.Job(cell=Cell(recipe, 0), data_root=root, runs=runs))


@pytest.mark.parametrize("contender", ["raw_pixels", "simclr"])
def test_a_trial_is_the_same_without_the_files_of_the_test_split(root, tmp_path, contender):
    before = record(root, tmp_path, contender)
    files = list((root / "mine").glob("test_*"))
    assert files
    for path in files:
        path.unlink()
    after = record(root, tmp_path, contender)
    assert after.metrics == before.metrics and after.data == before.data
    assert "not opened" in after.data["judged_on"] and (after.data["train"], after.data["test"]) == (36, 4)
    with pytest.raises(DataError):
        open_splits(Spec("mine"), root)


def test_an_embedded_track_makes_no_test_image(monkeypatch, tmp_path):
    digits = tracks.find("digits")

    def read(folder):
        raw = digits.read(folder)
        return {"train": raw["train"], "test": raw["test"]._replace(chunks=(pytest.fail("opened") for _ in range(1)))}

    made_up.add(monkeypatch, tracks.tracks(), "digits", replace(digits, read=read))
    assert len(open_splits(Spec("digits", dev=True), tmp_path).test) == 142
    with pytest.raises(BaseException, match="opened"):
        open_splits(Spec("digits"), tmp_path)


def test_it_is_the_tenth_that_curves_are_measured_on_and_no_other_image(tmp_path):
    for text in ("digits", "digits:classes=5,fraction=0.5", "digits:classes=5,images=200,test=50"):
        spec = parse_spec(text)
        whole, dev = open_splits(spec, tmp_path).train, open_splits(replace(spec, dev=True), tmp_path)
        part = held_out(whole.labels)
        for rows, store in ((part.fit, dev.train), (part.held, dev.test)):
            assert torch.equal(store.take(torch.arange(len(store)))[0], whole.take(rows)[0])
            assert torch.equal(store.labels, whole.labels[rows])


def test_specs_bear_it_first(tmp_path):
    assert str(parse_spec("digits:classes=5,dev")) == "digits:dev,classes=5" and parse_spec("digits:dev").dev
    assert split_specs("digits:classes=5,dev,shapes:dev") == ["digits:classes=5,dev", "shapes:dev"]
    for wrong in ("digits:dev=1", "digits:dev,dev", "digits:deve"):
        with pytest.raises(DataError, match="a spec is NAME or NAME:KEY"):
            parse_spec(wrong)


def test_classes_of_one_image_are_refused(tmp_path):
    with pytest.raises(DataError, match="two train images of every class"):
        open_splits(parse_spec("digits:dev,fraction=0.001"), tmp_path)
