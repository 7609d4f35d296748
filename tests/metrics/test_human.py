"""Agreement with people: parity with SciPy, and leaving subjects out and swapping them against doing it literally."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from nearid_cli.metrics.correlations import pearson, stand_ins
from nearid_cli.metrics.human import (
    Category,
    Rated,
    delta_test,
    fisher_z_mean,
    interval,
    left_out,
    swap_test,
)
from nearid_cli.metrics.intervals import mean_interval

VALUES = st.floats(-1e6, 1e6, allow_nan=False)


def block(seed: int, subjects: int = 6, methods: int = 3, each: int = 4, noise: float = 1.0) -> Category:
    random = np.random.default_rng(seed)
    of = np.repeat(np.arange(subjects), each)
    made = []
    for _ in range(methods):
        quality = random.normal(size=len(of))
        ratings = np.round(np.clip(2 + quality + random.normal(size=(2, len(of))), 0, 4))
        made.append(Rated(of, ratings, 60 + 7 * (quality + noise * random.normal(size=len(of)))))
    return Category(tuple(made), subjects)


def with_scores(one: Category, seed: int, noise: float = 0.7) -> Category:
    """The same pictures and ratings, scored by another metric."""
    random = np.random.default_rng(seed)
    return Category(
        tuple(
            Rated(
                rated.subjects,
                rated.ratings,
                rated.ratings.mean(0) + noise * random.normal(size=len(rated.scores)),
            )
            for rated in one.methods
        ),
        one.subjects,
    )


def published_mean(methods: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """Fisher-z mean over methods of the mean correlation with the groups, by SciPy."""
    rs = [
        np.mean([stats.pearsonr(group, scores).statistic for group in ratings]) for ratings, scores in methods
    ]
    return float(np.tanh(np.mean(np.arctanh(np.clip(rs, -0.9999, 0.9999)))))


@pytest.mark.parametrize("scale", [1e-200, 1e-9, 1.0, 1e9, 1e200])
@pytest.mark.parametrize("seed", range(3))
def test_pearson_is_that_of_scipy(seed: int, scale: float) -> None:
    random = np.random.default_rng(seed)
    x = random.integers(0, 5, 585)
    y = 0.3 * x + random.normal(size=585) + 70
    found = pearson(x, y * scale)
    assert found == pytest.approx(stats.pearsonr(x, y).statistic, abs=1e-9)


def test_pearson_far_from_zero_keeps_its_digits() -> None:
    x, y = np.arange(20.0), np.random.default_rng(0).normal(size=20)
    assert pearson(x + 1e7, y) == pytest.approx(pearson(x, y), abs=1e-9)


@given(hnp.arrays(np.float64, 8, elements=VALUES), hnp.arrays(np.float64, 8, elements=VALUES))
def test_pearson_lies_within_one_and_is_symmetric(x: np.ndarray, y: np.ndarray) -> None:
    found = pearson(x, y)
    if found is None:
        assert len(set(x)) == 1 or len(set(y)) == 1
    else:
        assert -1 <= found <= 1
        assert pearson(y, x) == pytest.approx(found, abs=1e-12)
        assert pearson(-x, y) == pytest.approx(-found, abs=1e-12)


@pytest.mark.parametrize(
    ("x", "y"),
    [([1], [2]), ([], []), ([1, 2, 3], [0.1, 0.1, 0.1]), ([0.1] * 10, list(range(10)))],
    ids=["one", "none", "equal scores", "equal ratings"],
)
def test_pearson_that_does_not_exist_is_none(x: list[float], y: list[float]) -> None:
    assert pearson(x, y) is None


def test_pearson_refuses_what_is_no_pair_of_vectors() -> None:
    with pytest.raises(ValueError, match="length of `x`, 2, but got 3"):
        pearson([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="finite"):
        pearson([1, 2], [1, math.nan])


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=9))
def test_fisher_z_mean_lies_between_the_correlations(rs: list[float]) -> None:
    found = fisher_z_mean([*rs, None])
    clipped = np.clip(rs, -0.9999, 0.9999)
    assert found == pytest.approx(np.tanh(np.mean(np.arctanh(clipped))), abs=1e-12)
    assert clipped.min() - 1e-12 <= found <= clipped.max() + 1e-12


def z_mean(blocks: list[Category], without: tuple[int, int] | None = None) -> float:
    """Fisher's z of the mean over categories, perhaps without a subject of one of them, by SciPy."""
    of_categories = []
    for place, one in enumerate(blocks):
        methods = []
        for rated in one.methods:
            kept = np.ones(len(rated.scores), bool)
            if without is not None and without[0] == place:
                kept = rated.subjects != without[1]
            methods.append((rated.ratings[:, kept], rated.scores[kept]))
        of_categories.append(np.arctanh(published_mean(methods)))
    return float(np.mean(of_categories))


def test_what_is_left_without_a_subject_is_computed_without_its_pictures() -> None:
    blocks = [block(0), block(1, subjects=4)]
    found = left_out(blocks)
    assert found is not None
    assert found.z == pytest.approx(z_mean(blocks), abs=1e-12)
    for place, one in enumerate(blocks):
        expected = [z_mean(blocks, (place, subject)) for subject in range(one.subjects)]
        np.testing.assert_allclose(found.without[place], expected, atol=1e-9)


def test_the_interval_of_one_category_is_that_of_its_pseudo_values() -> None:
    """Student's and Hall's, around the number itself."""
    blocks = [block(0, subjects=9)]
    z = z_mean(blocks)
    without = np.array([z_mean(blocks, (0, subject)) for subject in range(9)])
    pseudo = 9 * z - 8 * without
    expected = np.tanh(mean_interval(pseudo - pseudo.mean() + z))
    assert interval(left_out(blocks)) == pytest.approx(tuple(expected), abs=1e-9)


def test_the_variance_over_categories_is_the_sum_of_theirs() -> None:
    blocks = [block(0, subjects=9), block(1, subjects=20), block(2, subjects=4)]
    found = left_out(blocks)
    assert found is not None
    values = stand_ins(found.z, found.without)
    assert values.mean() == pytest.approx(found.z, abs=1e-12)
    expected = 0.0
    for one in blocks:
        own = left_out([one])
        assert own is not None
        without = own.without[0] / 3
        expected += (len(without) - 1) / len(without) * np.square(without - without.mean()).sum()
    assert values.var(ddof=1) / len(values) == pytest.approx(expected, rel=1e-9)


def test_fewer_than_three_subjects_have_no_interval() -> None:
    assert interval(left_out([block(0, subjects=2)])) is None
    assert interval(left_out([block(0, subjects=2), block(1)])) is None
    assert interval(left_out([])) is None
    low, high = interval(left_out([block(1, subjects=3)])) or (1, -1)
    assert -1 < low < high < 1


def test_a_method_without_correlation_is_left_out_of_intervals() -> None:
    one = block(0)
    flat = Rated(one.methods[0].subjects, one.methods[0].ratings, np.full(len(one.methods[0].scores), 0.1))
    with_it, without_it = Category((flat, *one.methods[1:]), 6), Category(one.methods[1:], 6)
    assert interval(left_out([with_it])) == interval(left_out([without_it]))
    assert left_out([Category((flat,), 6)]) is None


def test_a_correlation_that_hangs_on_one_subject_is_very_unsure() -> None:
    one = block(0, methods=1)
    (rated,) = one.methods
    ratings = np.where(rated.subjects == 0, rated.ratings, 2.0)
    low, high = interval(left_out([Category((Rated(rated.subjects, ratings, rated.scores),), 6)])) or (0, 0)
    assert high - low > 1


def test_a_perfect_correlation_is_not_beyond_doubt() -> None:
    """Without any one subject it is as perfect, so subjects show no spread; then Fisher's own interval."""
    one = block(0, subjects=12, methods=2)
    perfect = Category(tuple(Rated(r.subjects, r.ratings[:1], 3 * r.ratings[0]) for r in one.methods), 12)
    ends = interval(left_out([perfect]))
    assert ends == pytest.approx(
        tuple(np.tanh(np.arctanh(0.9999) + np.array([-1, 1]) * stats.norm.ppf(0.975) / 3)), abs=1e-9
    )


def test_a_difference_has_the_interval_and_the_test_of_its_pseudo_values() -> None:
    first = [block(0, subjects=9)]
    second = [with_scores(first[0], 5)]
    a, b = left_out(first), left_out(second)
    assert a is not None
    assert b is not None
    found, swapped = delta_test(a, b), delta_test(b, a)
    pairs = [(z_mean(first, (0, i)), z_mean(second, (0, i))) for i in range(9)]
    delta = math.tanh(z_mean(first)) - math.tanh(z_mean(second))
    without = np.array([math.tanh(x) - math.tanh(y) for x, y in pairs])
    pseudo = 9 * delta - 8 * without
    assert found.ci95 == pytest.approx(mean_interval(pseudo - pseudo.mean() + delta), abs=1e-9)
    assert (found.ci95[0] > 0 or found.ci95[1] < 0) == (found.p < 0.05)
    assert swapped.p == pytest.approx(found.p, abs=1e-12)
    assert swapped.ci95 == pytest.approx((-found.ci95[1], -found.ci95[0]), abs=1e-12)


def literal_swaps(first: list[Category], second: list[Category]) -> float:
    """The exact swap test, one swap after the other."""

    def z(values: np.ndarray) -> np.ndarray:
        return (values - values.mean()) / values.std()

    def mean(blocks: list[list[tuple[np.ndarray, np.ndarray]]]) -> float:
        return float(np.tanh(np.mean([np.arctanh(published_mean(methods)) for methods in blocks])))

    def difference(keep: tuple[bool, ...]) -> float:
        ours, theirs, start = [], [], 0
        for one, other in zip(first, second, strict=True):
            own = np.array(keep[start : start + one.subjects])
            start += one.subjects
            sides: tuple[list[tuple[np.ndarray, np.ndarray]], ...] = [], []
            for a, b in zip(one.methods, other.methods, strict=True):
                kept = own[a.subjects]
                sides[0].append((a.ratings, np.where(kept, z(a.scores), z(b.scores))))
                sides[1].append((a.ratings, np.where(kept, z(b.scores), z(a.scores))))
            ours.append(sides[0])
            theirs.append(sides[1])
        return mean(ours) - mean(theirs)

    every = list(itertools.product([True, False], repeat=sum(one.subjects for one in first)))
    found = abs(difference(every[0]))
    return sum(abs(difference(keep)) >= found - 1e-12 for keep in every) / len(every)


def test_the_swap_test_is_that_over_all_swaps() -> None:
    first = [block(0, subjects=3, methods=2), block(1, subjects=3, methods=2)]
    second = [with_scores(one, 5 + i) for i, one in enumerate(first)]
    test = swap_test(first, second)
    assert test.exact
    assert test.p == literal_swaps(first, second)
    assert swap_test(second, first) == test
    assert 2 / 64 <= test.p <= 1


@pytest.mark.parametrize("subjects", [8, 30])
def test_two_metrics_that_are_one_do_not_differ(subjects: int) -> None:
    one = block(3, subjects=subjects)
    rescaled = Category(tuple(Rated(r.subjects, r.ratings, 3 * r.scores - 7) for r in one.methods), subjects)
    assert swap_test([one], [rescaled]).p == 1


def test_a_far_better_metric_is_found() -> None:
    one = block(3, subjects=30, noise=3.0)
    test = swap_test([one], [with_scores(one, 4, noise=0.2)])
    assert not test.exact
    assert test.p == 1 / 10_001
    assert swap_test([with_scores(one, 4, noise=0.2)], [one]) == test


def test_metrics_that_agree_equally_well_are_rarely_called_different() -> None:
    """The level of the test: 5 % of such pairs, give or take."""
    called = 0
    for seed in range(120):
        one = with_scores(block(seed, subjects=9, methods=2), 1000 + seed)
        called += swap_test([one], [with_scores(one, 2000 + seed)]).p <= 0.05
    assert called <= 14  # P(more | 5 %) < 0.1 %


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.permutations(range(5)))
def test_the_numbering_of_subjects_does_not_matter_to_an_exact_test(seed: int, order: list[int]) -> None:
    first = block(seed, subjects=5, methods=2)
    second = with_scores(first, seed + 1)
    assume(all(rated.ratings.std(axis=1).all() for rated in first.methods))

    def renumbered(one: Category) -> Category:
        place = np.array(order)
        return Category(tuple(Rated(place[r.subjects], r.ratings, r.scores) for r in one.methods), 5)

    assert swap_test([renumbered(first)], [renumbered(second)]) == swap_test([first], [second])
