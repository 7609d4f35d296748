"""Where a cache lies: what a folder on a disk and a prefix in an object store do alike.

A storage holds parts that are written once, under the checksum of their bytes, and never changed. So it need do little:
list, read, add, remove. What is in a part, and which are merged, is the matter of `parts.py`.
"""

from __future__ import annotations

import re
from typing import BinaryIO, NamedTuple, Protocol

import blake3

SUFFIX = ".parquet"
PART = re.compile(rf"[0-9a-f]{{64}}{re.escape(SUFFIX)}")
"""The name of a part. Whatever is called otherwise is somebody else's: it is not read, and stays where it is."""
OURS = re.compile(rf"(?:.*/)?{PART.pattern}(?:\.damaged)?/?|(?:[0-9a-f]{{64}}/|[0-9]+/)?(?:absent/)?")
"""What is ours below a folder of parts, and the folders in it: see `files.delete_named`."""
# More than any part has: tables are cut to 16 MiB, and merging comes to less than twice that. What is in one row, such
# as a picture's features, is not cut.
LARGEST_BYTES = 2**30
# Smaller parts are read whole at once: looking into them first would cost more than it saves.
PEEK_ABOVE = 2**20


class StoredPart(NamedTuple):
    """A part as a listing shows it.

    Attributes:
        key: its place in the cache, such as `embeddings/<fingerprint>/<checksum>.parquet`.
        size: in bytes; 0 where it could not be looked at, which reading it tells.
        written: when, in nanoseconds since 1970.
    """

    key: str
    size: int
    written: int

    @property
    def name(self) -> str:
        """Its file's name."""
        return self.key.rpartition("/")[2]

    @property
    def checksum(self) -> str:
        """Of its bytes, as its name says."""
        return self.name.removesuffix(SUFFIX)


class DamagedPartError(Exception):
    """A part's bytes do not match its name."""


class Storage(Protocol):
    """A cache's place. Names inside it are relative, with `/`.

    All methods raise FileNotFoundError where what they name is gone, but where nothing is just as well, and OSError or
    MemoryError where the machine, or another one, refuses.
    """

    name: str
    """As people give it."""

    at_once: int
    """How many parts are worth asking for at a time; 1 where nothing is gained by more."""

    def place(self, key: str) -> str:
        """What a message calls something in it."""

    def folders(self, inside: str) -> list[str]:
        """The names of the folders in a folder, in order."""

    def listing(self, inside: str) -> list[StoredPart]:
        """The parts in a folder that are there now and are to be used, oldest first."""

    def open(self, part: StoredPart) -> BinaryIO | None:
        """A part to look into, of which nothing is checked; None where it is not to be used."""

    def read(self, part: StoredPart, *, itself: bool = False) -> bytes | None:
        """A part whole and checked; None where it is not to be used.

        Args:
            part: which one.
            itself: what is there now, and no copy of it.

        Raises:
            DamagedPartError: the content differs from the checksum in the name.
        """

    def note(self, name: str, limit: int) -> bytes:
        """A small file that says something of all that is here."""

    def add(self, key: str, content: bytes | memoryview) -> bool:
        """Write something whole or not at all; False where it would lie among what is not used."""

    def remove(self, part: StoredPart) -> None:
        """Delete a part."""

    def set_aside(self, part: StoredPart) -> None:
        """Keep a damaged part under a name that is no part's."""

    def clear(self, inside: str) -> tuple[int, list[str]]:
        """Delete all parts in a folder and below it, those that were set aside too, and nothing else.

        Returns:
            Bytes freed, and the places of what stays there, since it is none of ours.
        """

    def tidy(self, inside: str) -> None:
        """Sweep what processes that were killed have left in a folder."""


def check(content: bytes, part: StoredPart, place: str) -> bytes:
    """The content of a part, if it is that which its name says.

    Raises:
        DamagedPartError: it is not.
    """
    if blake3.blake3(content).hexdigest() != part.checksum:
        raise DamagedPartError(f"{place}: the content does not match the checksum in its name")
    return content
