"""The words in which the families are written: solids by the names that people have for them, and layouts."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from nearid_cli.synth.objects import Axis, Mirror, Operation, Part, Triple

Uniform = Callable[[float, float], float]
"""A number between two bounds."""
Pick = Callable[[list[float]], float]
"""One of several numbers."""


class Layout(NamedTuple):
    """Parts, and where on the first of them an emblem belongs and how large (its half width) it is."""

    parts: list[Part]
    emblem_height: float
    emblem_size: float


Family = Callable[[Uniform, Pick], Layout]
"""Draws a layout."""


def box(
    name: str,
    centre: Triple,
    half: Triple,
    corner: float,
    rounding: float = 0.02,
    *,
    taper: float = 0.0,
    mirror: Mirror = "",
    tilt: float = 0.0,
    blend: float = 0.0,
    material: int = 0,
) -> Part:
    """A block that stands upright, `corner` the radius of its corners seen from above.

    >>> box("seat", (0, 0, 0), (0.4, 0.3, 0.1), 0.05).half
    (0.4, 0.3, 0.1)
    """
    return Part(
        name,
        centre,
        half,
        corner=corner,
        rounding=rounding,
        taper=taper,
        mirror=mirror,
        tilt=tilt,
        blend=blend,
        material=material,
    )


def cylinder(
    name: str,
    centre: Triple,
    radius: float,
    length: float,
    rounding: float = 0.02,
    *,
    taper: float = 0.0,
    axis: Axis = "z",
    mirror: Mirror = "",
    tilt: float = 0.0,
    operation: Operation = "union",
    blend: float = 0.0,
    material: int = 0,
) -> Part:
    """A cylinder that reaches `length` to both sides of its centre; with `rounding` of its radius a capsule."""
    return Part(
        name,
        centre,
        (radius, radius, length),
        corner=radius,
        rounding=rounding,
        taper=taper,
        axis=axis,
        mirror=mirror,
        tilt=tilt,
        operation=operation,
        blend=blend,
        material=material,
    )


def pebble(
    name: str, centre: Triple, half: Triple, *, mirror: Mirror = "", blend: float = 0.0, material: int = 0
) -> Part:
    """A block rounded as far as it goes: a ball when the half sizes are equal."""
    corner = min(half[:2])
    rounding = min(corner, half[2])
    return Part(
        name, centre, half, corner=corner, rounding=rounding, mirror=mirror, blend=blend, material=material
    )


def bead(
    name: str,
    centre: Triple,
    radius: float,
    height: float,
    *,
    mirror: Mirror = "",
    blend: float = 0.0,
    material: int = 0,
) -> Part:
    """A pebble that is round seen from above."""
    return pebble(name, centre, (radius, radius, height), mirror=mirror, blend=blend, material=material)


def handle(name: str, centre: Triple, half: Triple, corner: float, rounding: float, wall: float) -> Part:
    """A ring that stands upright and faces the viewer: `half` are its outer sizes (x, z, y)."""
    return Part(
        name, centre, half, corner=corner, rounding=rounding, wall=wall, axis="y", blend=0.03, material=1
    )
