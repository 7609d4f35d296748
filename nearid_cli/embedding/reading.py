"""Reading picture files, which may be anything or nothing by the time they are read."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from nearid_cli.embedding.memo import FileState, digest_bytes
from nearid_cli.text import printable

if TYPE_CHECKING:
    from PIL import Image


def read_digest(path: Path) -> tuple[FileState, bytes] | OSError:
    """A file's state and the digest of its bytes, or what kept it from being read."""
    try:
        with path.open("rb") as file:
            state = FileState.of(path, os.fstat(file.fileno()))
            return state, digest_bytes(file.read())
    except OSError as error:
        return error


def why_unreadable(path: Path, error: OSError) -> str:
    """The reason for people that a file cannot be read."""
    if isinstance(error, FileNotFoundError) and path.is_symlink():
        return f"dead symlink to {printable(path.readlink())}"
    return (error.strerror or str(error)).lower()


class Content(Protocol):
    """A picture that is identified by a digest and not decoded yet."""

    @property
    def name(self) -> str:
        """What it is called in messages."""

    def open(self, max_pixels: int | None) -> Image.Image:
        """Decode it to RGB.

        Args:
            max_pixels: more pixels than this are refused; None for the default limit.

        Raises:
            UnreadableImage: with the reason.
        """


@dataclass(frozen=True)
class FileContent:
    """A file, which must still hold the bytes that were identified."""

    path: Path
    digest: bytes

    @property
    def name(self) -> str:
        """Its path."""
        return str(self.path)

    def open(self, max_pixels: int | None) -> Image.Image:
        """Read and decode it.

        Raises:
            UnreadableImage: with the reason.
        """
        # Pillow and its plugins: a run that finds everything in the cache does without them.
        from nearid_cli.images.decode import MAX_PIXELS, UnreadableImage, decode

        try:
            content = self.path.read_bytes()
        except OSError as error:
            raise UnreadableImage(why_unreadable(self.path, error)) from error
        if digest_bytes(content) != self.digest:
            raise UnreadableImage("the file changed during the run; run again")
        return decode(content, max_pixels or MAX_PIXELS)
