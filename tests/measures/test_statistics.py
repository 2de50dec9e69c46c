"""Intervals and tests against scipy, closed forms and simulated coverage."""

import numpy as np
import pytest
from scipy import stats as scipy_stats
from statsmodels.stats.multitest import multipletests

from weightspace.measures import statistics as stats
from weightspace.measures.statistics import compare_paired, holm, mean_interval, prediction_interval


def test_mean_interval_is_students():
    x = np.array([3.0, 5.0, 4.0, 8.0, 1.0])
    expected = scipy_stats.ttest_1samp(x, 0).confidence_interval(0.95)
    mean, low, high = mean_interval(x)
    assert mean == pytest.approx(4.2)
    assert (low, high) == pytest.approx((expected.low, expected.high))
    assert np.isnan(mean_interval([1.0])[1:]).all()


@pytest.mark.parametrize("log", [True, False])
def test_prediction_interval_covers_one_more_draw(log):
    rng = np.random.default_rng(0)
    draws = rng.normal(size=(4000, 21))
    if log:
        draws = np.exp(draws)
    inside = [low <= row[-1] <= high for row in draws for low, high in [prediction_interval(row[:-1], log=log)]]
    assert abs(np.mean(inside) - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 4000)


def test_compare_paired_against_scipy_on_logarithms():
    rng = np.random.default_rng(1)
    b = rng.lognormal(size=12)
    a = b * rng.lognormal(-0.3, 0.2, 12)
    result = compare_paired(a, b)
    expected = scipy_stats.ttest_rel(np.log(a), np.log(b))
    interval = expected.confidence_interval()
    assert result.n == 12
    assert result.p == pytest.approx(expected.pvalue)
    assert (result.low, result.high) == pytest.approx((np.exp(interval.low), np.exp(interval.high)))
    assert result.ratio == pytest.approx(scipy_stats.gmean(a / b))
    assert result.effect_size == pytest.approx(expected.statistic / np.sqrt(12))
    swapped = compare_paired(b, a)
    assert swapped.ratio == pytest.approx(1 / result.ratio) and swapped.p == pytest.approx(result.p)


def test_constant_ratios():
    assert compare_paired([1, 2, 4], [1, 2, 4]).p == 1
    exact = compare_paired([2, 4, 8], [1, 2, 4])
    assert exact.ratio == pytest.approx(2) and exact.p == 0 and exact.effect_size == np.inf


@pytest.mark.parametrize("number", [1, 2, 7, 40])
def test_holm_is_that_of_statsmodels(number):
    p = np.random.default_rng(number).random(number) ** 3
    p[number // 2 :] = p[number // 2]  # ties
    np.testing.assert_array_equal(holm(p), multipletests(p, method="holm")[1])


def test_holm_by_hand():
    # sorted 0.01, 0.02, 0.04: times 3, 2, 1, then made monotone
    np.testing.assert_allclose(holm([0.04, 0.01, 0.02]), [0.04, 0.03, 0.04])
    assert holm([]).size == 0
    np.testing.assert_allclose(holm([np.nan, 0.02, 0.01]), [np.nan, 0.02, 0.02])  # a family of two


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ([1, 2], [1, 2], "at least three"),
        ([1, 2, 3], [1, 2], "at least three"),
        ([1, 2, 0], [1, 2, 3], "positive"),
        ([1, 2, np.nan], [1, 2, 3], "finite values, got 1"),
    ],
)
def test_bad_input_is_named(a, b, message):
    with pytest.raises(ValueError, match=message):
        compare_paired(a, b)


def test_clusters_are_drawn_whole():
    """Values that repeat within their cluster are worth as much as one value per cluster; single ones as themselves."""
    rng = np.random.default_rng(0)
    values = rng.standard_normal(40)
    low, high = stats.cluster_interval(values, np.arange(40))
    assert high - low == pytest.approx(2 * 1.96 * values.std() / np.sqrt(40), rel=0.1)
    again = stats.cluster_interval(np.repeat(values, 7), np.repeat(np.arange(40), 7))
    assert again == pytest.approx((low, high))
    assert np.isnan(stats.cluster_interval(values, np.zeros(40))).all()


@pytest.mark.parametrize("n", [5, 20])
def test_a_reach_is_found_with_the_power_that_it_has(n):
    half = scipy_stats.t(n - 1).ppf(0.975) / np.sqrt(n)  # of the interval, for a standard deviation of 1
    noise = np.random.default_rng(0).standard_normal((4000, n))
    found = scipy_stats.ttest_1samp(noise + stats.reach(-half, half, df=n - 1), 0, axis=1).pvalue < 0.05
    assert found.mean() == pytest.approx(stats.POWER, abs=0.04)


def test_a_reach_does_not_depend_on_the_level_of_the_interval():
    wide, narrow = (scipy_stats.norm.ppf(q) for q in (0.995, 0.975))
    assert stats.reach(-wide, wide, level=0.99) == pytest.approx(stats.reach(-narrow, narrow))


def test_the_reach_of_a_rank_correlation_is_found_with_its_power():
    n, rng = 11, np.random.default_rng(0)
    rank = stats.rank_reach(n)
    pearson = 2 * np.sin(np.pi * rank / 6)  # of a normal pair with this rank correlation
    pairs = rng.multivariate_normal([0, 0], [[1, pearson], [pearson, 1]], (1500, n))
    found = np.mean([scipy_stats.spearmanr(*pair.T).pvalue < 0.05 for pair in pairs])
    assert found == pytest.approx(stats.POWER, abs=0.06)
    assert np.isnan(stats.rank_reach(3))
