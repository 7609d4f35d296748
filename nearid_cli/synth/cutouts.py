"""Objects without a background: what is seen of them, how bright, and how much of each pixel they cover.

Surfaces are found by sphere tracing (Hart 1996): from any point a ray may go on by the distance to the object without
passing through it. Here rays of whole blocks of pixels go first, as cones that stop where something may be in the
block, and the rays of single pixels go on from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nearid_cli.synth.contexts import (
    DISTANCE,
    Camera,
    Context,
    Rays,
    bounding_ball,
    outline,
    place_camera,
    rays,
)
from nearid_cli.synth.objects import Thing
from nearid_cli.synth.sdf import Points, Solid
from nearid_cli.synth.shading import albedo, shade

_THINNEST = 1 / 255  # a coverage that cannot change a pixel by one level is none


@dataclass(frozen=True)
class Cutouts:
    """O objects in V views, cut out of crops of n x n cells.

    Attributes:
        colours: 0 to 1, [O, V, n, n, 3].
        coverage: share of each pixel that the object covers, [O, V, n, n].
        parts: numbers of the first object's parts from 1, [V, n, n]; 0 where no object is.
    """

    colours: NDArray[np.float32]
    coverage: NDArray[np.float32]
    parts: NDArray[np.uint8]


def cut_out(things: Sequence[Thing], contexts: Sequence[Context], cells: int, device: str) -> Cutouts:
    """Render objects of one family in the same contexts; a view's camera is the same for all of them.

    Args:
        things: O objects.
        contexts: V cameras and lights.
        cells: width of the crop in pixels, divisible by `COARSEST`.
        device: of torch.
    """
    solid = Solid(things, device)
    middle, radius = bounding_ball(things)
    points = outline(things)
    cameras = [place_camera(context, middle, radius, points) for context in contexts]
    traced = march(solid, cameras, cells, radius, device)
    coverage = (1 - traced.gap / (traced.rays.spread * traced.depth)).clamp_(0, 1)
    coverage.masked_fill_(coverage < _THINNEST, 0)
    # Shading costs as much as the march: only what is seen gets any.
    seen = (coverage > 0).any(dim=0).nonzero().squeeze(1)
    numbers, rays = traced.numbers[seen], traced.rays.only(seen)
    surface = rays.at(traced.depth[:, seen])
    which = solid.nearest_part(surface)
    colours = _colours(solid, things, contexts, numbers // cells**2, surface, rays.directions, which, radius)

    shape = (len(things), len(contexts), cells, cells)
    pixels = (len(things), len(contexts) * cells * cells)
    canvas = torch.zeros((3, *pixels), device=device)
    canvas[:, :, numbers] = colours
    cover = torch.zeros(pixels, device=device)
    cover[:, traced.numbers] = coverage
    parts = torch.zeros(pixels[1:], dtype=torch.uint8, device=device)
    parts[numbers] = torch.where(coverage[0, seen] > 0, which[0] + 1, 0).to(torch.uint8)
    return Cutouts(
        colours=canvas.reshape(3, *shape).permute(1, 2, 3, 4, 0).cpu().numpy(),
        coverage=cover.reshape(shape).cpu().numpy(),
        parts=parts.reshape(shape[1:]).cpu().numpy(),
    )


def _colours(
    solid: Solid,
    things: Sequence[Thing],
    contexts: Sequence[Context],
    view: Tensor,
    points: Points,
    directions: Points,
    which: Tensor,
    radius: float,
) -> Tensor:
    """Colours [3, O, N] of surface points [O, N], of which column i is seen in view `view[i]`."""
    normals = find_normals(solid, points, 0.004 * radius)
    colour, gloss = albedo(things, which, points, normals)
    lamps = [[*context.light, *context.tint, context.ambient] for context in contexts]
    table = torch.tensor(lamps, dtype=torch.float32, device=view.device).T[:, None, view]
    towards = (-directions[0], -directions[1], -directions[2])
    light = (table[0], table[1], table[2])
    return shade(colour, gloss, normals, towards, light, tint=table[3:6], ambient=table[6])


# Width of the blocks in cells, and how many steps are taken with each; then the steps of single rays.
_BLOCKS = ((4, 8), (2, 4))
_STEPS = 10
COARSEST = _BLOCKS[0][0]
"""What the number of cells across a crop must be divisible by."""


@dataclass(frozen=True)
class Traced:
    """Where M of the rays came closest to the surface of O objects; the others passed all of them by.

    Attributes:
        rays: the M rays.
        numbers: which of all rays these are, [M].
        depth: how far along the ray, [O, M]; at the surface where the ray hits.
        gap: the distance to the surface there, [O, M]; about 0 where the ray hits.
    """

    rays: Rays
    numbers: Tensor
    depth: Tensor
    gap: Tensor


def march(solid: Solid, cameras: Sequence[Camera], cells: int, radius: float, device: str) -> Traced:
    """Follow the rays of all cells to the surfaces of O objects within the ball that the cameras look at."""
    end = (DISTANCE + 1) * radius
    depth = torch.full((solid.count, len(cameras), 1, 1), (DISTANCE - 1) * radius, device=device)
    for block, steps in _BLOCKS:
        cones = rays(cameras, cells // block, device)
        depth = _refined(depth, cells // block)
        flat = depth.flatten(1)  # a view: it is the same memory
        for _ in range(steps):
            free = solid.distance(cones.at(flat)) - cones.spread * flat
            flat.add_(free.clamp_(min=0)).clamp_(max=end)
    reached = _refined(depth, cells).flatten(1)
    numbers = (reached < end).any(dim=0).nonzero().squeeze(1)
    single, reached = rays(cameras, cells, device).only(numbers), reached[:, numbers]
    best, gap = reached, torch.full_like(reached, torch.inf)
    for _ in range(_STEPS):
        free = solid.distance(single.at(reached))
        closer = free < gap
        best, gap = torch.where(closer, reached, best), torch.where(closer, free, gap)
        reached = (reached + free).clamp_(max=end)
    return Traced(single, numbers, best, gap)


def _refined(depth: Tensor, cells: int) -> Tensor:
    """Every cell of [O, V, n, n] cut into as many as make `cells` across."""
    times = cells // depth.shape[-1]
    return depth.repeat_interleave(times, 2).repeat_interleave(times, 3)


def find_normals(solid: Solid, points: Points, step: float) -> Points:
    """Unit normals of the surfaces next to `points`, from distances at the corners of a tetrahedron."""
    x, y, z = points
    nx, ny, nz = torch.zeros_like(x), torch.zeros_like(x), torch.zeros_like(x)
    for signs in ((1, -1, -1), (-1, -1, 1), (-1, 1, -1), (1, 1, 1)):
        distance = solid.distance((x + signs[0] * step, y + signs[1] * step, z + signs[2] * step))
        for axis, sign in zip((nx, ny, nz), signs, strict=True):
            axis.add_(distance, alpha=sign)
    length = (nx * nx + ny * ny + nz * nz).sqrt_().clamp_(min=1e-12)
    return nx.div_(length), ny.div_(length), nz.div_(length)
