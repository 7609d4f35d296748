"""Rank correlations against SciPy's and a count of all pairs, and what must always hold."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nearid_cli.metrics.agreement import kendall, rank_shares, spearman

CORRELATIONS = [kendall, spearman]
each_correlation = pytest.mark.parametrize("correlation", CORRELATIONS)


@st.composite
def two_ratings(draw, least=3):
    """Two lists of numbers, with many ties."""
    n = draw(st.integers(least, 40))
    kinds = st.integers(0, 5) | st.floats(-1, 1).map(lambda value: round(value, 3))
    return tuple(np.array(draw(st.lists(kinds, min_size=n, max_size=n)), dtype=float) for _ in range(2))


def tau_b_by_pairs(a, b):
    def sign(first, second):
        return int(first > second) - int(first < second)

    signs = [(sign(a[i], a[j]), sign(b[i], b[j])) for i, j in itertools.combinations(range(len(a)), 2)]
    untied = math.sqrt(sum(s != 0 for s, _ in signs)) * math.sqrt(sum(t != 0 for _, t in signs))
    return sum(s * t for s, t in signs) / untied if untied else None


@given(two_ratings())
def test_kendall_is_what_all_pairs_give(ratings):
    assert kendall(*ratings) == pytest.approx(tau_b_by_pairs(*ratings), abs=1e-12)


@pytest.mark.parametrize("kinds", [2, 7, 100, 10**9])
@pytest.mark.parametrize("n", [3, 4, 31, 64, 65, 1000])
def test_agree_with_scipy(n, kinds):
    random = np.random.default_rng(n)
    a = random.integers(kinds, size=n)
    b = random.integers(kinds, size=n) + a // 2
    a[:2], b[:2] = (0, 1), (0, 1)  # never all equal
    assert kendall(a, b) == pytest.approx(float(stats.kendalltau(a, b, variant="b").statistic), abs=1e-12)
    assert spearman(a, b) == pytest.approx(float(stats.spearmanr(a, b).statistic), abs=1e-12)


@each_correlation
@given(two_ratings(), st.randoms(use_true_random=False))
def test_order_monotone_transforms_and_exchange_do_not_matter(correlation, ratings, random):
    a, b = ratings
    expected = correlation(a, b)
    order = list(range(len(a)))
    random.shuffle(order)
    close = pytest.approx(expected, abs=1e-12)
    assert correlation(a[order], b[order]) == close
    assert correlation(b, a) == close
    assert correlation(np.exp(a), 3 * b - 7) == close
    if expected is not None:
        assert -1 <= expected <= 1
        assert correlation(-a, b) == pytest.approx(-expected, abs=1e-12)


@each_correlation
@given(two_ratings())
def test_the_same_order_is_one_and_the_opposite_minus_one(correlation, ratings):
    a, _ = ratings
    expected = 1.0 if len(set(a)) > 1 else None
    assert correlation(a, a) == expected
    assert correlation(a, -a) == (-expected if expected else None)


@each_correlation
def test_say_nothing_of_two_things_or_where_all_are_alike(correlation):
    assert correlation([], []) is None
    assert correlation([1, 2], [1, 2]) is None
    assert correlation([1, 2, 3], [5, 5, 5]) is None
    assert correlation([5, 5, 5], [1, 2, 3]) is None
    assert correlation([1, 2, 2], [1, 2, 2]) == 1


@each_correlation
@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ([1, 2, 3], [1, 2], r"`b` to have the length of `a`, 3, but got 2"),
        ([1, 2, math.nan], [1, 2, 3], r"`a` to be finite but got 1 that are not, first nan"),
        ([1, 2, 3], [math.inf, 2, math.inf], r"`b` to be finite but got 2 that are not, first inf"),
        ([[1, 2, 3]], [1, 2, 3], r"`a` to be an array \[n\] of numbers but got int64 of shape \(1, 3\)"),
        ([1, 2, 3], ["1", "2", "3"], r"`b` to be an array \[n\] of numbers but got <U1 of shape \(3,\)"),
        ([1, 2, None], [1, 2, 3], r"`a` to be an array \[n\] of numbers but got object of shape \(3,\)"),
    ],
)
def test_correlations_need_two_lists_of_numbers(correlation, a, b, message):
    with pytest.raises(ValueError, match=message):
        correlation(a, b)


def test_kendall_does_not_go_over_all_pairs():
    random = np.random.default_rng(0)
    a, b = random.random((2, 300_000))  # 45 billion pairs
    assert abs(kendall(a, b)) < 0.01


@given(st.lists(st.integers(-4, 4) | st.floats(-1, 1), min_size=2, max_size=40))
def test_shares_are_ranks_from_0_to_1(values):
    expected = (stats.rankdata(values, method="average") - 1) / (len(values) - 1)
    shares = rank_shares(values)
    np.testing.assert_allclose(shares, expected, atol=1e-15)
    assert shares.mean() == pytest.approx(0.5)
    np.testing.assert_allclose(rank_shares(-np.array(values, dtype=float)), 1 - shares, atol=1e-15)


def test_shares_at_the_edges():
    assert rank_shares([]).tolist() == []
    assert rank_shares([0.3]).tolist() == [0.5]
    assert rank_shares([0.3, 0.3, 0.3]).tolist() == [0.5, 0.5, 0.5]
    with pytest.raises(ValueError, match="`values` to be finite"):
        rank_shares([0.3, math.nan])
