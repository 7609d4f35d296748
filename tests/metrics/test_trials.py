from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from nearid_cli.metrics.margins import Outcome, outcome, sample_margins, success, trial_margins
from tests.benchmarks.similarity_files import by_definition

PAIRS = [(0, 1), (0, 2), (1, 2)]
RATES = ("ssr", "pa", "pa_published", "ssr_mean", "h")
NUMBERS = (*RATES, "mean_margin", "median_margin")

# Tenths make ties and means that are 0 but for rounding; sixteenths make such means exactly 0.
similarity = st.one_of(
    st.just(math.nan),
    st.integers(-10, 10).map(lambda n: n / 10),
    st.integers(-16, 16).map(lambda n: n / 16),
    st.floats(-1, 1),
)
table = arrays.arrays(np.float64, st.tuples(st.integers(0, 12), st.just(6)), elements=similarity)


def rows(values: np.ndarray) -> list[dict[str, object]]:
    """Sims in the first three columns, cross_ii in the others, as rows of a file."""
    names = [*(f"sim_{i}{j}" for i, j in PAIRS), *(f"cross_{i}{i}" for i in range(3))]
    return [dict(zip(names, row, strict=True)) for row in values.tolist()]


@given(table)
def test_the_definitions(values: np.ndarray) -> None:
    found = outcome(trial_margins(values[:, :3], values[:, 3:]))
    expected = by_definition(rows(values))
    assert (found.samples, found.trials) == (expected["samples"], expected["trials"])
    for name in NUMBERS:
        if expected["ssr"] is None:
            assert getattr(found, name) is None
        else:
            assert getattr(found, name) == pytest.approx(expected[name], abs=1e-12)


@given(table)
def test_what_must_hold(values: np.ndarray) -> None:
    found = outcome(trial_margins(values[:, :3], values[:, 3:]))
    if found.ssr is None:
        assert all(value is None for name, value in vars(found).items() if name not in ("samples", "trials"))
        return
    assert found.samples <= found.trials <= 6 * found.samples
    assert all(0 <= getattr(found, rate) <= 1 for rate in RATES)
    assert found.ssr <= found.ssr_mean
    assert min(found.pa, found.ssr_mean) <= found.pa_published + 1e-12
    assert found.pa_published <= max(found.pa, found.ssr_mean) + 1e-12
    assert (found.ssr_ci95 is None) == (found.samples < 3)
    for name in NUMBERS:
        if found.samples >= 3:
            low, high = getattr(found, f"{name}_ci95")
            assert low <= high
            if name in RATES:
                assert 0 <= low < high <= 1
                assert low - 1e-12 <= getattr(found, name) <= high + 1e-12


@given(table, st.lists(st.integers(1, 4), min_size=1, max_size=3))
def test_pooling_weights_samples_and_trials(values: np.ndarray, cuts: list[int]) -> None:
    margins = trial_margins(values[:, :3], values[:, 3:])
    parts = [outcome(part) for part in np.array_split(margins, len(cuts))]
    parts = [part for part in parts if part.samples]
    pooled = outcome(margins)
    assert pooled.samples == sum(part.samples for part in parts)
    if pooled.samples:
        by_samples = sum(part.ssr * part.samples for part in parts) / pooled.samples
        by_trials = sum(part.pa * part.trials for part in parts) / pooled.trials
        assert pooled.ssr == pytest.approx(by_samples, abs=1e-12)
        assert pooled.pa == pytest.approx(by_trials, abs=1e-12)


def test_a_tie_is_lost_however_small_the_next_number() -> None:
    assert outcome([[0.0, 5e-324]]).pa == 0.5
    assert outcome([[0.0]]).ssr == 0
    assert outcome([[0.0]]).h == 0


def test_a_sample_without_trials_counts_nowhere() -> None:
    nothing = [math.nan] * 6
    some = [[0.1, -0.2, math.nan, math.nan, math.nan, math.nan]] * 4
    assert outcome([*some, nothing, nothing]) == outcome(some)
    assert outcome([nothing]) == outcome(np.empty((0, 6)))
    assert outcome([nothing]).samples == 0


def test_the_mean_margin_is_one_more_trial_of_its_sample() -> None:
    # 5 of 6 won, and the mean is negative: 5 of 7; one margin alone, won: 2 of 2.
    found = outcome([[0.1, 0.1, 0.1, 0.1, 0.1, -0.9], [0.2, *[math.nan] * 5]])
    assert found.pa == pytest.approx(6 / 7)
    assert found.pa_published == pytest.approx(7 / 9)
    assert (found.ssr, found.ssr_mean) == (0.5, 0.5)


def test_margins_are_added_in_the_order_of_the_columns() -> None:
    # Summed from the left the 1 is swallowed and 0 is left, summed from the right it is not.
    assert outcome([[1.0, 1e16, -1e16, 0.0, 0.0, 0.0]]).ssr_mean == 0


def test_the_same_as_from_embeddings() -> None:
    rng = np.random.default_rng(1)
    views, distractors = rng.normal(size=(2, 30, 3, 8))
    there = rng.random((30, 3)) < 0.8
    margins = sample_margins(views, distractors, there, there)
    by_embedding, by_table = success(margins), outcome(margins)
    assert by_table.ssr == pytest.approx(by_embedding.ssr)
    assert by_table.pa == pytest.approx(by_embedding.pa)
    assert by_table.mean_margin == pytest.approx(by_embedding.mean_margin)
    assert (by_table.samples, by_table.trials) == (by_embedding.samples, by_embedding.trials)


def test_where_nothing_or_all_is_won_the_interval_is_clopper_and_pearsons() -> None:
    """It had no width there when it was a bootstrap."""
    margins = np.full((12, 6), 0.1)
    expected = (stats.beta.ppf(0.025, 12, 1), 1.0)
    for name in RATES[:4]:
        assert getattr(outcome(margins), f"{name}_ci95") == pytest.approx(expected, abs=1e-9)
        assert getattr(outcome(-margins), f"{name}_ci95") == pytest.approx((0.0, 1 - expected[0]), abs=1e-9)
    assert outcome(margins).h_ci95 == pytest.approx(expected, abs=1e-9)
    assert outcome(-margins).h_ci95 == pytest.approx((0.0, 1 - expected[0]), abs=1e-9)


def test_samples_of_one_row_are_independent_trials_of_ssr() -> None:
    margins = np.array([[0.1] * 6] * 9 + [[0.1] * 5 + [-0.1]] * 5)
    exact = stats.binomtest(9, 14).proportion_ci(0.95, method="exact")
    assert outcome(margins).ssr_ci95 == pytest.approx(tuple(exact), abs=1e-9)


def test_with_many_samples_intervals_are_about_those_of_a_bootstrap() -> None:
    """Another method, so only about: those of rates are wider, the more so that of H, of two ends at once."""
    rng = np.random.default_rng(2)
    margins = rng.normal(0.1, 0.2, (400, 6)) + rng.normal(0, 0.1, (400, 1))
    margins[rng.random(margins.shape) < 0.1] = np.nan
    found = outcome(margins)
    draws = [outcome_of(margins[rng.integers(400, size=400)]) for _ in range(1000)]
    for name in NUMBERS:
        expected = np.percentile([draw[name] for draw in draws], [2.5, 97.5])
        width = expected[1] - expected[0]
        np.testing.assert_allclose(getattr(found, f"{name}_ci95"), expected, atol=0.17 * width)


def outcome_of(margins: np.ndarray) -> dict[str, float]:
    """The numbers alone, without the intervals, again from the definitions."""
    tried = ~np.isnan(margins)
    won, every, mean = (margins > 0).sum(1), tried.sum(1), np.nanmean(margins, axis=1) > 0
    ssr, pa = (won == every).mean(), won.sum() / every.sum()
    return {
        "ssr": ssr,
        "pa": pa,
        "pa_published": (won.sum() + mean.sum()) / (every.sum() + len(margins)),
        "ssr_mean": mean.mean(),
        "h": 2 * ssr * pa / (ssr + pa),
        "mean_margin": margins[tried].mean(),
        "median_margin": np.median(margins[tried]),
    }


def test_rows_of_one_sample_are_drawn_together() -> None:
    rng = np.random.default_rng(3)
    once = rng.normal(0.02, 0.2, (60, 6)) + rng.normal(0, 0.1, (60, 1))
    seven_times = np.tile(once, (7, 1))
    together = outcome(seven_times, np.tile(np.arange(60), 7))
    alone = outcome(once)
    np.testing.assert_allclose(together.pa_ci95, alone.pa_ci95)
    np.testing.assert_allclose(together.median_margin_ci95, alone.median_margin_ci95)
    apart = outcome(seven_times)
    assert np.diff(apart.pa_ci95) < 0.6 * np.diff(together.pa_ci95)  # sqrt(7) times too narrow
    assert dataclasses.replace(apart, **{f"{name}_ci95": None for name in NUMBERS}) == dataclasses.replace(
        together, **{f"{name}_ci95": None for name in NUMBERS}
    )


@settings(max_examples=20)
@given(table, st.randoms(use_true_random=False))
def test_the_order_of_samples_does_not_matter(values: np.ndarray, random: object) -> None:
    order = list(range(len(values)))
    random.shuffle(order)  # type: ignore[attr-defined]
    margins = trial_margins(values[:, :3], values[:, 3:])
    first, second = vars(outcome(margins)), vars(outcome(margins[order]))
    for name, value in first.items():
        if value is None or name == "median_margin_ci95":
            assert (second[name] is None) == (value is None)
        else:
            np.testing.assert_allclose(second[name], value, atol=1e-12)


def test_ties_at_the_median() -> None:
    margins = np.array([[-0.1]] * 49 + [[0.0]] * 31 + [[0.3]] * 20)
    found = outcome(margins)
    low, high = found.median_margin_ci95
    assert found.median_margin == 0
    assert low <= 0 <= high
    assert outcome(np.zeros((5, 6))).median_margin_ci95 == (0, 0)


def test_three_samples_have_intervals_and_two_have_none() -> None:
    assert outcome([[0.1], [0.2]]).ssr_ci95 is None
    assert outcome([[0.1], [0.2], [-0.3]]).ssr_ci95 is not None
    assert outcome([[0.1], [0.2], [-0.3]], ["a", "a", "b"]).ssr_ci95 is None


@pytest.mark.parametrize(
    ("margins", "samples"),
    [([0.1], None), ([[np.inf]], None), ([[0.1]], ["a", "b"]), ([[0.1]], [["a"]])],
)
def test_wrong_arguments(margins: object, samples: object) -> None:
    with pytest.raises(ValueError, match="Expected argument"):
        outcome(margins, samples)


@pytest.mark.parametrize(
    ("sim", "cross"),
    [
        ([[0.1] * 2], [[0.1] * 2]),
        ([[0.1] * 4], [[0.1] * 4]),
        ([[0.1] * 3], [[0.1] * 3] * 2),
        ([[np.inf] * 3], [[0.0] * 3]),
    ],
)
def test_wrong_similarities(sim: object, cross: object) -> None:
    with pytest.raises(ValueError, match="Expected arguments `sim` and `cross_own`"):
        trial_margins(sim, cross)


def test_nothing_is_an_outcome_too() -> None:
    assert isinstance(outcome(np.empty((0, 6))), Outcome)
    assert trial_margins(np.empty((0, 3)), np.empty((0, 3))).shape == (0, 6)
