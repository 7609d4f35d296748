"""What leaves the server of a picture file: the picture in a format that browsers show; of any other file nothing."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from nearid_cli.images.decode import decode, picture_format, read_picture_file
from nearid_cli.reports.html.pictures import LARGEST_SIDE, thumbnail

_MEDIA_TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "AVIF": "image/avif",
    "BMP": "image/bmp",
}
"""The formats that every browser shows, by Pillow's names. TIFF and HEIC are not among them."""

# A browser asks for many pictures at once, and each that is being decoded takes memory.
_turns = threading.BoundedSemaphore(os.cpu_count() or 1)


@dataclass(frozen=True)
class Body:
    """The body of an answer."""

    media_type: str
    body: bytes


def full_size(path: Path) -> Body:
    """A picture file as it is, or as PNG where browsers do not show its format.

    The very bytes that are returned have been decoded as a picture, so no other file ever leaves under the name
    of one, whatever becomes of the path meanwhile.

    Raises:
        UnreadableImage: it is not there or cannot be decoded. The reason may quote the file: keep it here.
    """
    with _turns:
        content = read_picture_file(path)
        picture = decode(content)
        media_type = _MEDIA_TYPES.get(picture_format(content[:256]))
        if media_type is not None:
            return Body(media_type, content)
        encoded = BytesIO()
        picture.save(encoded, "PNG", compress_level=1)
        return Body("image/png", encoded.getvalue())


def small(path: Path) -> Body:
    """A thumbnail of a picture file.

    Raises:
        UnreadableImage: as for `full_size`.
    """
    with _turns:
        return Body("image/webp", thumbnail(path, LARGEST_SIDE))
