"""Reading pictures: files, which may be anything or nothing by the time they are read, and pictures in memory."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from nearid_cli.embedding.memo import FileState, digest_bytes, digest_pixels
from nearid_cli.images.reading import DEFAULT_READING, Reading
from nearid_cli.layouts.dataset import InMemory, Source
from nearid_cli.text import printable

if TYPE_CHECKING:
    from nearid_cli.images.decode import Decoded, UnreadableImage


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

    def open(self, max_pixels: int | None, reading: Reading = DEFAULT_READING) -> Decoded:
        """Decode it to RGB.

        Args:
            max_pixels: more pixels than this are refused; None for the default limit.
            reading: which pixels it has where its file leaves a choice.

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

    def open(self, max_pixels: int | None, reading: Reading = DEFAULT_READING) -> Decoded:
        """Read and decode it.

        Raises:
            UnreadableImage: with the reason.
        """
        # Pillow and its plugins: a run that finds everything in the cache does without them.
        from nearid_cli.images.decode import MAX_PIXELS, UnreadableImage, read_picture

        try:
            content = self.path.read_bytes()
        except OSError as error:
            raise UnreadableImage(why_unreadable(self.path, error)) from error
        if digest_bytes(content) != self.digest:
            raise UnreadableImage("the file changed during the run; run again")
        return read_picture(content, max_pixels or MAX_PIXELS, reading=reading)


@dataclass(frozen=True)
class MemoryContent:
    """A picture in memory, which must still have the pixels that were identified."""

    picture: InMemory
    digest: bytes

    @property
    def name(self) -> str:
        """The place where it was given."""
        return self.picture.place

    def open(self, max_pixels: int | None, reading: Reading = DEFAULT_READING) -> Decoded:
        """A copy of it in RGB.

        Raises:
            UnreadableImage: with the reason.
        """
        from nearid_cli.images.decode import UnreadableImage

        taken = _take(self.picture, max_pixels, reading)
        if digest_pixels(taken.image) != self.digest:
            raise UnreadableImage("the picture changed during the run; run again")
        return taken


def identify_in_memory(
    picture: InMemory, max_pixels: int | None, reading: Reading = DEFAULT_READING
) -> bytes | UnreadableImage:
    """The digest of a picture's pixels, or what kept them from being read."""
    from nearid_cli.images.decode import UnreadableImage

    try:
        return digest_pixels(_take(picture, max_pixels, reading).image)
    except UnreadableImage as error:
        return error


def content_of(source: Source, digest: bytes) -> Content:
    """What was identified, to be decoded when it is needed."""
    return MemoryContent(source, digest) if isinstance(source, InMemory) else FileContent(source, digest)


def _take(picture: InMemory, max_pixels: int | None, reading: Reading) -> Decoded:
    from nearid_cli.images.decode import MAX_PIXELS
    from nearid_cli.images.memory import read_held

    return read_held(picture.image, max_pixels or MAX_PIXELS, reading)
