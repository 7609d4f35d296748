"""Another scale of a metric changes what is on the scale and nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import nearid_cli
from nearid_cli.metrics.agreement import kendall, rank_shares, spearman
from nearid_cli.metrics.intervals import mean_interval, studentised_test
from nearid_cli.metrics.margins import success
from nearid_cli.metrics.paired import max_sign_flip, sign_flip_test, wins_ties_losses
from nearid_cli.results import CompareResult
from tests.metamorphic.planted import compare, lay, score

METHODS = ("low", "middle", "high", "odd")
MANY = [f"s{number}" for number in range(7)]
SCALES = ((2.0, 0.0), (100.0, -50.0), (1e-3, 0.25))

quarters = arrays(float, st.integers(3, 9), elements=st.integers(-40, 40).map(lambda n: n / 4))
"""Vectors that keep their ties on another scale."""
scales = st.tuples(st.sampled_from([0.125, 0.5, 2.0, 64.0]), st.integers(-8, 8).map(float))


@settings(max_examples=40)
@given(values=quarters, scale=scales)
def test_formulas(values: np.ndarray, scale: tuple[float, float]) -> None:
    factor, shift = scale
    other = np.cos(np.arange(len(values)))
    moved = factor * values + shift
    assert rank_shares(moved).tolist() == rank_shares(values).tolist()
    assert (spearman(moved, other), kendall(moved, other)) == (
        spearman(values, other),
        kendall(values, other),
    )
    assert sign_flip_test(factor * values) == sign_flip_test(values) == sign_flip_test(-values)
    assert studentised_test(factor * values) == pytest.approx(studentised_test(values), abs=1e-9)
    assert wins_ties_losses(factor * values) == wins_ties_losses(values) == wins_ties_losses(-values)[::-1]
    table = np.stack([values, 2 * values[::-1], other])
    assert max_sign_flip(factor * table) == max_sign_flip(table)
    interval, image = mean_interval(values), mean_interval(moved)
    mirrored = mean_interval(-values)
    if interval is None or image is None or mirrored is None:
        assert interval is image is mirrored is None
        return
    size = abs(factor) * (np.abs(values).max() + 1) + abs(shift)
    assert image == pytest.approx([factor * end + shift for end in interval], abs=1e-9 * size)
    assert mirrored == pytest.approx([-end for end in interval][::-1], abs=1e-9 * size)


@settings(max_examples=20)
@given(values=quarters, factor=st.sampled_from([0.25, 2.0, 1024.0]))
def test_margins_that_are_larger_are_won_as_often(values: np.ndarray, factor: float) -> None:
    one, other = success([values, -values]), success([factor * values, -factor * values])
    assert one == replace(other, mean_margin=one.mean_margin)


@pytest.fixture
def many(tmp_path: Path, pictures: dict[str, bytes]) -> Path:
    """Seven subjects, of whose pictures no metric is asked."""
    content = [*pictures.values()]
    return lay(
        tmp_path / "many",
        {f"refs/{subject}/0.png": content[number] for number, subject in enumerate(MANY)}
        | {
            f"gens/{subject}/{n}.png": content[10 + 3 * number + n]
            for number, subject in enumerate(MANY)
            for n in range(3)
        },
    )


def given_numbers() -> dict[str, dict[str, float]]:
    """Numbers by path of four methods: three in an order that all subjects show, one that is anywhere."""
    random = np.random.default_rng(5)
    noise = {method: random.normal(0, 0.02, (len(MANY), 3)) for method in METHODS}
    bases = dict(zip(METHODS, (0.3, 0.5, 0.8, 0.8), strict=True))
    wild = random.normal(0, 0.3, len(MANY))
    return {
        method: {
            f"{subject}/{n}.png": float(
                bases[method] + noise[method][row, n] + (wild[row] if method == "odd" else 0)
            )
            for row, subject in enumerate(MANY)
            for n in range(3)
        }
        for method in METHODS
    }


def judged(many: Path, numbers: Mapping[str, Mapping[str, float]], better: str = "higher") -> CompareResult:
    results = {
        method: score(many, "gens", metrics=["m"], scores={"m": own}, directions={"m": better})
        for method, own in numbers.items()
    }
    return compare(results)


def decided(result: CompareResult) -> dict[str, Any]:
    """All that does not depend on the scale. What follows a verdict's semicolon is a number on it."""
    return {
        "baseline": result.baseline,
        "ranks": {one.name: one.ranks["m"] for one in result.methods},
        "compared": {
            one.method: (
                one.verdict.split(";")[0],
                one.wins,
                one.ties,
                one.losses,
                one.p,
                one.p_holm,
                one.exact,
            )
            for one in result.comparisons
        },
    }


@pytest.mark.parametrize(("factor", "shift"), SCALES)
def test_a_comparison_on_another_scale(many: Path, factor: float, shift: float) -> None:
    plain = judged(many, given_numbers())
    assert len({one.verdict for one in plain.comparisons}) == 2  # worse, and what was not shown
    moved = judged(
        many,
        {
            method: {path: factor * number + shift for path, number in own.items()}
            for method, own in given_numbers().items()
        },
    )
    assert decided(moved) == decided(plain)
    assert_scaled(moved, plain, factor, shift)


def test_a_distance_is_the_mirrored_similarity(many: Path) -> None:
    plain = judged(many, given_numbers())
    turned = {m: {path: -number for path, number in own.items()} for m, own in given_numbers().items()}
    mirrored = judged(many, turned, "lower")
    assert decided(mirrored) == decided(plain)
    assert_scaled(mirrored, plain, -1.0, 0.0)


def assert_scaled(moved: CompareResult, plain: CompareResult, factor: float, shift: float) -> None:
    """That scores and intervals went where the map takes them, and differences without the shift."""
    near = 1e-9 * (abs(factor) + abs(shift))

    def ends(interval: Any, by: float) -> list[float]:
        return sorted(factor * end + by for end in interval)

    for one, other in zip(moved.comparisons, plain.comparisons, strict=True):
        if (ends_at := re.search(r"at most (\S+) either way", one.verdict)) is not None:
            largest = max(map(abs, one.ci95))
            assert largest * 0.99 < float(ends_at[1]) < max(1.01 * largest, 0.0011)
        assert one.delta == pytest.approx(factor * other.delta, abs=near)
        assert one.ci95 == pytest.approx(ends(other.ci95, 0), abs=near)
        assert one.p_studentised == pytest.approx(other.p_studentised, abs=1e-9)
        assert one.p_adjusted == pytest.approx(other.p_adjusted, abs=1e-9)
    for name in METHODS:
        whole, before = (result.methods[name].result for result in (moved, plain))
        assert whole.aggregate["m"].score == pytest.approx(
            factor * before.aggregate["m"].score + shift, abs=near
        )
        assert whole.aggregate["m"].ci95 == pytest.approx(ends(before.aggregate["m"].ci95, shift), abs=near)
        for entry, earlier in zip(whole.subjects, before.subjects, strict=True):
            found, expected = entry.scores["m"], earlier.scores["m"]
            assert found.std == pytest.approx(abs(factor) * expected.std, abs=near)
            assert (found.min, found.max) == pytest.approx(
                ends((expected.min, expected.max), shift), abs=near
            )
            assert found.ci95 == pytest.approx(ends(expected.ci95, shift), abs=near)


@pytest.mark.torture
@settings(max_examples=300)
@given(
    factor=st.floats(1e-6, 1e6),
    shift=st.floats(-1e3, 1e3),
    seed=st.integers(0, 2**32 - 1),
    subjects=st.integers(3, 20),
)
def test_decisions_on_any_scale(factor: float, shift: float, seed: int, subjects: int) -> None:
    values = np.random.default_rng(seed).normal(0.1, 0.3, subjects)
    moved = (factor * values + shift) - shift
    assert sign_flip_test(moved).p == sign_flip_test(values).p
    assert studentised_test(moved) == pytest.approx(studentised_test(values), abs=1e-5)


def test_scores_by_python_are_those_of_the_table(many: Path) -> None:
    """The relation above would hold of a metric that nobody read."""
    numbers = given_numbers()["high"]
    result = nearid_cli.score(many / "refs", many / "gens", ["m"], scores={"m": numbers}, progress=False)
    assert {one.path: one.scores["m"] for one in result.images} == numbers
