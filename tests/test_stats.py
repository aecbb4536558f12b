"""Statistics against examples worked out by hand, and against SciPy where it has the same thing."""

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from bench import stats


def seeds(*values: float) -> dict[int, float]:
    return dict(enumerate(values))


def test_students_interval_by_hand():
    found = stats.interval([1, 2, 3, 4])  # sd = 1.2910, standard error 0.6455, t(0.975, 3) = 3.1824
    assert found.mean == 2.5 and found.n == 4
    assert found.half == pytest.approx(3.18245 * 1.29099 / 2, rel=1e-4)


@pytest.mark.parametrize("values", [[0.5], [0.5, 0.6]])
def test_nothing_is_claimed_below_three_seeds(values):
    assert stats.interval(values).half is None
    pair = stats.compare(seeds(*values), seeds(*values))
    assert pair.half is None and pair.p is None and pair.improvement is None
    assert stats.standings({"a": seeds(*values), "b": seeds(*values)}) == {}


def test_bootstrap_is_scipys_and_the_same_every_time():
    sample = [0.1, 0.4, 0.2, 0.9, 0.5, 0.3, 0.7, 0.6]
    (found,) = stats.bootstrap([sample])
    expected = scipy_stats.bootstrap(
        (sample,), np.mean, n_resamples=stats.RESAMPLES, method="BCa", rng=np.random.default_rng(stats.BOOTSTRAP_SEED)
    ).confidence_interval
    assert found == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert stats.bootstrap([[0.0] * 9, sample, [*sample, 1.0]])[1] == found  # whatever is resampled beside it


def test_bootstrap_needs_enough_seeds_and_takes_constants():
    assert stats.bootstrap([[0.1] * 7, [0.25] * 8]) == [None, (0.25, 0.25)]


def test_pairs_are_formed_by_seed():
    a, b = {0: 0.5, 1: 0.6, 2: 0.7, 9: 0.0}, {2: 0.65, 1: 0.56, 0: 0.47, 8: 1.0}
    pair = stats.compare(a, b)  # differences 0.03, 0.04, 0.05: mean 0.04, sd 0.01, t = 0.04 / (0.01 / sqrt 3) = 6.928
    assert pair.n == 3
    assert pair.difference == pytest.approx(0.04)
    assert pair.half == pytest.approx(4.30265 * 0.01 / math.sqrt(3), rel=1e-4)
    assert pair.p == pytest.approx(0.0202, abs=1e-4)
    assert stats.compare({0: 1.0}, {1: 1.0}) is None


def test_p_is_that_of_scipy():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 1, 12), rng.normal(0.4, 1, 12)
    assert stats.compare(seeds(*a), seeds(*b)).p == pytest.approx(scipy_stats.ttest_rel(a, b).pvalue, rel=1e-10)


def test_equal_differences_are_certain():
    assert stats.compare(seeds(0.5, 0.25, 0.75), seeds(0.5, 0.25, 0.75)).p == 1
    assert stats.compare(seeds(0.75, 0.5, 1.0), seeds(0.5, 0.25, 0.75)).p == 0


def test_probability_of_improvement_by_hand():
    # of nine pairs of runs 3 > 2, 3 > 1, 2 > 1 and 4 > all three win: with 2 = 2 and 3 = 3 absent, ties count half
    assert stats.probability_of_improvement([1, 3], [2, 0]) == 0.75
    assert stats.probability_of_improvement([1, 2], [1, 2]) == 0.5
    a, b = [0.3, 0.5, 0.5, 0.9], [0.4, 0.5, 0.1]
    assert stats.probability_of_improvement(a, b) == pytest.approx(scipy_stats.mannwhitneyu(a, b).statistic / 12)


def test_holm_by_hand():
    # sorted .01 .02 .03 .04, times 4 3 2 1: .04 .06 .06 .04, made monotonic: .04 .06 .06 .06
    assert stats.holm([0.02, 0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.06, 0.04, 0.06])
    assert stats.holm([0.9, 0.8]) == [1.0, 1.0]
    assert stats.holm([]) == []


def test_wilson_by_hand():
    # p = 0.9, n = 100, z = 1.96: centre (0.9 + z^2/200) / (1 + z^2/100) = 0.8852, half 0.0597
    found = stats.wilson(0.9, 100)
    assert found.low == pytest.approx(0.8256, abs=1e-4)
    assert found.high == pytest.approx(0.9448, abs=1e-4)


def test_standings():
    wave = [0.0, 0.01, -0.01, 0.02]
    methods = {
        "best": seeds(*(0.80 + w for w in wave)),
        "close": seeds(*(0.795 - w for w in wave)),
        "last": seeds(*(0.5 + w for w in wave)),
        "young": seeds(0.9, 0.9),
    }
    found = stats.standings(methods)
    assert set(found) == {"best", "close", "last"}
    assert found["best"] == stats.Standing(rank=1, best=1, worst=2, top=True)
    assert found["close"] == stats.Standing(rank=2, best=1, worst=2, top=True)
    assert found["last"] == stats.Standing(rank=3, best=3, worst=3, top=False)


def test_correction_matters():
    """One p of 0.03 is significant by itself, and not among many rivals."""
    rng = np.random.default_rng(1)
    best = 0.8 + rng.normal(0, 0.01, 6)
    noise = rng.normal(0, 1, 6)
    noise = (noise - noise.mean()) / noise.std(ddof=1)
    t = scipy_stats.t.isf(0.03 / 2, 5)
    rival = best - 0.01 * (noise + t / math.sqrt(6))
    assert stats.compare(seeds(*best), seeds(*rival)).p == pytest.approx(0.03)
    assert not stats.standings({"best": seeds(*best), "rival": seeds(*rival)})["rival"].top
    crowd = {f"rival {i}": seeds(*rival) for i in range(5)}
    assert all(standing.top for standing in stats.standings({"best": seeds(*best)} | crowd).values())
