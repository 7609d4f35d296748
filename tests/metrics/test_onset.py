"""Counts that rise from a step on, against SciPy and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import fisher_exact, hypergeom

from nearid_cli.metrics.closeness import chance_of_near_copy
from nearid_cli.metrics.onset import above, more_often, risen_from


def test_one_unit_is_fishers_exact_test() -> None:
    random = np.random.default_rng(0)
    for _ in range(50):
        n, m = random.integers(1, 30, 2)
        a, b = random.integers(0, n + 1), random.integers(0, m + 1)
        own = more_often(*map(np.atleast_1d, (a, n, b, m)))
        theirs = fisher_exact([[b, m - b], [a, n - a]], alternative="greater").pvalue
        assert own == pytest.approx(theirs, rel=1e-9)


def test_several_units_are_the_sum_of_hypergeometrics() -> None:
    random = np.random.default_rng(1)
    n, m = np.array([8, 12, 20]), np.array([4, 4, 10])
    a, b = np.array([1, 0, 3]), np.array([2, 1, 4])
    draws = sum(hypergeom(n[i] + m[i], a[i] + b[i], m[i]).rvs(400_000, random_state=random) for i in range(3))
    assert more_often(a, n, b, m) == pytest.approx((draws >= b.sum()).mean(), abs=0.002)


def test_the_bound_of_near_copies_holds_for_exchangeable_pictures() -> None:
    random = np.random.default_rng(2)
    for references in (2, 3, 5, 9):
        vectors = random.normal(size=(20_000, references + 1, 16))
        vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
        cosines = vectors @ vectors.transpose(0, 2, 1)
        cosines[:, range(references + 1), range(references + 1)] = -1
        near = cosines[:, 0].max(axis=1) > cosines[:, 1:, 1:].max(axis=(1, 2))
        assert near.mean() == pytest.approx(chance_of_near_copy(references), abs=0.012)


def table(*rows: int) -> np.ndarray:
    return np.array(rows)[:, None]


def test_the_first_step_of_those_that_all_have_more_is_named() -> None:
    trials = table(*[20] * 8)
    assert risen_from(table(0, 0, 0, 0, 0, 20, 20, 20), trials) == 5
    assert risen_from(table(0, 1, 0, 0, 1, 10, 8, 12), trials) == 5
    assert risen_from(table(0, 0, 20, 0, 0, 20, 20, 20), trials) == 5  # more than all before together
    assert risen_from(table(0, 0, 0, 0, 0, 20, 20, 0), trials) is None
    assert risen_from(table(20, 20, 20), trials[:3]) is None
    assert risen_from(table(0, 0, 0, 0, 0, 20, 20, 20), trials, least=6) == 6


def test_above_needs_three_units_and_an_interval_above() -> None:
    chances = np.full(8, 0.4)
    trials = np.full(8, 4)
    assert above(np.full(8, 4), trials, chances)
    assert not above(np.array([4, 0, 2, 1, 3, 0, 2, 1]), trials, chances)
    assert not above(np.full(2, 4), trials[:2], chances[:2])
    assert above(np.array([4, 4, 4, 0]), np.array([4, 4, 4, 0]), chances[:4])
