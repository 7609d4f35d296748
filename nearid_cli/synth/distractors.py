"""Making another instance out of an object: same family, same blueprint, a stated change.

Kinds of change and what their amount (0 to 1) measures; docs/guides/synth.md tells it to users:

    shape    sizes and places of all parts move this share of the way to another object of the family
    texture  patterns are drawn anew: those of all materials and the emblem (0.5 and above) or of one material
    colour   hues turn by 180 degrees times the amount: those of all materials (0.5 and above) or of one
    part     this share of the parts, at least one, takes sizes and places from another object of the family
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from nearid_cli.synth.families import draw_thing
from nearid_cli.synth.objects import Material, Part, Thing, Triple, draw_emblem, draw_pattern
from nearid_cli.synth.sample import DIFFICULTIES, KINDS

# Least visible change, as a share of the object's pixels, for the distractor to count as another instance.
LEAST_CHANGE = {"easy": 0.20, "medium": 0.10, "hard": 0.04}


class Alteration(NamedTuple):
    """A change that is to be made: difficulty, kinds and amount as in `Change`."""

    difficulty: str
    kinds: tuple[str, ...]
    amount: float


def plan_change(random: np.random.Generator, difficulty: str) -> Alteration:
    """Difficulty, kinds and amount of a change.

    `easy`: shape, texture and colour, strongly. `medium`: one kind, strongly.
    `hard`: one kind, slightly.
    """
    if difficulty == "mixed":
        difficulty = DIFFICULTIES[int(random.integers(len(DIFFICULTIES)))]
    if difficulty == "easy":
        return Alteration(difficulty, ("shape", "texture", "colour"), random.uniform(0.6, 1.0))
    kind = KINDS[int(random.integers(len(KINDS)))]
    low, high = (0.6, 1.0) if difficulty == "medium" else (0.2, 0.4)
    return Alteration(difficulty, (kind,), random.uniform(low, high))


def make_distractor(thing: Thing, plan: Alteration, random: np.random.Generator) -> Thing:
    """Another instance than `thing`, changed according to `plan`."""
    other = draw_thing(thing.category, random)
    for kind in plan.kinds:
        thing = _CHANGES[kind](thing, other, plan.amount, random)
    return thing


def _shape(thing: Thing, other: Thing, amount: float, random: np.random.Generator) -> Thing:
    parts = tuple(_between(a, b, amount) for a, b in zip(thing.parts, other.parts, strict=True))
    height = thing.emblem.height + amount * (other.emblem.height - thing.emblem.height)
    return replace(thing, parts=parts, emblem=replace(thing.emblem, height=height))


def _part(thing: Thing, other: Thing, amount: float, random: np.random.Generator) -> Thing:
    count = max(1, round(amount * len(thing.parts)))
    chosen = set(random.permutation(len(thing.parts))[:count].tolist())
    parts = tuple(
        _between(a, b, 1.0) if index in chosen else a
        for index, (a, b) in enumerate(zip(thing.parts, other.parts, strict=True))
    )
    return replace(thing, parts=parts)


def _texture(thing: Thing, other: Thing, amount: float, random: np.random.Generator) -> Thing:
    only = None if amount >= 0.5 else int(random.integers(len(thing.materials)))
    materials = []
    for index, material in enumerate(thing.materials):
        if only in (None, index):
            drawn = draw_pattern(random)
            while drawn.pattern == material.pattern:
                drawn = draw_pattern(random)
            material = replace(drawn, base=material.base, second=material.second)
        materials.append(material)
    emblem = thing.emblem
    while only is None and emblem.shape == thing.emblem.shape:
        emblem = draw_emblem(random, thing.emblem.height, 0.17)
    return replace(thing, materials=tuple(materials), emblem=emblem)


def _colour(thing: Thing, other: Thing, amount: float, random: np.random.Generator) -> Thing:
    only = None if amount >= 0.5 else int(random.integers(len(thing.materials)))
    turn = 0.5 * amount * (1 if random.uniform() < 0.5 else -1)
    return replace(
        thing,
        materials=tuple(
            _turned(material, turn) if only in (None, index) else material
            for index, material in enumerate(thing.materials)
        ),
    )


def _turned(material: Material, turn: float) -> Material:
    """Hues turned by `turn` circles; a grey has no hue, so it becomes lighter or darker instead."""

    def turned(colour: Triple) -> Triple:
        hue, saturation, value = colour
        if saturation < 0.2:
            value = value - abs(turn) if value > 0.55 else value + abs(turn)
        return ((hue + turn) % 1, saturation, value)

    return replace(material, base=turned(material.base), second=turned(material.second))


def _between(a: Part, b: Part, share: float) -> Part:
    """The part that lies this share of the way from `a` to `b`, two of one structure."""

    def mix(one: float, two: float) -> float:
        return one + share * (two - one)

    def mix3(one: Triple, two: Triple) -> Triple:
        return (mix(one[0], two[0]), mix(one[1], two[1]), mix(one[2], two[2]))

    return replace(
        a,
        centre=mix3(a.centre, b.centre),
        half=mix3(a.half, b.half),
        corner=mix(a.corner, b.corner),
        rounding=mix(a.rounding, b.rounding),
        taper=mix(a.taper, b.taper),
        wall=mix(a.wall, b.wall),
        tilt=mix(a.tilt, b.tilt),
        blend=mix(a.blend, b.blend),
    )


_CHANGES = {"shape": _shape, "texture": _texture, "colour": _colour, "part": _part}
