"""What an object is made of: parts of one adaptable primitive, materials and an emblem."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

PATTERNS = ("solid", "stripes", "rings", "checks", "dots", "marble")
EMBLEMS = ("none", "disc", "ring", "square", "diamond", "cross", "bar", "triangle", "two discs")

Axis = Literal["x", "y", "z"]
Operation = Literal["union", "carve"]
Mirror = Literal["", "x", "y", "xy"]


@dataclass(frozen=True)
class Part:
    """One extruded, rounded, possibly tapered and hollow profile; box, cylinder, cone, sphere and torus are special cases.

    Lengths are in units of the object's bounding radius. x is right, y away from the viewer, z up.

    Attributes:
        name: what it is of the object.
        centre: its middle (x, y, z).
        half: half sizes of the profile in the two directions across `axis`, and half the length along it.
        corner: radius of the profile's corners, at most the smaller half size, which makes it round.
        rounding: radius of the edges between the profile and the ends.
        taper: how much wider the profile is at the far end than in the middle, as a share; negative for narrower.
        wall: half the thickness of the wall of a hollow profile; 0 for a full one.
        axis: the direction of extrusion.
        tilt: rotation about the y axis in radians.
        mirror: whether the part is there once more on the other side of x = 0, of y = 0, or of both.
        operation: `carve` takes the part away from those before it.
        blend: width over which its surface flows into those of the parts before it.
        material: index of its material.
    """

    name: str
    centre: tuple[float, float, float]
    half: tuple[float, float, float]
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
        frequency: repetitions of the pattern over the object's radius.
        direction: angle in radians in which stripes run.
        gloss: strength of highlights, 0 to 1.
    """

    base: tuple[float, float, float]
    second: tuple[float, float, float]
    pattern: str = "solid"
    frequency: float = 3.0
    direction: float = 0.0
    gloss: float = 0.2


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
    colour: tuple[float, float, float]


@dataclass(frozen=True)
class Thing:
    """An object: parts in the order in which they are joined, materials, emblem."""

    category: str
    parts: tuple[Part, ...]
    materials: tuple[Material, ...]
    emblem: Emblem = field(default=Emblem("none", 0.2, 0.0, (0.0, 0.0, 0.0)))


def rgb(hsv: tuple[float, float, float]) -> tuple[float, float, float]:
    """RGB, 0 to 1, of a colour given as hue, saturation, value."""
    return colorsys.hsv_to_rgb(*hsv)


def draw_materials(random: np.random.Generator, count: int = 3) -> tuple[Material, ...]:
    """Materials whose colours can be told apart: hues at least 50 degrees from each other, some greys."""
    first = random.uniform()
    materials = []
    for index in range(count):
        hue = (first + index * random.uniform(0.14, 0.40)) % 1
        base = draw_colour(random, hue)
        second = contrasting(random, base)
        materials.append(replace(draw_pattern(random, plain=index > 0), base=base, second=second))
    return tuple(materials)


def draw_colour(random: np.random.Generator, hue: float) -> tuple[float, float, float]:
    """A colour of this hue; one in eight is nearly grey."""
    if random.uniform() < 0.125:
        return (hue, random.uniform(0.0, 0.12), random.uniform(0.25, 0.95))
    return (hue, random.uniform(0.55, 0.95), random.uniform(0.45, 0.95))


def contrasting(random: np.random.Generator, base: tuple[float, float, float]) -> tuple[float, float, float]:
    """A colour for a pattern on `base`: another hue, or much lighter or darker."""
    hue, saturation, value = base
    if random.uniform() < 0.5:
        return ((hue + random.uniform(0.2, 0.8)) % 1, random.uniform(0.4, 0.9), min(1.0, value * random.uniform(0.6, 1.3)))
    return (hue, saturation * random.uniform(0.2, 0.6), 0.95 if value < 0.6 else 0.2)


def draw_pattern(random: np.random.Generator, plain: bool = False) -> Material:
    """A material's pattern, colours left at grey; a plain one is solid three times in four."""
    solid = random.uniform() < (0.75 if plain else 0.3)
    pattern = "solid" if solid else PATTERNS[1 + int(random.integers(len(PATTERNS) - 1))]
    return Material(
        (0.0, 0.0, 0.5),
        (0.0, 0.0, 0.5),
        pattern,
        frequency=float(random.uniform(1.6, 4.2)),
        direction=float(random.choice([0.0, 0.5, 1.0, 1.5]) * np.pi / 2 + random.uniform(-0.2, 0.2)),
        gloss=float(random.uniform(0.05, 0.6)),
    )


def draw_emblem(random: np.random.Generator, height: float, size: float) -> Emblem:
    """An emblem, or none (two times in five)."""
    shape = "none" if random.uniform() < 0.4 else EMBLEMS[1 + int(random.integers(len(EMBLEMS) - 1))]
    return Emblem(shape, size * random.uniform(0.7, 1.1), height, draw_colour(random, random.uniform()))
