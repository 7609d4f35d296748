"""Bootstrap intervals against SciPy's, and what must always hold."""

import numpy as np
import pytest
from scipy import stats

from nearid_cli.metrics import RESAMPLES, mean_ci95
from nearid_cli.metrics.intervals import _resample_counts


@pytest.mark.parametrize("n", [5, 20, 300])
def test_agrees_with_scipy(n):
    values = np.random.default_rng(n).beta(8, 2, size=(n, 1))
    expected = stats.bootstrap(
        (values[:, 0],),
        np.mean,
        n_resamples=50_000,
        method="percentile",
        batch=1000,
        rng=np.random.default_rng(1),
    ).confidence_interval
    # An end found from 2,000 resamples is off by 0.06 standard errors (one sigma); five sigma are allowed.
    tolerance = 5 * 0.06 * values.std(ddof=1) / np.sqrt(n)
    np.testing.assert_allclose(mean_ci95(values)[0], [expected.low, expected.high], rtol=0, atol=tolerance)


def test_the_ends_are_exact_where_all_resamples_can_be_listed():
    # Of the 27 resamples of three values one is all the lowest: 3.7 %, so the 2.5th percentile is that value.
    assert mean_ci95([[0.0], [1.0], [5.0]]).tolist() == [[0.0, 5.0]]


def test_columns_are_independent_and_order_does_not_matter():
    values = np.random.default_rng(0).random((12, 4))
    together = mean_ci95(values)
    for column in range(4):
        np.testing.assert_allclose(mean_ci95(values[::-1, [column]])[0], together[column], rtol=1e-13)


def test_a_constant_has_an_interval_without_width():
    assert (mean_ci95(np.full((7, 2), 0.1)) == 0.1).all()


@pytest.mark.parametrize("n", [0, 1, 2])
def test_too_few_values_have_no_interval(n):
    ends = mean_ci95(np.zeros((n, 3)))
    assert ends.shape == (3, 2)
    assert np.isnan(ends).all()


def test_needs_columns():
    with pytest.raises(ValueError, match=r"`values` to be an array \[n, k\] but got shape \(3,\)"):
        mean_ci95([1.0, 2.0, 3.0])


@pytest.mark.parametrize("n", [3, 300, 5000])
def test_resamples_draw_n_of_n(n):
    counts = _resample_counts(n)
    assert counts.shape == (RESAMPLES, n)
    assert (counts.sum(axis=1, dtype=np.int64) == n).all()
    # Each value is drawn once a resample on average, and its count varies as a binomial's does.
    assert counts.mean(dtype=np.float64) == 1
    assert counts.var(dtype=np.float64) == pytest.approx(1 - 1 / n, rel=0.05)
    np.testing.assert_array_equal(_resample_counts.__wrapped__(n), counts)
