"""SSR and PA of `score`, `train` and `bench`: intervals that stay honest where nearly all trials are won."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from nearid_cli.metrics.margins import success_of_counts

TRIALS = 6  # of three views, each with a distractor


@pytest.mark.parametrize("subjects", [5, 12, 22])
@pytest.mark.parametrize("truth", [0.05, 0.5, 0.95])
def test_the_interval_of_ssr_covers_the_truth(subjects: int, truth: float) -> None:
    """No Monte-Carlo error: every outcome with its probability. Bootstrap intervals covered 21 to 69 % at 0.95."""
    covered = 0.0
    for whole in range(subjects + 1):
        won = np.where(np.arange(subjects) < whole, TRIALS, TRIALS - 1)
        found = success_of_counts(won, np.full(subjects, TRIALS), None)
        assert found.ssr == pytest.approx(whole / subjects)
        assert found.ssr_ci95 is not None
        low, high = found.ssr_ci95
        assert high - low > 0.1
        covered += binom.pmf(whole, subjects, truth) * (low <= truth <= high)
    assert covered >= 0.95


def test_none_of_twelve_may_be_a_quarter() -> None:
    found = success_of_counts(np.zeros(12, int), np.full(12, TRIALS), None)
    assert found.ssr_ci95 == found.pa_ci95 == pytest.approx((0.0, 0.265), abs=1e-3)


# 400 data sets each: a coverage of 95 % is off by 1.1 % (one sigma), and three sigma are allowed.
@pytest.mark.parametrize("subjects", [5, 12, 22])
@pytest.mark.parametrize("truth", [0.5, 0.9, 0.97])
def test_the_interval_of_pa_covers_the_truth(subjects: int, truth: float) -> None:
    """Trials of a subject share its views: their outcomes correlate by 0.5."""
    random = np.random.default_rng([subjects, round(100 * truth)])
    chance = random.beta(truth, 1 - truth, size=(400, subjects))
    covered = 0
    for won in random.binomial(TRIALS, chance):
        interval = success_of_counts(won, np.full(subjects, TRIALS), None).pa_ci95
        assert interval is not None
        covered += interval[0] <= truth <= interval[1]
    assert covered / 400 >= 0.95 - 3 * 0.011


def test_the_same_views_beside_several_sources_are_one_sample() -> None:
    """Seven sources repeat what the views of a sample decide; as samples of their own they cover far less."""
    random, truth, samples, rows = np.random.default_rng(7), 0.8, 15, 7
    names = np.repeat(np.arange(samples), rows)
    trials = np.full(len(names), TRIALS)
    held = np.zeros(2)
    for chance in random.beta(0.8, 0.2, size=(150, samples)):
        won = random.binomial(TRIALS, np.repeat(chance, rows))
        for place, clusters in enumerate((names, None)):
            interval = success_of_counts(won, trials, None, clusters).pa_ci95
            assert interval is not None
            held[place] += interval[0] <= truth <= interval[1]
    # 150 data sets: off by 1.8 %, and by 4 % near a half.
    together, apart = held / 150
    assert together >= 0.95 - 3 * 0.018
    assert apart < 0.75
