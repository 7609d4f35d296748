"""The four object families that `nearid-mini` never saw: they measure what it makes of the unknown."""

from __future__ import annotations

from math import cos, sin

from nearid_cli.synth.primitives import Blueprint, Family, Pick, Uniform, bead, box, cylinder, handle, pebble


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
