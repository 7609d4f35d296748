"""Reading pictures, files or in memory: identified by digest, decoded when they are needed."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from nearid_cli.activity import doing
from nearid_cli.embedding.cache import FileMemo, FileState, digest_bytes, digest_pixels
from nearid_cli.embedding.settings import Settings, ahead, progress_bar
from nearid_cli.images.reading import DEFAULT_READING, Reading
from nearid_cli.layouts.dataset import InMemory, Source
from nearid_cli.text import printable

if TYPE_CHECKING:
    from nearid_cli.images.decode import Decoded


def _read_digest(path: Path) -> tuple[FileState, bytes] | OSError:
    """A file's state and the digest of its bytes, or what kept it from being read."""
    try:
        with path.open("rb") as file:
            state = FileState.of(path, os.fstat(file.fileno()))
            return state, digest_bytes(file.read())
    except OSError as error:
        return error


def _why_unreadable(path: Path, error: OSError) -> str:
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
class GivenPicture:
    """A file or a picture in memory, which must still hold what was identified."""

    source: Source
    digest: bytes

    @property
    def name(self) -> str:
        """Its path, or the place where it was given."""
        return place_of(self.source)

    def open(self, max_pixels: int | None, reading: Reading = DEFAULT_READING) -> Decoded:
        """See `Content.open`."""
        # Pillow and its plugins: a run that finds everything in the cache does without them.
        from nearid_cli.images.decode import MAX_PIXELS, UnreadableImage, read_held, read_picture

        limit = max_pixels or MAX_PIXELS
        if isinstance(self.source, InMemory):
            taken = read_held(self.source.image, limit, reading)
            if digest_pixels(taken.image) != self.digest:
                raise UnreadableImage("the picture changed during the run; run again")
            return taken
        try:
            content = self.source.read_bytes()
        except OSError as error:
            raise UnreadableImage(_why_unreadable(self.source, error)) from error
        if digest_bytes(content) != self.digest:
            raise UnreadableImage("the file changed during the run; run again")
        return read_picture(content, limit, reading=reading)


def place_of(source: Source) -> str:
    """What a picture is called: its path, or the place where it was given."""
    return source.place if isinstance(source, InMemory) else str(source)


def identify(
    sources: Sequence[Source], memo: FileMemo | None, settings: Settings, reasons: dict[int, str]
) -> list[bytes | None]:
    """The digest of each picture; None, with a reason, for one that cannot be read.

    Args:
        sources: files and pictures in memory.
        memo: what it knows is not read again, unless the settings say so; None for none.
        settings: how.
        reasons: filled with position -> why the file there cannot be used.
    """
    digests: list[bytes | None] = [None] * len(sources)
    paths = {position: source for position, source in enumerate(sources) if not isinstance(source, InMemory)}
    held = {position: source for position, source in enumerate(sources) if isinstance(source, InMemory)}
    if held:
        _identify_held(held, digests, settings, reasons)
    with doing("looking at the files"):
        states = _states(paths, reasons)
        if memo is not None and not settings.verify_content:
            known = memo.known(list(states.values()))
            for position, state in states.items():
                digests[position] = known.get(state)
    unread = [position for position in states if digests[position] is None]
    if not unread:
        return digests
    with ThreadPoolExecutor(settings.threads) as pool, progress_bar(settings, len(unread), "reading") as bar:
        jobs = ((position, paths[position]) for position in unread)
        for position, outcome in ahead(pool, jobs, _read_digest, window=4 * settings.threads):
            bar.update()
            if isinstance(outcome, OSError):
                reasons[position] = _why_unreadable(paths[position], outcome)
                continue
            state, digest = outcome
            digests[position] = digest
            if memo is not None:
                memo.remember(state, digest)
    return digests


def _states(paths: Mapping[int, Path], reasons: dict[int, str]) -> dict[int, FileState]:
    """What the memo knows files by, or the reasons, by their positions."""
    states: dict[int, FileState] = {}
    for position, path in paths.items():
        try:
            status = os.stat(path)  # noqa: PTH116 - Path.stat is twice as slow
            if stat.S_ISREG(status.st_mode):
                states[position] = FileState.of(path, status)
            else:  # a pipe would block, a device might never end
                reasons[position] = "is a directory" if stat.S_ISDIR(status.st_mode) else "not a regular file"
        except OSError as error:
            reasons[position] = _why_unreadable(path, error)
    return states


def _identify_held(
    pictures: Mapping[int, InMemory], digests: list[bytes | None], settings: Settings, reasons: dict[int, str]
) -> None:
    """Fill in the digests of pictures in memory, or the reasons, by their positions."""
    from nearid_cli.images.decode import MAX_PIXELS, UnreadableImage, read_held

    def work(picture: InMemory) -> bytes | UnreadableImage:
        try:
            taken = read_held(picture.image, settings.max_pixels or MAX_PIXELS, settings.reading)
        except UnreadableImage as error:
            return error
        return digest_pixels(taken.image)

    with ThreadPoolExecutor(settings.threads) as pool:
        for position, outcome in ahead(pool, pictures.items(), work, window=2 * settings.threads):
            if isinstance(outcome, UnreadableImage):
                reasons[position] = outcome.reason
            else:
                digests[position] = outcome
