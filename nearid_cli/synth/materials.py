"""Drawing what a surface looks like: colours that can be told apart, patterns, emblems."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nearid_cli.synth.objects import EMBLEMS, PATTERNS, Emblem, Material, Triple

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
