"""The context of a view: where the camera and the light are, and what is behind the object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, hypot, pi, sin, sqrt

import numpy as np
import torch
from torch import Tensor

from nearid_cli.synth.objects import Part, Thing
from nearid_cli.synth.sdf import Points

DISTANCE = 3.5  # of the camera, in radii of the ball around the object
_HALF_ANGLE = 1 / sqrt(DISTANCE**2 - 1)  # tangent of half the angle under which that ball is seen


@dataclass(frozen=True)
class Context:
    """One view's surroundings.

    Attributes:
        azimuth: of the camera, radians from the object's front.
        elevation: of the camera, radians above the horizon.
        roll: of the camera, radians.
        zoom: the object's size as a share of the crop's.
        left: crop's left edge in the picture, as a share of the room there is.
        top: the same for its upper edge.
        light: unit vector to the light.
        tint: colour of the light.
        ambient: share of the light that comes from everywhere.
    """

    azimuth: float
    elevation: float
    roll: float
    zoom: float
    left: float
    top: float
    light: tuple[float, float, float]
    tint: tuple[float, float, float]
    ambient: float


def draw_context(random: np.random.Generator) -> Context:
    """A camera in front of the object, within 30 degrees, and a light above it."""
    azimuth, height = random.uniform(-pi, 0), random.uniform(0.35, 1.1)
    light = (cos(azimuth) * cos(height), sin(azimuth) * cos(height), sin(height))
    return Context(
        azimuth=float(random.uniform(-0.5, 0.5)),
        elevation=float(random.uniform(0.1, 0.6)),
        roll=float(random.uniform(-0.12, 0.12)),
        zoom=float(random.uniform(0.85, 1.0)),
        left=float(random.uniform()),
        top=float(random.uniform()),
        light=light,
        tint=tuple(float(value) for value in random.uniform(0.88, 1.08, 3)),
        ambient=float(random.uniform(0.4, 0.6)),
    )


def bounding_ball(things: Sequence[Thing]) -> tuple[tuple[float, float, float], float]:
    """Centre and radius of a ball that holds all `things`."""
    parts = [part for thing in things for part in thing.parts if part.operation == "union"]
    low, high = [9.0] * 3, [-9.0] * 3
    for part in parts:
        for axis, size in enumerate(_extent(part)):
            for side in (1, -1) if "xyz"[axis] in part.mirror else (1,):
                low[axis] = min(low[axis], side * part.centre[axis] - size)
                high[axis] = max(high[axis], side * part.centre[axis] + size)
    middle = (
        (low[0] + high[0]) / 2,
        (low[1] + high[1]) / 2,
        (low[2] + high[2]) / 2,
    )
    return middle, max(_reach(part, middle) for part in parts)


def _profile_radius(part: Part) -> float:
    a, b = part.half[:2]
    widest = 1 + abs(part.taper)
    return widest * (max(a, b) if part.corner >= 0.9 * min(a, b) else hypot(a, b))


def _extent(part: Part) -> tuple[float, float, float]:
    """Half sizes of a box around a part."""
    across, along = _profile_radius(part), part.half[2]
    if part.tilt:
        across = along = max(across, along)
    sizes = [across] * 3
    sizes["xyz".index(part.axis)] = along
    return (sizes[0], sizes[1], sizes[2])


def _reach(part: Part, middle: tuple[float, float, float]) -> float:
    """The largest distance of a part's points from `middle`."""
    away = [
        abs(part.centre[axis]) + abs(middle[axis]) if name in part.mirror else abs(part.centre[axis] - middle[axis])
        for axis, name in enumerate("xyz")
    ]
    if part.tilt:
        return hypot(*away) + hypot(_profile_radius(part), part.half[2])
    along = away.pop("xyz".index(part.axis))
    return hypot(hypot(*away) + _profile_radius(part), along + part.half[2])


def rays(contexts: Sequence[Context], cells: int, middle: tuple[float, float, float], radius: float, device: str) -> tuple[Points, Points, Tensor]:
    """The rays through the middles of `cells` x `cells` cells of each view's crop.

    Returns:
        Eyes as three tensors [V, 1], unit directions as three tensors [V, cells²], and the
        angular half diagonal of a cell, [V, 1].
    """
    line = (torch.arange(cells, dtype=torch.float32, device=device) + 0.5) * (2 / cells) - 1
    down, right = (axis.flatten() for axis in torch.meshgrid(line, line, indexing="ij"))
    eyes, directions, sizes = [], [], []
    for context in contexts:
        reach = _HALF_ANGLE / context.zoom
        turn = cos(context.roll), sin(context.roll)
        across = (right * turn[0] - down * turn[1]) * reach
        up = -(right * turn[1] + down * turn[0]) * reach
        east, north = (cos(context.azimuth), sin(context.azimuth)), (cos(context.elevation), sin(context.elevation))
        # The camera looks along `ahead`; at azimuth 0 and elevation 0 that is +y.
        ahead = (-east[1] * north[0], east[0] * north[0], -north[1])
        above = (-east[1] * north[1], east[0] * north[1], north[0])
        length = (1 + across.square() + up.square()).sqrt()
        directions.append(
            [
                (ahead[axis] + across * (east[0], east[1], 0.0)[axis] + up * above[axis]) / length
                for axis in range(3)
            ]
        )
        eyes.append([middle[axis] - DISTANCE * radius * ahead[axis] for axis in range(3)])
        sizes.append([sqrt(2) * reach / cells])
    eye = torch.tensor(eyes, dtype=torch.float32, device=device)
    x, y, z = (torch.stack([direction[axis] for direction in directions]) for axis in range(3))
    return (eye[:, :1], eye[:, 1:2], eye[:, 2:]), (x, y, z), torch.tensor(sizes, dtype=torch.float32, device=device)
