"""A rendered identity as PNG files: what the rendering processes hand over and both forms of output write."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nearid_cli.synth.sample import Change, Sample, SynthOptions


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
