"""Pictures that a Python program holds, taken as the same picture in a file would be."""

from __future__ import annotations

from PIL import Image

from nearid_cli.images.decode import MAX_PIXELS, UnreadableImage, megapixels, to_rgb
from nearid_cli.images.reading import DEFAULT_READING, Reading

_DEEP = ("I", "F")
"""Modes of more than 8 bits a channel begin so: Pillow would cut their values off at 255 in silence."""


def rgb_of(
    picture: Image.Image, max_pixels: int = MAX_PIXELS, reading: Reading = DEFAULT_READING
) -> Image.Image:
    """A copy of a picture of mode RGB, upright by its EXIF orientation, with empty `info`.

    Args:
        picture: a PIL image of 8 bits a channel; one that is opened but not read yet is read.
        max_pixels: the largest width x height that is taken.
        reading: whether its colour profile counts.

    Raises:
        UnreadableImage: it is too large, has more than 8 bits a channel, or its file is truncated or damaged.

    >>> rgb_of(Image.new("L", (3, 2), 128)).getpixel((0, 0))
    (128, 128, 128)
    """
    width, height = picture.size
    if not width * height:
        raise UnreadableImage(f"has no pixels: it is {width} x {height}")
    if width * height > max_pixels:
        raise UnreadableImage(f"{megapixels(width * height)} is over max_pixels, {megapixels(max_pixels)}")
    if picture.mode.startswith(_DEEP):
        raise UnreadableImage(
            f"a picture of mode {picture.mode} in memory; convert its values to 8 bits first"
        )
    try:
        return to_rgb(picture, reading)
    except Exception as error:  # a file that is read only now may raise nearly everything, a closed one too
        raise UnreadableImage(f"cannot be read: {error or type(error).__name__}") from error
