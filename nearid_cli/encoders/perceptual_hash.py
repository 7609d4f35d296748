"""A perceptual hash, which finds generations that are a copy of a reference: saved again, not made anew.

Stored like any embedding (float32, norm 1), so that the cache and the similarities serve it as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import blake3
import numpy as np

from nearid_cli.encoders.descriptor import Descriptor, descriptor_spec, reduced

if TYPE_CHECKING:
    import numpy.typing as npt
    from PIL import Image

    from nearid_cli.encoders.spec import Pixels

_SIDE = 64  # pixels of the square that every picture is reduced to
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
    _SIDE,
    "bits",
    f"dct {_FREQUENCIES} brightness {_CELLS}x{_STEPS}",
)
"""What the hash is."""

_COSINES = np.cos(np.pi * np.outer(np.arange(_FREQUENCIES), 2 * np.arange(_SIDE) + 1) / (2 * _SIDE))
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
        small = reduced(image, _SIDE)
        grey = np.asarray(small.convert("L"), dtype=np.float64)
        pattern = (_COSINES @ grey @ _COSINES.T).ravel()[1:]
        signs = pattern > 0
        silent = np.abs(pattern) < _SILENT
        if silent.any():
            signs = np.where(silent, _digest_bits(small.tobytes(), pattern.size), signs)
        edge = _SIDE // _CELLS
        means = grey.reshape(_CELLS, edge, _CELLS, edge).mean(axis=(1, 3))
        brightness = np.sqrt(means / 256).reshape(-1, 1) > _THRESHOLDS
        bits = np.concatenate([signs, brightness.ravel()])
        signed: Pixels = np.where(bits, 1, -1) / np.sqrt(BITS)
        return signed.astype(np.float32)


def _digest_bits(content: bytes, count: int) -> npt.NDArray[np.bool_]:
    digest = blake3.blake3(content).digest(length=-(-count // 8))
    return np.unpackbits(np.frombuffer(digest, np.uint8), count=count).astype(bool)
