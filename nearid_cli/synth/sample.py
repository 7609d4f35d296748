"""What is to be rendered, and what one rendered identity holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

DIFFICULTIES = ("easy", "medium", "hard")
KINDS = ("shape", "texture", "colour", "part")
CATEGORIES = (
    *("bottle", "mug", "lamp", "car", "robot", "house", "rocket", "chair"),
    *("teapot", "camera", "mushroom", "creature"),
)
"""The names of the object families; nearid-mini was trained on those of the first line."""


@dataclass(frozen=True)
class SynthOptions:
    """What `nearid synth` renders.

    Attributes:
        views: pictures of an identity, each in a context of its own, 1 to 3.
        distractors: look-alikes for each view, 0 or more.
        size: width and height of the pictures in pixels.
        difficulty: one of `DIFFICULTIES`, or `mixed` for all of them in turn.
        categories: object families to draw from; empty for all.
        seed: everything follows from it.
        backgrounds: pictures to take backgrounds from; empty for procedural scenes.
    """

    views: int = 3
    distractors: int = 1
    size: int = 112
    difficulty: str = "mixed"
    categories: tuple[str, ...] = ()
    seed: int = 0
    backgrounds: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Change:
    """How a distractor differs from its identity.

    Attributes:
        difficulty: one of `DIFFICULTIES`.
        kinds: what was changed, of `KINDS`.
        amount: how much, 0 to 1, in the kinds' own measure (docs/guides/synth.md).
        pixels: share of the object's pixels that differ visibly, mean over the views.
    """

    difficulty: str
    kinds: tuple[str, ...]
    amount: float
    pixels: float


@dataclass(frozen=True)
class Sample:
    """One rendered identity: V views, and K distractors of each view.

    Attributes:
        number: its position in the data set, which with the seed decides everything about it.
        category: its object family.
        description: one phrase about it, for prompts.
        contexts: V phrases, one for each view's surroundings.
        views: uint8 [V, H, W, 3].
        masks: bool [V, H, W], where the object covers any part of a pixel.
        parts: uint8 [V, H, W], which part is seen, from 1; 0 outside the object.
        distractors: uint8 [K, V, H, W, 3]; outside `masks[v] | distractor_masks[k, v]` the very pixels of `views[v]`.
        distractor_masks: bool [K, V, H, W].
        changes: K descriptions of what makes the distractor another instance.
    """

    number: int
    category: str
    description: str
    contexts: tuple[str, ...]
    views: NDArray[np.uint8]
    masks: NDArray[np.bool_]
    parts: NDArray[np.uint8]
    distractors: NDArray[np.uint8]
    distractor_masks: NDArray[np.bool_]
    changes: tuple[Change, ...]
