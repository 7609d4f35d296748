"""Masks as NearID-Bench takes them: cleaned, and fitted to the picture. What they leave out becomes black.

Facts from the published code, Gorluxor/NearID, evaluation/sim_test.py.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from nearid_cli.images.masking import clean_mask

MASKS = ("none", "foreground", "background")
"""What of a picture is kept: all of it, the object, or all but the object."""


def fitted(mask: Image.Image, size: tuple[int, int], keep: str) -> Image.Image:
    """Where a picture is kept, as a mask of mode L: 255, and elsewhere 0.

    Args:
        mask: of any mode and size; it is cleaned in its own size, then resized to the picture's (nearest).
        size: the picture's.
        keep: `foreground` or `background`; or `object`, what is above 0 in a mask that is not cleaned, for MTG.

    Raises:
        InputError: OpenCV is not installed.
    """
    grey = mask.convert("L")
    levels = grey if keep == "object" else Image.fromarray(clean_mask(np.asarray(grey)))
    if levels.size != size:
        levels = levels.resize(size, Image.Resampling.NEAREST)
    inside, outside = (0, 255) if keep == "background" else (255, 0)
    return levels.point(lambda level: inside if level else outside)
