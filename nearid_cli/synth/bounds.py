"""How much room objects take: a ball around them, which the camera looks at, and points around them, which it holds."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import cos, hypot, sin

from nearid_cli.synth.objects import Part, Thing, Triple


def bounding_ball(things: Sequence[Thing]) -> tuple[Triple, float]:
    """Centre and radius of a ball that holds all `things`, as tight as is cheap."""
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
