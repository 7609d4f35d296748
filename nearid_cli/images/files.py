"""Files of pictures: opened only if they are regular and no larger than pictures are, read only if they begin like one.

Costs no Pillow, so that whoever needs the bytes alone (for a digest, or to send them) does without it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from nearid_cli.images.formats import SNIFF_BYTES, likeness, sniff
from nearid_cli.images.memory import BUDGET
from nearid_cli.images.reading import UnreadableImage
from nearid_cli.opening import is_transient, open_regular
from nearid_cli.text import file_size, printable

MAX_BYTES = 2**30
"""A file of more bytes is not read: twice of what the largest picture by default has uncompressed."""


def picture_format(start: bytes) -> str:
    """Pillow's name of a picture's format, told by the first bytes of the file, `formats.SNIFF_BYTES` of them.

    Raises:
        UnreadableImage: no picture that is read begins like this.

    >>> picture_format(b"GIF89a...")
    'GIF'
    """
    found = sniff(start)
    if found is None:
        raise UnreadableImage(f"not an image: {likeness(start)}")
    if not found.decodable:
        raise UnreadableImage(found.why)
    return found.name


def open_picture(path: Path) -> BinaryIO:
    """Open a file that may be a picture, at its start and without a buffer of Python's.

    Raises:
        UnreadableImage: there is none, it is too large, or no picture begins like this.
        OSError: the machine is at fault; see `opening.is_transient`.
    """
    try:
        file = open_regular(path)
        try:
            start = file.read(SNIFF_BYTES)
            if not start:
                raise UnreadableImage("empty file")
            picture_format(start)
            size = os.fstat(file.fileno()).st_size
            if size > MAX_BYTES:
                raise UnreadableImage(f"{file_size(size)} is over the limit of {file_size(MAX_BYTES)}")
            file.seek(0)
        except BaseException:
            file.close()
            raise
    except OSError as error:
        if is_transient(error):
            raise
        raise UnreadableImage(why_unreadable(path, error)) from error
    return file


def read_picture_file(path: Path) -> bytes:
    """The bytes of a file that begins like a picture; whether it is one is for `decode` to say.

    Raises:
        UnreadableImage, OSError: as `open_picture`.
    """
    with open_picture(path) as file:
        return content_of(file)


def content_of(file: BinaryIO) -> bytes:
    """The bytes of a file that was just opened, within the budget of memory for decoding.

    Raises:
        UnreadableImage: the budget does not hold them, or they are being written.
        OSError: they cannot be read.
    """
    size = os.fstat(file.fileno()).st_size
    with BUDGET.taken(size):
        content = file.read(size)
        if len(content) == size and not file.read(1):
            return content
    raise UnreadableImage("it is being written")


def why_unreadable(path: Path, error: OSError) -> str:
    """The reason for people that a file cannot be read."""
    if isinstance(error, FileNotFoundError) and path.is_symlink():
        return f"dead symlink to {printable(path.readlink())}"
    reason = error.strerror or str(error)
    return reason[:1].lower() + reason[1:]
