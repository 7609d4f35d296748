"""The pictures of a report: embedded in it as thumbnails, or served beside it in full size."""

from __future__ import annotations

import math
import os
from base64 import b64encode
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from nearid_cli.images.decode import UnreadableImage, decode, read_mask
from nearid_cli.images.files import open_picture, read_picture_file
from nearid_cli.images.masking import counted
from nearid_cli.images.memory import BUDGET
from nearid_cli.layouts.dataset import Masked
from nearid_cli.reports.files import DEFAULT_THUMBNAILS
from nearid_cli.text import count, file_size

MAX_EMBEDDED = 16_000_000
"""Bytes of all thumbnails of a report together, as base64."""

LARGEST_SIDE = 256
_SMALLEST_SIDE = 64
_MASK_SIDE = 128  # of two levels, and so a few hundred bytes
_LARGE = 400  # so many pictures are embedded with the largest side


@dataclass(frozen=True)
class PagePicture:
    """What the page shows of one picture.

    Attributes:
        thumbnail: the address of a small version; None for none.
        full: the address of the picture in full size; None where the page has only the thumbnail.
        mask: the address of a picture of the same shape that is opaque where it counts and transparent elsewhere; None
            for none.
    """

    thumbnail: str | None
    full: str | None
    mask: str | None = None


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

    @property
    def masked(self) -> bool:
        """Whether any of them can be shown masked."""
        return any(one.mask for one in self.shown)


def embed(
    files: Sequence[Path],
    limit: int | None = DEFAULT_THUMBNAILS,
    progress: bool = False,
    masks: Mapping[Path, Masked] = {},
    room: int = MAX_EMBEDDED,
) -> Gallery:
    """Thumbnails of picture files as WebP data URIs.

    The longest side of a thumbnail is 256 px for up to 400 pictures; of more pictures each is smaller, so that
    all together keep about their size, down to 64 px. Where thumbnails nevertheless reach
    `room` or `MAX_EMBEDDED` bytes, the rest is left out. Pictures are never enlarged.

    Args:
        files: absolute paths, each once, most important first.
        limit: embed the first so many; None or 0 for none.
        progress: show a progress bar on stderr.
        masks: which part of some of them counts.
        room: bytes of all of them together.

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
    for path, content in zip(chosen, _thumbnails(chosen, masks, side, progress), strict=False):
        if content is None:
            unreadable += 1
            continue
        uri, mask = _data("webp", content[0]), _data("png", content[1])
        if size + len(uri or "") + len(mask or "") > min(room, MAX_EMBEDDED):
            break
        size += len(uri or "") + len(mask or "")
        index[path] = len(shown)
        shown.append(PagePicture(uri, None, mask))
    return Gallery(tuple(shown), index, _note(len(shown), len(files), unreadable, file_size(size)))


def served(files: Sequence[Path], masks: Collection[Path] = ()) -> Gallery:
    """Addresses below which `nearid view` serves picture files, `/thumbnail/{i}`, `/picture/{i}` and `/mask/{i}`.

    Args:
        files: absolute paths, each once; i counts from 0 in this order.
        masks: those of them that have one.

    Returns:
        The files that begin like a picture. Others are counted in `note`.
    """
    shown: list[PagePicture] = []
    index: dict[Path, int] = {}
    for number, path in enumerate(files):
        if _begins_like_a_picture(path):
            index[path] = len(shown)
            mask = f"/mask/{number}" if path in masks else None
            shown.append(PagePicture(f"/thumbnail/{number}", f"/picture/{number}", mask))
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
    with BUDGET.kept():
        picture = decode(source, at_least=side)
        picture.thumbnail((side, side), reducing_gap=2.0)
    encoded = BytesIO()
    picture.save(encoded, "WEBP", quality=75, method=2)
    return encoded.getvalue()


def cutout(path: Path, part: Masked) -> bytes | None:
    """A small PNG of a picture's shape: opaque where it counts and transparent elsewhere; None if it cannot be had."""
    try:
        with BUDGET.kept():
            levels = None if part.mask is None else read_mask(read_picture_file(part.mask))
            shape = counted(decode(path).size, levels, part.box, part.how)
            shape.thumbnail((_MASK_SIDE, _MASK_SIDE))
    except UnreadableImage:
        return None
    encoded = BytesIO()
    shape.point(lambda level: 255 * (level > 127)).convert("1").save(
        encoded, "PNG", transparency=0, optimize=True
    )
    return encoded.getvalue()


def _data(kind: str, content: bytes | None) -> str | None:
    """A picture as the address of itself."""
    return None if content is None else f"data:image/{kind};base64,{b64encode(content).decode('ascii')}"


def _thumbnails(
    files: Sequence[Path], masks: Mapping[Path, Masked], side: int, progress: bool
) -> Iterator[tuple[bytes, bytes | None] | None]:
    """The thumbnail and the mask of each file in turn, made by a thread a core; None for those that cannot be read."""
    from tqdm import tqdm

    def make(path: Path) -> tuple[bytes, bytes | None] | None:
        try:
            return thumbnail(path, side), cutout(path, masks[path]) if path in masks else None
        except (UnreadableImage, OSError, MemoryError):  # a report is worth more than one of its thumbnails
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
        open_picture(path).close()
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
