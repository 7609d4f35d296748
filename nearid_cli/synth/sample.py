"""What is to be rendered, and what one rendered identity holds: as arrays, and as PNG files.

Processes that render hand over PNG files, and both forms of output write them. Importing this costs no torch.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

DIFFICULTIES = ("easy", "medium", "hard")
KINDS = ("shape", "texture", "colour", "part")
CATEGORIES = (
    *(
        "bottle",
        "mug",
        "lamp",
        "car",
        "robot",
        "house",
        "rocket",
        "chair",
    ),  # which nearid-mini was trained on
    *("teapot", "camera", "mushroom", "creature"),
)
"""The names of the object families."""


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


@dataclass(frozen=True)
class Identity:
    """A `Sample` whose arrays are PNG files, so that it is small on its way between processes.

    Attributes:
        number: its position in the data set.
        category: its object family.
        prompts: V descriptions, one for each view.
        description: one phrase about the object alone.
        views: V pictures, RGB.
        masks: V masks of the views, grey, 0 or 255.
        parts: V maps of part numbers, grey, 0 outside the object.
        distractors: K times V pictures, RGB.
        distractor_masks: K times V masks, grey, 0 or 255.
        changes: K descriptions of what makes a distractor another instance.
    """

    number: int
    category: str
    description: str
    prompts: tuple[str, ...]
    views: tuple[bytes, ...]
    masks: tuple[bytes, ...]
    parts: tuple[bytes, ...]
    distractors: tuple[tuple[bytes, ...], ...]
    distractor_masks: tuple[tuple[bytes, ...], ...]
    changes: tuple[Change, ...]

    @property
    def subject(self) -> str:
        """Its name as a subject, such as `mug_000012`."""
        return f"{self.category}_{self.number:06d}"


def encode(sample: Sample) -> Identity:
    """The same identity with its pictures as PNG files."""
    return Identity(
        number=sample.number,
        category=sample.category,
        description=sample.description,
        prompts=tuple(f"{sample.description} {context}" for context in sample.contexts),
        views=tuple(map(_png, sample.views)),
        masks=tuple(map(_mask, sample.masks)),
        parts=tuple(map(_png, sample.parts)),
        distractors=tuple(tuple(map(_png, pictures)) for pictures in sample.distractors),
        distractor_masks=tuple(tuple(map(_mask, masks)) for masks in sample.distractor_masks),
        changes=sample.changes,
    )


def render_identities(options: SynthOptions, device: str, numbers: range) -> list[Identity]:
    """Render consecutive identities on one core (or the GPU) and encode them: the work of one process."""
    import torch

    from nearid_cli.synth.render import render

    # Each core has a process of its own; threads that share a small picture would mostly wait for each other.
    torch.set_num_threads(1)
    return [encode(sample) for sample in render(options, numbers.start, numbers.stop, device)]


def _png(pixels: NDArray[np.uint8]) -> bytes:
    file = BytesIO()
    # What PNG's filters leave of a rendered picture are runs: as small as at level 6, in a quarter of its time.
    Image.fromarray(pixels).save(file, "PNG", compress_type=zlib.Z_RLE)
    return file.getvalue()


def _mask(mask: NDArray[np.bool_]) -> bytes:
    return _png(mask.astype(np.uint8) * np.uint8(255))
