"""The metric `hog`: shape and colour by classical means, for machines without weights and without torch.

A baseline, not a measure of identity: it knows where edges and colours lie and nothing of what they show.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from nearid_cli.encoders.descriptor import Descriptor, descriptor_spec, reduced

if TYPE_CHECKING:
    from PIL import Image

    from nearid_cli.encoders.spec import Pixels

_SIDE = 128  # pixels of the square that every picture is reduced to
_HOG_CELL = 16  # pixels; 8x8 cells, 7x7 overlapping blocks of 2x2
_ORIENTATIONS = 9
_GRID = 4  # colour histograms a side
_BINS = (8, 2, 3)  # of hue, saturation, value

HOG = descriptor_spec(
    "hog",
    "hog/2",
    _SIDE,
    "descriptor",
    f"cell {_HOG_CELL} orientations {_ORIENTATIONS} grid {_GRID} hsv {_BINS}",
)
"""What the metric `hog` is."""


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

    def __init__(self) -> None:
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
        small = reduced(image, _SIDE)
        gradients = self._hog(np.asarray(small.convert("L"), dtype=np.float32) / 255)
        norm = np.linalg.norm(gradients)
        if norm > 0:
            gradients = gradients / norm
        both = np.concatenate([gradients, _colours(small)])
        descriptor: Pixels = (both / np.linalg.norm(both)).astype(np.float32)
        return descriptor


def _colours(small: Image.Image) -> Pixels:
    """Square roots of the shares of HSV colours by grid cell; norm 1 over all cells."""
    grid = np.arange(_SIDE) * _GRID // _SIDE
    index = grid[:, None] * _GRID + grid
    hsv = np.asarray(small.convert("HSV"), dtype=np.int64)
    for channel, bins in enumerate(_BINS):
        index = index * bins + hsv[..., channel] * bins // 256
    counts = np.bincount(index.ravel(), minlength=_GRID * _GRID * int(np.prod(_BINS)))
    shares: Pixels = counts / counts.sum()
    return np.sqrt(shares)
