"""Finding the surface: sphere tracing along the rays, and normals where they end.

Sphere tracing (Hart 1996): from any point a ray may go on by the distance to the object without
passing through it. Here rays of whole blocks of pixels go first, as cones that stop where something
may be in the block, and the rays of single pixels go on from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nearid_cli.synth.contexts import DISTANCE, Camera, Rays, rays
from nearid_cli.synth.sdf import Points, Solid

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
