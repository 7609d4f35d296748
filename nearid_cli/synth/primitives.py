"""The words in which the families are written: solids by the names that people have for them, and blueprints."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypedDict, Unpack

from nearid_cli.synth.objects import Axis, Mirror, Operation, Part, Triple

Uniform = Callable[[float, float], float]
"""A number between two bounds."""
Pick = Callable[[list[float]], float]
"""One of several numbers."""


class Blueprint(NamedTuple):
    """Parts, and where on the first of them an emblem belongs and how large (its half width) it is."""

    parts: list[Part]
    emblem_height: float
    emblem_size: float


Family = Callable[[Uniform, Pick], Blueprint]
"""Draws an object of one kind."""


class Details(TypedDict, total=False):
    """What a solid may have besides its size; as in `Part`."""

    taper: float
    axis: Axis
    tilt: float
    mirror: Mirror
    operation: Operation
    blend: float
    material: int


def box(
    name: str,
    centre: Triple,
    half: Triple,
    corner: float,
    rounding: float = 0.02,
    **details: Unpack[Details],
) -> Part:
    """A block that stands upright, `corner` the radius of its corners seen from above.

    >>> box("seat", (0, 0, 0), (0.4, 0.3, 0.1), 0.05).half
    (0.4, 0.3, 0.1)
    """
    return Part(name, centre, half, corner=corner, rounding=rounding, **details)


def cylinder(
    name: str,
    centre: Triple,
    radius: float,
    length: float,
    rounding: float = 0.02,
    **details: Unpack[Details],
) -> Part:
    """A cylinder that reaches `length` to both sides of its centre; with `rounding` of its radius a capsule."""
    return box(name, centre, (radius, radius, length), radius, rounding, **details)


def pebble(name: str, centre: Triple, half: Triple, **details: Unpack[Details]) -> Part:
    """A block rounded as far as it goes: a ball when the half sizes are equal."""
    corner = min(half[:2])
    return box(name, centre, half, corner, min(corner, half[2]), **details)


def bead(name: str, centre: Triple, radius: float, height: float, **details: Unpack[Details]) -> Part:
    """A pebble that is round seen from above."""
    return pebble(name, centre, (radius, radius, height), **details)


def handle(name: str, centre: Triple, half: Triple, corner: float, rounding: float, wall: float) -> Part:
    """A ring that stands upright and faces the viewer: `half` are its outer sizes (x, z, y)."""
    return Part(
        name, centre, half, corner=corner, rounding=rounding, wall=wall, axis="y", blend=0.03, material=1
    )
