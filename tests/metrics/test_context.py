from __future__ import annotations

import numpy as np
import pytest

from nearid_cli.metrics.context import context_share
from nearid_cli.metrics.identity import identity_scores
from nearid_cli.metrics.summary import IdentityScores


def planted(strength: float, subjects: int = 8, seed: int = 0, each: int = 6) -> IdentityScores:
    """Vectors that are of their subject to some degree, and otherwise random."""
    rng = np.random.default_rng(seed)
    own = rng.normal(size=(subjects, 64))

    def rows(number: int) -> np.ndarray:
        noise = rng.normal(size=(subjects * number, 64))
        found = strength * np.repeat(own, number, axis=0) + noise
        return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)

    return identity_scores(
        rows(2), np.repeat(np.arange(subjects), 2), rows(each), np.repeat(np.arange(subjects), each)
    )


@pytest.mark.parametrize(
    ("foreground", "background", "low", "high"),
    [(2, 0, 0, 0.1), (0, 2, 0.9, 1), (2, 2, 0.4, 0.6)],
)
def test_what_was_planted_is_found(foreground: float, background: float, low: float, high: float) -> None:
    found = context_share(planted(foreground, seed=1), planted(background, seed=2))
    assert low <= found.of_all <= high
    assert found.ci95[0] <= found.of_all <= found.ci95[1]
    assert not found.within_noise


def test_it_is_the_formula() -> None:
    front, back = planted(2, seed=3), planted(1, seed=4)
    f, b = (one.aggregate.score - one.aggregate.floor for one in (front, back))
    assert context_share(front, back).of_all == pytest.approx(b / (f + b))


def test_where_nothing_is_seen_there_is_no_share() -> None:
    unknown = [context_share(planted(0, seed=seed), planted(0, seed=seed + 100)) for seed in range(40)]
    assert np.mean([one.within_noise for one in unknown]) > 0.9
    assert all(np.isnan(one.of_all) for one in unknown if one.within_noise)


def test_one_subject_has_no_floor_and_no_share() -> None:
    found = context_share(planted(2, subjects=1), planted(2, subjects=1, seed=1))
    assert np.isnan(found.of_all)
    assert not found.within_noise


def test_two_subjects_have_no_interval() -> None:
    found = context_share(planted(2, subjects=2), planted(2, subjects=2, seed=1))
    assert 0 < found.of_all < 1
    assert np.isnan(found.ci95).all()


def test_a_distance_is_turned_round() -> None:
    from dataclasses import replace

    front, back = planted(2, seed=5), planted(1, seed=6)
    distances = [replace(one, score=-one.score, floor=-one.floor) for one in (front, back)]
    assert context_share(*distances, -1.0).of_all == context_share(front, back).of_all
    assert context_share(*distances).within_noise


def test_it_does_not_leave_its_range() -> None:
    from dataclasses import replace

    front, back = planted(3, seed=7), planted(0, seed=8)
    below = replace(back, score=back.floor - 0.01)
    assert context_share(front, below).of_all == 0
    assert context_share(below, front).of_all == 1
