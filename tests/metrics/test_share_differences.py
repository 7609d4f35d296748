"""Differences of SSR and PA against SciPy and plain loops, and their ends."""

import math

import numpy as np
import pytest
from scipy import stats

from nearid_cli.metrics.margins import rate_differences, share_difference

NAN = math.nan


@pytest.mark.parametrize(("only_first", "only_second"), [(6, 0), (5, 1), (3, 3), (0, 0), (1, 7)])
def test_of_single_trials_the_p_value_is_mcnemars(only_first, only_second):
    first = [1] * only_first + [0] * only_second + [1] * (12 - only_first - only_second)
    second = [0] * only_first + [1] * (12 - only_first)
    found = share_difference(first, second, [1] * 12)
    apart = only_first + only_second
    assert found.exact
    assert found.p == pytest.approx(stats.binomtest(only_first, apart).pvalue if apart else 1.0, abs=1e-12)
    assert found.delta == pytest.approx((only_first - only_second) / 12)


def test_the_interval_is_the_union_of_two():
    first, second, trials = np.array([6, 4, 6, 2, 5]), np.array([3, 4, 1, 2, 6]), np.array([6, 6, 6, 2, 6])
    found = share_difference(first, second, trials)
    deltas = (first - second) / trials.mean()
    assert found.delta == pytest.approx((first.sum() - second.sum()) / trials.sum())
    both = [deltas, np.array([*deltas, 1, -1])]
    ends = np.array([stats.t.interval(0.95, len(one) - 1, one.mean(), stats.sem(one)) for one in both])
    assert found.ci95 == pytest.approx((ends[:, 0].min(), min(1.0, ends[:, 1].max())), abs=1e-9)
    expected = max(stats.ttest_1samp(one, 0).pvalue for one in both)
    assert found.p_studentised == pytest.approx(expected, abs=1e-9)
    swapped = share_difference(second, first, trials)
    assert (swapped.delta, swapped.p, swapped.p_studentised) == pytest.approx(
        (-found.delta, found.p, found.p_studentised)
    )
    assert swapped.ci95 == pytest.approx((-found.ci95[1], -found.ci95[0]))


def test_metrics_that_win_the_same_trials_may_still_differ_on_others():
    """Twelve samples without a difference do not show that there is none."""
    found = share_difference([6] * 12, [6] * 12, [6] * 12)
    assert (found.delta, found.p, found.p_studentised) == (0, 1, 1)
    low, high = found.ci95
    assert high == pytest.approx(-low)
    assert 0.15 < high < 0.3


def test_two_samples_say_nothing():
    found = share_difference([1, 1], [0, 0], [1, 1])
    assert (found.delta, found.ci95, found.p_studentised) == (1, None, 1.0)


def test_rates_are_over_the_trials_that_both_had():
    random = np.random.default_rng(1)
    first, second = random.normal(0.1, 1, (2, 40, 6))
    first[random.random(first.shape) < 0.2] = NAN
    second[random.random(second.shape) < 0.2] = NAN
    first[3] = NAN
    names = np.repeat(np.arange(20), 2)
    found = rate_differences(first, second, names)
    ssr, pa, rows, trials = 0, 0, 0, 0
    for ours, theirs in zip(first.tolist(), second.tolist(), strict=True):
        both = [(a > 0, b > 0) for a, b in zip(ours, theirs, strict=True) if a == a and b == b]
        rows += bool(both)
        trials += len(both)
        pa += sum(a - b for a, b in both)
        ssr += bool(both) * (all(a for a, _ in both) - all(b for _, b in both))
    assert found["ssr"].delta == pytest.approx(ssr / rows)
    assert found["pa"].delta == pytest.approx(pa / trials)
    assert found["pa"].samples == 20  # ids, not rows
    assert rate_differences([[NAN]], [[0.1]]) == {}
