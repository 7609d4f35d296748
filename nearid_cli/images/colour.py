"""Colour profiles: which of them are sRGB by what they do, and converting the others to it."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from PIL import Image

if TYPE_CHECKING:
    from PIL import ImageCms

_NEAR = 5
"""Levels of 255: a profile that changes no colour by more than this is taken for sRGB.

The many that call themselves sRGB, with rounded primaries or curves of a few points, change colours by 1 or 2; a plain
gamma of 2.2 by 9, Display P3 by more than 100 where red is full."""

_MODES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}


_LARGE = 2**20
_TOO_LARGE = 16 * 2**20
"""Bytes. Profiles for printing, with their tables, have 3 MB."""


class BrokenProfileError(Exception):
    """A profile that cannot be read, or belongs to another kind of picture."""


def to_srgb(picture: Image.Image, profile: bytes) -> Image.Image | None:
    """A picture converted to sRGB, relative colorimetric with black point compensation.

    Args:
        picture: as decoded, of 8 bits a channel.
        profile: the ICC profile of its file.

    Returns:
        A picture of mode RGB; None if the profile is sRGB in all but name.

    Raises:
        BrokenProfileError: the profile cannot be used.
    """
    mode, transform = _looked_up(profile)
    if transform is None:
        return None
    if (picture.mode == "CMYK") != (mode == "CMYK") or (mode == "L" and not _is_grey(picture)):
        raise BrokenProfileError("a profile for other channels")
    converted: Image.Image = transform.apply(picture if picture.mode == mode else picture.convert(mode))
    return converted


def is_srgb(profile: bytes) -> bool:
    """Whether a profile gives colours as sRGB does.

    Raises:
        BrokenProfileError: the profile cannot be used.
    """
    return _looked_up(profile)[1] is None


def _is_grey(picture: Image.Image) -> bool:
    return picture.mode in {"1", "L", "LA", "La"}


def _looked_up(profile: bytes) -> tuple[str, Any]:
    """As `_transform`, which is kept for profiles that take little memory."""
    if len(profile) > _TOO_LARGE:
        raise BrokenProfileError(f"it has {len(profile):,} bytes")
    return (_kept if len(profile) <= _LARGE else _transform)(profile)


def _transform(profile: bytes) -> tuple[str, Any]:
    """The mode that a profile is for, and the transform to sRGB, None where there is nothing to do."""
    from io import BytesIO

    from PIL import ImageCms

    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        mode = _MODES[source.profile.xcolor_space]
        transform = ImageCms.buildTransform(
            source,
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (OSError, KeyError, ValueError, TypeError, ImageCms.PyCMSError) as error:
        raise BrokenProfileError(str(error)) from error
    if mode != "CMYK" and _furthest(transform, mode) <= _NEAR:
        return mode, None
    return mode, transform


_kept = lru_cache(maxsize=32)(_transform)


def _furthest(transform: ImageCms.ImageCmsTransform, mode: str) -> int:
    """By how many levels the colours of a grid move at most."""
    import numpy as np

    levels = np.linspace(0, 255, 16).round().astype(np.uint8)
    if mode == "L":
        grid = np.arange(256, dtype=np.uint8)[None]
        wanted = np.repeat(grid[..., None], 3, axis=2)
    else:
        grid = wanted = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3)
    moved = np.asarray(transform.apply(Image.fromarray(grid, mode)), dtype=int)
    return int(np.abs(moved - wanted).max())
