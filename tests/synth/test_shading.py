"""Patterns, emblems and light."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from nearid_cli.synth import shading
from nearid_cli.synth.families import draw_thing
from nearid_cli.synth.objects import EMBLEMS, PATTERNS, Emblem, Material, Thing
from nearid_cli.synth.sdf import Points
from nearid_cli.synth.shading import albedo, shade

RED, BLUE = (0.0, 1.0, 1.0), (2 / 3, 1.0, 1.0)


def some_points(number: int = 3000) -> Points:
    x, y, z = torch.rand(3, 1, number, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return x, y, z


def car(pattern: str = "solid", emblem: str = "none") -> Thing:
    material = Material(RED, BLUE, pattern, 3.0, 0.4, 0.2)
    return replace(
        draw_thing("car", np.random.default_rng(0)),
        materials=(material,) * 3,
        emblem=Emblem(emblem, 0.3, 0.0, (1 / 3, 1.0, 1.0)),
    )


def colours(thing: Thing, facing: float = -1.0) -> torch.Tensor:
    points = some_points()
    zero = torch.zeros_like(points[0])
    which = torch.zeros(points[0].shape, dtype=torch.int64)
    return albedo([thing], which, points, (zero, zero + facing, zero))[0][:, 0]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_mixes_its_two_colours(pattern: str) -> None:
    red, green, blue = colours(car(pattern))
    torch.testing.assert_close(red + blue, torch.ones_like(red))
    assert green.abs().max() == 0
    assert red.min() >= 0
    assert red.max() == 1
    if pattern != "solid":
        assert 0.15 < blue.mean() < 0.85


def test_every_pattern_is_another() -> None:
    seen = [colours(car(pattern)) for pattern in PATTERNS]
    for index, one in enumerate(seen):
        assert all((one - other).abs().mean() > 0.1 for other in seen[:index])


def test_a_mixture_of_patterns_in_one_call_is_each_on_its_own() -> None:
    things = [car(pattern) for pattern in PATTERNS]
    points, count = some_points(), len(things)
    which = torch.zeros((count, points[0].shape[1]), dtype=torch.int64)
    x, y, z = (axis.expand(count, -1) for axis in points)
    together, _ = albedo(things, which, (x, y, z), (x, y, z))
    for index, thing in enumerate(things):
        torch.testing.assert_close(together[:, index], colours(thing))


@pytest.mark.parametrize("emblem", EMBLEMS[1:])
def test_an_emblem_is_on_the_front_and_within_its_size(emblem: str) -> None:
    thing = car(emblem=emblem)
    painted = (colours(thing) - colours(car())).abs().sum(dim=0) > 0
    x, _, z = (axis[0] for axis in some_points())
    x = x - thing.parts[0].centre[0]
    assert painted.any()
    assert torch.maximum(x[painted].abs(), z[painted].abs()).max() < 0.3 * 1.5
    assert not ((colours(thing, facing=1.0) - colours(car())).abs() > 0).any()


def test_light_brightens_the_side_that_it_falls_on() -> None:
    normals = torch.nn.functional.normalize(torch.stack(some_points()), dim=0)
    count = normals.shape[2]
    one = torch.ones(1, count)
    light = (0.0 * one, -0.6 * one, 0.8 * one)
    grey = torch.full((3, 1, count), 0.5)
    shone = shade(
        grey,
        gloss=torch.zeros(1, count),
        normals=(normals[0], normals[1], normals[2]),
        towards=(0 * one, -one, 0 * one),
        light=light,
        tint=torch.tensor([1.0, 0.9, 0.8])[:, None, None],
        ambient=0.5 * one,
    )[:, 0]
    towards_light = (normals[1] * -0.6 + normals[2] * 0.8)[0]
    assert shone.min() >= 0
    assert shone.max() <= 1
    assert shone[0, towards_light > 0.8].min() > shone[0, towards_light < 0].max()
    torch.testing.assert_close(shone[1], shone[0] * 0.9)


def test_the_names_of_patterns_have_functions() -> None:
    assert set(shading._WAVES) == set(PATTERNS) - {"solid"}
