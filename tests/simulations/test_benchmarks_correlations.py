"""Correlations with people: their intervals hold the truth, and equally good metrics are rarely called different."""

import numpy as np
import pytest

from nearid_cli.metrics.human import Category, Rated, delta_test, interval, left_out, swap_test

SETS = 500
# Monte-Carlo error of a coverage of 95 % over 500 data sets: 1.0 %.
ERROR = 0.01
PICTURES = 4

CROWDED = [-2.0, -1.2, -0.7, 0.1]
"""Cuts of a normal quality into ratings from 0 to 4, of which nearly half are 4."""


def pictures(random, subjects, shape=()):
    """Values of variance 1, half of it between subjects: [..., subjects x pictures]."""
    of_subject = random.standard_normal((*shape, subjects, 1))
    rest = random.standard_normal((*shape, subjects, PICTURES))
    return (np.sqrt(0.5) * (of_subject + rest)).reshape(*shape, -1)


def ratings_of(quality, rated):
    return quality if rated == "normal" else np.digitize(quality, CROWDED).astype(float)


@pytest.mark.parametrize("rated", ["normal", "crowded"])
@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("subjects", [8, 15, 30])
def test_intervals_of_correlations_cover(subjects, correlation, rated):
    """A percentile bootstrap covered 88 to 91 % with 8 subjects."""
    random = np.random.default_rng([subjects, round(10 * correlation)])

    def world(subjects, shape=()):
        quality, other = pictures(random, subjects, shape), pictures(random, subjects, shape)
        scores = correlation * quality + np.sqrt(1 - correlation**2) * other
        return ratings_of(quality, rated), scores

    truth = np.corrcoef(*world(50_000))[0, 1]
    of, held = np.repeat(np.arange(subjects), PICTURES), 0
    for ratings, scores in zip(*world(subjects, (SETS,)), strict=True):
        low, high = interval(left_out([Category((Rated(of, ratings[None], scores),), subjects)]))
        held += low <= truth <= high
    assert 0.93 - 3 * ERROR <= held / SETS <= 0.97 + 3 * ERROR


@pytest.mark.parametrize("of_subjects", [False, True], ids=["errors alike", "of pictures, of subjects"])
@pytest.mark.parametrize("subjects", [8, 12])
def test_equally_good_metrics_are_called_different_in_five_of_a_hundred(subjects, of_subjects):
    """Monte-Carlo error of 5 % over 200 pairs: 1.5 %. Swaps alone called 9 % of the second kind with 12 subjects."""
    random = np.random.default_rng([subjects, of_subjects])
    of, called, pairs = np.repeat(np.arange(subjects), PICTURES), 0, 200
    for _ in range(pairs):
        quality = pictures(random, subjects, (2,))
        ratings = np.digitize(quality + 0.5 * pictures(random, subjects, (2, 2)), CROWDED).astype(float)
        errors = 0.8 * random.standard_normal((2, 2, len(of)))
        if of_subjects:
            shared = 0.8 * random.standard_normal((2, subjects))[:, of]
            errors[1] = np.sqrt(0.1) * errors[1] + np.sqrt(0.9) * shared
        first, second = (
            Category(
                tuple(Rated(of, ratings[:, m], quality[m] + error[m]) for m in range(2)),
                subjects,
            )
            for error in errors
        )
        p = max(swap_test([first], [second]).p, delta_test(left_out([first]), left_out([second])).p)
        called += p <= 0.05
    assert called / pairs <= 0.05 + 3 * 0.015
