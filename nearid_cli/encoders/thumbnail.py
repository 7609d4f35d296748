"""A picture at 16x16, which tells whether two pictures with nearly one perceptual hash are one, saved again.

The hash sees a picture at a coarse scale: views of a bottle from its sides, before white, may have the same. Stored
like any embedding (float32, norm 1), for the pictures that need it only, so that a later run need not open them again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nearid_cli.encoders.descriptor import Descriptor, descriptor_spec, reduced

if TYPE_CHECKING:
    import numpy.typing as npt
    from PIL import Image

    from nearid_cli.encoders.spec import Pixels

_SIDE = 16
_LEVELS = _SIDE**2 * 3

SAME_LEVELS = 16
"""Two pictures are one, saved again, if no level of their thumbnails differs by more than this, of 255.

Measured (docs/explanation/pictures.md): saved again or scaled, photographs differ by up to 11, as GIF by up to 21.
Look-alikes whose hashes are nearly the same differ by 39 and more; views of a plain bottle, 10 degrees apart, by 12
and 13.
"""

THUMBNAIL = descriptor_spec("thumbnail", "thumbnail/1", _SIDE, "levels")
"""What the thumbnail is."""


class Thumbnail(Descriptor):
    """The 768 levels of a picture reduced to 16x16 RGB by box averaging, and one number that makes the norm 1."""

    spec = THUMBNAIL

    def prepare(self, image: Image.Image) -> Pixels:
        """The finished thumbnail of an RGB picture, float32 [769]."""
        shares = np.asarray(reduced(image, _SIDE), dtype=np.float64).ravel() / (255 * np.sqrt(_LEVELS))
        rest = np.sqrt(max(0.0, 1.0 - float(shares @ shares)))
        return np.append(shares, rest).astype(np.float32)


def greatest_difference(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> float:
    """Of two thumbnails [769], the largest difference of a level, 0 to 255."""
    return float(np.abs(one[:_LEVELS] - other[:_LEVELS]).max()) * 255 * float(np.sqrt(_LEVELS))
