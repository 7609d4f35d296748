"""Intervals of shares against SciPy's, and what must always hold."""

import math

import numpy as np
import pytest
from scipy import stats

from nearid_cli.metrics.proportions import mean_share_interval, proportion_interval, share_interval


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
@pytest.mark.parametrize("trials", [1, 5, 12, 300])
def test_is_scipys_exact_interval(trials, confidence):
    for successes in {0, 1, trials // 3, trials - 1, trials}:
        expected = stats.binomtest(successes, trials).proportion_ci(confidence, method="exact")
        assert proportion_interval(successes, trials, confidence) == pytest.approx(tuple(expected), abs=1e-9)


@pytest.mark.parametrize("trials", [5, 12, 22])
@pytest.mark.parametrize("share", [0.5, 0.8, 0.95, 0.99])
def test_covers_every_true_share(trials, share):
    """Exactly, not by simulation: the probability of all outcomes whose interval holds the truth."""
    covered = 0.0
    for successes in range(trials + 1):
        low, high = proportion_interval(successes, trials)
        covered += stats.binom.pmf(successes, trials, share) * (low <= share <= high)
    assert covered >= 0.95


def test_nothing_tried_says_nothing_and_too_many_successes_are_an_error():
    assert proportion_interval(0, 0) is None
    with pytest.raises(ValueError, match="`successes` to be from 0 to 3, the number of trials, but got 4"):
        proportion_interval(4, 3)


# Clusters


def test_clusters_of_one_trial_are_independent_trials():
    assert share_interval([0] * 12, [1] * 12) == pytest.approx(proportion_interval(0, 12))
    low, high = share_interval([1] * 9 + [0] * 3, [1] * 12)
    assert (low, high) == pytest.approx(proportion_interval(9, 12), abs=1e-12)


def test_at_the_ends_a_cluster_counts_once():
    assert share_interval([6] * 5, [6] * 5) == pytest.approx(proportion_interval(5, 5))
    assert share_interval([0, 0, 0, 0], [6, 6, 6, 6]) == pytest.approx(proportion_interval(0, 4))
    # 2 + 1 + 1 trials are 16 / 6 equal clusters (Kish).
    assert share_interval([2, 1, 1], [2, 1, 1]) == pytest.approx(proportion_interval(16 / 6, 16 / 6))


def test_effective_trials_are_those_of_the_variance_that_is_seen():
    random = np.random.default_rng(3)
    trials = random.integers(3, 9, size=30)
    won = random.binomial(trials, random.beta(6, 2, size=30))
    share = won.sum() / trials.sum()
    rare = 0.05 * share**2 * np.square(trials).mean()  # a twentieth of a cluster more, all lost
    variance = 30 / 29 * (np.square(won - share * trials).sum() + rare) / trials.sum() ** 2
    effective = share * (1 - share) / variance * (stats.norm.ppf(0.975) / stats.t.ppf(0.975, 29)) ** 2
    assert 30 < effective < trials.sum()
    expected = stats.beta.ppf(
        [0.025, 0.975],
        [share * effective, share * effective + 1],
        [(1 - share) * effective + 1, (1 - share) * effective],
    )
    assert share_interval(won, trials) == pytest.approx(tuple(expected), abs=1e-9)


def test_order_does_not_matter_and_losses_mirror_wins():
    won, trials = np.array([3, 5, 0, 2, 6]), np.array([6, 6, 3, 4, 6])
    low, high = share_interval(won, trials)
    assert share_interval(won[::-1], trials[::-1]) == pytest.approx((low, high), rel=1e-12)
    assert share_interval(trials - won, trials) == pytest.approx((1 - high, 1 - low), abs=1e-9)
    assert share_interval([*won, 0], [*trials, 0]) == (low, high)  # nothing tried, nothing said


def test_shares_of_clusters_count_alike():
    shares = [1.0, 0.75, 1.0, 0.5]
    low, high = mean_share_interval(shares)
    assert low < np.mean(shares) < high <= 1
    assert mean_share_interval([1.0] * 6) == pytest.approx(proportion_interval(6, 6))
    # Never more trials than there are: shares that agree by chance are no proof.
    assert mean_share_interval([0.5] * 50, trials=100) == pytest.approx(proportion_interval(50, 100))
    low, high = mean_share_interval([0.5] * 50)
    assert low < 0.5 < high


@pytest.mark.parametrize("clusters", [5, 12, 100])
def test_one_loss_says_no_more_than_none(clusters):
    """Losses come together: that one of 18 was lost in one cluster does not show that more are not to come."""
    won = [18] * clusters
    none_low, _ = share_interval(won, [18] * clusters)
    low, _ = share_interval([*won[1:], 17], [18] * clusters)
    assert low <= none_low


def test_too_few_clusters_say_nothing():
    assert share_interval([1, 2], [2, 2]) is None
    assert mean_share_interval([1.0, 1.0]) is None
    with pytest.raises(ValueError, match="`trials` to have the length of `won`, 2, but got 1"):
        share_interval([1, 2], [3])
    with pytest.raises(ValueError, match="`shares` to be finite"):
        mean_share_interval([0.5, math.nan, 0.5])
