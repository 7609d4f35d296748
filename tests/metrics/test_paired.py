"""Paired statistics against SciPy's, against their definitions, and by simulation."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nearid_cli.metrics.paired import (
    SIGN_DRAWS,
    SignFlip,
    detectable_difference,
    holm,
    max_sign_flip,
    sign_flip_test,
    wins_ties_losses,
)

differences = st.floats(-0.5, 0.5).map(lambda value: round(value, 3))
p_values = st.lists(st.floats(0, 1) | st.sampled_from([0.01, 0.04, 0.5]), max_size=8)


def drawn(shape, kind, seed):
    """Differences with mean 0 and standard deviation 1."""
    random = np.random.default_rng(seed)
    if kind == "normal":
        return random.normal(size=shape)
    if kind == "laplace":
        return random.laplace(scale=math.sqrt(0.5), size=shape)
    if kind == "uniform":
        return random.uniform(-math.sqrt(3), math.sqrt(3), size=shape)
    assert kind == "skewed"
    return random.gamma(4, 0.5, size=shape) - 2  # skewness 1


# Sign flips


@pytest.mark.parametrize("shift", [0, 0.5, 1])
@pytest.mark.parametrize("n", [2, 5, 6, 9, 12])
def test_exact_p_is_scipys(n, shift):
    deltas = drawn(n, "normal", n) + shift
    expected = _scipys_sign_flips(deltas)
    assert sign_flip_test(deltas) == SignFlip(pytest.approx(expected, rel=1e-12), exact=True)


def _scipys_sign_flips(deltas):
    return stats.permutation_test(
        (deltas,),
        lambda sample, axis: np.abs(sample.mean(axis=axis)),
        permutation_type="samples",
        alternative="greater",
        n_resamples=np.inf,
        vectorized=True,
    ).pvalue


@pytest.mark.parametrize("shift", [0, 0.4, 0.8])
def test_random_p_is_near_the_exact_one(shift):
    deltas = drawn(14, "normal", 3) + shift
    expected = _scipys_sign_flips(deltas)
    found = sign_flip_test(deltas)
    assert not found.exact
    assert found.p == pytest.approx(expected, abs=5 * math.sqrt(expected * (1 - expected) / SIGN_DRAWS))


def test_the_smallest_p():
    assert sign_flip_test([0.01]) == SignFlip(1, exact=True)
    assert sign_flip_test([0.01] * 12) == SignFlip(2 / 2**12, exact=True)
    assert sign_flip_test(np.linspace(0.1, 0.2, 200)) == SignFlip(1 / (1 + SIGN_DRAWS), exact=False)


def test_no_difference_is_no_evidence():
    for n in (1, 5, 12, 13, 40):
        assert sign_flip_test(np.zeros(n)).p == 1
        assert sign_flip_test(np.full(n, 1e-16)).p == 1  # what rounding leaves is no difference


def test_equal_means_are_hits_whatever_their_rounding():
    # 0.1 + 0.2 - 0.3 is not quite 0: every sign vector is at least as far from it.
    assert sign_flip_test([0.1, 0.2, -0.3]).p == 1
    # The 2 vectors of all the same sign, and the 2 that flip the 0 as well.
    assert sign_flip_test([0.1, 0.0, 0.7, 0.3]).p == 4 / 16


@given(st.lists(differences, min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_order_and_which_method_comes_first_do_not_matter(deltas, random):
    found = sign_flip_test(deltas)
    assert 0 < found.p <= 1
    assert found.exact == (len(deltas) <= 12)
    assert sign_flip_test([-delta for delta in deltas]) == found
    random.shuffle(deltas)
    assert sign_flip_test(deltas) == found


@given(st.lists(differences, min_size=6, max_size=6))
@settings(max_examples=30)
def test_the_exact_test_keeps_every_level(deltas):
    """Where only chance decides the signs, p <= level happens in at most that share of the cases."""
    found = [sign_flip_test(np.multiply(signs, deltas)).p for signs in itertools.product((1, -1), repeat=6)]
    for level in np.unique(found):
        assert np.mean(np.array(found) <= level) <= level


@pytest.mark.parametrize(
    ("kind", "n", "sets"),
    [
        ("normal", 6, 2000),
        ("laplace", 6, 2000),
        ("normal", 10, 2000),
        ("uniform", 10, 2000),
        ("normal", 20, 800),
        ("laplace", 20, 800),
        ("normal", 60, 400),
    ],
)
def test_false_positives_are_at_most_five_percent(kind, n, sets):
    found = np.array([sign_flip_test(deltas).p for deltas in drawn((sets, n), kind, n)])
    assert (found <= 0.05).mean() <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / sets)


@pytest.mark.parametrize(
    ("deltas", "message"),
    [
        ([], "`deltas` to hold at least one difference but got none"),
        ([0.1, math.nan], "`deltas` to be finite but got 1 that are not, first nan"),
        ([[0.1], [0.2]], r"`deltas` to be an array \[n\] of numbers but got float64 of shape \(2, 1\)"),
        ([0.1, None], r"`deltas` to be an array \[n\] of numbers but got object of shape \(2,\)"),
        (0.1, r"`deltas` to be an array \[n\] of numbers but got float64 of shape \(\)"),
    ],
)
def test_needs_a_list_of_differences(deltas, message):
    with pytest.raises(ValueError, match=message):
        sign_flip_test(deltas)


# Holm


def holm_rejects(p_values, level):
    """Holm's procedure as he gives it: reject from the smallest p on while p <= level / (how many are left)."""
    rejected = set()
    for left, index in zip(
        range(len(p_values), 0, -1), sorted(range(len(p_values)), key=p_values.__getitem__), strict=True
    ):
        if p_values[index] * left > level:
            break
        rejected.add(index)
    return rejected


@given(p_values)
def test_an_adjusted_p_is_the_smallest_level_that_holm_rejects_at(values):
    adjusted = holm(values)
    for index, level in enumerate(adjusted):
        if level < 1:
            assert index in holm_rejects(values, level)
        assert index not in holm_rejects(values, level * (1 - 1e-9) - 1e-300)


@given(p_values, st.randoms(use_true_random=False))
def test_holm_keeps_the_order_and_never_lowers(values, random):
    adjusted = holm(values)
    assert all(p <= q <= 1 for p, q in zip(values, adjusted, strict=True))
    ranked = sorted(zip(values, adjusted, strict=True))
    assert [q for _, q in ranked] == sorted(adjusted)
    shuffled = random.sample(range(len(values)), len(values))
    assert holm([values[index] for index in shuffled]) == [adjusted[index] for index in shuffled]
    if values:  # as strict as the false discovery rate's adjustment or stricter
        assert (np.array(adjusted) >= stats.false_discovery_control(values) - 1e-12).all()


def test_holm_of_few():
    assert holm([]) == []
    assert holm([0.03]) == [0.03]
    assert holm([0.5, 0.5, 0.9]) == [1.0, 1.0, 1.0]
    # By hand: 0.005 * 4, 0.01 * 3, max(0.03, 0.03 * 2), max(0.06, 0.04 * 1).
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@pytest.mark.parametrize("values", [[-0.1], [0.5, 1.1], [math.nan]])
def test_holm_needs_p_values(values):
    with pytest.raises(ValueError, match="Expected argument `p_values` to be"):
        holm(values)


# The largest of several comparisons


def worst_of_all_flips(columns):
    """The definition, sign vector by sign vector."""
    norms = np.sqrt((columns**2).sum(axis=0))
    largest = [
        (np.abs(np.multiply(signs, columns.T).sum(axis=1)) / norms).max()
        for signs in itertools.product((1, -1), repeat=len(columns))
    ]
    return [np.mean(np.array(largest) >= own - 1e-12) for own in np.abs(columns.sum(axis=0)) / norms]


@pytest.mark.parametrize("n", [3, 6, 9])
def test_max_sign_flip_is_its_definition(n):
    columns = np.add(drawn((n, 4), "skewed", n), [0, 0.3, 0.6, 1.2])
    assert max_sign_flip(columns) == pytest.approx(worst_of_all_flips(columns), rel=1e-12)


def test_one_comparison_is_the_sign_flip_test():
    for n in (5, 12):
        deltas = drawn(n, "normal", n) + 0.3
        assert max_sign_flip(deltas[:, None]) == [pytest.approx(sign_flip_test(deltas).p, rel=1e-12)]
    deltas = drawn(30, "normal", 30) + 0.3  # other random signs: five sigma of both
    p = sign_flip_test(deltas).p
    assert max_sign_flip(deltas[:, None]) == [pytest.approx(p, abs=7 * math.sqrt(p * (1 - p) / SIGN_DRAWS))]


def test_more_comparisons_never_lower_p_and_order_does_not_matter():
    for n in (8, 20):
        columns = np.add(drawn((n, 5), "laplace", n), [0, 0.2, 0.4, 0.8, 1.2])
        found = max_sign_flip(columns)
        slack = 1e-12 if n <= 12 else 7 * math.sqrt(0.25 / SIGN_DRAWS)
        assert all(p >= sign_flip_test(column).p - slack for p, column in zip(found, columns.T, strict=True))
        assert max_sign_flip(-columns[::-1, ::-1]) == found[::-1]
        assert all(p <= q + slack for p, q in zip(max_sign_flip(columns[:, :3]), found, strict=False))


def test_a_subject_that_a_comparison_lacks_takes_no_part_in_it():
    columns = drawn((9, 2), "normal", 5) + 0.5
    columns[6:, 1] = math.nan
    alone = worst_of_all_flips(np.nan_to_num(columns))
    assert max_sign_flip(columns) == pytest.approx(alone, rel=1e-12)


def test_no_difference_anywhere_is_no_evidence():
    assert max_sign_flip(np.zeros((7, 3))) == [1.0, 1.0, 1.0]
    assert max_sign_flip(np.column_stack([np.zeros(6), np.full(6, 0.1)])) == [1.0, 2 / 2**6]
    assert max_sign_flip(np.zeros((5, 0))) == []
    with pytest.raises(ValueError, match=r"`differences` to be an array \[n, k\] of finite numbers and NaN"):
        max_sign_flip([[math.inf]])


# Counts and power


@given(st.lists(differences))
def test_wins_and_losses_change_places_with_the_methods(deltas):
    wins, ties, losses = wins_ties_losses(deltas)
    assert (wins, ties, losses) == tuple(sum(np.sign(deltas) == sign) for sign in (1, 0, -1))
    assert wins_ties_losses(-np.array(deltas)) == (losses, ties, wins)


def test_ties_are_within_the_resolution():
    assert wins_ties_losses([]) == (0, 0, 0)
    assert wins_ties_losses([1e-9, -1e-9, 1.1e-9, -1.1e-9]) == (1, 2, 1)


@pytest.mark.parametrize("n", [6, 8, 20, 150])
def test_detectable_difference_is_its_formula(n):
    deltas = drawn(n, "skewed", n)
    quantiles = stats.t.ppf([0.975, 0.8], n - 1).sum()
    assert detectable_difference(deltas) == pytest.approx(quantiles * stats.sem(deltas), rel=1e-9)
    assert detectable_difference(deltas, power=0.9) > detectable_difference(deltas)
    assert detectable_difference(deltas, alpha=0.1) < detectable_difference(deltas)
    # What the t test with this spread would do, from the noncentral t distribution.
    distance, bar = detectable_difference(deltas) / stats.sem(deltas), stats.t.ppf(0.975, n - 1)
    assert stats.nct.sf(bar, n - 1, distance) == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize(
    ("n", "sets", "low", "high"),
    # The test of 6 subjects has no level nearer to 5 % than 3.1 %: it finds less than it should.
    [
        (6, 2000, 0.55, 0.70),
        (7, 2000, 0.69, 0.80),
        (8, 2000, 0.75, 0.85),
        (12, 1000, 0.75, 0.85),
        (20, 500, 0.75, 0.85),
    ],
)
@pytest.mark.parametrize("kind", ["normal", "laplace"])
def test_power_at_the_detectable_difference(n, sets, low, high, kind):
    two_points = np.sqrt((n - 1) / n) * np.resize([1.0, -1.0], n)  # a sample whose standard deviation is 1
    if n % 2:
        two_points = stats.zscore(np.arange(n), ddof=1)
    true = detectable_difference(two_points)
    found = np.mean([sign_flip_test(deltas + true).p <= 0.05 for deltas in drawn((sets, n), kind, n)])
    assert low <= found <= high


def test_too_few_subjects_detect_nothing():
    for n in range(6):
        assert detectable_difference([0.1, 0.3, 0.2, 0.5, 0.4][:n]) is None
        if n:
            assert sign_flip_test([0.1, 0.3, 0.2, 0.5, 0.4][:n]).p > 0.05
    assert detectable_difference([0.1, 0.3, 0.2, 0.5, 0.4], alpha=0.0625) > 0
    assert detectable_difference([0.1] * 6) == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"power": 0.4}, "`power` to be from 0.5 and below 1 but got 0.4"),
        ({"power": 1}, "`power` to be from 0.5 and below 1 but got 1"),
        ({"alpha": 0}, "`alpha` to be above 0 and below 1 but got 0"),
        ({"alpha": 5}, "`alpha` to be above 0 and below 1 but got 5"),
    ],
)
def test_detectable_difference_needs_shares(arguments, message):
    with pytest.raises(ValueError, match=message):
        detectable_difference([0.1, 0.2, 0.3], **arguments)
