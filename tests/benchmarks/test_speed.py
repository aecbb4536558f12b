"""What may become slow, for pytest-benchmark: `tox -e throughput`. Times here are for the eye; revisions are compared
by `python -m bench throughput --against`."""

import pytest
import torch

from bench.backbone import build_backbone
from bench.datasets.augment import augment
from bench.datasets.loader import Loader
from bench.evaluation.knn import Setting, knn_predict
from bench.evaluation.logistic import Standardizer, solve
from bench.methods import registry
from bench.methods.parts.kmeans import kmeans
from bench.throughput import scene

pytestmark = pytest.mark.benchmark(warmup=True, min_rounds=5)
CPU = torch.device("cpu")


def test_augment(benchmark):
    images, generator = scene.random_images(256), torch.Generator()
    views = benchmark(augment, scene.COLOUR, images, None, 32, generator, 0)
    assert views.shape == (256, 3, 32, 32)


def test_loader(benchmark):
    loader = Loader(scene.random_store(2000, 10), scene.COLOUR, 32, 128, seed=0, device=CPU)
    views, index = benchmark(loader.batch, 0)
    assert len(views) == 2 and len(index) == 128


@pytest.mark.parametrize("name", [name for name, kind in registry().items() if kind.trains])
def test_step(benchmark, name):
    kind = registry()[name]
    encoder = scene.SmallNet() if kind.needs == "any" else build_backbone("vit_tiny_patch8_32", 3, 32)
    trainer = scene.make_trainer(kind, encoder, scene.random_store(512, 10), scene.COLOUR, 32, 64, CPU)
    benchmark.pedantic(trainer.train_step, rounds=5, warmup_rounds=2)
    assert trainer.step == 7


def test_knn(benchmark):
    bank, labels = scene.random_features(4000, 128, 20)
    (predicted,) = benchmark(knn_predict, bank[:500], bank, labels, 20, [Setting(200, 0.1)])
    assert len(predicted) == 500


def test_linear(benchmark):
    features, labels = scene.random_features(2000, 64, 10)
    heads = benchmark(solve, Standardizer.fit(features)(features), labels, 10, [1e-4, 1e-2, 1.0])
    assert heads.weight.shape == (3, 64, 10)


def test_kmeans(benchmark):
    points, _ = scene.random_features(4000, 128, 20)
    clustering = benchmark(lambda: kmeans(points, 100, 5, torch.Generator().manual_seed(0)))
    assert clustering.assignment.max() < 100
