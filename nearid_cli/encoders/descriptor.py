"""Encoders without weights: a picture reduced to a small square, and what can be computed of that at once.

Their embeddings are found in caches by the text that names them: whoever changes what one holds counts its version up.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, ClassVar

import blake3
import numpy as np

from nearid_cli.encoders.spec import EncoderSpec

if TYPE_CHECKING:
    from PIL import Image

    from nearid_cli.encoders.spec import Embeddings, Pixels


def descriptor_spec(name: str, version: str, side: int, readout: str, settings: str = "") -> EncoderSpec:
    """What such an encoder is.

    Args:
        name: its own.
        version: name and number, such as `hog/2`.
        side: pixels of the square that every picture is reduced to.
        readout: what its numbers are.
        settings: everything else that decides them.
    """
    preprocessing = f"resize {side}x{side} box"
    text = " ".join(filter(None, (version, preprocessing, settings)))
    return EncoderSpec(
        name=name,
        checkpoint="",
        folder=None,
        revision=None,
        readout=readout,
        dtype="float32",
        preprocessing=preprocessing,
        fingerprint=blake3.blake3(text.encode()).hexdigest(),
    )


class Descriptor(ABC):
    """An encoder that does all of its work in `prepare`, where threads share it, and shares that with no other."""

    spec: ClassVar[EncoderSpec]

    @property
    def preparation(self) -> Hashable:
        """Shared with no other encoder."""
        return self.spec.fingerprint

    @abstractmethod
    def prepare(self, image: Image.Image) -> Pixels:
        """The finished descriptor of an RGB picture, float32 [D] of norm 1."""

    def embed(self, batch: Sequence[Pixels]) -> Embeddings:
        """Stack descriptors: float32 [len(batch), D]."""
        return np.stack(batch).astype(np.float32, copy=False)


def reduced(image: Image.Image, side: int) -> Image.Image:
    """A picture as a square by box averaging."""
    from PIL import Image

    return image.resize((side, side), Image.Resampling.BOX)
