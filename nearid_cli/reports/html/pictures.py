"""The pictures of a report: embedded in it as thumbnails, or served beside it in full size."""

from __future__ import annotations

import math
import os
import stat
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from nearid_cli.images.decode import UnreadableImage, decode, picture_format
from nearid_cli.reports.files import DEFAULT_THUMBNAILS
from nearid_cli.text import count, file_size

MAX_EMBEDDED = 16_000_000
"""Bytes of all thumbnails of a report together, as base64."""

LARGEST_SIDE = 256
_SMALLEST_SIDE = 64
_LARGE = 400  # so many pictures are embedded with the largest side


@dataclass(frozen=True)
class PagePicture:
    """What the page shows of one picture.

    Attributes:
        thumbnail: the address of a small version; None for none.
        full: the address of the picture in full size; None where the page has only the thumbnail.
    """

    thumbnail: str | None
    full: str | None


@dataclass(frozen=True)
class Gallery:
    """The pictures that a page can show.

    Attributes:
        shown: one entry a picture.
        index: from the absolute path of a file to its place in `shown`; files that are not in it cannot be shown.
        note: said on the page, such as `480 pictures, 1.9 MB; 3 could not be read`.
    """

    shown: tuple[PagePicture, ...]
    index: Mapping[Path, int]
    note: str


def embed(files: Sequence[Path], limit: int | None = DEFAULT_THUMBNAILS, progress: bool = False) -> Gallery:
    """Thumbnails of picture files as WebP data URIs.

    The longest side of a thumbnail is 256 px for up to 400 pictures; of more pictures each is smaller, so that
    all together keep about their size, down to 64 px. Where thumbnails nevertheless reach
    `MAX_EMBEDDED` bytes, the rest is left out. Pictures are never enlarged.

    Args:
        files: absolute paths, each once, most important first.
        limit: embed the first so many; None or 0 for none.
        progress: show a progress bar on stderr.

    Returns:
        What could be embedded, in the order given. Missing and unreadable files are counted in `note`.
    """
    chosen = files[: limit or 0]
    if not chosen:
        return Gallery((), {}, "no thumbnails")
    side = thumbnail_side(len(chosen))
    shown: list[PagePicture] = []
    index: dict[Path, int] = {}
    size = unreadable = 0
    for path, content in zip(chosen, _thumbnails(chosen, side, progress), strict=False):
        if content is None:
            unreadable += 1
            continue
        uri = f"data:image/webp;base64,{b64encode(content).decode('ascii')}"
        if size + len(uri) > MAX_EMBEDDED:
            break
        size += len(uri)
        index[path] = len(shown)
        shown.append(PagePicture(uri, None))
    return Gallery(tuple(shown), index, _note(len(shown), len(files), unreadable, file_size(size)))


def served(files: Sequence[Path]) -> Gallery:
    """Addresses below which `nearid view` serves picture files, `/thumbnail/{i}` and `/picture/{i}`.

    Args:
        files: absolute paths, each once; i counts from 0 in this order.

    Returns:
        The files that begin like a picture. Others are counted in `note`.
    """
    shown: list[PagePicture] = []
    index: dict[Path, int] = {}
    for number, path in enumerate(files):
        if _begins_like_a_picture(path):
            index[path] = len(shown)
            shown.append(PagePicture(f"/thumbnail/{number}", f"/picture/{number}"))
    unreadable = len(files) - len(shown)
    return Gallery(tuple(shown), index, _note(len(shown), len(files), unreadable, "from disk"))


def thumbnail_side(pictures: int) -> int:
    """The longest side in pixels of each of so many embedded thumbnails.

    >>> [thumbnail_side(pictures) for pictures in (1, 400, 1600, 6000)]
    [256, 256, 128, 66]
    """
    side = LARGEST_SIDE * math.sqrt(_LARGE / max(pictures, _LARGE))
    return max(_SMALLEST_SIDE, int(side))


def thumbnail(source: Path | bytes, side: int) -> bytes:
    """A small WebP of a picture, its longest side at most `side` px.

    Raises:
        UnreadableImage: it cannot be decoded.
    """
    picture = decode(source, at_least=side)
    picture.thumbnail((side, side), reducing_gap=2.0)
    encoded = BytesIO()
    picture.save(encoded, "WEBP", quality=75, method=2)
    return encoded.getvalue()


def _thumbnails(files: Sequence[Path], side: int, progress: bool) -> Iterator[bytes | None]:
    """The thumbnail of each file in turn, None for those that cannot be read, made by a thread a core."""
    from tqdm import tqdm

    def make(path: Path) -> bytes | None:
        try:
            return thumbnail(path, side)
        except UnreadableImage:
            return None

    threads = ThreadPoolExecutor(os.cpu_count())
    try:
        yield from tqdm(
            threads.map(make, files),
            total=len(files),
            desc="thumbnails",
            unit="img",
            leave=False,
            disable=not progress,
        )
    finally:
        threads.shutdown(cancel_futures=True)  # an interrupt does not wait for the rest


def _begins_like_a_picture(path: Path) -> bool:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would block
            return False
        with path.open("rb") as file:
            picture_format(file.read(256))
    except (OSError, UnreadableImage):
        return False
    return True


def _note(shown: int, asked: int, unreadable: int, size: str) -> str:
    """What the page says of its pictures.

    >>> _note(480, 483, 3, "1.9 MB")
    '480 pictures, 1.9 MB; 3 could not be read'
    >>> _note(6000, 9000, 0, "14.1 MB")
    '6,000 pictures, 14.1 MB; 3,000 left out for size'
    """
    note = f"{count(shown, 'picture')}, {size}"
    if unreadable:
        note += f"; {unreadable:,} could not be read"
    if left_out := asked - shown - unreadable:
        note += f"; {left_out:,} left out for size"
    return note
