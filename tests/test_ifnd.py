"""Detection in IFND: when it happens, on which features, what is accepted; and k-means in bounded memory."""

from __future__ import annotations

import pytest
import torch

from bench.errors import UserError
from bench.methods import registry
from bench.methods.base import Every
from bench.methods.parts.pseudo_labels import PseudoLabels, acceptance
from bench.methods.parts.timer import Timer
from bench.running import check
from bench.settings import convert

CONFIG = registry()["ifnd_elim"].config_type


def test_an_interval_is_a_share_or_whole_epochs():
    assert Every("2ep").epochs == 2 and Every("0.02").share == 0.02
    assert convert(CONFIG, "detect_every", "3ep") == "3ep"
    same = (("+03ep", "3ep"), ("3 ep", "3ep"), ("0.0200", "0.02"), ("2e-2", "0.02"), ("-0", "0"), ("0.020000001", "0.020000001"))
    assert [convert(CONFIG, "detect_every", text) for text, _ in same] == [written for _, written in same]
    for wrong in ("0ep", "1.5ep", "2", "-0.1", "nan", "soon", ""):
        with pytest.raises(UserError, match=r"detect_every takes a share of the budget from 0 to 1, or whole epochs such as 2ep"):
            convert(CONFIG, "detect_every", wrong)


def test_a_timer_counts_epochs_or_progress_and_survives_a_resume():
    by_epoch, by_share = Timer(Every("3ep")), Timer(Every("0.25"))
    due = [(by_epoch.due(p), by_share.due(p)) for p in (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)]
    assert [d[0] for d in due] == [True, False, False, True, False, False]
    assert [d[1] for d in due] == [True, False, False, True, False, False]
    again = Timer(Every("3ep"))
    again.load_state_dict(by_epoch.state_dict())
    assert again.due(0.6) is True


@pytest.mark.parametrize("epochs", [10, 50, 100, 200])
def test_a_share_that_falls_on_epochs_is_due_at_each_of_them(epochs):
    """In floating point 6/50 - 5/50 is less than 0.02."""
    timer = Timer(Every(str(1 / min(epochs, 50))))
    due = [epoch for epoch in range(epochs) if timer.due(epoch / epochs)]
    assert due == list(range(0, epochs, max(1, epochs // 50)))


def test_a_step_of_acceptance_is_reached_at_its_quarter():
    quarters = [0.2, 0.4, 0.6, 0.8, 1.0]
    assert [acceptance("step", at, 0.2, 1.0) for at in quarters] == [0.25, 0.5, 0.75, 1.0, 1.0]


def test_images_not_seen_are_never_accepted():
    torch.manual_seed(0)
    labels = PseudoLabels(20, (2, 3))
    seen = torch.arange(20) < 12
    labels.detect(torch.randn(20, 4), 1.0, "softmax", 0.1, seen)
    view = labels.view()
    assert (view.labels[:, 12:] == -1).all() and (view.clusters[:, 12:] == -1).all()
    assert (view.labels[:, :12] >= 0).all() and labels.accepted == 12 / 20


@pytest.mark.parametrize("name", ["ifnd_elim", "ifnd_attract"])
@pytest.mark.parametrize(
    "settings", [{"base": "simclr"}, {"features": "backbone"}, {"features": "bank"}, {"features": "bank", "base": "simclr"}]
)
def test_every_variant_lives_a_contestants_life(monkeypatch, name, settings):
    kind = registry()[name]
    variant = type("Variant", (kind,), {"config_type": lambda: CONFIG(detect_every=Every("1ep"), **settings)})
    lines = list(check.check(variant))
    assert any("killed and resumed" in line for line in lines)
    run = check.trainer(variant, "4ep")
    run.fit()
    assert run.method.pseudo_labels().detections == 3  # at r = 0 nothing is detected
    assert run.method.labels.accepted == pytest.approx(0.75, abs=0.02)


def test_a_bank_costs_no_pass_over_the_images():
    kind = registry()["ifnd_elim"]
    config = CONFIG(features="bank", clusters=(2,), schedule="constant").resolved(check.IMAGES, check.SIDE)
    method = kind(check.TinyEncoder(), config, check.TrainData(check.IMAGES, 4))

    def embed(network):
        raise AssertionError("the bank is there to save this")

    method.before_epoch(0.0, embed)
    assert method.pseudo_labels().detections == 0  # nothing has been seen yet
    method.loss([torch.randn(16, 3, 8, 8) for _ in range(2)], torch.arange(16))
    method.before_epoch(0.1, embed)
    assert (method.pseudo_labels().labels[0] >= 0).tolist() == [i < 16 for i in range(check.IMAGES)]


@pytest.mark.parametrize("base", ["moco", "simclr"])
@pytest.mark.parametrize(("features", "width"), [("pass", 8), ("backbone", check.TinyEncoder().num_features)])
def test_the_space_that_is_clustered(base, features, width):
    config = CONFIG(base=base, features=features, dimension=8, clusters=(2,), schedule="constant").resolved(
        check.IMAGES, check.SIDE
    )
    method = registry()["ifnd_elim"](check.TinyEncoder(), config, check.TrainData(check.IMAGES, 4))
    seen = []

    def embed(network):
        seen.append(network(torch.randn(4, 3, check.SIDE, check.SIDE)).shape[1])
        return torch.randn(check.IMAGES, 3)

    method.before_epoch(0.1, embed)
    assert seen == [width]


@pytest.mark.parametrize(("side", "expected"), [(32, (0.1, 4096, 0.99)), (64, (0.2, 65_536, 0.999))])
@pytest.mark.parametrize("name", ["moco", "ifnd_elim", "oracle_attract", "pcl"])
def test_large_images_have_imagenets_recipe(name, side, expected):
    """MoCo v2's from 64 pixels on, that of MoCo's CIFAR demo below; methods on MoCo take it over."""
    config = registry()[name].config_type().resolved(200_000, side)
    assert (config.temperature, config.queue_size, config.momentum) == expected


def test_labels_that_are_found_and_not_used_change_nothing():
    """The control of the detection: with accept_end=0 training is the base's, to the bit."""
    control = type(
        "Control", (registry()["ifnd_elim"],), {"config_type": lambda: CONFIG(accept_end=0.0, detect_every=Every("1ep"))}
    )
    runs = [check.trainer(kind, "4ep") for kind in (control, registry()["moco"])]
    for run in runs:
        run.fit()
    found = runs[0].method.pseudo_labels()
    assert found.detections == 4 and (found.clusters >= 0).all() and (found.labels == -1).all()
    ours, base = (run.method.encoder.state_dict() for run in runs)
    assert all(torch.equal(ours[name], base[name]) for name in base)
