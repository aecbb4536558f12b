"""Differences of methods: against SciPy where it has the same thing, by hand elsewhere, and by simulation."""

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from bench.reporting import paired
from bench.reporting.paired import Sample
from bench.reporting.standings import Standing, standings
from tests.benchmarks import claims


def values(*accuracies: float, images: int | None = None) -> Sample:
    return Sample(dict(enumerate(accuracies)), images=images)


def outcomes(rows: np.ndarray) -> Sample:
    """A sample of bool [n, m]."""
    return Sample({seed: float(row.mean()) for seed, row in enumerate(rows)}, dict(enumerate(rows)), rows.shape[1])


def judge(methods: dict[str, Sample]) -> dict[tuple[str, str], paired.Judged]:
    return paired.family(paired.all_pairs(methods))


@pytest.mark.parametrize("few", [[0.5], [0.5, 0.6]])
def test_nothing_is_claimed_below_three_seeds(few):
    methods = {"a": values(*few), "b": values(*few)}
    pair = paired.compare(values(*few), values(*few))
    assert pair.half is None and pair.p is None and pair.improvement is None
    assert judge(methods)["a", "b"].verdict == "too few seeds"
    assert standings(methods, judge(methods)) == {}


def test_pairs_are_formed_by_seed():
    a, b = Sample({0: 0.5, 1: 0.6, 2: 0.7, 9: 0.0}), Sample({2: 0.65, 1: 0.56, 0: 0.47, 8: 1.0})
    pair = paired.compare(a, b)  # differences 0.03, 0.04, 0.05: mean 0.04, sd 0.01, t = 0.04 / (0.01 / sqrt 3) = 6.928
    assert pair.n == 3
    assert pair.difference == pytest.approx(0.04)
    assert pair.half == pytest.approx(4.30265 * 0.01 / math.sqrt(3), rel=1e-4)
    assert pair.p == pytest.approx(0.0202, abs=1e-4)
    assert paired.compare(Sample({0: 1.0}), Sample({1: 1.0})) is None


def test_p_of_two_methods_without_outcomes_is_that_of_scipy():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 1, 12), rng.normal(0.4, 1, 12)
    assert paired.compare(values(*a), values(*b)).p == pytest.approx(scipy_stats.ttest_rel(a, b).pvalue, rel=1e-6)


def test_one_test_image_three_times_is_no_difference():
    """Equal differences have no variance between seeds; the test images have one."""
    base = np.zeros((3, 360), bool)
    base[:, :350] = True
    better = base.copy()
    better[:, 350] = True
    by_image = paired.compare(outcomes(better), outcomes(base))
    old = paired.compare(values(*[351 / 360] * 3, images=360), values(*[350 / 360] * 3, images=360))
    assert by_image.difference == pytest.approx(1 / 360) and old.difference == pytest.approx(1 / 360)
    assert by_image.p > 0.3 and old.p > 0.8


def test_images_count_as_in_mcnemars_test():
    """Where all seeds agree, nearly only the images vary: McNemar's test, with one discordant image more."""
    a, b = np.zeros((3, 10_000), bool), np.zeros((3, 10_000), bool)
    a[:, :120], b[:, 120:200] = True, True
    z = (120 - 80) / math.sqrt(120 + 80 + 1)
    assert paired.compare(outcomes(a), outcomes(b)).p == pytest.approx(2 * scipy_stats.norm.sf(z), rel=0.1)


def test_images_without_outcomes_are_those_of_two_samples():
    """Errors that have nothing in common: the variance of Welch's test, with one image's weight more."""
    a, b = np.arange(500) < 400, np.arange(500) < 350
    pair = paired.compare(values(*[0.8] * 3, images=500), values(*[0.7] * 3, images=500))
    welch = scipy_stats.ttest_ind(a, b, equal_var=False)
    assert pair.parts[1].variance == pytest.approx((pair.difference / welch.statistic) ** 2 + 1 / 500**2, rel=0.01)
    assert paired.compare(values(0.8, 0.8, 0.9), values(0.7, 0.7, 0.7)).parts[1:] == ()  # how many images is not known


def test_a_large_difference_is_seen_and_its_p_is_never_zero():
    rng = np.random.default_rng(2)
    a, b = rng.random((3, 1000)) < 0.9, rng.random((3, 1000)) < 0.5
    pair = paired.compare(outcomes(a), outcomes(b))
    assert 0 < pair.p < 0.05 and pair.half < 0.4
    assert paired.compare(outcomes(a), outcomes(a)).p == 1


def test_three_seeds_borrow_the_boards_variance():
    """Luck made the differences of a and b nearly equal; the other pairs know how far runs vary."""
    steady = {"a": values(0.600, 0.601, 0.602), "b": values(0.500, 0.5011, 0.5021)}
    lively = {"c": values(0.50, 0.60, 0.55), "d": values(0.58, 0.52, 0.61)}
    assert judge(steady)["a", "b"].verdict == "better"
    runs = [list(sample.values.values()) for sample in (steady | lively).values()]
    residual = runs - np.mean(runs, axis=0) - np.mean(runs, axis=1, keepdims=True) + np.mean(runs)
    mean_square = (residual**2).sum() / (3 * 2)  # of a randomised block design: (k - 1)(n - 1) degrees of freedom
    (seeds,) = paired.all_pairs(steady | lively)["a", "b"].parts
    assert seeds == pytest.approx((2 * mean_square / 3, 6))


def test_the_boards_variance_is_that_of_a_seed_whatever_the_number_of_seeds():
    """A method with three seeds that agree by chance borrows what twenty seeds of the others tell of three."""
    wave = 0.02 * np.sin(np.arange(20))
    methods = {"short": values(0.50, 0.5001, 0.5002), "b": values(*(0.5 + wave)), "c": values(*(0.5 - wave))}
    found = paired.all_pairs(methods)
    assert [pair.n for pair in found.values()] == [3, 3, 20]
    own = [np.var(0.5 + sign * wave[:3] - [0.50, 0.5001, 0.5002], ddof=1) for sign in (1, -1)]
    usual = np.mean([*own, np.var(2 * wave, ddof=1)])
    assert found["short", "b"].parts[0] == pytest.approx((usual / 3, 2 * 2))
    assert found["b", "c"].parts[0] == pytest.approx((np.var(2 * wave, ddof=1) / 20, 2 * 19))


def test_standings_and_bold_follow_from_one_family():
    wave = [0.0, 0.01, -0.01, 0.02]
    methods = {
        "best": values(*(0.80 + w for w in wave)),
        "close": values(*(0.795 - w for w in wave)),
        "last": values(*(0.5 + w for w in wave)),
        "young": values(0.9, 0.9),
    }
    found = standings(methods, judge(methods))
    assert set(found) == {"best", "close", "last"}
    assert found["best"] == Standing(rank=1, best=1, worst=2) and found["best"].top
    assert found["close"] == Standing(rank=2, best=1, worst=2) and found["close"].top
    assert found["last"] == Standing(rank=3, best=3, worst=3) and not found["last"].top


def test_verdicts_turn_with_the_pair():
    rng = np.random.default_rng(3)
    one = judge({"a": outcomes(rng.random((3, 2000)) < 0.9), "b": outcomes(rng.random((3, 2000)) < 0.5)})["a", "b"]
    assert one.verdict == "better" and one.turned.verdict == "worse"
    assert one.turned.pair.difference == -one.pair.difference and one.turned.p == one.p


def test_equal_is_not_the_same_as_not_distinguishable():
    rng = np.random.default_rng(4)
    runs = rng.random((5, 10_000)) < 0.7
    nearly = runs.copy()
    nearly[:, :10] = ~nearly[:, :10]
    assert judge({"a": outcomes(runs), "b": outcomes(nearly)})["a", "b"].verdict == "equal within 1 point"
    few = {"a": outcomes(rng.random((3, 250)) < 0.7), "b": outcomes(rng.random((3, 250)) < 0.7)}
    assert judge(few)["a", "b"].verdict == "not distinguishable"


def test_resolution_is_what_is_seen_with_the_stated_power():
    rng = np.random.default_rng(5)
    boards = [claims.board(rng, 2, 5, 1000, 0.8, gain=0.5).values() for _ in range(80)]
    pairs = [paired.compare(b, a) for a, b in boards]
    gain, seen = np.mean([p.difference for p in pairs]), np.median([paired.resolution([p]) for p in pairs])
    enough = [p.margin(0.05) < p.difference - gain + seen for p in pairs]  # as if the true difference were ``seen``
    assert 0.65 < np.mean(enough) < 0.95


@pytest.mark.parametrize(
    ("methods", "seeds", "images", "ease"), [(2, 3, 250, 0.8), (6, 3, 360, 5.0), (8, 3, 1000, 0.8), (6, 5, 500, 3.0)]
)
@pytest.mark.parametrize("kept", [True, False])
def test_identical_methods_are_rarely_ranked(methods, seeds, images, ease, kept):
    """Some wrong claim on at most 5% of boards: 150 of them allow 9 and, by chance, a few more (1% of a binomial)."""
    boards = 150
    share = claims.wrong_share(boards, methods, seeds, images, ease, kept)
    assert share * boards <= scipy_stats.binom.ppf(0.99, boards, 0.05)
