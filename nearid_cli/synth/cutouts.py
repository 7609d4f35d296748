"""Objects without a background: what is seen of them, how bright, and how much of each pixel they cover."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nearid_cli.synth.bounds import bounding_ball, outline
from nearid_cli.synth.contexts import Context, place_camera
from nearid_cli.synth.march import find_normals, march
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
        cells: width of the crop in pixels, divisible by `march.COARSEST`.
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
