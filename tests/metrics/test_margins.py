"""Margins, SSR and PA against slow loops over the definition, and what must always hold."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

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


def test_the_intervals_are_those_of_resampled_samples():
    random = np.random.default_rng(1)
    margins = random.standard_normal((80, 6)) + random.standard_normal((80, 1)) + 0.5
    margins[random.random((80, 6)) < 0.3] = np.nan
    margins = margins[~np.isnan(margins).all(axis=1)]
    resampled = []
    for _ in range(4000):
        rows = margins[random.integers(len(margins), size=len(margins))]
        wins = (rows > 0).sum(axis=1)
        trials = (~np.isnan(rows)).sum(axis=1)
        resampled.append(((wins == trials).mean(), wins.sum() / trials.sum()))
    result = success(margins)
    ends = np.percentile(resampled, [2.5, 97.5], axis=0)
    # Both are off by their resampling, 0.06 and 0.04 standard errors (one sigma); five sigma are allowed.
    tolerance = 5 * 0.072 * np.std(resampled, axis=0)
    assert np.abs(np.array(result.ssr_ci95) - ends[:, 0]).max() < tolerance[0] + 1 / len(margins)
    assert np.abs(np.array(result.pa_ci95) - ends[:, 1]).max() < tolerance[1]


def test_the_seed_decides_and_the_order_of_samples_does_not():
    margins = np.random.default_rng(2).standard_normal((40, 6))
    assert success(margins) == success(margins)
    assert success(margins, seed=1).pa_ci95 != success(margins).pa_ci95
    shuffled, inorder = success(margins[::-1]), success(margins)
    assert (shuffled.ssr_ci95, shuffled.pa_ci95) == (inorder.ssr_ci95, inorder.pa_ci95)


def test_other_numbers_of_trials_are_welcome():
    assert success(np.array([[0.1, -0.1], [0.1, 0.2]])).pa == 0.75


def test_wrong_arguments_are_told():
    views, there = np.ones((2, 3, 4)), np.ones((2, 3), bool)
    with pytest.raises(ValueError, match=r"one shape \[N, 3, D\] but got `distractors`"):
        sample_margins(views, views[:, :2], there, there)
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
