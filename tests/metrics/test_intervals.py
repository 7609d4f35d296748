"""Intervals of means and ratios against other ways to compute them, and what must always hold."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from nearid_cli.metrics.intervals import (
    mean_interval,
    mean_intervals,
    ratio_interval,
    studentised_test,
)
from nearid_cli.metrics.units import contributions

differences = st.floats(-0.5, 0.5).map(lambda value: round(value, 3))


def halls(values, confidence):
    """Hall's interval by solving for the ends, with SciPy's moments and quantiles."""
    n = len(values)
    half = stats.t.ppf((1 + confidence) / 2, n - 1) / math.sqrt(n)
    most = optimize.brentq(lambda a: a * (half + a / (6 * n)) - 0.98, 0, 1000)
    skewness = float(np.clip(stats.skew(values, bias=False), -most, most))

    def beyond(mu, end):
        u = (values.mean() - mu) / values.std(ddof=1)
        return u + skewness * u**2 / 3 + skewness**2 * u**3 / 27 + skewness / (6 * n) - end

    far = 1000 * values.std(ddof=1)
    return [
        optimize.brentq(beyond, values.mean() - far, values.mean() + far, args=(end,), xtol=1e-13)
        for end in (half, -half)
    ]


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.98])
@pytest.mark.parametrize("n", [3, 5, 8, 25, 200])
def test_is_students_or_halls_whichever_is_farther_out(n, confidence):
    values = np.random.default_rng(n).gamma(2, size=n)
    student = stats.t.interval(confidence, n - 1, values.mean(), stats.sem(values))
    hall = halls(values, confidence)
    assert hall[1] > student[1]  # on the long side
    expected = min(student[0], hall[0]), max(student[1], hall[1])
    assert mean_interval(values, confidence) == pytest.approx(expected, rel=1e-9)
    assert mean_interval(-values, confidence) == pytest.approx((-expected[1], -expected[0]), rel=1e-9)


def test_one_outlier_does_not_carry_an_end_away():
    for n in (4, 8, 30):
        for confidence in (0.9, 0.95, 0.99):
            values = np.zeros(n)
            values[0] = 1.0
            student = stats.t.interval(confidence, n - 1, values.mean(), stats.sem(values))
            low, high = mean_interval(values, confidence)
            assert low == pytest.approx(student[0], rel=1e-9)
            assert 1 < (high - 1 / n) / (student[1] - 1 / n) < 2.4


def test_without_skewness_it_is_students():
    values = np.array([-3.0, -1.0, 0.0, 1.0, 3.0])
    assert mean_interval(values) == pytest.approx(stats.t.interval(0.95, 4, 0, stats.sem(values)), rel=1e-9)


@given(
    st.lists(differences, min_size=3, max_size=25),
    st.sampled_from([0.5, 0.9, 0.95, 0.98]),
    st.randoms(use_true_random=False),
)
@settings(max_examples=60)
def test_moves_with_the_values(values, confidence, random):
    low, high = mean_interval(values, confidence)
    array = np.array(values)
    assert low <= array.mean() + 1e-15
    assert array.mean() <= high + 1e-15
    random.shuffle(values)
    assert mean_interval(values, confidence) == (low, high)
    assert mean_interval(-array, confidence) == pytest.approx((-high, -low), abs=1e-9)
    assert mean_interval(3 * array + 1, confidence) == pytest.approx((3 * low + 1, 3 * high + 1), abs=1e-9)


def test_more_confidence_is_a_wider_interval():
    for n in (3, 8, 40):
        values = np.random.default_rng(n).gamma(4, size=n)
        ends = np.array([mean_interval(values, c) for c in (0.01, 0.5, 0.9, 0.95, 0.98, 0.998)])
        assert (np.diff(ends[:, 0]) < 0).all()
        assert (np.diff(ends[:, 1]) > 0).all()


def test_columns_are_independent():
    values = np.random.default_rng(0).random((12, 4))
    together = mean_intervals(values)
    assert together.shape == (4, 2)
    for column in range(4):
        assert tuple(together[column]) == pytest.approx(mean_interval(values[::-1, column]), rel=1e-12)


def test_a_constant_has_an_interval_without_width():
    assert mean_interval([0.1] * 7) == (0.1, 0.1)
    assert (mean_intervals(np.zeros((40, 2))) == 0).all()
    assert studentised_test([0.1] * 7) == 0
    assert studentised_test([0.0] * 7) == 1


@pytest.mark.parametrize("n", [0, 1, 2])
def test_too_few_values_have_no_interval(n):
    assert mean_interval([0.1] * n) is None
    assert ratio_interval([0.1] * n, [0.2] * n) is None
    assert studentised_test([0.1] * n) == 1
    ends = mean_intervals(np.zeros((n, 3)))
    assert ends.shape == (3, 2)
    assert np.isnan(ends).all()


@pytest.mark.parametrize("confidence", [0, 1, -0.5, 95, math.nan])
def test_needs_a_confidence(confidence):
    with pytest.raises(ValueError, match="`confidence` to be above 0 and below 1 but got"):
        mean_interval([0.1, 0.2, 0.3], confidence)


def test_needs_finite_values_and_columns():
    with pytest.raises(ValueError, match="`values` to be finite"):
        mean_interval([0.1, 0.2, math.inf])
    with pytest.raises(ValueError, match=r"`values` to be an array \[n, k\] but got shape \(3,\)"):
        mean_intervals([0.1, 0.2, 0.3])
    with pytest.raises(ValueError, match="`denominators` to have the length of `numerators`, 3, but got 2"):
        ratio_interval([0.1, 0.2, 0.3], [0.1, 0.2])


# The test


@given(st.lists(differences, min_size=3, max_size=20), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_p_is_below_the_level_where_the_interval_leaves_out_zero(deltas, confidence):
    low, high = mean_interval(deltas, confidence)
    p = studentised_test(deltas)
    if abs(p - (1 - confidence)) > 1e-9:
        assert (p < 1 - confidence) == (low > 0 or high < 0)


@pytest.mark.parametrize("n", [5, 9, 30])
def test_is_never_more_sure_than_students_test(n):
    deltas = np.random.default_rng(n).normal(0.5, 1, size=n)
    assert studentised_test(deltas) >= stats.ttest_1samp(deltas, 0).pvalue - 1e-12
    assert studentised_test(-deltas) == pytest.approx(studentised_test(deltas), rel=1e-9)


# Clusters


def test_contributions_have_the_mean_and_the_error_of_the_clustered_mean():
    random = np.random.default_rng(4)
    clusters = random.integers(5, size=40)
    values = random.normal(size=40) + clusters
    found = contributions(values, clusters)
    assert found.mean() == pytest.approx(values.mean(), rel=1e-12)
    # The sandwich estimate of a regression on a constant, with the usual C / (C - 1).
    residuals = [(values - values.mean())[clusters == c].sum() for c in range(5)]
    error = math.sqrt(5 / 4 * np.square(residuals).sum()) / 40
    assert stats.sem(found) == pytest.approx(error, rel=1e-12)


def test_clusters_of_one_size_contribute_their_means():
    assert contributions([1.0, 3.0, 5.0, 7.0], ["b", "a", "b", "a"]).tolist() == [5.0, 3.0]
    assert contributions([0.2, 0.4, 0.9], [3, 1, 2]).tolist() == pytest.approx([0.4, 0.9, 0.2])


# Ratios


@pytest.mark.parametrize("n", [4, 8, 30])
def test_without_skewness_it_is_fiellers(n):
    """Symmetric pairs, so that every x - R y has no skewness and Student's interval is the one inverted."""
    random = np.random.default_rng(n)
    x, y = random.normal(0, 0.05, size=(2, n))
    x, y = 0.4 + np.concatenate([x, -x]), 0.6 + np.concatenate([y, -y])
    t = stats.t.ppf(0.975, 2 * n - 1)
    cov = np.cov(x, y) / (2 * n)
    a, b, c = (
        y.mean() ** 2 - t**2 * cov[1, 1],
        x.mean() * y.mean() - t**2 * cov[0, 1],
        x.mean() ** 2 - t**2 * cov[0, 0],
    )
    half = math.sqrt(b**2 - a * c)
    assert ratio_interval(x, y) == pytest.approx(((b - half) / a, (b + half) / a), rel=1e-9)


def test_both_ends_are_where_zero_just_belongs():
    random = np.random.default_rng(1)
    x, y = np.add(random.gamma(3, 0.1, size=(2, 9)), [[0.1], [0.3]])
    for end, index in zip(ratio_interval(x, y), (0, 1), strict=True):
        assert mean_interval(x - end * y)[index] == pytest.approx(0, abs=1e-9)
    assert ratio_interval(-2 * x, y) == pytest.approx(
        [-2 * end for end in ratio_interval(x, y)[::-1]], rel=1e-6
    )
    assert ratio_interval(-x, -y) == pytest.approx(ratio_interval(x, y), rel=1e-9)


def test_a_denominator_that_may_be_zero_has_no_interval():
    assert ratio_interval([0.1, 0.2, 0.3, 0.2], [0.1, -0.1, 0.2, 0.0]) is None


def test_a_constant_ratio_has_an_interval_without_width():
    low, high = ratio_interval([0.3, 0.4, 0.5, 0.4], [0.6, 0.8, 1.0, 0.8])
    assert low == pytest.approx(high) == pytest.approx(0.5)
