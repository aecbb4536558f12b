"""The evaluators against brute force and scikit-learn, and frozen means frozen."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from bench.backbone import build_backbone
from bench.cells import Cell
from bench.datasets import held_out
from bench.datasets.registry import open_splits
from bench.datasets.spec import parse_spec
from bench.datasets.store import Splits, Store
from bench.errors import Diverged
from bench.evaluation import knn, linear, protocol, spectrum
from bench.evaluation.features import extract
from bench.evaluation.frozen import Features
from bench.evaluation.knn import Setting, knn_predict
from bench.evaluation.linear import STRENGTHS, fit_linear
from bench.evaluation.logistic import Heads, Standardizer, eigenbasis, solve, top_k_accuracy
from bench.methods import TrainData, registry
from bench.running import cell, curve
from bench.running.check import TinyEncoder
from tests import small_cells


def brute_force_knn(queries, bank, labels, classes, k, temperature):
    predicted = []
    for query in queries:
        similarity = [float(query @ row / (np.linalg.norm(query) * np.linalg.norm(row))) for row in bank]
        votes = np.zeros(classes)
        for i in sorted(range(len(bank)), key=lambda i: -similarity[i])[:k]:
            votes[labels[i]] += np.exp(similarity[i] / temperature)
        predicted.append(int(votes.argmax()))
    return predicted


@pytest.mark.parametrize("chunk", [2**26, 2000])
def test_knn_is_the_brute_force_loop(monkeypatch, chunk):
    monkeypatch.setattr(knn, "CHUNK_BYTES", chunk)
    queries, bank, labels = torch.randn(40, 12), torch.randn(150, 12), torch.randint(0, 5, (150,))
    settings = [Setting(20, 0.07), Setting(200, 0.1)]  # 200 is capped at 150
    for setting, ours in zip(settings, knn_predict(queries, bank, labels, 5, settings), strict=True):
        theirs = brute_force_knn(queries.double().numpy(), bank.double().numpy(), labels.tolist(), 5, *setting)
        assert ours.tolist() == theirs


def test_knn_ignores_the_length_of_features():
    queries, bank, labels = torch.randn(40, 12), torch.randn(150, 12), torch.randint(0, 5, (150,))
    scaled = bank * torch.rand(150, 1).mul(100).add(0.1)
    (a,), (b,) = (knn_predict(queries, x, labels, 5, [Setting(20, 0.07)]) for x in (bank, scaled))
    assert torch.equal(a, b)


@pytest.fixture(scope="module")
def clusters():
    """Features [1200 + 600, 40] of 6 overlapping classes, correlated, of very different scales."""
    generator = torch.Generator().manual_seed(0)
    mixing = torch.randn(40, 40, generator=generator) * torch.logspace(0, -2, 40)[:, None]
    labels = torch.arange(1800) % 6
    centres = torch.randn(6, 40, generator=generator)
    features = (centres[labels] + 1.5 * torch.randn(1800, 40, generator=generator)) @ mixing + 5
    return features[:1200], labels[:1200], features[1200:], labels[1200:]


def objective(x, labels, weight, bias, strength):
    """Mean cross-entropy + strength / 2 * |W|^2, in float64."""
    logits = x.double() @ weight.double() + bias.double()
    return torch.nn.functional.cross_entropy(logits, labels).item() + strength / 2 * weight.double().square().sum().item()


def test_linear_is_scikit_learns_at_every_strength(clusters):
    train, labels, test, test_labels = clusters
    scaler = Standardizer.fit(train)
    x, x_test = scaler(train), scaler(test)
    heads = solve(x, labels, 6, STRENGTHS)
    accuracy = top_k_accuracy(heads.logits(x_test), test_labels, 1)
    for i, strength in enumerate(STRENGTHS):
        reference = LogisticRegression(C=1 / (strength * len(x)), max_iter=5000, tol=1e-8).fit(x.double().numpy(), labels.numpy())
        assert abs(accuracy[i].item() - reference.score(x_test.double().numpy(), test_labels.numpy())) < 0.001
        ours = objective(x, labels, heads.weight[i], heads.bias[i], strength)
        theirs = objective(x, labels, torch.from_numpy(reference.coef_.T), torch.from_numpy(reference.intercept_), strength)
        assert ours < theirs * 1.001


@pytest.mark.parametrize("count", [30, 120])
def test_wide_features_have_scikit_learns_answer_too(count):
    """More features than images, some of them equal: solved in the row space, whose rank is below the number of images."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(count) % 3
    features = torch.randn(count + 60, 500, generator=generator) * torch.logspace(0, -2, 500)
    features[:count] += 0.1 * torch.randn(3, 500, generator=generator)[labels]
    features[1] = features[4]
    scaler = Standardizer.fit(features[:count])
    x, x_test = scaler(features[:count]), scaler(features[count:])
    assert len(eigenbasis(x)[0]) == count - 2  # centred, and two alike
    strengths = (1e-4, 1e-2, 1.0)
    heads = solve(x, labels, 3, strengths)
    for i, strength in enumerate(strengths):
        reference = LogisticRegression(C=1 / (strength * count), max_iter=5000, tol=1e-8).fit(x.double().numpy(), labels.numpy())
        weight, bias = torch.from_numpy(reference.coef_.T), torch.from_numpy(reference.intercept_)
        assert (
            objective(x, labels, heads.weight[i], heads.bias[i], strength) < objective(x, labels, weight, bias, strength) * 1.001
        )
        theirs = torch.from_numpy(reference.predict_proba(x_test.double().numpy()))
        assert (heads.logits(x_test)[i].double().softmax(1) - theirs).abs().max() < 0.02


def test_one_image_a_class_has_scikit_learns_default_strength(clusters):
    train, labels = clusters[0], clusters[1]
    first = torch.stack([(labels == c).nonzero()[0, 0] for c in range(6)])
    x, x_test = (Standardizer.fit(train[first])(part) for part in (train[first], clusters[2]))
    reference = LogisticRegression(C=1.0, max_iter=5000, tol=1e-8).fit(x.double().numpy(), labels[first].numpy())
    heads, chosen = fit_linear(Features(train[first], labels[first]), 6)
    theirs = torch.from_numpy(reference.predict_proba(x_test.double().numpy()))
    assert (heads.logits(x_test)[0].double().softmax(1) - theirs).abs().max() < 0.02
    assert chosen == {"linear_strength": 1 / 6}


@pytest.mark.parametrize("scale", [2.0**-50, 2.0**-100, 2.0**40])
def test_scores_do_not_depend_on_the_scale_of_features(clusters, scale):
    train, labels, test, test_labels = clusters

    def found(by):
        splits = Features(train * by, labels), Features(test * by, test_labels)
        x = splits[1].values.double()
        return knn.knn_metrics(*splits, 6).metrics, spectrum.rankme(x), spectrum.uniformity(x), spectrum.alignment(x, x.flip(1))

    assert found(scale) == found(1.0)


def test_both_sides_of_a_matrix_give_one_basis():
    x = Standardizer.fit(x := torch.randn(50, 80, generator=torch.Generator().manual_seed(0)))(x)
    values, basis = eigenbasis(x)
    whole = torch.linalg.eigvalsh(x.T.double() @ x.double() / 50)[-49:]
    assert torch.allclose(values, whole) and basis.shape == (80, 49)
    assert torch.allclose(basis.T @ basis, torch.eye(49, dtype=torch.float64), atol=1e-10)
    assert torch.allclose(x.double() @ basis @ basis.T, x.double(), atol=1e-5)


def test_very_wide_features_take_little_time_and_memory():
    x = torch.randn(40, 150_528)
    assert protocol.evaluate(Features(x, torch.arange(40) % 4), Features(x, torch.arange(40) % 4), 4).metrics["linear_top1"] == 1


# Features without meaning


@pytest.mark.parametrize(
    ("value", "said"),
    [(float("nan"), "1 of 200 are not finite"), (float("inf"), "1 of 200 are not finite"), (1e30, "their squares overflow")],
)
@pytest.mark.parametrize("split", ["train", "test"])
def test_features_without_meaning_are_no_result(value, said, split):
    labels = torch.arange(200) % 10
    clean, bad = torch.randn(200, 8), torch.randn(200, 8)
    bad[3, 2] = value
    parts = {"train": clean, "test": clean} | {split: bad}
    with pytest.raises(Diverged, match=f"features of the {split} images: .*{said}"):
        protocol.evaluate(Features(parts["train"], labels), Features(parts["test"], labels), 10)


def test_a_cell_whose_features_are_not_finite_has_diverged(tmp_path):
    job = small_cells.job("simclr:batch_size=32,lr=1e5", tmp_path, "1steps")
    with pytest.raises(Diverged, match="features of the train images"):
        cell.run(job)


# The strength, and who has seen the labels that choose it


@pytest.mark.parametrize(("right", "edge"), [([90, 50, 20], "weak"), ([20, 50, 90], "strong"), ([20, 90, 50], None)])
def test_a_record_says_where_an_edge_of_the_grid_was_chosen(monkeypatch, clusters, right, edge):
    train, labels, *_ = clusters
    monkeypatch.setattr(linear, "STRENGTHS", (1e-2, 1e-1, 1.0))
    heads = Heads(torch.zeros(3, 40, 6), torch.zeros(3, 6))
    monkeypatch.setattr(linear, "_try", lambda *_: (heads, torch.tensor(right, dtype=torch.float64) / 100))
    assert fit_linear(Features(train, labels), 6)[1]["linear_at_edge"] == edge


@pytest.mark.parametrize(
    ("right", "taken"),
    [
        ([100, 100, 100, 100, 100], 2),  # all alike: no edge by chance
        ([77, 80, 79, 70, 40], 1),  # of 100 images, the standard error at 80 is 4: 77, 80 and 79 are alike
        ([75, 80, 75, 70, 40], 1),
        ([20, 80, 81, 82, 83], 3),
        ([99, 100, 70, 20, 0], 1),  # at 100 the standard error is 0, one image still counts as alike
    ],
)
def test_the_middle_of_the_strengths_that_the_held_out_images_cannot_tell_apart_is_chosen(right, taken):
    assert linear.choose(torch.tensor(right, dtype=torch.float64) / 100, held=100) == taken


def test_one_image_less_counts_as_alike_however_it_is_rounded():
    for held in range(100, 5001):
        right = torch.tensor([held - 1, held - 2, held - 2, 0], dtype=torch.float64)
        assert linear.choose(right / held, held) == 1


def test_methods_that_use_labels_do_not_see_those_held_out():
    labels = torch.arange(1000) % 10
    seen = held_out.shown(labels)
    assert (seen == -1).nonzero().squeeze(1).tolist() == held_out.held_out(labels).held.tolist()
    assert torch.equal(seen[seen >= 0], labels[seen >= 0])


@pytest.mark.parametrize("images", [100, 250, 1000])
def test_a_curve_is_measured_on_images_whose_labels_no_method_has(images, monkeypatch):
    """Also where train has more images than a curve is measured on."""
    monkeypatch.setattr(curve, "IMAGES", 250)
    labels = torch.arange(images) // (images // 5)
    train = Store(torch.zeros(images, 1, 1, 1, dtype=torch.uint8), labels)
    store, part, _ = curve.sample(Splits(train, train, 5, ""))
    known = held_out.shown(labels)[store.rows]
    assert (known[part.held] == -1).all() and torch.equal(known[part.fit], store.labels[part.fit])
    assert (len(store), len(part.held)) == (min(images, 250), min(images, 250) // 10)
    assert store.labels.bincount().tolist() == [min(images, 250) // 5] * 5


@pytest.mark.parametrize("method", [kind.name for kind in registry().values() if kind.uses_labels])
def test_a_held_out_label_has_no_part_in_a_loss(method, monkeypatch):
    """Whatever the label of a held-out image, a cell that uses labels trains to the same weights."""
    spec = parse_spec("digits:fraction=0.2")
    splits = open_splits(spec, Path("data"))
    tenth = held_out.held_out(splits.train.labels)
    monkeypatch.setattr(held_out, "held_out", lambda labels: tenth)  # which it is follows from the labels
    held = tenth.held
    other = splits.train.labels.clone()
    other[held] = other[held].roll(1)
    made = []
    for labels in (splits.train.labels, other):
        store = replace(splits.train, labels=labels)
        recipe = small_cells.job(f"{method}:batch_size=32", Path("data"), data=str(spec)).cell.recipe
        made.append(cell.build_method(Cell(recipe, 0), replace(splits, train=store)))
    index, views = torch.cat([held[:8], torch.arange(24)]), [torch.randn(32, 1, 8, 8) for _ in range(2)]
    first, second = (one.train().loss(views, index) for one in made)
    assert first.isfinite() and first == second


def test_a_batch_without_a_known_label_costs_a_supervised_run_nothing():
    kind = registry()["supervised"]
    method = kind(TinyEncoder(), kind.config_type(), TrainData(4, 3, torch.full((4,), -1)))
    assert method.loss([torch.randn(4, 3, 8, 8)] * 2, torch.arange(4)) == 0


def test_features_are_single_precision_on_every_device():
    seen = []

    class Spy(torch.nn.Module):
        def forward(self, x):
            seen.append((torch.is_autocast_enabled("cpu"), torch.backends.cudnn.allow_tf32))
            return x.flatten(1)

    before = torch.backends.cudnn.allow_tf32
    with torch.autocast("cpu", torch.bfloat16):
        extract(Spy(), [torch.randn(2, 3, 4, 4)], torch.device("cpu"))
    assert seen == [(False, False)] and torch.backends.cudnn.allow_tf32 == before


@pytest.mark.parametrize(("size", "width"), [(8, 3 * 64), (32, 3072), (224, 3072)])
def test_raw_pixels_of_large_images_are_averaged_down(size, width):
    kind = registry()["raw_pixels"]
    encoder = kind(TinyEncoder(), kind.config_type(), TrainData(4, 3)).encoder
    images = torch.rand(2, 3, size, size)
    assert encoder(images).shape == (2, width)
    block = size // min(size, 32)
    assert encoder(images)[0, 0] == pytest.approx(images[0, 0, :block, :block].mean().item(), abs=1e-6)


def test_top_k(clusters):
    logits = torch.tensor([[3.0, 2.0, 1.0], [1.0, 2.0, 3.0]])
    assert top_k_accuracy(logits, torch.tensor([1, 0]), 1).item() == 0
    assert top_k_accuracy(logits, torch.tensor([1, 0]), 2).item() == 0.5
    assert top_k_accuracy(logits, torch.tensor([1, 0]), 5).item() == 1


def test_the_scale_of_all_features_does_not_matter(clusters):
    features = clusters[0]
    small = features * 2.0**-40
    assert torch.equal(Standardizer.fit(small)(small), Standardizer.fit(features)(features))


def test_a_constant_feature_does_no_harm(clusters):
    train, labels, *_ = clusters
    with_constant = torch.cat([train, torch.full((len(train), 1), 7.0)], dim=1)
    heads = solve(Standardizer.fit(with_constant)(with_constant), labels, 6, [1e-3])
    assert heads.weight.isfinite().all()
    assert heads.weight[0, -1].abs().max() == 0


def test_held_out_part_is_stratified_seeded_and_a_tenth():
    labels = torch.arange(1000) % 10
    part = held_out.held_out(labels)
    assert sorted(torch.cat(part).tolist()) == list(range(1000))
    assert labels[part.held].bincount().tolist() == [10] * 10
    assert torch.equal(part.held, held_out.held_out(labels).held)


def test_the_strength_is_chosen_without_the_test_split(clusters):
    train, labels, test, test_labels = clusters
    one = protocol.evaluate(Features(train, labels), Features(test, test_labels), 6)
    other = protocol.evaluate(Features(train, labels), Features(test.flip(0), test_labels), 6)
    assert one[1] == other[1]
    assert one[0]["linear_top1"] > 0.5
    assert one[1]["knn200_k"] == 200


def test_frozen_means_frozen():
    """Evaluation leaves every parameter and buffer bit for bit, and every mode, as it was."""
    encoder = build_backbone("test_resnet", 1, 8).train()
    encoder.layer1.eval()
    before = {key: value.clone() for key, value in encoder.state_dict().items()}
    batches = [torch.randn(16, 1, 8, 8) for _ in range(3)]
    features = extract(encoder, batches, torch.device("cpu"))
    assert features.shape == (48, encoder.num_features)
    assert not features.requires_grad
    assert all(torch.equal(before[key], value) for key, value in encoder.state_dict().items())
    assert encoder.training and not encoder.layer1.training
    assert torch.allclose(features, extract(encoder, [torch.cat(batches)], torch.device("cpu")), atol=1e-5)
