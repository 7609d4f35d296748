"""What is said of checkpoints holds: where copying sets in, which is best, and what may be chance.

Pictures are vectors here: references and faithful generations of a subject are drawn alike, and the less a generation
knows of its subject, the farther it is moved away. So near copies arise by chance as they do of pictures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from nearid_cli.evaluate.compare import compare
from nearid_cli.metrics.closeness import chance_of_near_copy
from nearid_cli.metrics.onset import Counts, above, risen_from
from nearid_cli.results import Curve
from tests.comparing import scored

pytestmark = pytest.mark.torture  # minutes of worlds, of statistics that change seldom

WORLDS = 400
STEPS = 8

Distance = Callable[[int], float]


def near_copies(
    random: np.random.Generator,
    distance: Distance,
    subjects: int = 8,
    references: int = 4,
    generations: int = 4,
    planted: int = STEPS,
    share: float = 1.0,
) -> Counts:
    """[steps, subjects] how many generations are nearer to a reference than any two references are to each other.

    From the step `planted` on, so many of the generations are a reference, slightly moved.
    """
    found = np.zeros((STEPS, subjects), np.intp)
    for subject in range(subjects):
        real = random.normal(size=(references, 24))
        apart = np.linalg.norm(real[:, None] - real[None], axis=-1)
        closest = apart[np.triu_indices(references, 1)].min()
        away = random.normal(size=24)
        away /= np.linalg.norm(away)
        for step in range(STEPS):
            made = random.normal(size=(generations, 24)) + away * distance(step)
            if step >= planted:
                copied = random.random(generations) < share
                chosen = real[random.integers(references, size=copied.sum())]
                made[copied] = chosen + 0.2 * random.normal(size=chosen.shape)
            nearest = np.linalg.norm(made[:, None] - real[None], axis=-1).min(axis=1)
            found[step, subject] = (nearest < closest).sum()
    return found


def named(hits: Counts, generations: int, references: int) -> int | None:
    """Where copying sets in, by the rule of evaluate/curves.py."""
    trials = np.full_like(hits, generations)
    chances = np.full(hits.shape[1], chance_of_near_copy(references))
    many = [above(own, of, chances) for own, of in zip(hits, trials, strict=True)]
    least = STEPS - next((place for place, one in enumerate(reversed(many)) if not one), STEPS)
    return risen_from(hits, trials, least)


FAITHFUL: dict[str, Distance] = {
    "far": lambda step: 3.0,
    "perfect": lambda step: 0.0,
    "rising to perfect": lambda step: max(0.0, 6 - 1.2 * step),
    "perfect from the fifth on": lambda step: 6.0 * (step < 4),
}


@pytest.mark.parametrize("world", FAITHFUL)
@pytest.mark.parametrize(("subjects", "references"), [(3, 4), (8, 4), (8, 2), (20, 5)])
def test_copying_is_hardly_ever_named_where_nothing_is_copied(
    world: str, subjects: int, references: int
) -> None:
    random = np.random.default_rng([subjects, references, len(world)])
    found = [
        named(near_copies(random, FAITHFUL[world], subjects, references), 4, references)
        for _ in range(WORLDS)
    ]
    share = np.mean([one is not None for one in found])
    print(f"{world}, {subjects} subjects, {references} references: named in {share:.3f}")
    assert share <= 0.05 + 2 * (0.05 * 0.95 / WORLDS) ** 0.5


@pytest.mark.parametrize(
    ("share", "subjects", "exactly"), [(1.0, 3, 0.95), (1.0, 8, 0.95), (0.75, 8, 0.65), (0.75, 20, 0.9)]
)
def test_copying_is_named_where_it_was_planted(share: float, subjects: int, exactly: float) -> None:
    random = np.random.default_rng([subjects, int(100 * share)])
    found = Counter(
        named(near_copies(random, lambda step: max(0.0, 5.0 - step), subjects, planted=5, share=share), 4, 4)
        for _ in range(WORLDS)
    )
    print(f"{share:.0%} copied, {subjects} subjects: { ({place: n / WORLDS for place, n in found.items()}) }")
    assert found[5] / WORLDS >= exactly
    assert sum(n for place, n in found.items() if place is not None and place < 5) <= 0.05 * WORLDS


def a_curve(
    random: np.random.Generator, means: list[float], subjects: int = 12, spread: float = 0.03
) -> Curve:
    easy = random.normal(0.6, 0.1, (subjects, 1))
    scores = {
        f"step_{step}": mean
        + easy
        + random.normal(0, spread, (subjects, 1))
        + random.normal(0, 0.03, (subjects, 4))
        for step, mean in enumerate(means)
    }
    runs = {
        name: scored({f"s{place}": row for place, row in enumerate(own)}, ("nearid",))
        for name, own in scores.items()
    }
    (curve,) = compare(runs).curves
    return curve


def test_equal_checkpoints_are_not_told_apart() -> None:
    random = np.random.default_rng(5)
    curves = [a_curve(random, [0.0] * STEPS) for _ in range(200)]
    told = np.mean([any(one.verdict in ("better", "worse") for one in curve.differences) for curve in curves])
    rising = np.mean(["still rising" in curve.answer for curve in curves])
    print(f"some checkpoint is shown to differ: {told:.3f}; still rising: {rising:.3f}")
    assert told <= 0.05 + 2 * (0.05 * 0.95 / 200) ** 0.5
    assert rising <= told


def test_a_planted_best_is_named_and_its_neighbours_are_mostly_told_from_it() -> None:
    random = np.random.default_rng(6)
    curves = [a_curve(random, [-0.2, -0.1, -0.05, 0, 0.08, 0.0, -0.05, -0.1]) for _ in range(60)]
    best = np.mean([curve.best == "step_4" for curve in curves])
    right = [
        one.verdict == "worse"
        for curve in curves
        for one in curve.differences
        if one.method in ("step_3", "step_5")
    ]
    print(f"best named: {best:.3f}; neighbours shown to be worse: {np.mean(right):.3f}")
    assert best >= 0.95
    assert np.mean(right) >= 0.7
    assert all(curve.earliest in ("step_3", "step_4") for curve in curves if curve.best == "step_4")
