"""Encoders without weights: a picture reduced to a small square, and what can be computed of that at once.

The metric `hog`, shape and colour by classical means, is for machines without weights and without torch: a baseline,
not a measure of identity, that knows where edges and colours lie and nothing of what they show. The perceptual hash
finds generations that are a copy of a reference, saved again and not made anew; the thumbnail, 16x16, decides where
hashes are nearly the same, since views of a bottle from its sides, before white, may have one hash.

All are stored like any embedding (float32, norm 1), found in caches by the text that names them: whoever changes what
one holds counts its version up.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

import blake3
import numpy as np

from nearid_cli.encoders.spec import EncoderSpec
from nearid_cli.images.fast import takes_half

if TYPE_CHECKING:
    import numpy.typing as npt
    from PIL import Image

    from nearid_cli.encoders.spec import Embeddings, Pixels


def descriptor_spec(
    name: str, version: str, side: int, readout: str, settings: str = "", fast: bool | None = False
) -> EncoderSpec:
    """What such an encoder is.

    Args:
        name: its own.
        version: name and number, such as `hog/2`.
        side: pixels of the square that every picture is reduced to.
        readout: what its numbers are.
        settings: everything else that decides them.
        fast: see `EncoderSpec`.
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
        fast=fast,
    )


class Descriptor(ABC):
    """An encoder that does all of its work in `prepare`, where threads share it, and shares that with no other.

    Args:
        spec: what it is, where that is more than its class says: how pictures are read, or that they may be half as
            large.
    """

    spec: EncoderSpec

    def __init__(self, spec: EncoderSpec | None = None) -> None:
        if spec is not None:
            self.spec = spec

    @property
    def preparation(self) -> Hashable:
        """Shared with no other encoder."""
        return self.spec.fingerprint

    def takes_half(self, size: tuple[int, int]) -> bool:
        """See `nearid_cli.encoders.spec.Encoder`."""
        return bool(self.spec.fast) and takes_half(size, _ENOUGH)

    @abstractmethod
    def prepare(self, image: Image.Image) -> Pixels:
        """The finished descriptor of an RGB picture, float32 [D] of norm 1."""

    def embed(self, batch: Sequence[Pixels]) -> Embeddings:
        """Stack descriptors: float32 [len(batch), D]."""
        return np.stack(batch).astype(np.float32, copy=False)


_ENOUGH = (224, 224)
"""Width and height of pictures that do for every square above: those of CLIP, so that one decoding serves both."""


def reduced(image: Image.Image, side: int) -> Image.Image:
    """A picture as a square by box averaging."""
    from PIL import Image

    return image.resize((side, side), Image.Resampling.BOX)


_HASH_SIDE = 64  # pixels of the square that every picture is reduced to
_FREQUENCIES = 16  # of the cosine transform, in each direction
_CELLS = 4  # brightness cells a side
_STEPS = 32  # of brightness a cell

BITS = _FREQUENCIES**2 - 1 + _CELLS**2 * _STEPS
"""Length of the hash: 255 bits of pattern and 512 bits of brightness."""

COPY_BITS = 28
"""Two pictures are copies of one another if at most this many of the 767 bits differ.

Measured on photographs (docs/explanation/pictures.md): saved again, scaled or slightly brightened, up to 25 differ;
changed in any other way, 31 and more.
"""

COPY_SIMILARITY = 1 - 2 * (COPY_BITS + 0.5) / BITS
"""The same as a cosine similarity, which is 1 - 2 x differing bits / 767. Copies lie above, others below."""

PERCEPTUAL_HASH = descriptor_spec(
    "perceptual-hash",
    "perceptual-hash/2",
    _HASH_SIDE,
    "bits",
    f"dct {_FREQUENCIES} brightness {_CELLS}x{_STEPS}",
)
"""What the hash is."""

_COSINES = np.cos(np.pi * np.outer(np.arange(_FREQUENCIES), 2 * np.arange(_HASH_SIDE) + 1) / (2 * _HASH_SIDE))
_SILENT = 1e-3  # rounding to levels alone gives a coefficient some 9; below this it is an exact zero
_THRESHOLDS = (np.arange(_STEPS) + 0.5) / _STEPS


class PerceptualHash(Descriptor):
    """767 bits of a picture as a vector of norm 1 whose elements are +1 or -1 over the root of 767.

    * Pattern: the signs of the 255 lowest frequencies (without the mean) of the two-dimensional cosine
      transform (DCT-II) of the grey picture reduced to 64x64. Recompression and scaling hardly touch them;
      moving, turning or mirroring flips many.
    * Brightness: for each of 4x4 cells, which of 32 steps on a square-root scale its mean grey level
      exceeds. The signs are blind to light; these bits keep a picture under other light from being a copy.

    A frequency that is exactly absent has no sign. Its bit is drawn from a digest of the reduced picture, so
    that two flat or striped pictures are copies if they are the same to the level, and not because both lack
    everything else.
    """

    spec = PERCEPTUAL_HASH

    def prepare(self, image: Image.Image) -> Pixels:
        """The finished hash of an RGB picture, float32 [767]."""
        small = reduced(image, _HASH_SIDE)
        grey = np.asarray(small.convert("L"), dtype=np.float64)
        pattern = (_COSINES @ grey @ _COSINES.T).ravel()[1:]
        signs = pattern > 0
        silent = np.abs(pattern) < _SILENT
        if silent.any():
            signs = np.where(silent, _digest_bits(small.tobytes(), pattern.size), signs)
        edge = _HASH_SIDE // _CELLS
        means = grey.reshape(_CELLS, edge, _CELLS, edge).mean(axis=(1, 3))
        brightness = np.sqrt(means / 256).reshape(-1, 1) > _THRESHOLDS
        bits = np.concatenate([signs, brightness.ravel()])
        signed: Pixels = np.where(bits, 1, -1) / np.sqrt(BITS)
        return signed.astype(np.float32)


def _digest_bits(content: bytes, count: int) -> npt.NDArray[np.bool_]:
    digest = blake3.blake3(content).digest(length=-(-count // 8))
    return np.unpackbits(np.frombuffer(digest, np.uint8), count=count).astype(bool)


_THUMBNAIL_SIDE = 16
_LEVELS = _THUMBNAIL_SIDE**2 * 3

SAME_LEVELS = 16
"""Two pictures are one, saved again, if no level of their thumbnails differs by more than this, of 255.

Measured (docs/explanation/pictures.md): saved again or scaled, photographs differ by up to 11, as GIF by up to 21.
Look-alikes whose hashes are nearly the same differ by 39 and more; views of a plain bottle, 10 degrees apart, by 12
and 13.
"""

THUMBNAIL = descriptor_spec("thumbnail", "thumbnail/1", _THUMBNAIL_SIDE, "levels")
"""What the thumbnail is."""


class Thumbnail(Descriptor):
    """The 768 levels of a picture reduced to 16x16 RGB by box averaging, and one number that makes the norm 1."""

    spec = THUMBNAIL

    def prepare(self, image: Image.Image) -> Pixels:
        """The finished thumbnail of an RGB picture, float32 [769]."""
        shares = np.asarray(reduced(image, _THUMBNAIL_SIDE), dtype=np.float64).ravel() / (
            255 * np.sqrt(_LEVELS)
        )
        rest = np.sqrt(max(0.0, 1.0 - float(shares @ shares)))
        return np.append(shares, rest).astype(np.float32)


def greatest_difference(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> float:
    """Of two thumbnails [769], the largest difference of a level, 0 to 255."""
    return float(np.abs(one[:_LEVELS] - other[:_LEVELS]).max()) * 255 * float(np.sqrt(_LEVELS))


_HOG_SIDE = 128  # pixels of the square that every picture is reduced to
_HOG_CELL = 16  # pixels; 8x8 cells, 7x7 overlapping blocks of 2x2
_ORIENTATIONS = 9
_GRID = 4  # colour histograms a side
_BINS = (8, 2, 3)  # of hue, saturation, value

HOG = descriptor_spec(
    "hog",
    "hog/2",
    _HOG_SIDE,
    "descriptor",
    f"cell {_HOG_CELL} orientations {_ORIENTATIONS} grid {_GRID} hsv {_BINS}",
    fast=None,
)
"""What the metric `hog` is. It has no fast way: of half a JPEG its scores move by more than those of encoders."""


class HogEncoder(Descriptor):
    """Histograms of oriented gradients next to HSV histograms, 2,532 numbers of L2 norm 1.

    * HOG (Dalal and Triggs, 2005) of the grey picture: 9 orientations, cells of 16 px, blocks of 2x2 cells
      with L2-Hys normalisation, as `skimage.feature.hog` has it.
    * On a 4x4 grid, the joint histogram of 8 hues, 2 saturations and 3 values. The square root of each
      share is taken, so that the inner product is the Bhattacharyya coefficient.

    Both halves have norm 1 and weigh the same; a picture without any edge has the second half only. No
    number is negative: similarities lie in [0, 1], and those of unrelated photographs around 0.5.
    """

    spec = HOG

    def __init__(self, spec: EncoderSpec | None = None) -> None:
        super().__init__(spec)
        # Imported here, in one thread, since it takes a second and the threads of `prepare` would all wait.
        import skimage.feature

        self._hog = functools.partial(
            skimage.feature.hog,
            orientations=_ORIENTATIONS,
            pixels_per_cell=(_HOG_CELL, _HOG_CELL),
            cells_per_block=(2, 2),
            block_norm="L2-Hys",
        )

    def prepare(self, image: Image.Image) -> Pixels:
        """The finished descriptor of an RGB picture, float32 [2532], made where threads share the work."""
        small = reduced(image, _HOG_SIDE)
        gradients = self._hog(np.asarray(small.convert("L"), dtype=np.float32) / 255)
        norm = np.linalg.norm(gradients)
        if norm > 0:
            gradients = gradients / norm
        both = np.concatenate([gradients, _colours(small)])
        descriptor: Pixels = (both / np.linalg.norm(both)).astype(np.float32)
        return descriptor


def _colours(small: Image.Image) -> Pixels:
    """Square roots of the shares of HSV colours by grid cell; norm 1 over all cells."""
    grid = np.arange(_HOG_SIDE) * _GRID // _HOG_SIDE
    index = grid[:, None] * _GRID + grid
    hsv = np.asarray(small.convert("HSV"), dtype=np.int64)
    for channel, bins in enumerate(_BINS):
        index = index * bins + hsv[..., channel] * bins // 256
    counts = np.bincount(index.ravel(), minlength=_GRID * _GRID * int(np.prod(_BINS)))
    shares: Pixels = counts / counts.sum()
    return np.sqrt(shares)
