"""The evaluators against brute force and scikit-learn, and frozen means frozen."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from bench.backbone import build_backbone
from bench.evaluation import knn, protocol
from bench.evaluation.features import extract
from bench.evaluation.knn import Setting, knn_predict
from bench.evaluation.linear import Standardizer, solve, top_k_accuracy


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
    heads = solve(x, labels, 6, protocol.STRENGTHS)
    accuracy = top_k_accuracy(heads.logits(x_test), test_labels, 1)
    for i, strength in enumerate(protocol.STRENGTHS):
        reference = LogisticRegression(C=1 / (strength * len(x)), max_iter=5000, tol=1e-8).fit(x.double().numpy(), labels.numpy())
        assert abs(accuracy[i].item() - reference.score(x_test.double().numpy(), test_labels.numpy())) < 0.001
        ours = objective(x, labels, heads.weight[i], heads.bias[i], strength)
        theirs = objective(x, labels, torch.from_numpy(reference.coef_.T), torch.from_numpy(reference.intercept_), strength)
        assert ours < theirs * 1.001


def test_top_k(clusters):
    logits = torch.tensor([[3.0, 2.0, 1.0], [1.0, 2.0, 3.0]])
    assert top_k_accuracy(logits, torch.tensor([1, 0]), 1).item() == 0
    assert top_k_accuracy(logits, torch.tensor([1, 0]), 2).item() == 0.5
    assert top_k_accuracy(logits, torch.tensor([1, 0]), 5).item() == 1


def test_a_constant_feature_does_no_harm(clusters):
    train, labels, *_ = clusters
    with_constant = torch.cat([train, torch.full((len(train), 1), 7.0)], dim=1)
    heads = solve(Standardizer.fit(with_constant)(with_constant), labels, 6, [1e-3])
    assert heads.weight.isfinite().all()
    assert heads.weight[0, -1].abs().max() == 0


def test_held_out_part_is_stratified_seeded_and_a_tenth():
    labels = torch.arange(1000) % 10
    part = protocol.held_out(labels)
    assert sorted(torch.cat(part).tolist()) == list(range(1000))
    assert labels[part.held].bincount().tolist() == [10] * 10
    assert torch.equal(part.held, protocol.held_out(labels).held)


def test_the_strength_is_chosen_without_the_test_split(clusters):
    train, labels, test, test_labels = clusters
    one = protocol.evaluate(protocol.Features(train, labels), protocol.Features(test, test_labels), 6)
    other = protocol.evaluate(protocol.Features(train, labels), protocol.Features(test.flip(0), test_labels), 6)
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
