"""Statistics against examples worked out by hand, and against SciPy where it has the same thing."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from bench.reporting import stats


def test_students_interval_by_hand():
    found = stats.interval([1, 2, 3, 4])  # sd = 1.2910, standard error 0.6455, t(0.975, 3) = 3.1824
    assert found.mean == 2.5 and found.n == 4
    assert found.half == pytest.approx(3.18245 * 1.29099 / 2, rel=1e-4)


@pytest.mark.parametrize("values", [[0.5], [0.5, 0.6]])
def test_nothing_is_claimed_below_three_seeds(values):
    assert stats.interval(values).half is None


def test_bootstrap_is_scipys_and_the_same_every_time():
    sample = [0.1, 0.4, 0.2, 0.9, 0.5, 0.3, 0.7, 0.6]
    (found,) = stats.bootstrap([sample])
    expected = scipy_stats.bootstrap(
        (sample,), np.mean, n_resamples=stats.RESAMPLES, method="BCa", rng=np.random.default_rng(stats.BOOTSTRAP_SEED)
    ).confidence_interval
    assert found == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert stats.bootstrap([[0.0] * 9, sample, [*sample, 1.0]])[1] == found  # whatever is resampled beside it


def test_differences_that_are_rounding_are_none():
    nearly = [1.0] * 7 + [float(np.nextafter(1.0, 0.0))]
    assert stats.bootstrap([nearly, [0.0] * 8]) == [stats.Ends(1.0, 1.0), stats.Ends(0.0, 0.0)]


def test_bootstrap_needs_enough_seeds_and_takes_constants():
    assert stats.bootstrap([[0.1] * 7, [0.25] * 8]) == [None, (0.25, 0.25)]


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


@pytest.mark.parametrize(("accuracy", "images"), [(0.0, 7), (1.0, 360), (0.9, 100), (0.123, 5000)])
def test_wilson_is_scipys(accuracy, images):
    theirs = scipy_stats.binomtest(round(accuracy * images), images).proportion_ci(0.95, method="wilson")
    assert stats.wilson(accuracy, images) == pytest.approx((theirs.low, theirs.high), abs=1e-14)
