"""The context of a view: where the camera and the light are, and how much room objects take before the camera."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import cos, hypot, pi, sin, sqrt

import numpy as np
import torch
from torch import Tensor

from nearid_cli.synth.objects import Part, Thing, Triple
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
        zoom: the object's size as a share of the largest that fits into the crop.
        left: crop's left edge in the picture, as a share of the room there is.
        top: the same for its upper edge.
        light: unit vector to the light.
        tint: colour of the light, RGB around 1.
        ambient: share of the light that comes from everywhere.
    """

    azimuth: float
    elevation: float
    roll: float
    zoom: float
    left: float
    top: float
    light: Triple
    tint: Triple
    ambient: float


def draw_context(random: np.random.Generator) -> Context:
    """A camera in front of the object, within 23 degrees, and a light above it."""
    azimuth, height = random.uniform(-pi, 0), random.uniform(0.35, 1.1)
    light = (cos(azimuth) * cos(height), sin(azimuth) * cos(height), sin(height))
    return Context(
        azimuth=random.uniform(-0.4, 0.4),
        elevation=random.uniform(0.1, 0.6),
        roll=random.uniform(-0.12, 0.12),
        zoom=random.uniform(0.92, 1.0),
        left=random.uniform(),
        top=random.uniform(),
        light=light,
        tint=(random.uniform(0.88, 1.08), random.uniform(0.88, 1.08), random.uniform(0.88, 1.08)),
        ambient=random.uniform(0.4, 0.6),
    )


@dataclass(frozen=True)
class Camera:
    """A view's camera, placed for certain objects.

    Attributes:
        eye: where it is.
        ahead, beside, above: unit vectors of its directions.
        reach: tangent of half the angle that the crop spans.
    """

    eye: Triple
    ahead: Triple
    beside: Triple
    above: Triple
    reach: float


def place_camera(context: Context, middle: Triple, radius: float, outline: Sequence[Triple]) -> Camera:
    """The camera that looks at `middle` and whose crop, at zoom 1, just holds the points of `outline`.

    Args:
        context: of the view.
        middle: of a ball around the objects.
        radius: of that ball.
        outline: points around the objects, see `outline`.
    """
    cos_a, sin_a = cos(context.azimuth), sin(context.azimuth)
    cos_e, sin_e = cos(context.elevation), sin(context.elevation)
    cos_r, sin_r = cos(context.roll), sin(context.roll)
    # At azimuth 0 and elevation 0 the camera looks along +y.
    ahead = (-sin_a * cos_e, cos_a * cos_e, -sin_e)
    level, upright = (cos_a, sin_a, 0.0), (-sin_a * sin_e, cos_a * sin_e, cos_e)
    beside, above = (
        (x[0] * level[0] + x[1] * upright[0], x[0] * level[1] + x[1] * upright[1], x[1] * upright[2])
        for x in ((cos_r, -sin_r), (sin_r, cos_r))
    )
    eye = (
        middle[0] - DISTANCE * radius * ahead[0],
        middle[1] - DISTANCE * radius * ahead[1],
        middle[2] - DISTANCE * radius * ahead[2],
    )
    offsets = np.asarray(outline) - eye
    seen = np.abs(offsets @ np.transpose([beside, above])) / (offsets @ ahead)[:, None]
    return Camera(eye, ahead, beside, above, min(float(seen.max()), _HALF_ANGLE) / context.zoom)


@dataclass(frozen=True)
class Rays:
    """N rays through the cells of V views' crops, the cells row by row, one view after the other.

    Attributes:
        eyes: where they start, three tensors [1, N].
        directions: unit vectors, three tensors [1, N].
        spread: by how much a cell grows with the depth, as half its diagonal, [1, N].
    """

    eyes: Points
    directions: Points
    spread: Tensor

    def at(self, depth: Tensor) -> Points:
        """The points at these depths [O, N]."""
        x, y, z = (
            torch.addcmul(eye, direction, depth)
            for eye, direction in zip(self.eyes, self.directions, strict=True)
        )
        return x, y, z

    def only(self, chosen: Tensor) -> Rays:
        """Some of the rays, by number."""
        eyes = self.eyes[0][:, chosen], self.eyes[1][:, chosen], self.eyes[2][:, chosen]
        ways = self.directions[0][:, chosen], self.directions[1][:, chosen], self.directions[2][:, chosen]
        return Rays(eyes, ways, self.spread[:, chosen])


def rays(cameras: Sequence[Camera], cells: int, device: str) -> Rays:
    """The rays through the middles of `cells` x `cells` cells of each camera's crop."""
    line = (torch.arange(cells, dtype=torch.float32, device=device) + 0.5) * (2 / cells) - 1
    down, right = (axis.flatten() for axis in torch.meshgrid(line, line, indexing="ij"))
    directions = []
    for camera in cameras:
        across, up = right * camera.reach, down * -camera.reach
        length = (1 + across.square() + up.square()).sqrt()
        directions.append(
            [
                (camera.ahead[axis] + across * camera.beside[axis] + up * camera.above[axis]) / length
                for axis in range(3)
            ]
        )

    def per_ray(numbers: Sequence[float]) -> Tensor:
        column = torch.tensor(numbers, dtype=torch.float32, device=device)
        return column.repeat_interleave(cells * cells)[None]

    x, y, z = (torch.cat([direction[axis] for direction in directions])[None] for axis in range(3))
    east, north, high = (per_ray([camera.eye[axis] for camera in cameras]) for axis in range(3))
    return Rays(
        (east, north, high), (x, y, z), per_ray([sqrt(2) * camera.reach / cells for camera in cameras])
    )


def bounding_ball(things: Sequence[Thing]) -> tuple[Triple, float]:
    """Centre and radius of a ball that holds all `things`, as tight as is cheap."""
    parts = [part for thing in things for part in thing.parts if part.operation == "union"]
    low, high = [9.0] * 3, [-9.0] * 3
    for part in parts:
        for axis, size in enumerate(_extent(part)):
            for side in (1, -1) if "xyz"[axis] in part.mirror else (1,):
                low[axis] = min(low[axis], side * part.centre[axis] - size)
                high[axis] = max(high[axis], side * part.centre[axis] + size)
    middle = ((low[0] + high[0]) / 2, (low[1] + high[1]) / 2, (low[2] + high[2]) / 2)
    return middle, max(_reach(part, middle) for part in parts)


def outline(things: Sequence[Thing]) -> list[Triple]:
    """Points of which the convex hull holds all `things`: the corners of a box around every part."""
    points = []
    for part in (part for thing in things for part in thing.parts if part.operation == "union"):
        widest = 1 + abs(part.taper)
        sizes = [part.half[0] * widest, part.half[1] * widest]
        sizes.insert("xyz".index(part.axis), part.half[2])
        for x, y, z in product(*((-size, size) for size in sizes)):
            corner = (
                part.centre[0] + x * cos(part.tilt) - z * sin(part.tilt),
                part.centre[1] + y,
                part.centre[2] + z * cos(part.tilt) + x * sin(part.tilt),
            )
            sides = [(1, -1) if name in part.mirror else (1,) for name in "xyz"]
            points += [(i * corner[0], j * corner[1], k * corner[2]) for i, j, k in product(*sides)]
    return points


def _profile_radius(part: Part) -> float:
    a, b = part.half[:2]
    widest = 1 + abs(part.taper)
    return widest * (max(a, b) if part.corner >= 0.9 * min(a, b) else hypot(a, b))


def _extent(part: Part) -> Triple:
    """Half sizes of a box around a part."""
    across, along = _profile_radius(part), part.half[2]
    if part.tilt:
        across = along = max(across, along)
    sizes = [across] * 3
    sizes["xyz".index(part.axis)] = along
    return (sizes[0], sizes[1], sizes[2])


def _reach(part: Part, middle: Triple) -> float:
    """The largest distance of a part's points from `middle`."""
    away = [
        abs(part.centre[axis]) + abs(middle[axis])
        if name in part.mirror
        else abs(part.centre[axis] - middle[axis])
        for axis, name in enumerate("xyz")
    ]
    if part.tilt:
        return hypot(*away) + hypot(_profile_radius(part), part.half[2])
    along = away.pop("xyz".index(part.axis))
    return hypot(hypot(*away) + _profile_radius(part), along + part.half[2])
