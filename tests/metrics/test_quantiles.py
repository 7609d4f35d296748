"""Student's t and the beta distribution against SciPy's, and what must always hold."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nearid_cli.metrics.quantiles import _beta_share, beta_quantile, t_quantile, t_tails


@pytest.mark.parametrize("df", [1, 2, 3, 4, 5, 6, 7, 10, 11, 29, 149, 1000, 20_001])
@pytest.mark.parametrize("p", [0.0001, 0.001, 0.025, 0.2, 0.4999, 0.51, 0.8, 0.95, 0.975, 0.995, 0.9999])
def test_agrees_with_scipy(p, df):
    assert t_quantile(p, df) == pytest.approx(float(stats.t.ppf(p, df)), rel=1e-9)


@given(st.floats(1e-6, 1 - 1e-6), st.integers(1, 300))
def test_is_the_inverse_of_the_distribution(p, df):
    assert float(stats.t.cdf(t_quantile(p, df), df)) == pytest.approx(p, rel=1e-9, abs=1e-12)


@given(st.floats(0.5, 0.999), st.integers(1, 300))
def test_mirrors_at_one_half(p, df):
    assert t_quantile(1 - p, df) == pytest.approx(-t_quantile(p, df), rel=1e-9, abs=1e-12)


def test_is_zero_at_one_half_and_near_the_normal_quantile_for_many():
    assert t_quantile(0.5, 7) == 0
    assert t_quantile(0.975, 100_000) == pytest.approx(1.959964, abs=5e-5)


@pytest.mark.parametrize("p", [0, 1, -0.1, 1.5, math.nan])
def test_needs_a_share(p):
    with pytest.raises(ValueError, match=r"Expected argument `p` to be above 0 and below 1 but got"):
        t_quantile(p, 5)


@pytest.mark.parametrize("df", [0, -1, 2.5, math.nan])
def test_needs_whole_degrees_of_freedom(df):
    with pytest.raises(ValueError, match=r"Expected argument `df` to be a whole number from 1 but got"):
        t_quantile(0.9, df)


@pytest.mark.parametrize("df", [1, 2, 5, 10, 149])
@pytest.mark.parametrize("t", [0.0, 0.3, -1.5, 4.0, 60.0])
def test_tails_are_scipys(t, df):
    assert t_tails(t, df) == pytest.approx(2 * float(stats.t.sf(abs(t), df)), abs=1e-14)


@given(st.floats(1e-4, 1 - 1e-4), st.floats(0.05, 3000), st.floats(0.05, 3000))
@settings(max_examples=60)
def test_beta_quantiles_are_scipys(p, a, b):
    assert beta_quantile(p, a, b) == pytest.approx(float(stats.beta.ppf(p, a, b)), abs=1e-9)


def test_where_both_sides_are_the_slow_one_by_rounding():
    """Then each handed the share to the other, for ever."""
    x, a, b = 0.3458141632746539, 9.532460456169856, 18.92453516377161
    assert _beta_share(x, a, b) == pytest.approx(float(stats.beta.cdf(x, a, b)), abs=1e-12)


@pytest.mark.parametrize("arguments", [(0, 1, 1), (1, 1, 1), (0.5, 0, 1), (0.5, 1, -1), (math.nan, 1, 1)])
def test_beta_quantiles_need_a_share_and_two_shapes(arguments):
    with pytest.raises(ValueError, match="Expected 0 < p < 1 and a and b above 0 but got p = "):
        beta_quantile(*arguments)
