"""Clustering, spectrum, transfer and robustness, held to scikit-learn, SciPy, torchvision and the authors' formulas."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.linalg import svdvals
from scipy.optimize import linear_sum_assignment
from sklearn import metrics
from sklearn.cluster import KMeans
from torch import nn
from torchvision.transforms.functional import adjust_contrast, gaussian_blur, rgb_to_grayscale

from bench.datasets.registry import open_splits, track_of
from bench.datasets.spec import parse_spec
from bench.errors import Diverged, UserError
from bench.evaluation import choice, clustering, default, robustness, spectrum, transfer
from bench.evaluation.features import Channels, freeze
from bench.evaluation.frozen import Features, Frozen
from bench.evaluation.knn import Knn
from bench.evaluation.linear import Linear

CPU = torch.device("cpu")


class Flat(nn.Module):
    """The pixels, and how often they were asked for."""

    calls = 0

    def forward(self, images):
        self.calls += 1
        return images.flatten(1)


def digits(encoder, text="digits:fraction=0.2,classes=5"):
    spec = parse_spec(text)
    return freeze(encoder, open_splits(spec, Path()), track_of(spec), CPU, Path())


@pytest.fixture(scope="module")
def flat():
    return digits(Flat())


def test_clustering_is_scikit_learns(flat):
    found = clustering.Clustering().evaluate(flat)
    x, labels = nn.functional.normalize(flat.test.values, dim=1).numpy(), flat.test.labels.numpy()
    theirs = KMeans(5, n_init=5, random_state=0).fit(x)
    assert found.chosen["cluster_inertia"] < theirs.inertia_ * 1.01
    clusters, _ = clustering.best(torch.from_numpy(x), 5)
    assert found.metrics["cluster_nmi"] == pytest.approx(metrics.normalized_mutual_info_score(labels, clusters))
    assert found.metrics["cluster_ari"] == pytest.approx(metrics.adjusted_rand_score(labels, clusters))
    counts = metrics.cluster.contingency_matrix(labels, clusters)
    best = counts[linear_sum_assignment(-counts)].sum() / len(labels)
    assert found.metrics["cluster_accuracy"] == pytest.approx(best)


def test_matching_is_one_to_one():
    assert clustering.matched(np.array([0, 0, 1, 1, 2, 2]), np.array([1, 1, 0, 0, 0, 1])) == pytest.approx(4 / 6)
    assert clustering.matched(np.zeros(6, np.int64), np.arange(6) % 3) == pytest.approx(2 / 6)


def test_spectrum_is_the_authors():
    x, y = torch.randn(1500, 20).double() * torch.logspace(0, -3, 20).double(), torch.randn(1500, 20).double()
    values = svdvals(x.numpy())
    p = values / values.sum() + 1e-7
    assert spectrum.rankme(x) == pytest.approx(np.exp(-(p * np.log(p)).sum()))
    a, b = nn.functional.normalize(x, dim=1), nn.functional.normalize(y, dim=1)
    # the code in Wang and Isola 2020, section 4
    assert spectrum.alignment(x, y) == pytest.approx(float((a - b).norm(dim=1).pow(2).mean()))
    assert spectrum.uniformity(x) == pytest.approx(float(torch.pdist(a, p=2).pow(2).mul(-2).exp().mean().log()))
    assert spectrum.uniformity(torch.ones(5, 3).double()) == pytest.approx(0, abs=1e-12)
    a[:700] = 0  # normalised, a feature that is zero stays it
    assert spectrum.uniformity(a) == pytest.approx(float(torch.pdist(a, p=2).pow(2).mul(-2).exp().mean().log()))


def test_spectrum_looks_at_two_different_views_and_at_no_label(flat):
    first, second = flat.views(16)
    assert len(first) == 16 and not torch.equal(first, second)
    assert torch.equal(first, flat.views(16)[0])
    shuffled = Features(flat.test.values, flat.test.labels.flip(0))
    found = spectrum.Spectrum().evaluate(flat)
    assert spectrum.Spectrum().evaluate(type(flat)(**vars(flat) | {"test": shuffled})) == found


def test_corruptions_are_torchvisions():
    images = torch.rand(3, 3, 32, 32)
    assert torch.allclose(robustness.blur(images, 0), gaussian_blur(images, 7, 1.0), atol=1e-5)
    gray = images.mean(1, keepdim=True)
    assert torch.allclose(robustness.contrast(gray, 0), adjust_contrast(gray, robustness.CONTRAST), atol=1e-5)
    blocks = images.unfold(2, 2, 2).unfold(3, 2, 2).mean((-2, -1))
    assert torch.allclose(robustness.pixelation(images, 0), blocks.repeat_interleave(2, 2).repeat_interleave(2, 3), atol=1e-6)
    grey = torch.full((8, 3, 32, 32), 0.5)
    added = robustness.noise(grey, 0) - grey
    assert float(added.std()) == pytest.approx(robustness.NOISE, rel=0.02)
    assert not torch.equal(robustness.noise(grey, 1) - grey, added)
    assert torch.equal(robustness.noise(grey, 0) - grey, added)


def test_an_unchanged_image_has_its_usual_features(flat):
    same = flat.changed(lambda images, batch: images)
    assert torch.allclose(same.values, flat.test.values, atol=1e-6)
    low, high = [], []
    flat.changed(lambda images, batch: (low.append(images.min()), high.append(images.max())) and images)
    assert min(low) >= 0 and max(high) <= 1 and max(high) > 0.9


def test_robustness_is_the_protocol_on_corrupted_images(flat):
    found = robustness.Robustness().evaluate(flat).metrics
    noisy = Frozen(flat.train, flat.changed(robustness.noise), flat.classes)
    assert found["linear_top1@noise"] == Linear().evaluate(noisy).metrics["linear_top1"]
    assert found["knn_top1@noise"] == Knn().evaluate(noisy).metrics["knn_top1"]
    each = [found[f"knn_top1@{name}"] for name in robustness.CORRUPTIONS]
    assert found["knn_top1@corrupted"] == pytest.approx(sum(each) / 4)


def test_transfer_is_the_protocol_elsewhere_by_one_pass_over_it():
    encoder = Flat()
    frozen = digits(encoder)
    there = digits(Flat(), "digits:classes=4")
    before = encoder.calls
    found = transfer.Transfer(["digits:classes=4"]).evaluate(frozen)
    assert encoder.calls - before == -(-len(there.train.labels) // 512) + -(-len(there.test.labels) // 512)
    expected = Linear().evaluate(there).metrics["linear_top1"], Knn().evaluate(there).metrics["knn_top1"]
    assert tuple(found.metrics.values()) == expected
    assert list(found.metrics) == ["transfer_linear_top1@digits:classes=4", "transfer_knn_top1@digits:classes=4"]


@pytest.mark.parametrize(
    ("evaluator", "said"),
    [
        (robustness.Robustness(), "features of the changed test images: 178 of 178 are not finite"),
        (spectrum.Spectrum(), "features of the augmented test images"),
        (transfer.Transfer(["digits:classes=4"]), "digits:classes=4: features of the train images"),
    ],
)
def test_features_without_meaning_are_no_result_wherever_they_are_made(evaluator, said):
    encoder = Flat()
    frozen = digits(encoder)
    encoder.forward = lambda images: images.flatten(1) + float("nan")
    with pytest.raises(Diverged, match=said):
        evaluator.evaluate(frozen)


def test_an_encoder_takes_gray_for_colour_and_colour_for_gray():
    colour = torch.rand(2, 3, 4, 4)
    assert torch.allclose(Channels(Flat(), 1)(colour), rgb_to_grayscale(colour).flatten(1), atol=1e-3)
    assert torch.equal(Channels(Flat(), 3)(colour[:, :1]), colour[:, [0, 0, 0]].flatten(1))
    assert torch.equal(Channels(Flat(), 3)(colour), colour.flatten(1))


def test_transfer_to_more_datasets_lacks_only_these():
    one, both = transfer.Transfer.of("digits"), transfer.Transfer.of("digits,shapes:classes=5,fraction=0.1")
    known = [column.key for column in one.columns]
    left = both.missing(known)
    assert one.missing(known) is None and left is not None and left.specs == ("shapes:classes=5,fraction=0.1",)


def test_evaluators_are_chosen_by_name_or_by_their_flag():
    usual = [evaluator.name for evaluator in default()]
    assert usual == ["linear", "knn"]

    def names(text, **flags):
        options = {f"--{key.replace('_', '-')}": value for key, value in flags.items()}
        return [evaluator.name for evaluator in choice.choose(text, options, Path("no such folder"))]

    assert names(None) == usual and names("knn,spectrum") == [*usual, "spectrum"]
    assert names("all") == [*usual, "clustering", "robustness", "spectrum"]
    assert names(None, transfer_to="digits", labels="0.1") == [*usual, "few_labels", "transfer"]
    with pytest.raises(UserError, match="did you mean clustering"):
        names("clusterin")
    with pytest.raises(UserError, match=r"--transfer-to digits:px=16: images have the input size .*; leave px out"):
        names(None, transfer_to="digits,digits:px=16")
    with pytest.raises(UserError, match="transfer needs --transfer-to"):
        names("transfer")


def test_the_head_is_fitted_once_for_all(flat, monkeypatch):
    fits = []
    original = Linear.evaluate.__globals__["fit_linear"]
    monkeypatch.setitem(Linear.evaluate.__globals__, "fit_linear", lambda *given: fits.append(1) or original(*given))
    frozen = Frozen(flat.train, flat.test, flat.classes)
    assert Linear().evaluate(frozen).metrics == Linear().evaluate(frozen).metrics and fits == [1]


def test_what_has_no_encoder_says_so(flat):
    with pytest.raises(ValueError, match="come without an encoder"):
        robustness.Robustness().evaluate(Frozen(flat.train, flat.test, flat.classes))
