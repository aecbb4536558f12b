"""The track drawn by the program: what it holds, that it is one and the same, and that pixels fail on it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.datasets import shapes
from bench.datasets.registry import open_splits
from bench.datasets.spec import parse_spec
from bench.evaluation.knn import Setting, knn_predict
from bench.running.cell import run
from bench.running.selection import choose_datasets
from tests.small_cells import job


@pytest.fixture(scope="module")
def twenty():
    return open_splits(parse_spec("shapes:classes=20"), Path("nowhere"))


def test_a_class_is_drawn_the_same_from_the_same_seed_only():
    first, again = (shapes.draw(37, 4, np.random.default_rng(5)) for _ in range(2))
    assert first.dtype == np.uint8 and first.shape == (4, 3, 32, 32)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, shapes.draw(37, 4, np.random.default_rng(6)))


@pytest.mark.parametrize("missing", ["X86_V4", "X86_V3 X86_V4"])  # NumPy then computes sines as older processors do
def test_all_processors_draw_the_same_images(missing):
    command = [sys.executable, "-m", "bench", "data", "check", "shapes"]
    done = subprocess.run(command, env=os.environ | {"NPY_DISABLE_CPU_FEATURES": missing}, capture_output=True, text=True)
    assert done.stdout == "ok   shapes\n"


def test_a_machine_that_draws_other_images_is_told(monkeypatch, bench_command):
    monkeypatch.setattr(shapes, "TRAIN", 2)
    code, said, _ = bench_command("data", "check", "shapes")
    assert code == 1 and "bad  shapes: shapes has other images on this machine" in said


@pytest.mark.parametrize("shape", range(10))
def test_every_shape_leaves_room_for_background_and_texture(shape):
    line = np.linspace(-1.3, 1.3, 64, dtype=np.float32)
    inside = shapes.SHAPES[shape](line + 0 * line[:, None], line[:, None] + 0 * line) < 0
    assert 0.1 < inside.mean() < 0.6


def test_twenty_classes_are_balanced_and_distinct(twenty):
    assert twenty.classes == 20
    assert twenty.train.labels.bincount().tolist() == [shapes.TRAIN] * 20
    assert twenty.test.labels.bincount().tolist() == [shapes.TEST] * 20
    images = twenty.test.resident(torch.device("cpu")).images.flatten(1)
    assert len(images.unique(dim=0)) == len(images)


def test_raw_pixels_fail_on_twenty_classes(twenty):
    train, test = (part.resident(torch.device("cpu")) for part in (twenty.train, twenty.test))
    policy = shapes.TRACK.policy
    bank, queries = (part.images.flatten(1).float() / 255 - policy.mean[0] for part in (train, test))
    (predicted,) = knn_predict(queries, bank, train.labels, 20, [Setting(20, 0.07)])
    assert 0.1 < float((predicted == test.labels).float().mean()) < 0.4


@pytest.mark.slow
def test_a_minute_of_simclr_does_twice_as_well_as_raw_pixels(tmp_path):
    raw, learned = (
        run(job(method, tmp_path, "60kimg", data="shapes:classes=20")).metrics["knn_top1"] for method in ("raw_pixels", "simclr")
    )
    assert raw < 0.4 and learned > 2 * raw


def test_they_are_the_quick_start_where_no_leaderboard_dataset_is_ready(tmp_path):
    chosen, (said, *_) = choose_datasets("auto", tmp_path)
    assert [str(spec) for spec in chosen] == ["shapes:classes=20"] and "shapes:classes=20 (embedded" in said
