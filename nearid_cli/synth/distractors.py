"""Making another instance out of an object: same family, same layout, a stated change.

Kinds of change and what their amount (0 to 1) measures:

    shape    every part's sizes and places move this share of the way to another object of the family
    texture  patterns are drawn anew, on every material (amount 1) or on one
    colour   hues turn by 180 degrees times the amount, on every material (0.5 and above) or on one
    part     that share of the parts (at least one) is taken from another object of the family
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nearid_cli.synth.families import draw_thing
from nearid_cli.synth.objects import Material, Part, Thing, draw_emblem, draw_pattern
from nearid_cli.synth.sample import DIFFICULTIES

Plan = tuple[str, tuple[str, ...], float]

# Least visible change, as a share of the object's pixels, for the distractor to count as another instance.
LEAST_CHANGE = {"easy": 0.20, "medium": 0.10, "hard": 0.04}


def plan_change(random: np.random.Generator, difficulty: str) -> Plan:
    """Difficulty, kinds and amount of a change.

    `easy`: shape, texture and colour, strongly. `medium`: one kind, strongly.
    `hard`: one kind, slightly.
    """
    if difficulty == "mixed":
        difficulty = DIFFICULTIES[int(random.integers(len(DIFFICULTIES)))]
    if difficulty == "easy":
        return difficulty, ("shape", "texture", "colour"), float(random.uniform(0.6, 1.0))
    kind = ("shape", "texture", "colour", "part")[int(random.integers(4))]
    low, high = (0.6, 1.0) if difficulty == "medium" else (0.2, 0.4)
    return difficulty, (kind,), float(random.uniform(low, high))


def make_distractor(thing: Thing, plan: Plan, random: np.random.Generator) -> Thing:
    """Another instance than `thing`, changed according to `plan`."""
    _, kinds, amount = plan
    other = draw_thing(thing.category, random)
    for kind in kinds:
        thing = _CHANGES[kind](thing, other, amount, random)
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

    def turned(colour: tuple[float, float, float]) -> tuple[float, float, float]:
        hue, saturation, value = colour
        if saturation < 0.2:
            value = value - abs(turn) if value > 0.55 else value + abs(turn)
        return ((hue + turn) % 1, saturation, value)

    return replace(material, base=turned(material.base), second=turned(material.second))


def _between(a: Part, b: Part, share: float) -> Part:
    def mix(one: float, two: float) -> float:
        return one + share * (two - one)

    def mix3(one: tuple[float, float, float], two: tuple[float, float, float]) -> tuple[float, float, float]:
        return (mix(one[0], two[0]), mix(one[1], two[1]), mix(one[2], two[2]))

    numbers = {name: mix(getattr(a, name), getattr(b, name)) for name in ("corner", "rounding", "taper", "wall", "tilt", "blend")}
    return replace(a, centre=mix3(a.centre, b.centre), half=mix3(a.half, b.half), **numbers)


_CHANGES = {"shape": _shape, "texture": _texture, "colour": _colour, "part": _part}
