"""Images that stay on disk arrive as those in memory do, in any order, and ahead of time."""

import numpy as np
import pytest
import torch

from bench.datasets import loader
from bench.datasets.augment import Policy
from bench.datasets.cut import cut
from bench.datasets.feed import feed
from bench.datasets.spec import Spec
from bench.datasets.store import Splits, Store

CPU = torch.device("cpu")
POLICY = Policy(mean=(0.5,) * 3, std=(0.25,) * 3)


@pytest.fixture(scope="module")
def splits(tmp_path_factory):
    """Squashed images, mapped from a file."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("feed") / "images.npy"
    np.save(path, rng.integers(0, 256, (80, 3, 12, 12), dtype=np.uint8))
    images = torch.from_numpy(np.load(path, mmap_mode="c"))
    sizes = torch.from_numpy(rng.integers(12, 30, (80, 2)).astype(np.int32))
    both = [Store(images[part], torch.arange(80)[part] % 4, sizes[part], mapped=True) for part in (slice(64), slice(64, 80))]
    return Splits(*both, classes=4, fingerprint="made up")


@pytest.fixture
def stays_on_disk(monkeypatch):
    monkeypatch.setattr(loader, "HOLDS", 0)


@pytest.mark.parametrize("spec", [Spec("x"), Spec("x", classes=3, fraction=0.5)])
def test_it_gives_the_rows_that_were_asked_for(splits, spec):
    part = cut(splits, spec).train
    wanted = [torch.randperm(len(part))[:n] for n in (5, 8, 3)]
    for rows, (images, sizes) in zip(wanted, feed(part, wanted, CPU), strict=True):
        expected, expected_sizes = part.take(rows)
        assert torch.equal(images, expected)
        assert torch.equal(sizes, expected_sizes)


def test_it_reads_one_batch_ahead(splits):
    asked = []

    def rows():
        for step in range(4):
            asked.append(step)
            yield torch.arange(4)

    source = feed(splits.train, rows(), CPU)
    next(source)
    assert asked == [0, 1]
    source.close()


def test_batches_from_disk_are_those_from_memory(splits, stays_on_disk):
    def batches(steps):
        run = loader.Loader(splits.train, POLICY, 8, 16, seed=3, device=CPU)
        return run, [run.batch(step) for step in steps]

    order = [0, 1, 2, 3, 4, 5, 2, 7, 8]  # an epoch has four steps; 2 and 7 are jumps, as after a resume
    mapped, fed = batches(order)
    assert mapped.store.mapped
    loader.HOLDS = 2**31
    resident, held = batches(order)
    assert not resident.store.mapped
    for (views, index), (expected, expected_index) in zip(fed, held, strict=True):
        assert torch.equal(index, expected_index)
        assert all(torch.equal(a, b) for a, b in zip(views, expected, strict=True))


def test_evaluation_from_disk_is_that_from_memory(splits):
    held = splits.train.resident(CPU)
    pairs = zip(*[loader.evaluation_batches(s, POLICY, 8, CPU, batch_size=10) for s in (splits.train, held)], strict=True)
    assert all(torch.equal(ours, theirs) for ours, theirs in pairs)


@pytest.mark.gpu
def test_on_a_gpu_nothing_is_overwritten_before_it_was_used(splits):
    wanted = [torch.randperm(64)[:32] for _ in range(50)]
    for rows, (images, sizes) in zip(wanted, feed(splits.train, wanted, torch.device("cuda")), strict=True):
        expected, expected_sizes = splits.train.take(rows)
        assert torch.equal(images.cpu(), expected)
        assert torch.equal(sizes.cpu(), expected_sizes)


def test_a_part_is_taken_evenly(splits):
    part = splits.train.evenly(5)
    assert part.labels.tolist() == splits.train.labels[[0, 16, 32, 47, 63]].tolist()
    assert torch.equal(part.take(torch.tensor([4]))[0], splits.train.images[63:])
    assert splits.train.evenly(64) is splits.train
