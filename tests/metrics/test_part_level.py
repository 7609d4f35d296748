"""MO, MOpair, SSR and PA against plain loops with SciPy, and what must hold whatever the numbers are."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from nearid_cli.metrics.correlations import fisher_mean
from nearid_cli.metrics.intervals import mean_interval
from nearid_cli.metrics.part_level import (
    CORRELATIONS,
    SIMILARITIES,
    PartLevel,
    oracle,
    part_level,
    part_margins,
)
from nearid_cli.metrics.proportions import share_interval

NAN = math.nan


def random_table(n: int, seed: int = 0, gaps: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    similarities, oracles = random.uniform(-1, 1, (n, 5)), random.uniform(0, 1, (n, 2))
    similarities[random.random(similarities.shape) < gaps] = NAN
    oracles[random.random(oracles.shape) < gaps / 2] = NAN
    return similarities, oracles


def by_hand(similarities: np.ndarray, oracles: np.ndarray) -> dict[str, Any]:
    """The definitions, sample by sample."""
    found: dict[str, Any] = {}
    for similarity, name in CORRELATIONS:
        pairs = [
            (row[SIMILARITIES.index(similarity)], own[{"o1": 0, "o2": 1}[name]])
            for row, own in zip(similarities.tolist(), oracles.tolist(), strict=True)
        ]
        pairs = [pair for pair in pairs if not any(map(math.isnan, pair))]
        found[similarity] = stats.pearsonr(*zip(*pairs, strict=True)).statistic
        found[f"{similarity} n"] = len(pairs)

    def mean(names: tuple[str, ...]) -> float:
        z = [math.atanh(min(0.999, max(-0.999, found[name]))) for name in names]
        return math.tanh(sum(z) / len(z))

    found["mo"], found["mo_pair"] = mean(("s11p", "s22p", "s12p", "s21p")), mean(("s11p", "s22p"))
    won, trials, samples, all_won = 0, 0, 0, 0
    for s12, s11p, _, s22p, _ in similarities.tolist():
        margins = [margin for margin in (s12 - s11p, s12 - s22p) if not math.isnan(margin)]
        won += sum(margin > 0 for margin in margins)
        trials += len(margins)
        samples += bool(margins)
        all_won += bool(margins) and all(margin > 0 for margin in margins)
    return found | {"pa": won / trials, "trials": trials, "ssr": all_won / samples, "samples": samples}


@pytest.mark.parametrize("seed", range(4))
def test_against_plain_loops(seed: int) -> None:
    similarities, oracles = random_table(25, seed)
    found, expected = part_level(similarities, oracles), by_hand(similarities, oracles)
    for name in ("mo", "mo_pair", "ssr", "pa"):
        assert getattr(found, name) == pytest.approx(expected[name], abs=1e-12)
    assert (found.samples, found.trials) == (expected["samples"], expected["trials"])
    for one in found.correlations:
        assert one.r == pytest.approx(expected[one.similarity], abs=1e-12)
        assert one.n == expected[f"{one.similarity} n"]
        assert one.varies
    own = sum(one.n for one in found.correlations[:2])
    assert (found.mo_pair_pairs, found.mo_pairs) == (own, sum(one.n for one in found.correlations))


@pytest.mark.parametrize(
    ("part", "whole", "expected"),
    [
        (25, 100, 0.75),
        (0, 100, 1.0),
        (100, 100, 0.0),
        (150, 100, -0.5),
        (NAN, 100, 0.0),
        (25, NAN, 0.0),
        (NAN, NAN, 0.0),
        (25, 0, 0.0),
        (0, 0, 0.0),
    ],
)
def test_oracle(part: float, whole: float, expected: float) -> None:
    assert oracle(part, whole) == pytest.approx(expected, abs=1e-15)


def test_a_margin_of_zero_is_lost() -> None:
    found = part_level([[0.5, 0.5, 0, 0.4, 0], [0.5, 0.4, 0, 0.4, 0]], [[0, 0], [0, 0]])
    assert (found.ssr, found.pa) == (0.5, 0.75)


def test_a_sample_with_one_trial_can_succeed() -> None:
    found = part_level([[0.5, 0.4, NAN, NAN, NAN], [NAN, 0.1, 0.1, 0.1, 0.1]], [[0, 0], [0, 0]])
    assert (found.ssr, found.samples, found.pa, found.trials) == (1.0, 1, 1.0, 1)


@pytest.mark.parametrize("noise", [0.0, 2e-16, 1e-10])
def test_a_correlation_without_variance_counts_zero(noise: float) -> None:
    similarities, oracles = random_table(20, gaps=0)
    similarities[:, 1] = 1 + noise * np.random.default_rng(1).standard_normal(20)
    found = part_level(similarities, oracles)
    first, second = found.correlations[:2]
    assert (first.r, first.varies, first.ci95, first.n) == (0.0, False, None, 20)
    assert second.varies
    assert found.mo_pair == pytest.approx(math.tanh(math.atanh(second.r) / 2), abs=1e-12)


def test_equal_oracles_have_no_variance_either() -> None:
    similarities, _ = random_table(20, gaps=0)
    found = part_level(similarities, np.full((20, 2), 0.1))
    assert [one.varies for one in found.correlations] == [False] * 4
    assert (found.mo, found.mo_pair) == (0.0, 0.0)
    assert found.mo_ci95 is None  # it was (0, 0): as if equal oracles showed that there is no correlation


def test_perfect_correlations_are_clipped() -> None:
    oracles = np.array([[0.1, 0.2], [0.5, 0.4], [0.9, 0.3]])
    similarities = oracles[:, [0, 0, 1, 1, 0]]
    assert part_level(similarities, oracles).mo == pytest.approx(0.999, abs=1e-12)
    assert part_level(-similarities, oracles).mo_pair == pytest.approx(-0.999, abs=1e-12)
    assert fisher_mean([1.0, -1.0, 0.0], 0.999) == 0


@pytest.mark.parametrize(("n", "interval"), [(1, False), (2, False), (3, True)])
def test_intervals_need_three_samples(n: int, interval: bool) -> None:
    found = part_level(*random_table(n, gaps=0))
    for name in ("mo", "mo_pair", "ssr", "pa"):
        assert getattr(found, name) is not None
        assert (getattr(found, f"{name}_ci95") is not None) is interval


def test_nothing_at_all() -> None:
    empty = part_level(np.empty((0, 5)), np.empty((0, 2)))
    absent = part_level(np.full((4, 5), NAN), np.zeros((4, 2)))
    assert empty == absent
    assert (empty.mo, empty.mo_pair, empty.ssr, empty.pa, empty.mean_margin) == (None,) * 5
    assert (empty.mo_pairs, empty.samples, empty.trials) == (0, 0, 0)


def test_only_the_twins_of_the_other_picture() -> None:
    """Then MO exists and MOpair does not."""
    similarities, oracles = random_table(10, gaps=0)
    similarities[:, [1, 3]] = NAN
    found = part_level(similarities, oracles)
    assert found.mo is not None
    assert (found.mo_pair, found.mo_pair_ci95, found.mo_pair_pairs) == (None, None, 0)


def test_intervals_are_those_of_pseudo_values() -> None:
    similarities, oracles = random_table(30, seed=3, gaps=0)
    similarities[:, 1:] = 0.6 * oracles[:, [0, 1, 1, 0]] + 0.4 * similarities[:, 1:]
    found = part_level(similarities, oracles)

    def ends(z: Callable[[np.ndarray], float]) -> tuple[float, ...]:
        every = np.arange(30)
        pseudo = np.array([30 * z(every) - 29 * z(np.delete(every, i)) for i in every])
        return tuple(np.tanh(mean_interval(pseudo - pseudo.mean() + z(every))))

    def mo(rows: np.ndarray) -> float:
        return math.atanh(by_hand_fast(similarities[rows], oracles[rows])[0])

    def first(rows: np.ndarray) -> float:
        return math.atanh(stats.pearsonr(similarities[rows, 1], oracles[rows, 0]).statistic)

    assert found.mo_ci95 == pytest.approx(ends(mo), abs=1e-9)
    assert found.correlations[0].ci95 == pytest.approx(ends(first), abs=1e-9)
    won = (similarities[:, :1] > similarities[:, [1, 3]]).sum(axis=1)
    assert found.pa_ci95 == share_interval(won, np.full(30, 2))


def test_samples_without_a_pair_move_only_what_they_are_in() -> None:
    similarities, oracles = random_table(12, seed=1, gaps=0)
    similarities[:4, 1] = NAN
    found = part_level(similarities, oracles).correlations[0]
    assert found.n == 8
    alone = part_level(similarities[4:], oracles[4:]).correlations[0]
    assert found.ci95 == pytest.approx(alone.ci95, abs=1e-12)


def by_hand_fast(similarities: np.ndarray, oracles: np.ndarray) -> tuple[float, float]:
    columns = ((1, 0), (3, 1), (2, 1), (4, 0))
    r = [np.corrcoef(similarities[:, s], oracles[:, o])[0, 1] for s, o in columns]
    margins = similarities[:, :1] - similarities[:, [1, 3]]
    return float(np.tanh(np.arctanh(r).mean())), float((margins > 0).mean())


tables = st.integers(3, 12).flatmap(
    lambda n: st.tuples(
        arrays(np.float64, (n, 5), elements=st.floats(-1, 1).map(lambda x: round(x, 3)) | st.just(NAN)),
        arrays(np.float64, (n, 2), elements=st.floats(0, 1).map(lambda x: round(x, 3)) | st.just(NAN)),
        st.permutations(range(n)),
    )
)


def points(found: PartLevel) -> list[float | None]:
    return [found.mo, found.mo_pair, found.ssr, found.pa, *(one.r for one in found.correlations)]


def same(one: PartLevel, other: PartLevel) -> bool:
    return all(
        a == b if a is None or b is None else math.isclose(a, b, abs_tol=1e-9)
        for a, b in zip(points(one), points(other), strict=True)
    )


@settings(max_examples=40)
@given(tables)
def test_what_always_holds(drawn: tuple[np.ndarray, np.ndarray, list[int]]) -> None:
    similarities, oracles, order = drawn
    found = part_level(similarities, oracles)
    assert same(found, part_level(similarities[order], oracles[order]))
    nothing = np.vstack([similarities, np.full((2, 5), NAN)]), np.vstack([oracles, np.zeros((2, 2))])
    assert same(found, part_level(*nothing))
    assert same(found, part_level(2 * similarities + 3, oracles))
    if found.ssr is not None and found.pa is not None:
        assert found.ssr <= 2 * found.pa
        assert (found.ssr == 1) == (found.pa == 1)
    for name in ("mo", "mo_pair"):
        value, ci95 = getattr(found, name), getattr(found, f"{name}_ci95")
        assert value is None or -0.9991 < value < 0.9991
        # The mean is of clipped correlations; what it stands for may lie beyond.
        assert ci95 is None or -1 <= ci95[0] <= value + 1e-12
        assert ci95 is None or value - 1e-12 <= ci95[1] <= 1
    mirrored = part_level(-similarities, oracles)
    assert (found.mo is None) == (mirrored.mo is None)
    assert found.mo is None or mirrored.mo == pytest.approx(-found.mo, abs=1e-9)


def test_swapping_the_pictures_changes_nothing() -> None:
    similarities, oracles = random_table(15)
    found = part_level(similarities, oracles)
    swapped = part_level(similarities[:, [0, 3, 4, 1, 2]], oracles[:, ::-1])
    assert points(swapped)[:4] == pytest.approx(points(found)[:4], abs=1e-12)
    assert [swapped.correlations[k].r for k in (1, 0, 3, 2)] == pytest.approx(
        [one.r for one in found.correlations], abs=1e-12
    )


@pytest.mark.parametrize(
    ("similarities", "oracles", "message"),
    [
        (np.zeros((3, 4)), np.zeros((3, 2)), r"`similarities` to be an array \[N, 5\]"),
        (np.zeros((3, 5)), np.zeros((3, 3)), r"`oracles` to be an array \[N, 2\]"),
        (np.zeros((3, 5)), np.zeros((2, 2)), "`oracles` to have 3 rows but got 2"),
        (np.full((3, 5), np.inf), np.zeros((3, 2)), "infinities"),
    ],
)
def test_wrong_arguments(similarities: np.ndarray, oracles: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        part_level(similarities, oracles)


def test_margins() -> None:
    margins = part_margins([[0.9, 0.5, 0.1, 1.0, 0.2], [0.9, NAN, 0.1, 0.3, 0.2]])
    np.testing.assert_allclose(margins, [[0.4, -0.1], [NAN, 0.6]], atol=1e-12)
