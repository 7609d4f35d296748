"""Agreement with people: parity with SciPy, and resamples and swaps against doing it literally."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from nearid_cli.metrics.human import (
    Block,
    Rated,
    fisher_z_mean,
    interval,
    over_categories,
    pearson,
    resampled,
    swap_test,
)

VALUES = st.floats(-1e6, 1e6, allow_nan=False)


def block(seed: int, subjects: int = 6, methods: int = 3, each: int = 4, noise: float = 1.0) -> Block:
    random = np.random.default_rng(seed)
    of = np.repeat(np.arange(subjects), each)
    made = []
    for _ in range(methods):
        quality = random.normal(size=len(of))
        ratings = np.round(np.clip(2 + quality + random.normal(size=(2, len(of))), 0, 4))
        made.append(Rated(of, ratings, 60 + 7 * (quality + noise * random.normal(size=len(of)))))
    return Block(tuple(made), subjects)


def with_scores(one: Block, seed: int, noise: float = 0.7) -> Block:
    """The same pictures and ratings, scored by another metric."""
    random = np.random.default_rng(seed)
    return Block(
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


def test_a_resample_is_the_correlation_over_the_drawn_subjects() -> None:
    blocks = [block(0), block(1, subjects=4)]
    found = resampled(blocks)
    assert found.shape == (2, 2000)
    random = np.random.default_rng(20260401)
    for row, one in zip(found, blocks, strict=True):
        counts = random.multinomial(one.subjects, [1 / one.subjects] * one.subjects, size=2000)
        for b in (0, 1, 77, 1999):
            drawn = []
            for rated in one.methods:
                index = np.concatenate(
                    [np.repeat(np.flatnonzero(rated.subjects == s), k) for s, k in enumerate(counts[b])]
                )
                drawn.append((rated.ratings[:, index], rated.scores[index]))
            assert row[b] == pytest.approx(published_mean(drawn), abs=1e-9)


def test_resamples_vary_as_correlations_of_new_subjects_do() -> None:
    """The bootstrap's standard error against that of new data sets."""
    estimates = [
        published_mean(
            [(rated.ratings, rated.scores) for rated in block(seed, subjects=40, methods=2).methods]
        )
        for seed in range(150)
    ]
    errors = [resampled([block(seed, subjects=40, methods=2)])[0].std() for seed in range(5)]
    assert np.mean(errors) == pytest.approx(np.std(estimates), rel=0.25)


def test_categories_are_resampled_independently() -> None:
    first, second = resampled([block(0), block(0)])
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.1


def test_fewer_than_three_subjects_have_no_interval() -> None:
    rows = resampled([block(0, subjects=2), block(1)])
    assert interval(rows[0]) is None
    assert interval(over_categories(rows)) is None
    low, high = interval(rows[1]) or (None, None)
    assert (low, high) == tuple(np.percentile(rows[1], [2.5, 97.5]))


def test_a_method_without_correlation_is_left_out_of_resamples() -> None:
    one = block(0)
    flat = Rated(one.methods[0].subjects, one.methods[0].ratings, np.full(len(one.methods[0].scores), 0.1))
    assert np.array_equal(
        resampled([Block((flat, *one.methods[1:]), 6)]), resampled([Block(one.methods[1:], 6)])
    )
    assert interval(resampled([Block((flat,), 6)])[0]) is None


def literal_swaps(first: list[Block], second: list[Block]) -> float:
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
    rescaled = Block(tuple(Rated(r.subjects, r.ratings, 3 * r.scores - 7) for r in one.methods), subjects)
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

    def renumbered(one: Block) -> Block:
        place = np.array(order)
        return Block(tuple(Rated(place[r.subjects], r.ratings, r.scores) for r in one.methods), 5)

    assert swap_test([renumbered(first)], [renumbered(second)]) == swap_test([first], [second])
