"""The object families: how the parts of a bottle, a chair or a robot are laid out, and what may vary.

Every function draws one layout. Parts keep their order and their structure (axis, mirror, operation)
within a family, so that two objects of a family differ in numbers only and can be blended.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nearid_cli.synth.objects import Emblem, Part, Thing, draw_emblem, draw_materials

Random = np.random.Generator
Layout = tuple[list[Part], float, float]  # parts, and height and size of the emblem


def draw_thing(category: str, random: Random) -> Thing:
    """An object of a family, with materials and perhaps an emblem."""
    parts, height, size = _FAMILIES[category](random)
    emblem: Emblem = draw_emblem(random, height, size)
    return Thing(category, tuple(parts), draw_materials(random), emblem)


def _round(radius: float, length: float) -> dict[str, Any]:
    """Half sizes and corner of a cylinder."""
    return {"half": (radius, radius, length), "corner": radius}


def _ball(x: float, y: float, z: float) -> dict[str, Any]:
    """Half sizes, corner and rounding of a ball, or of a rounded block when the sizes differ."""
    least = min(x, y)
    return {"half": (x, y, z), "corner": least, "rounding": min(least, z)}


def _bottle(r: Random) -> Layout:
    body, tall = r.uniform(0.26, 0.42), r.uniform(0.35, 0.5)
    neck, long = r.uniform(0.09, 0.15), r.uniform(0.12, 0.24)
    square = r.uniform() < 0.3
    top = tall - 0.3
    return (
        [
            Part("body", (0, 0, -0.3), (body, body, tall), corner=body * (0.3 if square else 1), rounding=r.uniform(0.03, 0.12)),
            Part("shoulder", (0, 0, top), (body * 0.75, body * 0.75, 0.14), corner=body * 0.75, rounding=0.1, taper=-r.uniform(0.2, 0.6), blend=0.08),
            Part("neck", (0, 0, top + 0.1 + long), **_round(neck, long), blend=0.06),
            Part("cap", (0, 0, top + 0.1 + 2 * long), **_round(neck * r.uniform(1.1, 1.7), r.uniform(0.05, 0.11)), material=1),
            Part("label", (0, 0, -0.3 + r.uniform(-0.15, 0.1)), (body * 1.04, body * 1.04, r.uniform(0.08, 0.2)), corner=body * (0.3 if square else 1), rounding=0.01, material=2),
        ],
        -0.3, 0.2,
    )


def _mug(r: Random) -> Layout:
    radius, tall = r.uniform(0.36, 0.5), r.uniform(0.34, 0.6)
    taper = r.uniform(-0.12, 0.25)
    loop = r.uniform(0.18, min(0.32, tall * 0.7))
    return (
        [
            Part("body", (-0.12, 0, 0), (radius, radius, tall), corner=radius * r.choice([1.0, 1.0, 0.4]), rounding=r.uniform(0.03, 0.12), taper=taper),
            Part("handle", (radius + loop * 0.55 - 0.12, 0, r.uniform(-0.08, 0.08)), (loop, loop * r.uniform(0.8, 1.3), r.uniform(0.045, 0.09)), corner=loop * r.choice([1.0, 0.35]), rounding=0.045, wall=r.uniform(0.04, 0.075), axis="y", material=1, blend=0.03),
            Part("rim", (-0.12, 0, tall * 0.94), (radius * (1 + taper) * 1.05, radius * (1 + taper) * 1.05, r.uniform(0.03, 0.09)), corner=radius, rounding=0.03, material=2),
            Part("inside", (-0.12, 0, tall * 0.75), (radius * 0.84, radius * 0.84, tall * 0.6), corner=radius * 0.84, taper=taper, operation="carve", material=1),
        ],
        0.0, 0.22,
    )


def _lamp(r: Random) -> Layout:
    foot, shade = r.uniform(0.24, 0.42), r.uniform(0.36, 0.58)
    tall, pole = r.uniform(0.2, 0.36), r.uniform(0.04, 0.1)
    return (
        [
            Part("shade", (0, 0, 0.42), (shade * 0.75, shade * 0.75, tall), corner=shade * r.choice([0.75, 0.75, 0.2]), taper=-r.uniform(0.0, 0.55), rounding=0.03),
            Part("pole", (0, 0, -0.25), **_round(pole, 0.5), material=1),
            Part("foot", (0, 0, -0.8), (foot, foot, r.uniform(0.05, 0.13)), corner=foot * r.choice([1.0, 0.2]), rounding=0.04, taper=-r.uniform(0, 0.3), material=2, blend=0.05),
            Part("bead", (0, 0, r.uniform(-0.55, -0.1)), **_ball(*([r.uniform(0.1, 0.2)] * 2), r.uniform(0.08, 0.2)), material=2, blend=0.02),
        ],
        0.42, 0.2,
    )


def _car(r: Random) -> Layout:
    long, tall, wide = r.uniform(0.68, 0.85), r.uniform(0.14, 0.22), r.uniform(0.32, 0.42)
    wheel = r.uniform(0.15, 0.23)
    cabin = r.uniform(0.25, 0.45)
    return (
        [
            Part("body", (0, 0, -0.1), (long, wide, tall), corner=r.uniform(0.05, 0.25), rounding=r.uniform(0.03, 0.12)),
            Part("cabin", (r.uniform(-0.2, 0.15), 0, 0.05 + tall), (cabin, wide * 0.85, r.uniform(0.13, 0.24)), corner=0.1, rounding=0.07, taper=-r.uniform(0.1, 0.45), material=1, blend=0.03),
            Part("wheels", (long * r.uniform(0.5, 0.65), wide * 0.95, -0.1 - tall * 0.9), **_round(wheel, r.uniform(0.06, 0.1)), axis="y", mirror="xy", material=2),
            Part("bumper", (-long, 0, -0.18), (0.05, wide * 0.9, r.uniform(0.03, 0.08)), corner=0.03, rounding=0.03, material=2),
            Part("roof box", (0, 0, 0.24 + tall), (r.uniform(0.08, 0.3), wide * 0.5, r.uniform(0.03, 0.1)), corner=0.04, rounding=0.03, material=2),
        ],
        -0.1, 0.16,
    )


def _robot(r: Random) -> Layout:
    wide, tall = r.uniform(0.24, 0.38), r.uniform(0.24, 0.34)
    head, arm = r.uniform(0.16, 0.28), r.uniform(0.05, 0.1)
    return (
        [
            Part("torso", (0, 0, -0.08), (wide, 0.22, tall), corner=r.uniform(0.04, 0.2), rounding=r.uniform(0.03, 0.12), taper=r.uniform(-0.2, 0.35)),
            Part("head", (0, 0, tall + head * 0.6 + 0.03), (head * r.uniform(0.9, 1.3), 0.18, head * r.uniform(0.6, 0.85)), corner=r.uniform(0.03, 0.17), rounding=0.06, material=1),
            Part("arms", (wide + arm * 1.3, 0, r.uniform(-0.16, 0.02)), **_round(arm, r.uniform(0.2, 0.34)), rounding=arm, mirror="x", tilt=r.uniform(-0.35, 0.1), material=1),
            Part("legs", (wide * r.uniform(0.45, 0.65), 0, -0.08 - tall - 0.2), (r.uniform(0.08, 0.13), 0.12, 0.24), corner=0.06, rounding=0.03, mirror="x", material=2),
            Part("antenna", (r.uniform(-0.1, 0.1), 0, tall + 2 * head * 0.75 + 0.06), **_round(r.uniform(0.03, 0.07), r.uniform(0.06, 0.14)), rounding=0.03, material=2),
        ],
        -0.05, 0.17,
    )


def _house(r: Random) -> Layout:
    wide, deep, tall = r.uniform(0.4, 0.58), r.uniform(0.32, 0.45), r.uniform(0.25, 0.42)
    roof = r.uniform(0.17, 0.32)
    base = -0.2 + tall
    return (
        [
            Part("walls", (0, 0, -0.25), (wide, deep, tall), corner=0.03, rounding=0.02),
            Part("roof", (0, 0, base + roof * 0.8), (wide * 0.62, deep * 0.66, roof), corner=0.03, rounding=0.02, taper=-r.uniform(0.5, 0.95), material=1),
            Part("chimney", (wide * r.uniform(0.3, 0.6) * r.choice([-1, 1]), 0.05, base + roof * 1.2), (r.uniform(0.05, 0.1), 0.07, r.uniform(0.15, 0.28)), corner=0.01, material=2),
            Part("door", (wide * r.uniform(-0.5, 0.5), -deep, -0.25 - tall + 0.22), (r.uniform(0.08, 0.14), 0.03, r.uniform(0.16, 0.24)), corner=0.02, rounding=0.01, material=2),
            Part("porch", (wide * r.uniform(0.7, 1.0) * r.choice([-1, 1]), -0.05, -0.25 - tall * 0.45), (r.uniform(0.12, 0.26), deep * 0.7, tall * r.uniform(0.35, 0.6)), corner=0.02, material=1),
        ],
        -0.1, 0.13,
    )


def _rocket(r: Random) -> Layout:
    radius, tall = r.uniform(0.18, 0.3), r.uniform(0.4, 0.52)
    fin = r.uniform(0.12, 0.24)
    return (
        [
            Part("hull", (0, 0, -0.1), **_round(radius, tall), taper=-r.uniform(0.0, 0.3), rounding=0.05),
            Part("nose", (0, 0, tall + 0.08), **_round(radius * 0.62, r.uniform(0.16, 0.28)), taper=-r.uniform(0.45, 0.9), rounding=0.04, blend=0.05, material=1),
            Part("fins", (radius + fin * 0.6, 0, -0.1 - tall * r.uniform(0.6, 0.85)), (fin, 0.045, r.uniform(0.13, 0.25)), corner=0.02, taper=-r.uniform(0.0, 0.5), mirror="x", tilt=r.uniform(-0.1, 0.45), material=2, blend=0.02),
            Part("window", (0, -radius * 0.85, r.uniform(0.0, 0.25)), **_round(r.uniform(0.07, 0.13), 0.06), axis="y", material=2),
            Part("nozzle", (0, 0, -0.16 - tall), **_round(radius * r.uniform(0.5, 0.85), r.uniform(0.07, 0.13)), taper=-0.25, material=1),
        ],
        -0.25, 0.15,
    )


def _chair(r: Random) -> Layout:
    wide, deep = r.uniform(0.36, 0.5), r.uniform(0.34, 0.44)
    seat = r.uniform(-0.25, 0.0)
    back = r.uniform(0.25, 0.44)
    leg = r.uniform(0.04, 0.09)
    down = (seat + 0.85) / 2
    return (
        [
            Part("back", (0, deep * 0.9, seat + back + 0.05), (wide * r.uniform(0.7, 1.0), r.uniform(0.05, 0.1), back), corner=0.03, rounding=0.03, taper=r.uniform(-0.3, 0.2)),
            Part("seat", (0, 0, seat), (wide, deep, r.uniform(0.05, 0.13)), corner=r.uniform(0.04, 0.3), rounding=0.04, material=1),
            Part("legs", (wide * 0.8, deep * 0.8, seat - down), (leg, leg, down), corner=leg * r.choice([1.0, 0.2]), taper=-r.uniform(-0.3, 0.4), mirror="xy", material=2),
            Part("arms", (wide * 1.02, 0, seat + r.uniform(0.14, 0.26)), (r.uniform(0.03, 0.08), deep * r.uniform(0.5, 0.95), 0.05), corner=0.03, rounding=0.03, mirror="x", material=2),
            Part("cushion", (0, deep * 0.35, seat + 0.15), (wide * r.uniform(0.3, 0.6), 0.1, r.uniform(0.08, 0.18)), corner=0.08, rounding=0.07, material=0),
        ],
        seat + back, 0.17,
    )


def _teapot(r: Random) -> Layout:
    x, z = r.uniform(0.38, 0.5), r.uniform(0.28, 0.42)
    loop = r.uniform(0.17, 0.27)
    return (
        [
            Part("body", (0, 0, -0.1), **_ball(x, x, z), taper=r.uniform(-0.15, 0.15)),
            Part("spout", (-x - 0.14, 0, r.uniform(-0.08, 0.06)), **_round(r.uniform(0.07, 0.11), r.uniform(0.18, 0.28)), taper=-r.uniform(0.0, 0.5), tilt=-r.uniform(0.5, 1.0), blend=0.06, material=1),
            Part("handle", (x + loop * 0.45, 0, r.uniform(-0.14, 0.0)), (loop, loop * r.uniform(0.8, 1.3), 0.05), corner=loop * r.choice([1.0, 0.4]), rounding=0.04, wall=r.uniform(0.035, 0.06), axis="y", blend=0.03, material=1),
            Part("lid", (0, 0, z * 0.88 - 0.1), **_round(x * r.uniform(0.4, 0.65), r.uniform(0.05, 0.1)), rounding=0.04, material=2),
            Part("knob", (0, 0, z + 0.06), **_ball(*([r.uniform(0.06, 0.11)] * 2), r.uniform(0.05, 0.12)), material=1),
        ],
        -0.1, 0.2,
    )


def _camera(r: Random) -> Layout:
    wide, tall = r.uniform(0.52, 0.7), r.uniform(0.3, 0.42)
    lens = r.uniform(0.17, 0.3)
    side = wide * r.uniform(-0.35, 0.35)
    return (
        [
            Part("body", (0, 0.05, -0.05), (wide, 0.2, tall), corner=r.uniform(0.04, 0.16), rounding=r.uniform(0.02, 0.1)),
            Part("lens", (side, -0.26, -0.08), **_round(lens, r.uniform(0.1, 0.24)), axis="y", rounding=0.02, material=1),
            Part("glass", (side, -0.45, -0.08), **_round(lens * r.uniform(0.5, 0.75), 0.07), axis="y", rounding=0.04, material=2),
            Part("finder", (side * r.uniform(-0.5, 1), 0.05, tall + r.uniform(0.0, 0.06)), (r.uniform(0.12, 0.24), 0.15, r.uniform(0.07, 0.14)), corner=0.03, rounding=0.03, taper=-r.uniform(0, 0.4), material=1),
            Part("button", (wide * r.uniform(0.45, 0.75), 0.05, tall - 0.02), **_round(r.uniform(0.06, 0.12), r.uniform(0.04, 0.08)), material=2),
        ],
        -0.05, 0.12,
    )


def _mushroom(r: Random) -> Layout:
    cap, thick = r.uniform(0.45, 0.66), r.uniform(0.2, 0.36)
    stem = r.uniform(0.12, 0.24)
    return (
        [
            Part("cap", (0, 0, 0.25), **_ball(cap, cap, thick), taper=-r.uniform(0.0, 0.4)),
            Part("hollow", (0, 0, 0.1 - thick), (1.0, 1.0, thick * r.uniform(0.7, 1.0)), operation="carve", material=1),
            Part("stem", (0, 0, -0.3), **_round(stem, 0.5), taper=-r.uniform(-0.3, 0.3), rounding=0.06, material=1),
            Part("ring", (0, 0, r.uniform(-0.35, -0.05)), **_round(stem * r.uniform(1.2, 1.7), r.uniform(0.025, 0.06)), taper=-0.3, material=2),
            Part("foot", (0, 0, -0.8), **_ball(stem * r.uniform(1.1, 2.0), stem * 1.3, r.uniform(0.08, 0.18)), material=2, blend=0.08),
        ],
        0.3, 0.16,
    )


def _creature(r: Random) -> Layout:
    x, z = r.uniform(0.34, 0.48), r.uniform(0.22, 0.34)
    head = r.uniform(0.17, 0.27)
    ear = r.uniform(0.05, 0.1)
    up = r.uniform(0.22, 0.36)
    return (
        [
            Part("body", (0.08, 0, -0.15), **_ball(x, 0.28, z)),
            Part("head", (-x * 0.9, 0, up), **_ball(head, head, head * r.uniform(0.85, 1.2)), blend=0.1, material=0),
            Part("ears", (-x * 0.9, head * 0.6, up + head * 1.1), **_ball(ear, ear, r.uniform(0.08, 0.26)), mirror="y", material=1),
            Part("legs", (x * 0.6, 0.16, -0.15 - z - 0.1), **_round(r.uniform(0.06, 0.11), r.uniform(0.16, 0.28)), rounding=0.05, mirror="xy", blend=0.05, material=1),
            Part("tail", (0.08 + x + 0.1, 0, r.uniform(-0.1, 0.12)), **_round(r.uniform(0.04, 0.09), r.uniform(0.12, 0.26)), rounding=0.04, tilt=r.uniform(0.3, 1.2), blend=0.05, material=2),
            Part("snout", (-x * 0.9 - head * 0.9, 0, up - head * 0.2), **_ball(r.uniform(0.06, 0.13), 0.08, 0.07), material=2),
        ],
        -0.12, 0.16,
    )


_FAMILIES: dict[str, Callable[[Random], Layout]] = {
    "bottle": _bottle,
    "mug": _mug,
    "lamp": _lamp,
    "car": _car,
    "robot": _robot,
    "house": _house,
    "rocket": _rocket,
    "chair": _chair,
    "teapot": _teapot,
    "camera": _camera,
    "mushroom": _mushroom,
    "creature": _creature,
}
