"""Drawing an object of a family.

A family is a function that draws a blueprint. Parts keep their order and their structure (axis, mirror,
operation) within a family, so that two objects of a family differ in numbers only and can be blended. Families are
written in solids by the names that people have for them.
"""

from __future__ import annotations

from collections.abc import Callable
from math import cos, sin
from typing import NamedTuple, TypedDict, Unpack

import numpy as np

from nearid_cli.synth.objects import Axis, Mirror, Operation, Part, Thing, Triple, draw_emblem, draw_materials

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


# The eight families that `nearid-mini` was trained on. Every draw and every number here decides about the pictures
# that it knows, so they stay as they are: also a `taper` of a round profile, meant for a cone, which narrows none.


def _bottle(u: Uniform, pick: Pick) -> Blueprint:
    wide, tall = u(0.26, 0.42), u(0.35, 0.5)
    neck, long = u(0.09, 0.15), u(0.12, 0.24)
    corner = wide * (0.3 if u(0, 1) < 0.3 else 1)
    low, top = -0.3, tall - 0.3
    parts = [
        box("body", (0, 0, low), (wide, wide, tall), corner, u(0.03, 0.12)),
        cylinder("shoulder", (0, 0, top), wide * 0.75, 0.14, 0.1, taper=-u(0.2, 0.6), blend=0.08),
        cylinder("neck", (0, 0, top + 0.1 + long), neck, long, blend=0.06),
        cylinder("cap", (0, 0, top + 0.1 + 2 * long), neck * u(1.1, 1.7), u(0.05, 0.11), material=1),
        box(
            "label",
            (0, 0, low + u(-0.15, 0.1)),
            (wide * 1.04, wide * 1.04, u(0.08, 0.2)),
            corner,
            0.01,
            material=2,
        ),
    ]
    return Blueprint(parts, low, 0.2)


def _mug(u: Uniform, pick: Pick) -> Blueprint:
    wide, tall = u(0.36, 0.5), u(0.34, 0.6)
    taper = u(-0.12, 0.25)
    loop = u(0.18, min(0.32, tall * 0.7))
    x, rim = -0.12, wide * (1 + taper) * 1.05
    parts = [
        box("body", (x, 0, 0), (wide, wide, tall), wide * pick([1.0, 1.0, 0.4]), u(0.03, 0.12), taper=taper),
        handle(
            "handle",
            (wide + loop * 0.55 - 0.12, 0, u(-0.08, 0.08)),
            (loop, loop * u(0.8, 1.3), u(0.045, 0.09)),
            loop * pick([1.0, 0.35]),
            0.045,
            u(0.04, 0.075),
        ),
        box("rim", (x, 0, tall * 0.94), (rim, rim, u(0.03, 0.09)), wide, 0.03, material=2),
        cylinder(
            "inside", (x, 0, tall * 0.75), wide * 0.84, tall * 0.6, taper=taper, operation="carve", material=1
        ),
    ]
    return Blueprint(parts, 0.0, 0.22)


def _lamp(u: Uniform, pick: Pick) -> Blueprint:
    foot, shade = u(0.24, 0.42), u(0.36, 0.58)
    tall, pole = u(0.2, 0.36), u(0.04, 0.1)
    wide = shade * 0.75
    parts = [
        box(
            "shade",
            (0, 0, 0.42),
            (wide, wide, tall),
            shade * pick([0.75, 0.75, 0.2]),
            0.03,
            taper=-u(0.0, 0.55),
        ),
        cylinder("pole", (0, 0, -0.25), pole, 0.5, material=1),
        box(
            "foot",
            (0, 0, -0.8),
            (foot, foot, u(0.05, 0.13)),
            foot * pick([1.0, 0.2]),
            0.04,
            taper=-u(0, 0.3),
            blend=0.05,
            material=2,
        ),
        bead("bead", (0, 0, u(-0.55, -0.1)), u(0.1, 0.2), u(0.08, 0.2), blend=0.02, material=2),
    ]
    return Blueprint(parts, 0.42, 0.2)


def _car(u: Uniform, pick: Pick) -> Blueprint:
    long, tall, wide = u(0.68, 0.85), u(0.14, 0.22), u(0.32, 0.42)
    wheel, cabin = u(0.15, 0.23), u(0.25, 0.45)
    top, axle = 0.05 + tall, -0.1 - tall * 0.9
    parts = [
        box("body", (0, 0, -0.1), (long, wide, tall), u(0.05, 0.25), u(0.03, 0.12)),
        box(
            "cabin",
            (u(-0.2, 0.15), 0, top),
            (cabin, wide * 0.85, u(0.13, 0.24)),
            0.1,
            0.07,
            taper=-u(0.1, 0.45),
            blend=0.03,
            material=1,
        ),
        cylinder(
            "wheels",
            (long * u(0.5, 0.65), wide * 0.95, axle),
            wheel,
            u(0.06, 0.1),
            axis="y",
            mirror="xy",
            material=2,
        ),
        box("bumper", (-long, 0, -0.18), (0.05, wide * 0.9, u(0.03, 0.08)), 0.03, 0.03, material=2),
        box(
            "roof box", (0, 0, 0.24 + tall), (u(0.08, 0.3), wide * 0.5, u(0.03, 0.1)), 0.04, 0.03, material=2
        ),
    ]
    return Blueprint(parts, -0.1, 0.16)


def _robot(u: Uniform, pick: Pick) -> Blueprint:
    wide, tall = u(0.24, 0.38), u(0.24, 0.34)
    head, arm = u(0.16, 0.28), u(0.05, 0.1)
    neck, hip = tall + head * 0.55 - 0.1, -0.08 - tall - 0.2
    parts = [
        box("torso", (0, 0, -0.08), (wide, 0.22, tall), u(0.04, 0.2), u(0.03, 0.12), taper=u(-0.2, 0.35)),
        box(
            "head",
            (0, 0, neck),
            (head * u(0.9, 1.3), 0.18, head * u(0.6, 0.85)),
            u(0.03, 0.17),
            0.06,
            material=1,
        ),
        cylinder(
            "arms",
            (wide + arm * 0.6, 0, u(-0.16, 0.02)),
            arm,
            u(0.2, 0.34),
            arm,
            mirror="x",
            tilt=u(-0.35, 0.1),
            material=1,
        ),
        box(
            "legs",
            (wide * u(0.45, 0.65), 0, hip),
            (u(0.08, 0.13), 0.12, 0.24),
            0.06,
            0.03,
            mirror="x",
            material=2,
        ),
        cylinder(
            "antenna",
            (u(-0.1, 0.1), 0, tall + 2 * head * 0.75 + 0.06),
            u(0.03, 0.07),
            u(0.06, 0.14),
            0.03,
            material=2,
        ),
    ]
    return Blueprint(parts, -0.05, 0.17)


def _house(u: Uniform, pick: Pick) -> Blueprint:
    wide, deep, tall = u(0.4, 0.58), u(0.32, 0.45), u(0.25, 0.42)
    roof, top, low = u(0.17, 0.32), -0.2 + tall, -0.25 - tall
    parts = [
        box("walls", (0, 0, -0.25), (wide, deep, tall), 0.03, 0.02),
        box(
            "roof",
            (0, 0, top + roof * 0.8),
            (wide * 0.62, deep * 0.66, roof),
            0.03,
            0.02,
            taper=-u(0.5, 0.95),
            material=1,
        ),
        box(
            "chimney",
            (wide * u(0.3, 0.6) * pick([-1, 1]), 0.05, top + roof * 1.2),
            (u(0.05, 0.1), 0.07, u(0.15, 0.28)),
            0.01,
            material=2,
        ),
        box(
            "door",
            (wide * u(-0.5, 0.5), -deep, low + 0.22),
            (u(0.08, 0.14), 0.03, u(0.16, 0.24)),
            0.02,
            0.01,
            material=2,
        ),
        box(
            "porch",
            (wide * u(0.7, 1.0) * pick([-1, 1]), -0.05, -0.25 - tall * 0.45),
            (u(0.12, 0.26), deep * 0.7, tall * u(0.35, 0.6)),
            0.02,
            material=1,
        ),
    ]
    return Blueprint(parts, -0.1, 0.13)


def _rocket(u: Uniform, pick: Pick) -> Blueprint:
    wide, tall = u(0.18, 0.3), u(0.4, 0.52)
    fin = u(0.12, 0.24)
    x, low = wide + fin * 0.6, -0.16 - tall
    parts = [
        cylinder("hull", (0, 0, -0.1), wide, tall, 0.05, taper=-u(0.0, 0.3)),
        cylinder(
            "nose",
            (0, 0, tall + 0.08),
            wide * 0.62,
            u(0.16, 0.28),
            0.04,
            taper=-u(0.45, 0.9),
            blend=0.05,
            material=1,
        ),
        box(
            "fins",
            (x, 0, -0.1 - tall * u(0.6, 0.85)),
            (fin, 0.045, u(0.13, 0.25)),
            0.02,
            taper=-u(0.0, 0.5),
            mirror="x",
            tilt=u(-0.1, 0.45),
            blend=0.02,
            material=2,
        ),
        cylinder("window", (0, -wide * 0.85, u(0.0, 0.25)), u(0.07, 0.13), 0.06, axis="y", material=2),
        cylinder("nozzle", (0, 0, low), wide * u(0.5, 0.85), u(0.07, 0.13), taper=-0.25, material=1),
    ]
    return Blueprint(parts, -0.25, 0.15)


def _chair(u: Uniform, pick: Pick) -> Blueprint:
    wide, deep = u(0.36, 0.5), u(0.34, 0.44)
    seat, back, leg = u(-0.25, 0.0), u(0.25, 0.44), u(0.04, 0.09)
    down, rest = (seat + 0.85) / 2, seat + back + 0.05
    parts = [
        box(
            "back",
            (0, deep * 0.9, rest),
            (wide * u(0.7, 1.0), u(0.05, 0.1), back),
            0.03,
            0.03,
            taper=u(-0.3, 0.2),
        ),
        box("seat", (0, 0, seat), (wide, deep, u(0.05, 0.13)), u(0.04, 0.3), 0.04, material=1),
        box(
            "legs",
            (wide * 0.8, deep * 0.8, seat - down),
            (leg, leg, down),
            leg * pick([1.0, 0.2]),
            taper=-u(-0.3, 0.4),
            mirror="xy",
            material=2,
        ),
        box(
            "arms",
            (wide * 1.02, 0, seat + u(0.14, 0.26)),
            (u(0.03, 0.08), deep * u(0.5, 0.95), 0.05),
            0.03,
            0.03,
            mirror="x",
            material=2,
        ),
        box("cushion", (0, deep * 0.35, seat + 0.15), (wide * u(0.3, 0.6), 0.1, u(0.08, 0.18)), 0.08, 0.07),
    ]
    return Blueprint(parts, seat + back, 0.17)


TRAINED: dict[str, Family] = {
    "bottle": _bottle,
    "mug": _mug,
    "lamp": _lamp,
    "car": _car,
    "robot": _robot,
    "house": _house,
    "rocket": _rocket,
    "chair": _chair,
}


# The four families that `nearid-mini` never saw: they measure what it makes of the unknown.


def _teapot(u: Uniform, pick: Pick) -> Blueprint:
    wide, tall, low = u(0.38, 0.5), u(0.28, 0.42), -0.1
    loop, spout, lean = u(0.17, 0.27), u(0.2, 0.3), u(0.5, 1.0)
    top, lid, knob = low + tall, u(0.05, 0.1), u(0.05, 0.12)
    parts = [
        bead("body", (0, 0, low), wide, tall),
        cylinder(
            "spout",
            (-0.8 * wide - 0.8 * spout * sin(lean), 0, low + 0.8 * spout * cos(lean) + u(-0.08, 0.02)),
            u(0.06, 0.1),
            spout,
            tilt=lean,
            blend=0.06,
            material=1,
        ),
        handle(
            "handle",
            (wide + loop * 0.45, 0, low + u(-0.04, 0.1)),
            (loop, loop * u(0.8, 1.3), 0.05),
            loop * pick([1.0, 0.4]),
            0.04,
            u(0.035, 0.06),
        ),
        cylinder("lid", (0, 0, top), wide * u(0.4, 0.65), lid, 0.04, material=2),
        bead("knob", (0, 0, top + lid + 0.6 * knob), u(0.06, 0.11), knob, material=1),
    ]
    return Blueprint(parts, low, 0.2)


def _camera(u: Uniform, pick: Pick) -> Blueprint:
    wide, tall, low = u(0.52, 0.7), u(0.3, 0.42), -0.05
    lens, long = u(0.17, 0.3), u(0.1, 0.24)
    side, front, top = wide * u(-0.35, 0.35), -0.14, low + tall
    finder, button = u(0.07, 0.14), u(0.04, 0.08)
    parts = [
        box("body", (0, 0.05, low), (wide, 0.2, tall), u(0.04, 0.16), u(0.02, 0.1)),
        cylinder("lens", (side, front - long, -0.08), lens, long, axis="y", material=1),
        cylinder(
            "glass", (side, front - 2 * long, -0.08), lens * u(0.5, 0.75), 0.07, 0.04, axis="y", material=2
        ),
        box(
            "finder",
            (side * u(-0.5, 1), 0.05, top + finder * u(0.3, 0.8)),
            (u(0.12, 0.24), 0.15, finder),
            0.03,
            0.03,
            taper=-u(0, 0.4),
            material=1,
        ),
        cylinder(
            "button", (wide * u(0.45, 0.7), 0.05, top + button * 0.5), u(0.06, 0.12), button, material=2
        ),
    ]
    return Blueprint(parts, low, 0.12)


def _mushroom(u: Uniform, pick: Pick) -> Blueprint:
    cap, thick = u(0.45, 0.66), u(0.16, 0.26)
    stem, low = u(0.12, 0.24), -0.8
    parts = [
        bead("cap", (0, 0, 0.2), cap, thick),
        bead("crown", (0, 0, 0.2 + thick * 0.5), cap * u(0.4, 0.75), thick * u(0.8, 1.6), blend=0.2),
        cylinder("gills", (0, 0, 0.2 - thick * 0.8), cap * u(0.6, 0.85), thick * u(0.25, 0.4), material=1),
        cylinder("stem", (0, 0, -0.3), stem, 0.5, material=1),
        cylinder("ring", (0, 0, u(-0.45, -0.2)), stem * u(1.2, 1.7), u(0.025, 0.06), material=2),
        pebble("foot", (0, 0, low), (stem * u(1.1, 2.0), stem * 1.3, u(0.08, 0.18)), blend=0.08, material=2),
    ]
    return Blueprint(parts, 0.2, 0.16)


def _creature(u: Uniform, pick: Pick) -> Blueprint:
    long, tall, low = u(0.34, 0.48), u(0.22, 0.34), -0.12
    head, skull, ear = u(0.17, 0.27), u(0.85, 1.2), u(0.08, 0.26)
    x, up = -0.8 * long, low + tall + head * u(0.2, 0.7)
    leg, tail, lean = u(0.16, 0.28), u(0.12, 0.26), -u(0.3, 1.2)
    parts = [
        pebble("body", (0, 0, low), (long, 0.28, tall)),
        bead("head", (x, 0, up), head, head * skull, blend=0.1),
        bead(
            "ears",
            (x, head * 0.6, up + head * skull * 0.6 + ear * 0.8),
            u(0.05, 0.1),
            ear,
            mirror="y",
            material=1,
        ),
        cylinder(
            "legs",
            (long * u(0.35, 0.6), 0.13, low - tall * 0.5 - leg),
            u(0.06, 0.11),
            leg,
            0.05,
            mirror="xy",
            blend=0.05,
            material=1,
        ),
        cylinder(
            "tail",
            (long * 0.85 - tail * sin(lean), 0, low + tail * cos(lean) + u(0, 0.1)),
            u(0.04, 0.09),
            tail,
            0.04,
            tilt=lean,
            blend=0.05,
            material=2,
        ),
        pebble("snout", (x - head * 0.9, 0, up - head * 0.2), (u(0.06, 0.13), 0.08, 0.07), material=2),
    ]
    return Blueprint(parts, low, 0.16)


HELD_OUT: dict[str, Family] = {
    "teapot": _teapot,
    "camera": _camera,
    "mushroom": _mushroom,
    "creature": _creature,
}


_FAMILIES = TRAINED | HELD_OUT


def draw_thing(category: str, random: np.random.Generator) -> Thing:
    """An object of a family, one of `CATEGORIES`, with materials and perhaps an emblem."""
    blueprint = _FAMILIES[category](random.uniform, random.choice)
    emblem = draw_emblem(random, blueprint.emblem_height, blueprint.emblem_size)
    return Thing(category, tuple(blueprint.parts), draw_materials(random), emblem)
