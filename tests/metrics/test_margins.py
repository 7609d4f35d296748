"""Margins, SSR and PA against slow loops over the definition, and what must always hold."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats import binomtest

from nearid_cli.metrics.margins import sample_margins, success

TRIALS = [(0, 1, 0), (0, 1, 1), (0, 2, 0), (0, 2, 2), (1, 2, 1), (1, 2, 2)]


def random_samples(seed, n=12, present=0.7, dimension=5):
    random = np.random.default_rng(seed)
    positives, distractors = random.standard_normal((2, n, 3, dimension))
    return positives, distractors, random.random((n, 3)) < present, random.random((n, 3)) < present


def cosine(a, b):
    dot = sum(float(x) * float(y) for x, y in zip(a, b, strict=True))
    return dot / math.sqrt(sum(float(x) ** 2 for x in a)) / math.sqrt(sum(float(x) ** 2 for x in b))


@pytest.mark.parametrize("seed", range(5))
def test_margins_are_what_a_loop_gives(seed):
    positives, distractors, has_positive, has_distractor = random_samples(seed)
    margins = sample_margins(positives, distractors, has_positive, has_distractor)
    assert margins.shape == (12, 6)
    assert margins.dtype == np.float64
    for n in range(12):
        for column, (i, j, own) in enumerate(TRIALS):
            if has_positive[n, i] and has_positive[n, j] and has_distractor[n, own]:
                expected = cosine(positives[n, i], positives[n, j]) - cosine(
                    positives[n, own], distractors[n, own]
                )
                assert margins[n, column] == pytest.approx(expected, abs=1e-12)
            else:
                assert math.isnan(margins[n, column])


@given(st.integers(0, 2**32 - 1), st.sampled_from([np.nan, np.inf, 0.0, 1e30]))
@settings(max_examples=30)
def test_what_absent_slots_hold_does_not_matter(seed, content):
    positives, distractors, has_positive, has_distractor = random_samples(seed)
    before = sample_margins(positives, distractors, has_positive, has_distractor)
    positives[~has_positive] = content
    distractors[~has_distractor] = content
    np.testing.assert_array_equal(
        before, sample_margins(positives, distractors, has_positive, has_distractor)
    )


def test_lengths_do_not_matter_and_float32_is_enough():
    positives, distractors, has_positive, has_distractor = random_samples(3)
    longer = sample_margins(7 * positives, (0.1 * distractors).astype("f4"), has_positive, has_distractor)
    exact = sample_margins(positives, distractors, has_positive, has_distractor)
    np.testing.assert_allclose(longer, exact, atol=1e-6)


def test_an_encoder_that_sees_no_difference_wins_nothing():
    random = np.random.default_rng(0)
    same = np.repeat(random.standard_normal((50, 1, 300)).astype("f4"), 3, axis=1)
    there = np.ones((50, 3), bool)
    result = success(sample_margins(same, same.copy(), there, there))
    assert (result.ssr, result.pa, result.mean_margin) == (0.0, 0.0, 0.0)


margins_of_samples = arrays.arrays(
    np.float64,
    st.tuples(st.integers(0, 12), st.just(6)),
    elements=st.one_of(st.just(math.nan), st.sampled_from([-0.5, -1e-12, 0.0, 1e-12, 0.5])),
)


@given(margins_of_samples)
def test_rates_are_what_a_loop_gives(margins):
    won = trials = samples = successes = 0
    total = 0.0
    for row in margins.tolist():
        tried = [margin for margin in row if not math.isnan(margin)]
        if tried:
            samples += 1
            successes += all(margin > 0 for margin in tried)
            trials += len(tried)
            won += sum(margin > 0 for margin in tried)
            total += sum(tried)
    result = success(margins)
    assert (result.samples, result.trials) == (samples, trials)
    if samples == 0:
        assert (result.ssr, result.pa, result.ssr_ci95, result.pa_ci95, result.mean_margin) == (None,) * 5
        return
    assert result.ssr == pytest.approx(successes / samples)
    assert result.pa == pytest.approx(won / trials)
    assert result.mean_margin == pytest.approx(total / trials, abs=1e-12)
    assert result.ssr <= result.pa + 1e-12 or trials != 6 * samples  # with all trials, SSR cannot be above PA
    for interval in (result.ssr_ci95, result.pa_ci95):
        assert (interval is None) == (samples < 3)
        assert interval is None or 0 <= interval[0] <= interval[1] <= 1


def test_the_interval_of_ssr_is_clopper_and_pearsons():
    margins = np.array([[0.1, 0.2]] * 9 + [[0.1, -0.2]] * 3 + [[np.nan, np.nan]])
    exact = binomtest(9, 12).proportion_ci(method="exact")
    assert success(margins).ssr_ci95 == pytest.approx((exact.low, exact.high), abs=1e-9)


@pytest.mark.parametrize(("margin", "share"), [(-0.1, 0.0), (0.1, 1.0)])
def test_no_interval_has_zero_width_where_none_or_all_are_won(margin, share):
    result = success(np.full((12, 6), margin))
    assert (result.ssr, result.pa) == (share, share)
    # All trials of a sample agree: 72 trials are worth no more than 12.
    for low, high in (result.ssr_ci95, result.pa_ci95):
        assert high - low == pytest.approx(1 - 0.025 ** (1 / 12), abs=1e-9)


def test_rows_of_one_sample_are_no_independent_samples():
    random = np.random.default_rng(3)
    margins = np.repeat(random.standard_normal((20, 1)), 6, axis=1)
    once, thrice = success(margins), success(np.repeat(margins, 3, axis=0), np.repeat(np.arange(20), 3))
    assert (thrice.ssr, thrice.pa, thrice.samples) == (once.ssr, once.pa, 60)
    assert thrice.ssr_ci95 == pytest.approx(once.pa_ci95)
    assert thrice.pa_ci95 == pytest.approx(once.pa_ci95)
    assert np.ptp(success(np.repeat(margins, 3, axis=0)).ssr_ci95) < np.ptp(once.ssr_ci95)


def test_the_order_of_samples_does_not_matter():
    margins = np.random.default_rng(2).standard_normal((40, 6))
    shuffled, inorder = success(margins[::-1]), success(margins)
    assert shuffled.ssr_ci95 == inorder.ssr_ci95
    assert shuffled.pa_ci95 == pytest.approx(inorder.pa_ci95, abs=1e-12)


def test_other_numbers_of_trials_are_welcome():
    assert success(np.array([[0.1, -0.1], [0.1, 0.2]])).pa == 0.75


def test_wrong_arguments_are_told():
    views, there = np.ones((2, 3, 4)), np.ones((2, 3), bool)
    with pytest.raises(ValueError, match=r"one shape \[N, 3, D\] but got `distractors`"):
        sample_margins(views, views[:, :2], there, there)
    with pytest.raises(ValueError, match=r"one shape \[N, 3, D\] but got `positives` of shape \(2, 2, 4\)"):
        sample_margins(views[:, :2], views[:, :2], there[:, :2], there[:, :2])
    with pytest.raises(ValueError, match="`positives` to be a float array"):
        sample_margins(views.astype(int), views, there, there)
    with pytest.raises(ValueError, match="`has_distractor` to be a bool array"):
        sample_margins(views, views, there, there.astype(int))
    with pytest.raises(ValueError, match="`positives` to have finite embeddings other than zero but got 3"):
        sample_margins(views * [[[0], [1], [1]], [[0], [np.nan], [1]]], views, there, there)
    with pytest.raises(ValueError, match="with infinities"):
        success(np.array([[np.inf]]))
    with pytest.raises(ValueError, match=r"\[N, T\]"):
        success(np.array([0.1]))
    with pytest.raises(ValueError, match="`samples` to have shape"):
        success(np.array([[0.1]]), [0, 1])
