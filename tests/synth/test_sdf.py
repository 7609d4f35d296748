"""Distances to solids, against formulas in NumPy and against points on the surface."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from nearid_cli.synth.families import draw_thing
from nearid_cli.synth.objects import Part, Thing, draw_emblem, draw_materials
from nearid_cli.synth.sample import CATEGORIES
from nearid_cli.synth.sdf import Points, Solid

Cloud = NDArray[np.float64]  # [N, 3]
CENTRE = (0.2, -0.1, 0.3)


def thing(*parts: Part) -> Thing:
    random = np.random.default_rng(0)
    return Thing("test", parts, draw_materials(random), draw_emblem(random, 0, 0.2))


def cloud(number: int = 4000, seed: int = 0) -> Cloud:
    return np.random.default_rng(seed).uniform(-1.3, 1.3, (number, 3))


def points(cloud: Cloud) -> Points:
    x, y, z = (torch.tensor(axis, dtype=torch.float32)[None] for axis in cloud.T)
    return x, y, z


def distance(cloud: Cloud, *parts: Part) -> Cloud:
    return Solid([thing(*parts)]).distance(points(cloud))[0].double().numpy()


def sphere(p: Cloud) -> Cloud:
    return np.linalg.norm(p, axis=1) - 0.4


def box(p: Cloud) -> Cloud:
    q = np.abs(p) - (0.5, 0.3, 0.2)
    return np.linalg.norm(np.maximum(q, 0), axis=1) + np.minimum(q.max(axis=1), 0)


def cylinder(p: Cloud) -> Cloud:
    """Along y."""
    q = np.stack([np.hypot(p[:, 0], p[:, 2]) - 0.3, np.abs(p[:, 1]) - 0.5], axis=1)
    return np.linalg.norm(np.maximum(q, 0), axis=1) + np.minimum(q.max(axis=1), 0)


def torus(p: Cloud) -> Cloud:
    """Around x."""
    return np.hypot(np.hypot(p[:, 1], p[:, 2]) - 0.5, p[:, 0]) - 0.1


SOLIDS: list[tuple[Callable[[Cloud], Cloud], Part]] = [
    (sphere, Part("p", CENTRE, (0.4, 0.4, 0.4), corner=0.4, rounding=0.4)),
    (box, Part("p", CENTRE, (0.5, 0.3, 0.2), rounding=0.0)),
    (cylinder, Part("p", CENTRE, (0.3, 0.3, 0.5), corner=0.3, rounding=0.0, axis="y")),
    (torus, Part("p", CENTRE, (0.6, 0.6, 0.1), corner=0.6, rounding=0.1, wall=0.1, axis="x")),
]


@pytest.mark.parametrize(("formula", "part"), SOLIDS, ids=lambda value: getattr(value, "__name__", ""))
def test_special_cases_have_exact_distances(formula: Callable[[Cloud], Cloud], part: Part) -> None:
    expected = formula(cloud() - CENTRE)
    np.testing.assert_allclose(distance(cloud(), part), expected, atol=2e-6)


def test_mirrors_carving_and_tilt() -> None:
    ball = Part("p", (0.4, 0.3, 0), (0.2, 0.2, 0.2), corner=0.2, rounding=0.2)
    signs = [(x, y) for x in (1, -1) for y in (1, -1)]
    each = [np.linalg.norm(cloud() - (0.4 * x, 0.3 * y, 0), axis=1) - 0.2 for x, y in signs]
    four = Part(**{**vars(ball), "mirror": "xy"})
    np.testing.assert_allclose(distance(cloud(), four), np.min(each, axis=0), atol=2e-6)

    bite = Part(**{**vars(ball), "centre": (0.5, 0.3, 0.1), "operation": "carve"})
    taken = np.linalg.norm(cloud() - (0.5, 0.3, 0.1), axis=1) - 0.2
    np.testing.assert_allclose(distance(cloud(), ball, bite), np.maximum(each[0], -taken), atol=2e-6)

    rod = Part("p", (0, 0, 0), (0.05, 0.05, 0.8), rounding=0.0, tilt=np.pi / 4)
    upper_left, upper_right = np.array([[-0.4, 0, 0.4]]), np.array([[0.4, 0, 0.4]])
    assert distance(upper_left, rod) < 0 < distance(upper_right, rod)


def test_a_blend_fills_the_crease_and_changes_nothing_far_away() -> None:
    one, other = ((Part("p", (x, 0, 0), (0.3, 0.3, 0.3), 0.3, 0.3)) for x in (-0.25, 0.25))
    smooth = Part(**{**vars(other), "blend": 0.2})
    hard, soft = distance(cloud(), one, other), distance(cloud(), one, smooth)
    assert (soft <= hard + 1e-6).all()
    apart = np.abs(distance(cloud(), one) - distance(cloud(), other)) > 0.2
    np.testing.assert_allclose(soft[apart], hard[apart], atol=1e-6)
    crease = np.array([[0, 0, 0.22]])
    assert distance(crease, one, smooth) < 0 < distance(crease, one, other)


sizes = st.floats(0.05, 0.6)
parts = st.builds(
    lambda half, corner, rounding, taper, wall, axis, tilt: Part(
        "p", (0.1, 0.0, -0.1), half, corner * min(half[:2]), rounding, taper, wall, axis, tilt
    ),
    half=st.tuples(sizes, sizes, sizes),
    corner=st.floats(0, 1),
    rounding=st.floats(0, 0.3),
    taper=st.just(0.0) | st.floats(-0.9, 0.9),
    wall=st.just(0.0) | st.floats(0.02, 0.1),
    axis=st.sampled_from("xyz"),
    tilt=st.floats(-1, 1),
)


@settings(max_examples=40)
@given(part=parts, seed=st.integers(0, 1000))
def test_a_distance_does_not_overstate_the_way_to_the_nearest_point_of_the_solid(
    part: Part, seed: int
) -> None:
    inside = cloud(8000, seed)
    inside = inside[distance(inside, part) <= 0]
    outside = cloud(100, seed + 1)
    claimed = distance(outside, part)
    outside, claimed = outside[claimed > 0], claimed[claimed > 0]
    if len(inside) and len(outside):
        # No sampled point of the solid is nearer than claimed. See the module about what tapers.
        true = np.array([np.linalg.norm(inside - point, axis=1).min() for point in outside])
        assert (claimed <= true * (1.3 if part.taper else 1) + 1e-5).all()


@pytest.mark.parametrize("category", CATEGORIES)
def test_the_nearest_part_is_the_one_with_the_least_distance(category: str) -> None:
    whole = draw_thing(category, np.random.default_rng(3))
    where = cloud(500)
    each = np.array([distance(where, Part(**{**vars(part), "operation": "union"})) for part in whole.parts])
    union = [part.operation == "union" for part in whole.parts]
    which = Solid([whole]).nearest_part(points(where))[0].numpy()
    if all(union):
        np.testing.assert_allclose(each[which, np.arange(500)], each.min(axis=0), atol=1e-6)
    assert set(which) <= set(range(len(whole.parts)))
    assert len(set(which)) > 2


def test_objects_of_a_family_are_evaluated_together_as_alone() -> None:
    things = [draw_thing("mug", np.random.default_rng(seed)) for seed in range(3)]
    x, y, z = points(cloud())
    together = Solid(things).distance((x.expand(3, -1), y, z))
    for index, one in enumerate(things):
        # A part that one has no blend for counts as barely blended, since another has one.
        torch.testing.assert_close(
            together[index : index + 1], Solid([one]).distance((x, y, z)), atol=1e-3, rtol=0
        )
