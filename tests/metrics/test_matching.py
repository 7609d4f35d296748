from __future__ import annotations

import tracemalloc

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearid_cli.metrics.matching import Features, inconsistencies, match, visual_consistency

THRESHOLDS = (0.5, 0.6, 0.7)


def features(seed: int, side: int, width: int = 4, outside: float = 0.0) -> Features:
    """Random vectors whose products are exact in float32, and often equal; those of some cells are 0."""
    generator = np.random.default_rng(seed)
    found = generator.integers(-1, 4, (2, side * side, width)).astype(np.float32) / 4
    found[:, generator.random(side * side) < outside] = 0
    return found


def plainly(
    reference: Features, generation: Features, semantic_threshold: float
) -> tuple[list[tuple[int, int, float]], list[list[float]]]:
    """The kept points (source, target, visual score), and all semantic cosines, by loops."""
    cosines = [
        [[float(np.dot(vector, other)) for other in generation[branch]] for vector in reference[branch]]
        for branch in (0, 1)
    ]
    best: dict[int, tuple[int, float]] = {}
    for source, row in enumerate(cosines[0]):
        score = max(row)
        target = row.index(score)
        if score > semantic_threshold and (target not in best or score > best[target][1]):
            best[target] = (source, score)
    kept = sorted((source, target, max(cosines[1][source])) for target, (source, _) in best.items())
    return kept, cosines[0]


seeds = st.integers(0, 10_000)
sides = st.integers(1, 5)


@given(seeds, seeds, sides, sides, st.sampled_from([0.0, 0.6, 0.7]), st.sampled_from([0.0, 0.4, 1.0]))
def test_matches_as_loops_do(
    seed: int, other: int, side: int, width: int, threshold: float, outside: float
) -> None:
    reference, generation = features(seed, side, outside=outside), features(other, width, outside=outside)
    found = match(reference, generation, threshold)
    expected, cosines = plainly(reference, generation, threshold)
    assert [*zip(found.source.tolist(), found.target.tolist(), strict=True)] == [one[:2] for one in expected]
    assert found.visual.tolist() == [one[2] for one in expected]
    assert found.semantic.tolist() == [cosines[source][target] for source, target, _ in expected]


@given(seeds, seeds, sides, sides, st.sampled_from([0.0, 0.4, 1.0]))
def test_the_map_says_what_the_score_counts(
    seed: int, other: int, side: int, width: int, outside: float
) -> None:
    matches = match(features(seed, side, outside=outside), features(other, width, outside=outside), 0.6)
    shares = [visual_consistency(matches, threshold) for threshold in THRESHOLDS]
    for threshold, share in zip(THRESHOLDS, shares, strict=True):
        grid = inconsistencies(matches, threshold)
        assert grid.shape == (width, width)
        said = grid[np.isfinite(grid)]
        assert set(said.tolist()) <= {0.0, 1.0}
        assert len(said) == len(matches.source) == len(set(matches.target.tolist()))
        if share is None:
            assert not said.size
        else:
            assert 1 - said.mean() == pytest.approx(share, abs=1e-6)
    if shares[0] is not None:
        assert shares == sorted(shares, reverse=True)


@given(seeds, sides)
def test_a_picture_looks_like_itself(seed: int, side: int) -> None:
    own = np.random.default_rng(seed).standard_normal((2, side * side, 16)).astype(np.float32)
    own /= np.linalg.norm(own, axis=-1, keepdims=True)
    matches = match(own, own, 0.6)
    assert matches.source.tolist() == matches.target.tolist() == list(range(side * side))
    assert visual_consistency(matches, 0.7) == 1.0


def test_of_several_points_on_one_cell_the_best_stays() -> None:
    target = _unit([[1, 0], [0, 1]])
    source = _unit([[3, 1], [9, 1], [9, 1], [1, 4], [1, 1]])
    matches = match(np.stack([source, source]), np.stack([target, target]), 0.8)
    assert matches.source.tolist() == [1, 3]
    assert matches.target.tolist() == [0, 1]


def test_scores_at_a_threshold_are_not_above_it() -> None:
    reference = np.asarray([[[1, 0]], [[1, 0]]], np.float32)
    generation = np.asarray([[[0.5, 0]], [[0.5, 0]]], np.float32)
    assert match(reference, generation, 0.5).source.tolist() == []
    matches = match(reference, generation, 0.25)
    assert visual_consistency(matches, 0.5) == 0.0
    assert inconsistencies(matches, 0.5).tolist() == [[1.0]]
    assert visual_consistency(matches, 0.4) == 1.0


def test_the_visual_score_is_of_the_cell_that_looks_most_alike() -> None:
    """Which need not be the one that means the same."""
    reference = np.asarray([[[1, 0]], [[0, 1]]], np.float32)
    generation = np.asarray([[[1, 0], [0, 1]], [[1, 0], [0, 1]]], np.float32)
    matches = match(reference, generation, 0.6)
    assert (matches.target.tolist(), matches.visual.tolist()) == ([0], [1.0])


def test_memory_of_a_pair_of_full_size_is_bounded() -> None:
    """Some tables of 2304 x 2304 numbers, and none of them times the width."""
    generator = np.random.default_rng(0)
    own, other = (generator.random((2, 48 * 48, 384), np.float32) for _ in range(2))
    tracemalloc.start()
    match(own, other, 0.6)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 20e6 < peak < 80e6


def test_what_is_no_features_is_refused() -> None:
    good = features(0, 2)
    for reference, generation, threshold, words in (
        (good[0], good, 0.6, "`reference`"),
        (good, good[:1], 0.6, "`generation`"),
        (good, good[:, :, :2], 0.6, "one width but got 4 and 2"),
        (good, good, 1.0, "`semantic_threshold`"),
        (good, good, -0.1, "`semantic_threshold`"),
        (good, good, float("nan"), "`semantic_threshold`"),
    ):
        with pytest.raises(ValueError, match=words):
            match(reference, generation, threshold)
    with pytest.raises(ValueError, match="square grid, found 3"):
        inconsistencies(match(good, good[:, :3], 0.6), 0.6)


def _unit(rows: list[list[float]]) -> npt.NDArray[np.float32]:
    found = np.asarray(rows, np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)
