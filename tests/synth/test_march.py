"""Cameras, rays, and finding the surface along them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nearid_cli.synth import cutouts as march_module
from nearid_cli.synth.contexts import (
    DISTANCE,
    Camera,
    Context,
    bounding_ball,
    draw_context,
    outline,
    place_camera,
    rays,
)
from nearid_cli.synth.cutouts import find_normals, march
from nearid_cli.synth.families import bead, draw_thing
from nearid_cli.synth.objects import Thing, draw_emblem, draw_materials
from nearid_cli.synth.sample import CATEGORIES
from nearid_cli.synth.sdf import Points, Solid


def ball(radius: float) -> Thing:
    random = np.random.default_rng(0)
    parts = (bead("ball", (0.3, -0.2, 0.5), radius, radius),)
    return Thing("ball", parts, draw_materials(random), draw_emblem(random, 0, 0.2))


def cameras(things: list[Thing], contexts: list[Context]) -> list[Camera]:
    middle, radius = bounding_ball(things)
    return [place_camera(context, middle, radius, outline(things)) for context in contexts]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("share", [0.3, 0.7, 1.0])
def test_rays_hit_a_ball_inside_its_silhouette(seed: int, share: float) -> None:
    """A ball around the middle shows as a disc whose radius follows from the camera's distance."""
    context, cells, radius = draw_context(np.random.default_rng(seed)), 48, 0.8
    everywhere = [(0.3 + side, -0.2, 0.5) for side in (-2.0, 2.0)]  # so that the crop holds the whole ball
    view = rays([place_camera(context, (0.3, -0.2, 0.5), radius, everywhere)], cells, "cpu")
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
    view = rays([place_camera(context, (0.0, 0.0, 0.0), 1.0, [(1.0, 0.0, 0.0)])], 4, "cpu")
    x, y, z = (float(axis[0, 0]) for axis in view.eyes)
    assert np.hypot(np.hypot(x, y), z) == pytest.approx(DISTANCE, rel=1e-5)
    assert np.arcsin(z / DISTANCE) == pytest.approx(context.elevation, abs=1e-5)
    assert np.arctan2(x, -y) == pytest.approx(context.azimuth, abs=1e-5)
    np.testing.assert_allclose(torch.cat(view.directions).norm(dim=0), 1, rtol=1e-6)


@pytest.mark.parametrize("category", CATEGORIES)
def test_the_crop_just_holds_the_outline(category: str) -> None:
    """The outermost point of the outline lies at `zoom` of the way from the crop's middle to its edge."""
    random = np.random.default_rng(3)
    things, context = [draw_thing(category, random) for _ in range(2)], draw_context(random)
    (camera,) = cameras(things, [context])
    offsets = np.array(outline(things)) - camera.eye
    across, up, ahead = (offsets @ np.transpose([camera.beside, camera.above, camera.ahead])).T
    farthest = max(np.abs(across / ahead).max(), np.abs(up / ahead).max()) / camera.reach
    ball = np.tan(np.arcsin(1 / DISTANCE)) / context.zoom
    assert farthest == pytest.approx(context.zoom) or camera.reach == pytest.approx(ball)
    axes = np.array([camera.beside, camera.above, camera.ahead])
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)


@pytest.mark.parametrize("category", CATEGORIES)
def test_the_outline_holds_the_object(category: str) -> None:
    """In every direction the outline reaches at least as far as any point of the object."""
    random = np.random.default_rng(8)
    thing = draw_thing(category, random)
    middle, radius = bounding_ball([thing])
    points = random.uniform(-1, 1, (40_000, 3)) * radius + middle
    at = [torch.from_numpy(axis).float()[None] for axis in points.T]
    inside = points[Solid([thing]).distance((at[0], at[1], at[2]))[0].numpy() < 0]
    directions = random.normal(size=(3, 200))
    assert len(inside) > 100
    assert (
        (inside @ directions).max(axis=0) <= (np.array(outline([thing])) @ directions).max(axis=0) + 1e-6
    ).all()


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
    solid, (_, radius) = Solid(things), bounding_ball(things)
    traced = march(solid, cameras(things, contexts), cells, radius, "cpu")
    every = rays(cameras(things, contexts), cells, "cpu")
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
    """Ten steps leave pixels that are seen at a flat angle short of the surface."""
    errors = []
    for seed, category in enumerate(CATEGORIES[::2]):
        random = np.random.default_rng(seed)
        things, contexts = [draw_thing(category, random)], [draw_context(random)]
        solid, (_, radius) = Solid(things), bounding_ball(things)
        traced = march(solid, cameras(things, contexts), 48, radius, "cpu")
        end = (DISTANCE + 1) * radius
        expected = plain_trace(solid, traced.rays.eyes, traced.rays.directions, end)
        errors.append(((traced.depth[0] - expected).abs() / radius)[expected < end - 1e-3])
    error = torch.cat(errors)
    assert error.median() < 1e-3
    assert error.quantile(0.9) < 0.05
