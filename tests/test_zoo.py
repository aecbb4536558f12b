"""The losses of the zoo against lightly's or the authors' formulas, in float64 on random tensors; known factors are named."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
from lightly.loss import DINOLoss, LeJEPALoss, NegativeCosineSimilarity, VICRegLoss
from lightly.models.modules.heads import DINOProjectionHead
from torch.nn.functional import cross_entropy, normalize

from bench.methods import registry
from bench.methods.byol import byol
from bench.methods.dino import DinoHead
from bench.methods.mae import reconstruction
from bench.methods.parts.fifo import SupportSet
from bench.methods.parts.momentum import follow, rising, target_of
from bench.methods.parts.single import single
from bench.methods.simsiam import simsiam
from bench.running import check

B, D, V = 6, 5, 4


def test_mae_has_heads_of_64_units_where_they_divide_its_width():
    heads = {
        width: registry()["mae"](check.tiny_transformer(), registry()["mae"].config_type(width=width), check.TrainData(64, 4))
        for width in (64, 192, 200, 32)
    }
    assert {width: one.blocks[0].attn.num_heads for width, one in heads.items()} == {64: 1, 192: 3, 200: 1, 32: 1}


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def four() -> list[torch.Tensor]:
    return list(random(4, B, D))


def make(name: str, **settings):
    kind = registry()[name]
    config = check.narrow(kind.config_type(**settings)).resolved(check.IMAGES, check.SIDE)
    return kind(check.TinyEncoder(), config, check.TrainData(check.IMAGES, check.CLASSES))


def test_byol_sums_two_minus_two_cosines_over_both_directions():
    p1, p2, t1, t2 = four()
    lightlys = NegativeCosineSimilarity()
    torch.testing.assert_close(byol(p1, p2, t1, t2), 4 + 2 * (lightlys(p1, t2) + lightlys(p2, t1)))
    distance = (normalize(p1) - normalize(t2)).square().sum(1) + (normalize(p2) - normalize(t1)).square().sum(1)
    torch.testing.assert_close(byol(p1, p2, t1, t2), distance.mean())  # eq. 2 and its mirror


def test_simsiam_is_the_mean_of_both_directions_and_stops_the_gradient():
    p1, p2, z1, z2 = (x.requires_grad_() for x in four())
    loss = simsiam(p1, p2, z1, z2)
    lightlys = NegativeCosineSimilarity()
    torch.testing.assert_close(loss, 0.5 * (lightlys(p1, z2) + lightlys(p2, z1)))
    loss.backward()
    assert z1.grad is None and z2.grad is None and p1.grad is not None


def test_barlow_twins_is_the_papers_sum_times_its_scale():
    z1, z2 = four()[:2]
    standard = [(z - z.mean(0)) / (z.var(0, unbiased=False) + 1e-5).sqrt() for z in (z1, z2)]  # as BatchNorm does
    c = standard[0].T @ standard[1] / B
    off = sum(float(c[i, j] ** 2) for i in range(D) for j in range(D) if i != j)
    expected = float((c.diagonal() - 1).square().sum()) + 5e-3 * off
    assert float(make("barlow_twins").criterion(z1, z2)) == pytest.approx(expected)
    scaled, views = make("barlow_twins", scale=0.1), check.random_views(make("barlow_twins"))
    torch.manual_seed(0)
    plain = make("barlow_twins", scale=1)
    scaled.load_state_dict(plain.state_dict())
    index = torch.arange(check.BATCH)
    assert float(scaled.loss(views, index).detach()) == pytest.approx(0.1 * float(plain.loss(views, index).detach()), rel=1e-5)


def test_a_criterion_is_computed_in_single_precision_under_autocast():
    seen = []

    def criterion(a, b):
        seen.extend([a.dtype, (a @ b.T).dtype])
        return (a @ b.T).sum()

    with torch.autocast("cpu", torch.bfloat16):
        assert single(criterion, torch.ones(2, 2, dtype=torch.bfloat16), torch.ones(2, 2)).dtype == torch.float32
        views, index = check.batch(make("barlow_twins"))
        assert make("barlow_twins").loss(views, index).dtype == torch.float32
    assert seen == [torch.float32, torch.float32]


def test_vicreg_is_lightlys_and_the_authors_times_its_scale():
    z1, z2 = four()[:2]
    ours = make("vicreg").criterion(z1, z2) / 0.04
    torch.testing.assert_close(ours, VICRegLoss(25, 25, 1)(z1, z2))

    def authors(x, y):  # main_vicreg.py; solo-learn leaves out the halves of the variance, so that its 25 is 50 here
        std = [torch.sqrt(z.var(0) + 1e-4) for z in (x, y)]
        spread = torch.relu(1 - std[0]).mean() / 2 + torch.relu(1 - std[1]).mean() / 2
        covs = [(z - z.mean(0)).T @ (z - z.mean(0)) / (B - 1) for z in (x, y)]
        mixed = sum((c - c.diagonal().diag()).square().sum() / D for c in covs)
        return 25 * (x - y).square().mean() + 25 * spread + mixed

    torch.testing.assert_close(ours, authors(z1, z2))


def info_nce(queries, keys, t):
    """By hand: each query against all keys, its own row positive."""
    rows = [torch.stack([q @ k / t for k in keys]) for q in queries]
    return sum(torch.logsumexp(row, 0) - row[i] for i, row in enumerate(rows)) / len(rows)


def test_nnclr_contrasts_neighbours_with_the_other_views_predictions():
    p1, p2, n1, n2 = (normalize(x, dim=1) for x in four())
    expected = (info_nce(n1, p2, 0.1) + info_nce(n2, p1, 0.1)) / 2
    torch.testing.assert_close(make("nnclr").contrast(p1, p2, n1, n2), expected)


def test_a_support_set_gives_the_nearest_row_and_keeps_the_latest():
    support = SupportSet(4, 3)
    rows = normalize(torch.randn(5, 3), dim=1)
    support.add(rows[:3])
    support.add(rows[3:])
    assert torch.equal(support.rows, torch.stack([rows[4], rows[1], rows[2], rows[3]]))
    assert torch.equal(support.nearest(rows[2:3] + 0.01), rows[2:3])


def test_mocov3_is_the_authors_contrast_of_both_directions():
    q1, q2, k1, k2 = four()

    def ctr(q, k):  # algorithm 1
        return 2 * 0.2 * cross_entropy(normalize(q) @ normalize(k).T / 0.2, torch.arange(B))

    ours = make("mocov3").contrast(q1, q2, k1, k2)
    torch.testing.assert_close(ours, ctr(q1, k2) + ctr(q2, k1))
    by_hand = 2 * 0.2 * (info_nce(normalize(q1), normalize(k2), 0.2) + info_nce(normalize(q2), normalize(k1), 0.2))
    torch.testing.assert_close(ours, by_hand)


def test_mocov3s_heads_are_the_authors_for_a_resnet():
    method = make("mocov3")
    ends = [[module for module in head.modules() if not list(module.children())][-1] for head in (method.head, method.predictor)]
    assert isinstance(ends[0], torch.nn.BatchNorm1d) and not ends[0].affine
    assert isinstance(ends[1], torch.nn.Linear) and ends[1].bias is None


def sinkhorn(scores):
    """The authors' distributed_sinkhorn on one process."""
    q = torch.exp(scores / 0.05).T
    q = q / q.sum()
    for _ in range(3):
        q = q / q.sum(1, keepdim=True) / q.shape[0]
        q = q / q.sum(0, keepdim=True) / q.shape[1]
    return (q * q.shape[1]).T


@pytest.mark.parametrize("local", [0, 2])
def test_swav_is_the_authors_swapped_prediction(local):
    method = make("swav", local_crops=local).double()
    width = method.prototypes.in_features
    z = [random(2 * B, width, seed=1), random(local * B, width, seed=2)][: 2 if local else 1]
    scores = [part for x in z for part in (normalize(x, dim=1) @ method.prototypes.weight.T).split(B)]
    expected = 0.0
    for i in range(2):
        q = sinkhorn(scores[i].detach())
        others = [v for v in range(2 + local) if v != i]
        expected += sum(-(q * (scores[v] / 0.1).log_softmax(1)).sum(1).mean() for v in others) / len(others) / 2
    torch.testing.assert_close(method.contrast(*z), expected)
    assert torch.allclose(method.prototypes.weight.norm(dim=1), torch.ones(method.prototypes.out_features).double())


@pytest.mark.parametrize("name", ["swav", "dino"])
def test_the_head_sees_views_of_both_sizes_at_once(name):
    method = make(name, local_crops=2)
    method.loss(*check.batch(method))
    counts = {key: int(value) for key, value in method.head.state_dict().items() if key.endswith("num_batches_tracked")}
    assert set(counts.values()) == {1}, counts


def test_dino_is_lightlys():
    method = make("dino", teacher_temperature=0.07).double()
    method.center = random(D, seed=3)
    student, teacher = random(V, B, D, seed=1), random(2, B, D, seed=2)
    for progress, temperature in ((0.0, 0.04), (0.05, 0.055), (0.1, 0.07), (0.7, 0.07)):
        method.progress.fill_(progress)
        lightlys = DINOLoss(D)
        lightlys.center = method.center[None, None].clone()
        theirs = lightlys(list(teacher), list(student), teacher_temp=torch.tensor(temperature, dtype=torch.float64).item())
        torch.testing.assert_close(method.distill(student, teacher), theirs, rtol=1e-6, atol=0)


def test_dinos_head_is_lightlys():
    ours, theirs = DinoHead(7, 8, 4, 9), DINOProjectionHead(7, 8, 4, 9, batch_norm=True)
    ours.layers.layers.load_state_dict(theirs.layers.state_dict())
    ours.last.weight.data.copy_(theirs.last_layer.weight_v.data)
    x = torch.randn(6, 7)
    torch.testing.assert_close(ours(x), theirs(x))


def test_dinos_teacher_is_what_is_evaluated_and_its_centre_follows():
    method = make("dino").train()
    assert not any(p.requires_grad for p in method.encoder.parameters())
    before = method.center.clone()
    method.loss(*check.batch(method)).backward()
    method.after_step(1.0)
    assert not torch.equal(before, method.center)
    with torch.no_grad():
        next(method.student.parameters()).add_(1)
    teacher, student = next(method.encoder.parameters()).clone(), next(method.student.parameters())
    method.after_step(0.0)
    torch.testing.assert_close(next(method.encoder.parameters()), teacher.lerp(student, 0.01))


def test_lejepa_is_the_epps_pulley_statistic_and_the_distance_to_the_mean():
    method, z = make("lejepa"), random(2, B, D)
    torch.manual_seed(7)
    ours = method.criterion(z)
    torch.manual_seed(7)
    directions = torch.randn(D, method.config.directions, dtype=torch.float64)
    directions = directions / directions.norm(dim=0)
    t = torch.linspace(0, 3, 17, dtype=torch.float64)
    gauss = torch.exp(-t.square() / 2)
    statistics = []
    for view in z:
        wave = torch.exp(1j * (view @ directions)[..., None] * t).mean(0)  # the empirical characteristic function
        statistics.append(B * 2 * torch.trapezoid((wave - gauss).abs().square() * gauss, t))  # N times: it grows with the batch
    invariance = (z - z.mean(0)).square().mean()
    torch.testing.assert_close(ours, 0.05 * torch.stack(statistics).mean() + 0.95 * invariance, rtol=1e-5, atol=0)
    torch.manual_seed(7)
    first = method.gaussian(z)  # lightly's own sum, of the same views taken as local and global ones
    torch.manual_seed(7)
    theirs = LeJEPALoss(0.05, sigreg_num_vectors=method.config.directions)(local_proj=z[:1], global_proj=z[1:])
    distance = (z - z[1]).square().mean()
    torch.testing.assert_close(theirs, 0.05 * first + 0.95 * distance, rtol=1e-5, atol=0)


def test_mae_reconstructs_standardised_patches():
    predicted, pixels = random(2, 3, 8, seed=1), random(2, 3, 8, seed=2)
    errors = []
    for p, x in zip(predicted.reshape(-1, 8), pixels.reshape(-1, 8), strict=True):
        target = (x - x.mean()) / math.sqrt(float(x.var()) + 1e-6)
        errors.append(float((p - target).square().mean()))
    assert float(reconstruction(predicted, pixels)) == pytest.approx(sum(errors) / len(errors))


def test_mae_sees_the_kept_patches_only():
    kind = registry()["mae"]
    method = kind(check.tiny_transformer(), check.narrow(kind.config_type()), check.TrainData(8, 2)).eval()
    images, kept = torch.randn(2, 3, 8, 8, requires_grad=True), torch.tensor([[0, 5], [3, 15]])
    tokens = method.encode(images, kept)
    assert tokens.shape == (2, 1 + 2, 16)
    (tokens * torch.randn_like(tokens)).sum().backward()  # the plain sum of what a norm gives has no gradient
    seen = images.grad.abs().sum(1).unfold(1, 2, 2).unfold(2, 2, 2).sum((3, 4)).flatten(1) > 0
    assert [row.nonzero()[:, 0].tolist() for row in seen] == [[0, 5], [3, 15]]
    assert method.decode(tokens, kept).shape == (2, 16, 2 * 2 * 3)
    everything = torch.arange(16).expand(2, 16)  # in order and unmasked: the transformer's own pass
    torch.testing.assert_close(method.encode(images, everything)[:, 0], method.encoder(images))


def test_momentum_rises_to_one_by_half_a_cosine():
    assert [rising(0.9, p) for p in (0.0, 0.5, 1.0)] == pytest.approx([0.9, 0.95, 1.0])
    network = torch.nn.Linear(3, 3)
    target = target_of(network)
    before = target.weight.clone()
    with torch.no_grad():
        network.weight.add_(1.0)
    follow([target], [network], 0.9)
    torch.testing.assert_close(target.weight, before + 0.1)
    assert not target.weight.requires_grad


def test_negatives_and_targets_agree_with_their_own_views():
    """A loss is least where prediction and target of the other view coincide."""
    z1, z2 = (normalize(x, dim=1) for x in four()[:2])
    assert float(byol(z1, z2, z2, z1)) == pytest.approx(0, abs=1e-12)
    assert float(simsiam(z1, z2, z2, z1)) == pytest.approx(-1)


def test_second_views_differ_only_where_asked():
    kind = registry()["byol"]
    policy = check.POLICY
    plain, solarized = (kind.views(SimpleNamespace(solarize=p), policy, 8) for p in (0.0, 0.2))
    assert plain[0] == plain[1] and solarized[0].policy == policy and solarized[1].policy.solarize == 0.2
