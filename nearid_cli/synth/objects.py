"""What an object is made of: parts of one adaptable primitive, materials, and an emblem, which are drawn here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

Triple = tuple[float, float, float]

PATTERNS = ("solid", "stripes", "rings", "checks", "dots", "marble")
EMBLEMS = ("none", "disc", "ring", "square", "diamond", "cross", "bar", "triangle", "two discs")

Axis = Literal["x", "y", "z"]
Operation = Literal["union", "carve"]
Mirror = Literal["", "x", "y", "xy"]


@dataclass(frozen=True)
class Part:
    """One extruded, rounded, possibly tapered and hollow profile: box, cylinder, ball and ring are special cases.

    A length of 1 is about the radius of an object. x is right, y away from the viewer, z up.

    Attributes:
        name: what it is of the object.
        centre: its middle (x, y, z).
        half: half sizes of the profile in the two directions across `axis`, and half the length along it.
        corner: radius of the profile's corners, at most the smaller half size, which makes the profile round.
        rounding: radius of the edges between the profile and the ends.
        taper: by which share the profile is wider at the far end than halfway; negative for narrower.
        wall: half the thickness of the wall of a hollow profile; 0 for a full one.
        axis: the direction of extrusion.
        tilt: rotation about the y axis in radians; the upper end goes to the left.
        mirror: whether the part is there once more on the other side of x = 0, of y = 0, or of both.
        operation: `carve` takes the part away from those before it.
        blend: width over which its surface flows into those of the parts before it.
        material: index of its material.
    """

    name: str
    centre: Triple
    half: Triple
    corner: float = 0.0
    rounding: float = 0.02
    taper: float = 0.0
    wall: float = 0.0
    axis: Axis = "z"
    tilt: float = 0.0
    mirror: Mirror = ""
    operation: Operation = "union"
    blend: float = 0.0
    material: int = 0


@dataclass(frozen=True)
class Material:
    """A surface: two colours (HSV, 0 to 1), the pattern in which they meet, and how it shines.

    Attributes:
        base: the main colour.
        second: the pattern's colour.
        pattern: one of `PATTERNS`.
        frequency: repetitions of the pattern over a length of 1.
        direction: angle in radians in which stripes run.
        gloss: strength of highlights, 0 to 1.
    """

    base: Triple
    second: Triple
    pattern: str
    frequency: float
    direction: float
    gloss: float


@dataclass(frozen=True)
class Emblem:
    """A sign painted on the front of the first part.

    Attributes:
        shape: one of `EMBLEMS`.
        size: its half width.
        height: z of its middle.
        colour: HSV, 0 to 1.
    """

    shape: str
    size: float
    height: float
    colour: Triple


@dataclass(frozen=True)
class Thing:
    """An object: parts in the order in which they are joined, materials, emblem."""

    category: str
    parts: tuple[Part, ...]
    materials: tuple[Material, ...]
    emblem: Emblem


_GREY = (0.0, 0.0, 0.5)


def draw_materials(random: np.random.Generator, count: int = 3) -> tuple[Material, ...]:
    """Materials of which each hue is 50 to 144 degrees, times its index, from the first; some are greys."""
    first = random.uniform()
    materials = []
    for index in range(count):
        base = draw_colour(random, (first + index * random.uniform(0.14, 0.40)) % 1)
        second = _contrasting(random, base)
        materials.append(replace(draw_pattern(random, plain=index > 0), base=base, second=second))
    return tuple(materials)


def draw_colour(random: np.random.Generator, hue: float) -> Triple:
    """A colour (HSV) of this hue; one in eight is nearly grey."""
    if random.uniform() < 0.125:
        return (hue, random.uniform(0.0, 0.12), random.uniform(0.25, 0.95))
    return (hue, random.uniform(0.55, 0.95), random.uniform(0.45, 0.95))


def _contrasting(random: np.random.Generator, base: Triple) -> Triple:
    """A colour for a pattern on `base`: another hue, or much lighter or darker."""
    hue, saturation, value = base
    if random.uniform() < 0.5:
        other = (hue + random.uniform(0.2, 0.8)) % 1
        return (other, random.uniform(0.4, 0.9), min(1.0, value * random.uniform(0.6, 1.3)))
    return (hue, saturation * random.uniform(0.2, 0.6), 0.95 if value < 0.6 else 0.2)


def draw_pattern(random: np.random.Generator, plain: bool = False) -> Material:
    """A grey material with a pattern; solid three times in ten, a plain one three times in four."""
    solid = random.uniform() < (0.75 if plain else 0.3)
    pattern = "solid" if solid else PATTERNS[1 + int(random.integers(len(PATTERNS) - 1))]
    return Material(
        _GREY,
        _GREY,
        pattern,
        frequency=float(random.uniform(1.6, 4.2)),
        direction=float(random.choice([0.0, 0.5, 1.0, 1.5]) * np.pi / 2 + random.uniform(-0.2, 0.2)),
        gloss=float(random.uniform(0.05, 0.6)),
    )


def draw_emblem(random: np.random.Generator, height: float, size: float) -> Emblem:
    """An emblem of about this half width, or none (two times in five)."""
    shape = "none" if random.uniform() < 0.4 else EMBLEMS[1 + int(random.integers(len(EMBLEMS) - 1))]
    return Emblem(shape, size * random.uniform(0.7, 1.1), height, draw_colour(random, random.uniform()))
