"""What the families draw: objects that are whole, that fit, and that can be blended."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.measure import label

from nearid_cli.synth.contexts import bounding_ball
from nearid_cli.synth.families import HELD_OUT, TRAINED, draw_thing
from nearid_cli.synth.objects import EMBLEMS, PATTERNS, Thing
from nearid_cli.synth.sample import CATEGORIES
from nearid_cli.synth.sdf import Solid


def draw(category: str, seeds: int) -> list[Thing]:
    return [draw_thing(category, np.random.default_rng(seed)) for seed in range(seeds)]


def solid_voxels(thing: Thing, cells: int, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """Distances on a grid over `reach` times the bounding ball, and each cell's distance from its middle in radii."""
    middle, radius = bounding_ball([thing])
    line = torch.linspace(-reach, reach, cells)
    x, y, z = (axis.flatten() for axis in torch.meshgrid(line, line, line, indexing="ij"))
    at = [(axis * radius + centre)[None] for axis, centre in zip((x, y, z), middle, strict=True)]
    distance = Solid([thing]).distance((at[0], at[1], at[2])) / radius
    away = (x * x + y * y + z * z).sqrt()
    return distance.reshape([cells] * 3).numpy(), away.reshape([cells] * 3).numpy()


def test_names_and_functions_agree() -> None:
    assert tuple(TRAINED) + tuple(HELD_OUT) == CATEGORIES


@pytest.mark.parametrize("category", CATEGORIES)
def test_objects_of_a_family_share_their_structure(category: str) -> None:
    structures = {
        tuple((part.name, part.axis, part.mirror, part.operation, part.material) for part in thing.parts)
        for thing in draw(category, 20)
    }
    assert len(structures) == 1
    assert len({thing.parts for thing in draw(category, 20)}) == 20


@pytest.mark.parametrize("category", CATEGORIES)
def test_numbers_are_in_range(category: str) -> None:
    for thing in draw(category, 20):
        assert all(part.material < len(thing.materials) for part in thing.parts)
        assert all(min(part.half) > 0 and part.wall >= 0 and abs(part.taper) < 1 for part in thing.parts)
        assert thing.emblem.shape in EMBLEMS
        for material in thing.materials:
            assert material.pattern in PATTERNS
            assert all(0 <= value <= 1 for value in (*material.base, *material.second))


@pytest.mark.parametrize("category", CATEGORIES)
def test_the_bounding_ball_holds_the_object(category: str) -> None:
    for thing in draw(category, 6):
        distance, away = solid_voxels(thing, 40, 1.4)
        assert away[distance < 0].max() < 1.0
        assert away[distance < 0].max() > 0.6  # and is not much too large


@pytest.mark.parametrize("category", HELD_OUT)
def test_parts_hold_together(category: str) -> None:
    """Some robots and chairs of the trained families have parts that float; they stay as they were trained on."""
    for thing in draw(category, 12):
        distance, _ = solid_voxels(thing, 56, 1.0)
        assert label(distance < 0.02).max() == 1
