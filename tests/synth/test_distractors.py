"""What each kind of change changes, and what it leaves alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nearid_cli.synth.distractors import LEAST_CHANGE, Alteration, make_distractor, plan_change
from nearid_cli.synth.families import draw_thing
from nearid_cli.synth.objects import Thing
from nearid_cli.synth.sample import CATEGORIES, DIFFICULTIES, KINDS


def changed(category: str, kind: str, amount: float, seed: int = 0) -> tuple[Thing, Thing]:
    thing = draw_thing(category, np.random.default_rng(seed))
    plan = Alteration("medium", (kind,), amount)
    return thing, make_distractor(thing, plan, np.random.default_rng([seed, 1]))


def moved(one: Thing, other: Thing) -> list[int]:
    return [
        index for index, pair in enumerate(zip(one.parts, other.parts, strict=True)) if pair[0] != pair[1]
    ]


@pytest.mark.parametrize("category", CATEGORIES)
@pytest.mark.parametrize("amount", [0.3, 0.8])
def test_shape_moves_parts_and_leaves_surfaces(category: str, amount: float) -> None:
    thing, other = changed(category, "shape", amount)
    assert len(moved(thing, other)) >= len(thing.parts) - 1
    assert other.materials == thing.materials
    assert replace(other.emblem, height=0) == replace(thing.emblem, height=0)


@pytest.mark.parametrize("category", CATEGORIES)
@pytest.mark.parametrize("amount", [0.3, 0.8])
def test_colour_turns_hues_and_leaves_the_rest(category: str, amount: float) -> None:
    thing, other = changed(category, "colour", amount)
    assert other.parts == thing.parts
    assert other.emblem == thing.emblem
    touched = 0
    for before, after in zip(thing.materials, other.materials, strict=True):
        assert replace(after, base=before.base, second=before.second) == before
        assert 0 <= after.base[2] <= 1
        turn = (after.base[0] - before.base[0]) % 1
        if after != before:
            touched += 1
            assert min(turn, 1 - turn) == pytest.approx(amount / 2)
    assert touched == (3 if amount >= 0.5 else 1)


@pytest.mark.parametrize("category", CATEGORIES)
@pytest.mark.parametrize("amount", [0.3, 0.8])
def test_texture_draws_patterns_and_leaves_colours_and_parts(category: str, amount: float) -> None:
    thing, other = changed(category, "texture", amount)
    assert other.parts == thing.parts
    pairs = list(zip(thing.materials, other.materials, strict=True))
    assert all((a.base, a.second) == (b.base, b.second) for a, b in pairs)
    assert sum(a.pattern != b.pattern for a, b in pairs) == (3 if amount >= 0.5 else 1)
    assert (other.emblem.shape != thing.emblem.shape) == (amount >= 0.5)


@pytest.mark.parametrize("category", CATEGORIES)
@pytest.mark.parametrize(("amount", "parts"), [(0.01, 1), (0.2, 1), (0.6, None), (1.0, None)])
def test_part_takes_a_share_of_the_parts_from_another_object(
    category: str, amount: float, parts: int | None
) -> None:
    thing, other = changed(category, "part", amount)
    expected = round(amount * len(thing.parts)) if parts is None else parts
    assert len(moved(thing, other)) in (expected, expected - 1)  # a part without freedom is the same again
    assert (other.materials, other.emblem) == (thing.materials, thing.emblem)


def test_the_amount_of_a_change_of_shape_is_a_way_to_another_object() -> None:
    thing, far = changed("car", "shape", 1.0)
    _, middle = changed("car", "shape", 0.5)
    assert far.parts == draw_thing("car", np.random.default_rng([0, 1])).parts
    for a, b, c in zip(thing.parts, middle.parts, far.parts, strict=True):
        np.testing.assert_allclose(b.centre, np.mean([a.centre, c.centre], axis=0), atol=1e-12)
        np.testing.assert_allclose(b.half, np.mean([a.half, c.half], axis=0), atol=1e-12)


def test_plans_follow_their_difficulty() -> None:
    random = np.random.default_rng(0)
    plans = [plan_change(random, "mixed") for _ in range(400)]
    assert {plan.difficulty for plan in plans} == set(DIFFICULTIES) == set(LEAST_CHANGE)
    for plan in plans:
        low, high = {"easy": (0.6, 1.0), "medium": (0.6, 1.0), "hard": (0.2, 0.4)}[plan.difficulty]
        assert low <= plan.amount <= high
        assert len(plan.kinds) == (3 if plan.difficulty == "easy" else 1)
    assert {kind for plan in plans for kind in plan.kinds} == set(KINDS)
    for difficulty in DIFFICULTIES:
        assert plan_change(random, difficulty).difficulty == difficulty
