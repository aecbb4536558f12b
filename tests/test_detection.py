"""Detection quality against scikit-learn and against loops over all pairs."""

from __future__ import annotations

import itertools
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from bench.evaluation import detection_quality
from bench.evaluation.detection import Rater
from bench.methods import registry
from bench.methods.base import PseudoLabelView
from bench.records import Record
from bench.reporting import plots
from bench.running import check


def random_labels(seed: int, images: int = 60, clusters: int = 7, classes: int = 4):
    rng = np.random.default_rng(seed)
    truth = rng.integers(classes, size=images)
    return rng, np.where(rng.random(images) < 0.6, truth, rng.integers(clusters, size=images)), truth


@pytest.mark.parametrize("seed", range(5))
def test_purity_is_the_share_of_each_clusters_largest_class(seed):
    _, clusters, truth = random_labels(seed)
    largest = sum(np.bincount(truth[clusters == cluster]).max() for cluster in set(clusters.tolist()))
    assert detection_quality.purity(truth, clusters) == pytest.approx(largest / len(truth))


@pytest.mark.parametrize("labels", [np.zeros(5, int), np.arange(5)])
def test_degenerate_clusterings_agree_with_themselves(labels):
    found = detection_quality.quality(labels[None], labels[None], labels[None], labels)
    assert found["nmi"] == found["purity"] == pytest.approx(1) and found["drift"] == 0


def naive_pair_quality(accepted, truth):
    images = range(len(truth))
    same = {(i, j): truth[i] == truth[j] for i, j in itertools.permutations(images, 2)}
    said = {(i, j): accepted[i] >= 0 and accepted[i] == accepted[j] for i, j in same}
    hits = sum(same[p] and said[p] for p in same)
    true_rates, stranger_rates = [], []
    for i in images:
        mates = [j for j in images if j != i and same[i, j]]
        strangers = [j for j in images if j != i and not same[i, j]]
        if mates:
            true_rates.append(np.mean([said[i, j] for j in mates]))
        if strangers:
            stranger_rates.append(np.mean([not said[i, j] for j in strangers]))
    return {
        "true": hits / 2,  # both orders of a pair are in the loop
        "detected": sum(said.values()) / 2,
        "recall": hits / sum(same.values()),
        "mtpr": np.mean(true_rates),
        "mtnr": np.mean(stranger_rates),
    }


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("rate", [0.0, 0.4, 1.0])
def test_pair_quality_is_what_a_loop_over_all_pairs_finds(seed, rate):
    rng, clusters, truth = random_labels(seed, images=25)
    truth[0] = 9  # an image that is alone in its class
    accepted = np.where(rng.random(25) < rate, clusters, -1)
    assert detection_quality.pair_quality(accepted, truth) == pytest.approx(naive_pair_quality(accepted, truth))


def test_precision_is_of_the_pairs_of_all_sets_together_and_of_none_nothing():
    truth = np.array([0, 0, 0, 1, 1, 1])
    nobody, all_alike = np.full(6, -1), np.zeros(6, np.int64)
    found = detection_quality.quality(truth[None].repeat(3, 0), np.stack([nobody, truth, all_alike]), None, truth)
    assert found["precision"] == pytest.approx((6 + 6) / (6 + 15))
    assert detection_quality.quality(truth[None], nobody[None], None, truth)["precision"] is None


def test_perfect_labels_have_perfect_quality():
    truth = np.arange(30) % 3
    found = detection_quality.quality(truth[None], truth[None], truth[None], truth)
    assert all(found[key] == pytest.approx(1) for key in ("accepted", "precision", "recall", "mtpr", "mtnr", "nmi", "purity"))
    assert found["drift"] == 0


def test_images_without_a_cluster_are_left_out():
    truth = np.arange(30) % 3
    clusters = np.where(np.arange(30) < 20, truth, -1)
    found = detection_quality.quality(clusters[None], clusters[None], None, truth)
    assert found["nmi"] == pytest.approx(1) and found["accepted"] == pytest.approx(2 / 3)
    assert found["recall"] < 1 and "drift" not in found


def test_a_rater_rates_each_detection_once():
    view = PseudoLabelView(torch.zeros(2, 6, dtype=torch.int64), torch.zeros(2, 6, dtype=torch.int64), 0)
    method = SimpleNamespace(pseudo_labels=lambda: view)
    rater = Rater(method, torch.tensor([0, 0, 0, 1, 1, 1]))
    rater.before_detection()
    assert rater.rating() is None
    view = view._replace(detections=1)
    first = rater.rating()
    assert first is not None and "drift" not in first and first["precision"] == pytest.approx(6 / 15)
    rater.before_detection()
    view = view._replace(clusters=torch.tensor([[0, 0, 0, 1, 1, 1]] * 2), detections=2)
    second = rater.rating()
    assert second is not None and second["drift"] == pytest.approx(1) and second["nmi"] == pytest.approx(1)


def test_a_million_images_are_judged_without_a_table_of_all_pairs():
    rng = np.random.default_rng(0)
    truth = rng.integers(1000, size=200_000)
    clusters = rng.integers(10_000, size=(1, 200_000))
    found = detection_quality.quality(clusters, clusters, clusters[:, ::-1], truth)
    assert found["precision"] == pytest.approx(1e-3, rel=0.1) and found["drift"] == pytest.approx(1, abs=1e-3)


def test_the_figure_has_a_line_for_each_detecting_method_and_measure():
    def row(method, points):
        return SimpleNamespace(contender=method, good=[Record("t", "b", "1ep", method, 0, "ok", curve=points)])

    point = {"progress": 0.5, "detect_precision": 0.5, "detect_recall": 0.25, "detect_nmi": 0.1, "detect_accepted": 1.0}
    lines = plots._detection_lines([row("detects", [{"progress": 0.2}, point]), row("does not", [{"progress": 0.5}])])
    assert [(line["method"], line["key"], line["percent"]) for line in lines] == [
        ("detects", "precision", [50.0]),
        ("detects", "recall", [25.0]),
        ("detects", "nmi", [10.0]),
        ("detects", "accepted", [100.0]),
    ]


def test_a_curve_keeps_the_quality_of_every_detection_and_a_resume_loses_none():
    kind = registry()["ifnd_elim"]

    def trainer(callbacks=None):
        run = check.trainer(kind, "6ep", callbacks=callbacks)
        run.callbacks = replace(run.callbacks, rater=Rater(run.method, torch.arange(check.IMAGES) % check.CLASSES))
        return run

    states: list = []
    whole = trainer()
    whole.fit()
    trainer(check.keeping(states, 10)).fit()  # in the middle of an epoch that began with a detection
    resumed = trainer()
    resumed.restore(states[0])
    resumed.fit()
    rated = [{k: v for k, v in p.items() if k.startswith("detect_") and k != "detect_seconds"} for p in whole.curve]
    assert [p.get("detect_detection") for p in rated] == [None, 1, 2, 3, 4, 5]
    assert "detect_drift" not in rated[1] and all(0 <= p["detect_drift"] <= 2 for p in rated[2:])
    again = [{k: v for k, v in p.items() if k.startswith("detect_") and k != "detect_seconds"} for p in resumed.curve]
    assert again == rated
