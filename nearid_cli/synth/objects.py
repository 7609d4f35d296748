"""What an object is made of: parts of one adaptable primitive, materials, and an emblem."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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
