"""Cameras, rays, and finding the surface along them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nearid_cli.synth import march as march_module
from nearid_cli.synth.bounds import bounding_ball
from nearid_cli.synth.categories import CATEGORIES
from nearid_cli.synth.contexts import DISTANCE, draw_context, rays
from nearid_cli.synth.families import draw_thing
from nearid_cli.synth.march import find_normals, march
from nearid_cli.synth.materials import draw_emblem, draw_materials
from nearid_cli.synth.objects import Thing
from nearid_cli.synth.primitives import bead
from nearid_cli.synth.sdf import Points, Solid


def ball(radius: float) -> Thing:
    random = np.random.default_rng(0)
    parts = (bead("ball", (0.3, -0.2, 0.5), radius, radius),)
    return Thing("ball", parts, draw_materials(random), draw_emblem(random, 0, 0.2))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("share", [0.3, 0.7, 1.0])
def test_rays_hit_a_ball_inside_its_silhouette(seed: int, share: float) -> None:
    """A ball around the middle shows as a disc whose radius follows from the camera's distance."""
    context, cells, radius = draw_context(np.random.default_rng(seed)), 48, 0.8
    view = rays([context], cells, (0.3, -0.2, 0.5), radius, "cpu")
    eye = torch.cat(view.eyes)[:, 0]
    towards = torch.tensor([0.3, -0.2, 0.5])[:, None] - eye[:, None]
    along = (torch.cat(view.directions) * towards).sum(dim=0)
    missed_by = (towards.square().sum() - along.square()).clamp(min=0).sqrt()
    hit = (missed_by < share * radius).reshape(cells, cells).numpy()

    silhouette = np.tan(np.arcsin(share / DISTANCE)) / np.tan(np.arcsin(1 / DISTANCE)) * context.zoom
    line = (np.arange(cells) + 0.5) * 2 / cells - 1
    disc = np.hypot(line[:, None], line[None]) < silhouette
    assert (hit != disc).sum() <= 4  # of rays that graze
    assert hit.any()


def test_the_camera_stands_where_its_angles_say() -> None:
    context = draw_context(np.random.default_rng(5))
    view = rays([context], 4, (0.0, 0.0, 0.0), 1.0, "cpu")
    x, y, z = (float(axis[0, 0]) for axis in view.eyes)
    assert np.hypot(np.hypot(x, y), z) == pytest.approx(DISTANCE, rel=1e-5)
    assert np.arcsin(z / DISTANCE) == pytest.approx(context.elevation, abs=1e-5)
    assert np.arctan2(x, -y) == pytest.approx(context.azimuth, abs=1e-5)
    np.testing.assert_allclose(torch.cat(view.directions).norm(dim=0), 1, rtol=1e-6)


def test_normals_of_a_ball_point_away_from_its_middle() -> None:
    directions = torch.nn.functional.normalize(
        torch.randn(3, 500, generator=torch.Generator().manual_seed(1)), dim=0
    )
    x, y, z = (0.5 * directions + torch.tensor([0.3, -0.2, 0.5])[:, None])[:, None]
    normals = torch.cat(find_normals(Solid([ball(0.5)]), (x, y, z), 0.002))
    assert (normals * directions).sum(dim=0).min() > 0.9999


def plain_trace(solid: Solid, eyes: Points, ways: Points, end: float) -> torch.Tensor:
    """Depths by many small steps of every ray on its own."""
    depth = torch.full((1, ways[0].shape[1]), 2.0)
    for _ in range(300):
        step = solid.distance(
            (eyes[0] + ways[0] * depth, eyes[1] + ways[1] * depth, eyes[2] + ways[2] * depth)
        )
        depth = (depth + 0.8 * step).clamp(max=end)
    return depth[0]


@pytest.mark.parametrize("category", CATEGORIES)
def test_cones_skip_nothing(category: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With steps to spare the surface is where a plain trace of each ray finds it, and nowhere else."""
    monkeypatch.setattr(march_module, "_STEPS", 150)
    random = np.random.default_rng(CATEGORIES.index(category))
    things, contexts, cells = [draw_thing(category, random)], [draw_context(random) for _ in range(2)], 24
    solid, (middle, radius) = Solid(things), bounding_ball(things)
    traced = march(solid, contexts, cells, middle, radius, "cpu")
    every = rays(contexts, cells, middle, radius, "cpu")
    end = (DISTANCE + 1) * radius
    expected = plain_trace(solid, every.eyes, every.directions, end)
    hit = expected < end - 1e-3
    gap = torch.full_like(expected, torch.inf).index_copy(0, traced.numbers, traced.gap[0])
    depth = torch.zeros_like(expected).index_copy(0, traced.numbers, traced.depth[0])
    assert hit.sum() > 50
    assert (gap[hit].abs() < 1e-3).float().mean() > 0.99
    assert ((depth - expected)[hit].abs() < 1e-3).float().mean() > 0.985
    assert (gap[~hit] > -1e-4).all()


def test_the_steps_that_are_taken_suffice_for_most_pixels() -> None:
    """Six steps leave pixels that are seen at a flat angle short of the surface."""
    errors = []
    for seed, category in enumerate(CATEGORIES[::2]):
        random = np.random.default_rng(seed)
        things, contexts = [draw_thing(category, random)], [draw_context(random)]
        solid, (middle, radius) = Solid(things), bounding_ball(things)
        traced = march(solid, contexts, 48, middle, radius, "cpu")
        end = (DISTANCE + 1) * radius
        expected = plain_trace(solid, traced.rays.eyes, traced.rays.directions, end)
        errors.append(((traced.depth[0] - expected).abs() / radius)[expected < end - 1e-3])
    error = torch.cat(errors)
    assert error.median() < 1e-3
    assert error.quantile(0.9) < 0.05
