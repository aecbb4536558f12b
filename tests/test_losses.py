"""Every loss against a loop over anchors written from its formula, in float64, with gradients; and limit cases."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from lightly.loss import DCLLoss, NTXentLoss
from lightly.loss.dcl_loss import DCLWLoss
from lightly.models.batchnorm import SplitBatchNorm

from bench.methods import TrainData, registry
from bench.methods.decoupled import decoupled
from bench.methods.parts.debiased import debiased
from bench.methods.parts.info_nce import attract, eliminate, info_nce
from bench.methods.parts.pairs import Pairs, project
from bench.methods.parts.prototypes import Prototypes
from bench.running import check
from bench.running.check import TinyEncoder

IMAGES, T = 12, 0.3
LABELS = torch.arange(IMAGES) % 3


def in_batch(seed: int = 0, count: int = 6) -> tuple[torch.Tensor, Pairs]:
    """Projections float64 [2B, D] that ask for gradients, and the pairs that SimCLR makes of them."""
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(2 * count, 5, dtype=torch.float64, generator=generator)
    z = torch.nn.functional.normalize(z, dim=1).requires_grad_()
    images = torch.randperm(IMAGES, generator=generator)[:count].repeat(2)
    similarity = z @ z.T
    positive = torch.cat([similarity.diagonal(count), similarity.diagonal(-count)])
    return z, Pairs(positive, similarity, images[:, None] != images, images, images, z, z.detach())


def false_negatives(pairs: Pairs, seed: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(pairs.candidates.shape, generator=generator) < 0.4


def mean_over_anchors(pairs: Pairs, of_anchor) -> torch.Tensor:
    """``of_anchor(positive, negatives by place)``: the positive's similarity, and those of the negatives by column."""
    terms = []
    for a in range(len(pairs.anchors)):
        negatives = {m: pairs.candidates[a, m] for m in range(len(pairs.images)) if pairs.images[m] != pairs.anchors[a]}
        terms.append(of_anchor(a, pairs.positive[a], negatives))
    return sum(terms) / len(terms)


def naive_eliminate(pairs, false, rescale=False):
    def of_anchor(a, positive, negatives):
        kept = [s for m, s in negatives.items() if not false[a, m]]
        scale = len(negatives) / max(1, len(kept)) if rescale else 1
        p = torch.exp(positive / T)
        return -torch.log(p / (p + scale * sum(torch.exp(s / T) for s in kept)))

    return mean_over_anchors(pairs, of_anchor)


def naive_attract(pairs, false):
    def of_anchor(a, positive, negatives):
        whole = torch.exp(positive / T) + sum(torch.exp(s / T) for s in negatives.values())
        pulled = [positive, *(s for m, s in negatives.items() if false[a, m])]
        return -sum(torch.log(torch.exp(s / T) / whole) for s in pulled) / len(pulled)

    return mean_over_anchors(pairs, of_anchor)


def naive_debiased(pairs, tau, beta):
    def of_anchor(a, positive, negatives):
        n = torch.stack([torch.exp(s / T) for s in negatives.values()])
        w, p, count = n**beta, torch.exp(positive / T), len(n)
        others = ((w * n).sum() / w.mean() - tau * count * p) / (1 - tau)
        others = torch.maximum(others, torch.tensor(count * math.exp(-1 / T), dtype=n.dtype))
        return -torch.log(p / (p + others))

    return mean_over_anchors(pairs, of_anchor)


def naive_decoupled(pairs, sigma):
    weights = torch.exp(pairs.positive.detach() / sigma) if sigma else torch.ones(len(pairs.positive))
    weights = 2 - len(weights) * weights / weights.sum() if sigma else weights

    def of_anchor(a, positive, negatives):
        return -weights[a] * positive / T + torch.log(sum(torch.exp(s / T) for s in negatives.values()))

    return mean_over_anchors(pairs, of_anchor)


CASES = {
    "info_nce": (lambda p: info_nce(p, T), lambda p: naive_eliminate(p, torch.zeros_like(p.negative))),
    "eliminate": (lambda p: eliminate(p, T, false_negatives(p)), lambda p: naive_eliminate(p, false_negatives(p))),
    "rescaled": (lambda p: eliminate(p, T, false_negatives(p), True), lambda p: naive_eliminate(p, false_negatives(p), True)),
    "attract": (lambda p: attract(p, T, false_negatives(p)), lambda p: naive_attract(p, false_negatives(p))),
    "debiased": (lambda p: debiased(p, T, 0.1), lambda p: naive_debiased(p, 0.1, 0)),
    "debiased to the floor": (lambda p: debiased(p, T, 0.9), lambda p: naive_debiased(p, 0.9, 0)),
    "hard negatives": (lambda p: debiased(p, T, 0.1, 1.5), lambda p: naive_debiased(p, 0.1, 1.5)),
    "decoupled": (lambda p: decoupled(p, T, None), lambda p: naive_decoupled(p, None)),
    "decoupled, weighted": (lambda p: decoupled(p, T, 0.5), lambda p: naive_decoupled(p, 0.5)),
}


@pytest.mark.parametrize("name", CASES)
def test_a_loss_and_its_gradient_are_those_of_the_formula(name):
    ours, formula = CASES[name]
    values, gradients = [], []
    for loss_of in (ours, formula):
        z, pairs = in_batch()
        loss = loss_of(pairs)
        values.append(loss.item())
        gradients.append(torch.autograd.grad(loss, z)[0])
    assert values[0] == pytest.approx(values[1], rel=1e-12)
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "limit",
    [
        lambda p: eliminate(p, T, torch.zeros_like(p.negative)),
        lambda p: eliminate(p, T, torch.zeros_like(p.negative), True),
        lambda p: attract(p, T, torch.zeros_like(p.negative)),
        lambda p: debiased(p, T, 0.0),
        lambda p: debiased(p, T, 0.0, 1e-9),
    ],
)
def test_in_their_limits_the_losses_are_info_nce(limit):
    _, pairs = in_batch()
    torch.testing.assert_close(limit(pairs), info_nce(pairs, T), rtol=1e-7, atol=0)


def test_simclr_and_decoupled_are_lightlys():
    z, pairs = in_batch()
    first, second = z.chunk(2)
    torch.testing.assert_close(info_nce(pairs, T), NTXentLoss(T)(first, second))
    torch.testing.assert_close(decoupled(pairs, T, None), DCLLoss(T)(first, second))
    with pytest.warns(UserWarning):  # lightly copies a tensor in a way that torch advises against
        weighted = DCLWLoss(T, sigma=0.5)(first, second)
    torch.testing.assert_close(decoupled(pairs, T, 0.5), weighted)


def build(name: str, **settings):
    """A fresh method on a tiny encoder; the same weights for every method of the same base."""
    kind = registry()[name]
    torch.manual_seed(0)
    config = kind.config_type(**settings).resolved(IMAGES, 32)
    return kind(TinyEncoder(), config, TrainData(IMAGES, 3, LABELS if kind.uses_labels else None))


def losses(method, steps: int = 3) -> list[float]:
    """The loss of some steps without learning; the queue fills meanwhile."""
    generator = torch.Generator().manual_seed(3)
    found = []
    for step in range(steps):
        index = torch.tensor([0, 1, 2, 3, 4, 5]) + 6 * (step % 2)
        count = sum(view.count for view in method.views(method.config, check.POLICY, 8))
        views = [torch.randn(6, 3, 8, 8, generator=generator) for _ in range(count)]
        found.append(method.loss(views, index).item())
        method.after_step(0.0)
    return found


def teach(method) -> None:
    """Give an IFND the truth as its accepted labels."""
    method.labels.labels[:, :-1] = LABELS


@pytest.mark.parametrize("base", ["moco", "simclr"])
@pytest.mark.parametrize("strategy", ["elim", "attract"])
def test_ifnd_is_its_base_at_first_and_its_oracle_with_the_truth(base, strategy):
    plain = losses(build(base))
    ifnd = build(f"ifnd_{strategy}", base=base, clusters=(2, 3))
    assert losses(ifnd) == pytest.approx(plain, rel=1e-5)
    ifnd = build(f"ifnd_{strategy}", base=base, clusters=(2, 3))
    teach(ifnd)
    oracle = losses(build(f"oracle_{strategy}", base=base))
    assert losses(ifnd) == pytest.approx(oracle, rel=1e-5)
    assert oracle != pytest.approx(plain, rel=1e-3)


def test_the_curve_shows_how_many_negatives_are_attracted():
    method = build("oracle_attract", base="simclr", temperature=T)
    method.loss([torch.randn(6, 3, 8, 8) for _ in range(2)], torch.arange(6))
    assert method.extras() == {"attracted": 2.0}  # of six images of three classes: both views of the one other of its class
    assert set(build("fnc").extras()) == {"attracted"} and "dropped" in build("ifnd_elim").extras()
    assert not any("marked" in key for key in method.state_dict())


def test_attraction_by_truth_on_simclr_is_supcon():
    ours = losses(build("oracle_attract", base="simclr", temperature=T))
    assert ours == pytest.approx(losses(build("supcon", temperature=T)))
    method = build("supcon", temperature=T)
    pairs = method.source.pairs([torch.randn(6, 3, 8, 8) for _ in range(2)], torch.arange(6))
    z, labels = pairs.queries, LABELS[torch.arange(6)].repeat(2)
    terms = []
    for i in range(12):  # Khosla et al. 2020, eq. 2: P(i) and A(i) without i itself
        others = [a for a in range(12) if a != i]
        whole = sum(torch.exp(z[i] @ z[a] / T) for a in others)
        mates = [a for a in others if labels[a] == labels[i]]
        terms.append(-sum(torch.log(torch.exp(z[i] @ z[p] / T) / whole) for p in mates) / len(mates))
    found = attract(pairs, T, method.truth.same(pairs.anchors, pairs.images))
    torch.testing.assert_close(found, sum(terms) / 12, rtol=1e-5, atol=0)


def test_the_rivals_losses_are_reached_through_their_settings():
    simclr = losses(build("simclr", temperature=T))
    assert losses(build("debiased", temperature=T, tau=0.0)) == pytest.approx(simclr)
    assert losses(build("hard_negatives", temperature=T, tau=0.0, beta=0.0)) == pytest.approx(simclr)
    assert losses(build("glofnd", temperature=T)) == pytest.approx(simclr)  # before its start
    assert losses(build("pcl")) == pytest.approx(losses(build("moco")))  # before its first clustering
    assert losses(build("hard_negatives", temperature=T)) != pytest.approx(simclr, rel=1e-3)


def test_fnc_finds_the_nearest_candidates_above_its_threshold():
    method = build("fnc", support_views=3, top=2, threshold=0.2)
    views = [torch.randn(6, 3, 8, 8) for _ in range(5)]
    pairs = method.source.pairs(views[:2], torch.arange(6))
    found = method.alike(pairs, views[2:])
    with torch.no_grad():
        support = [project(method.source.encoder, method.source.head, view) for view in views[2:]]
    for a in range(12):
        score = {m: max(float(z[a % 6] @ pairs.keys[m]) for z in support) for m in range(12) if m % 6 != a % 6}
        nearest = sorted(score, key=lambda m: -score[m])[:2]
        assert set(found[a].nonzero()[:, 0].tolist()) == {m for m in nearest if score[m] > 0.2}


def test_glofnd_thresholds_become_quantiles_of_the_similarities():
    method = build("glofnd", alpha=0.2, start=0.0)
    generator = torch.Generator().manual_seed(0)
    negative, index = torch.ones(2, 400, dtype=torch.bool), torch.tensor([4])
    for _ in range(300):
        method.learn(torch.rand(2, 400, generator=generator), negative, index)
    assert float(method.thresholds[4]) == pytest.approx(0.8, abs=0.05)
    assert float(method.thresholds[3]) == 1


def test_glofnd_can_begin_at_the_quantile_of_an_images_first_batch():
    method = build("glofnd", alpha=0.3, start=0.0, from_quantile=True)
    _, pairs = in_batch()
    similarity, index = pairs.candidates.detach().float(), pairs.anchors[:6]
    method.learn(similarity, pairs.negative, index)
    rows = [similarity[a][pairs.negative[a]].quantile(0.7) for a in range(12)]
    expected = torch.stack([(rows[i] + rows[i + 6]) / 2 for i in range(6)])
    torch.testing.assert_close(method.thresholds[index], expected)
    method.learn(similarity, pairs.negative, index)  # from then on it is Adam's
    assert method.adam.steps[index].eq(1).all()


def test_shuffled_batch_norm_is_lightlys():
    """Queries in parts as they come, keys in parts of a random order, which is turned back."""
    method = registry()["moco"](
        TinyEncoder(), check.narrow(registry()["moco"].config_type(bn_splits=4)).resolved(64, 8), TrainData(64, 4)
    )
    views, index = check.batch(method)
    source, norms = method.source, {}
    for side in ("encoder", "key_encoder"):
        theirs = copy.deepcopy(getattr(source, side))
        theirs.body[1] = SplitBatchNorm(16, 4)  # lightly's part j is of the images j, j + 4, j + 8, ...
        norms[side] = theirs.train()
    torch.manual_seed(5)
    pairs = source.pairs(views, index)
    torch.manual_seed(5)
    order = torch.randperm(len(index))
    for found, side, head, images in (
        (pairs.queries, "encoder", source.head, views[0]),
        (pairs.keys[order], "key_encoder", source.key_head, views[1][order]),
    ):
        features = norms[side](images.unflatten(0, (4, -1)).transpose(0, 1).flatten(0, 1))
        expected = torch.nn.functional.normalize(head(features.unflatten(0, (-1, 4)).transpose(0, 1).flatten(0, 1)), dim=1)
        torch.testing.assert_close(found, expected)


def test_prototypes_pull_a_query_to_its_own_centroid():
    generator = torch.Generator().manual_seed(0)
    centres = torch.eye(3).repeat_interleave(10, 0)
    features = centres + 0.1 * torch.randn(30, 3, generator=generator)
    prototypes = Prototypes(30, 3, (3,))
    query = torch.nn.functional.normalize(features.clone(), dim=1)
    images = torch.arange(30)
    assert float(prototypes.loss(query, images)) == 0
    prototypes.cluster(features.clone(), temperature=0.2, alpha=10)
    near, far = prototypes.loss(query, images), prototypes.loss(query.roll(10, 0), images)
    assert float(near) < 0.2 < float(far)
    centroids, spread = prototypes.get_buffer("centroids0"), prototypes.get_buffer("temperatures0")
    assert float(spread.mean()) == pytest.approx(0.2)
    by_hand = [-torch.log_softmax(query[i] @ centroids.T / spread, 0)[prototypes.assignments[0, i]] for i in range(30)]
    torch.testing.assert_close(near, sum(by_hand) / 30)
