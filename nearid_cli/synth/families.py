"""Drawing an object of a family.

A family is a function that draws a blueprint. Parts keep their order and their structure (axis, mirror,
operation) within a family, so that two objects of a family differ in numbers only and can be blended.
"""

from __future__ import annotations

import numpy as np

from nearid_cli.synth.held_out_families import HELD_OUT
from nearid_cli.synth.materials import draw_emblem, draw_materials
from nearid_cli.synth.objects import Thing
from nearid_cli.synth.trained_families import TRAINED

_FAMILIES = TRAINED | HELD_OUT


def draw_thing(category: str, random: np.random.Generator) -> Thing:
    """An object of a family, one of `CATEGORIES`, with materials and perhaps an emblem."""
    blueprint = _FAMILIES[category](random.uniform, random.choice)
    emblem = draw_emblem(random, blueprint.emblem_height, blueprint.emblem_size)
    return Thing(category, tuple(blueprint.parts), draw_materials(random), emblem)
