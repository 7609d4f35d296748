"""Reading pictures, files or in memory: identified by digest, decoded when they are needed, and masked where asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from nearid_cli.activity import doing
from nearid_cli.elsewhere import FETCHING_THREADS, Parcel, parcels, shown, stand_in
from nearid_cli.embedding.cache import digest_bytes, digest_masked, digest_pixels
from nearid_cli.embedding.memo import FileMemo
from nearid_cli.embedding.patience import StarvedError, patiently
from nearid_cli.embedding.settings import Settings, ahead, progress_bar
from nearid_cli.embedding.stamps import FileState, Stamps, read_steadily
from nearid_cli.files import digest_stream
from nearid_cli.images.files import open_picture, read_picture_file, why_unreadable
from nearid_cli.images.reading import DEFAULT_READING, Reading, UnreadableImage
from nearid_cli.layouts.dataset import InMemory, LetGo, Masked, Source, Whole
from nearid_cli.opening import check_regular, is_transient
from nearid_cli.text import count, printable

if TYPE_CHECKING:
    from PIL import Image

    from nearid_cli.images.decode import Decoded, Halve


Identified = tuple[FileState, bytes] | str
"""A file's state and the digest of its bytes, or why it cannot be used."""

_IF_NOT = " (if nothing writes it, with --verify-content)"
_HANDFUL = 8
"""Files that a thread is handed at a time, where there are as many handfuls for each thread."""

_LET_GO = "it was let go once it was embedded"


class ChangedImage(UnreadableImage):
    """A picture that is not what was identified."""


class Content(Protocol):
    """A picture that is identified by a digest and not decoded yet."""

    @property
    def name(self) -> str:
        """What it is called in messages."""

    def for_travel(self) -> Content:
        """The same for other machines: the picture itself, or a path that does not depend on the current folder."""

    def open(
        self, max_pixels: int | None, reading: Reading = DEFAULT_READING, halve: Halve | None = None
    ) -> Decoded:
        """Decode it to RGB.

        Args:
            max_pixels: more pixels than this are refused; None for the default limit.
            reading: which pixels it has where its file leaves a choice.
            halve: whether a JPEG may come at half its size, see `decode.read_picture`; one with a mask never does.

        Raises:
            UnreadableImage: with the reason; `ChangedImage` where it is another picture now.
            OSError, MemoryError: the machine is at fault; see `opening.is_transient`.
        """

    def open_apart(
        self, max_pixels: int | None, reading: Reading = DEFAULT_READING
    ) -> tuple[Decoded, Image.Image | None]:
        """Decode the whole picture, and what says which part of it counts; arguments as for `open`.

        Returns:
            The picture, and its mask: of mode L and the picture's size, 255 where it counts and 0 elsewhere; None where
            all of it does.

        Raises:
            UnreadableImage, OSError, MemoryError: as `open`.
        """


@dataclass(frozen=True)
class GivenPicture:
    """A file or a picture in memory, or a part of one, which must still hold what was identified."""

    source: Source
    digest: bytes

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        # What stands for an object of a store does so in the other process, too.
        return _given_picture, (self.source, self.digest, parcels(_paths_of(self.source)))

    @property
    def name(self) -> str:
        """Its path, or the place where it was given."""
        return place_of(self.source)

    def for_travel(self) -> GivenPicture:
        """See `Content.for_travel`."""
        source = self.source
        if not isinstance(source, Masked):
            return replace(self, source=_absolute(source))
        mask = source.mask and source.mask.absolute()
        return replace(self, source=replace(source, source=_absolute(source.source), mask=mask))

    def open(
        self, max_pixels: int | None, reading: Reading = DEFAULT_READING, halve: Halve | None = None
    ) -> Decoded:
        """See `Content.open`."""
        if not isinstance(self.source, Masked):
            return self._unmasked(self.source, max_pixels, reading, halve)
        whole, mask = self.open_apart(max_pixels, reading)
        if mask is None:
            return whole
        from nearid_cli.images.masking import painted

        return replace(whole, image=painted(whole.image, mask, self.source.how))

    def open_apart(
        self, max_pixels: int | None, reading: Reading = DEFAULT_READING
    ) -> tuple[Decoded, Image.Image | None]:
        """See `Content.open_apart`."""
        # Pillow and its plugins: a run that finds everything in the cache does without them.
        from nearid_cli.images.decode import MAX_PIXELS

        if not isinstance(self.source, Masked):
            return self._unmasked(self.source, max_pixels, reading), None
        limit = max_pixels or MAX_PIXELS
        part = self.source
        found, decode = _undecoded(part.source, limit, reading)
        levels = None if part.mask is None else _mask_bytes(part.mask)
        if (
            digest_masked(found, None if levels is None else digest_bytes(levels), part.box, part.how)
            != self.digest
        ):
            raise ChangedImage(f"the picture or its mask changed during the run; run again{_IF_NOT}")
        whole = decode()
        return whole, _mask(part, levels, whole.image.size, limit)

    def _unmasked(
        self, source: Whole, max_pixels: int | None, reading: Reading, halve: Halve | None = None
    ) -> Decoded:
        from nearid_cli.images.decode import MAX_PIXELS

        found, decode = _undecoded(source, max_pixels or MAX_PIXELS, reading, halve)
        if found != self.digest:
            what = "picture" if isinstance(source, InMemory) else "file"
            raise ChangedImage(f"the {what} changed during the run; run again{_IF_NOT}")
        return decode()


def _given_picture(source: Source, digest: bytes, packed: Sequence[Parcel]) -> GivenPicture:
    """A picture that comes from another process."""
    for one in packed:
        one.unpack()
    return GivenPicture(source, digest)


def _paths_of(source: Source) -> list[Path]:
    return [one for one in _files_of(source) if isinstance(one, Path)]


def _absolute(source: Whole) -> Whole:
    return source.absolute() if isinstance(source, Path) else source


def _undecoded(
    source: Whole, limit: int, reading: Reading, halve: Halve | None = None
) -> tuple[bytes, Callable[[], Decoded]]:
    """The digest of a picture as it is now, and what decodes it.

    Raises:
        UnreadableImage: it cannot be read.
    """
    from nearid_cli.images.decode import read_held, read_picture

    if isinstance(source, LetGo):
        raise UnreadableImage(_LET_GO)
    if isinstance(source, InMemory):
        taken = read_held(source.image, limit, reading)
        return digest_pixels(taken.image), lambda: taken
    content = read_picture_file(source)
    return digest_bytes(content), lambda: read_picture(content, limit, reading=reading, halve=halve)


def _mask_bytes(path: Path) -> bytes:
    try:
        return read_picture_file(path)
    except UnreadableImage as error:
        raise UnreadableImage(_of_mask(path, error.reason)) from error


def _mask(part: Masked, levels: bytes | None, size: tuple[int, int], limit: int) -> Image.Image:
    """What counts of a picture of this size, 255, and what does not, 0."""
    from nearid_cli.images.decode import read_mask
    from nearid_cli.images.masking import counted

    mask = None
    if part.mask is not None and levels is not None:
        try:
            mask = read_mask(levels, limit)
        except UnreadableImage as error:
            raise UnreadableImage(_of_mask(part.mask, error.reason)) from error
    try:
        return counted(size, mask, part.box, part.how)
    except UnreadableImage as error:
        where = "" if part.mask is None else f" ({printable(part.mask)})"
        raise UnreadableImage(error.reason + where) from error


def _of_mask(path: Path, reason: str) -> str:
    """Why a picture cannot be used, where its mask cannot.

    >>> _of_mask(Path("a_mask.png"), "truncated PNG")
    'its mask a_mask.png: truncated PNG'
    """
    return f"its mask {printable(path)}: {reason}"


def place_of(source: Source) -> str:
    """What a picture is called: its path, or the place where it was given."""
    if isinstance(source, Masked):
        return place_of(source.source)
    return shown(str(source)) if isinstance(source, Path) else source.place


def identify(
    sources: Sequence[Source],
    memo: FileMemo | None,
    settings: Settings,
    reasons: dict[int, str],
    *,
    doubt: bool = False,
) -> list[bytes | None]:
    """The digest of each picture; None, with a reason, for one that cannot be read.

    Args:
        sources: files and pictures in memory, and parts of such.
        memo: what it knows is not read again; None for none.
        settings: how.
        reasons: filled with position -> why the file there cannot be used.
        doubt: read all, and correct the memo.

    Raises:
        MachineError: descriptors, memory or a disk failed for longer than is waited for.
    """
    if not any(isinstance(source, Masked) for source in sources):
        return _identify(
            [one for one in sources if not isinstance(one, Masked)], memo, settings, reasons, doubt
        )
    of_file: dict[Whole, int] = {}
    for source in sources:
        for file in _files_of(source):
            of_file.setdefault(file, len(of_file))
    why: dict[int, str] = {}
    known = _identify(list(of_file), memo, settings, why, doubt)
    digests: list[bytes | None] = []
    for position, source in enumerate(sources):
        picture, *masks = (of_file[file] for file in _files_of(source))
        digest = known[picture]
        if picture in why:
            reasons[position] = why[picture]
        elif isinstance(source, Masked) and digest is not None:
            mask = known[masks[0]] if masks else None
            if source.mask is not None and mask is None:
                reasons[position], digest = _of_mask(source.mask, why[masks[0]]), None
            else:
                digest = digest_masked(digest, mask, source.box, source.how)
        digests.append(digest)
    return digests


def _files_of(source: Source) -> list[Whole]:
    """A picture, and its mask if it has one."""
    if not isinstance(source, Masked):
        return [source]
    return [source.source] if source.mask is None else [source.source, source.mask]


def _identify(
    sources: Sequence[Whole],
    memo: FileMemo | None,
    settings: Settings,
    reasons: dict[int, str],
    doubt: bool,
) -> list[bytes | None]:
    """As `identify`, of whole pictures and of files of masks."""
    digests: list[bytes | None] = [None] * len(sources)
    paths = {position: source for position, source in enumerate(sources) if isinstance(source, Path)}
    held = {position: source for position, source in enumerate(sources) if isinstance(source, InMemory)}
    if held:
        _identify_held(held, digests, settings, reasons)
    reasons |= {position: _LET_GO for position, source in enumerate(sources) if isinstance(source, LetGo)}
    stamps = Stamps()
    with doing("looking at the files"):
        states = _states(paths, stamps, reasons)
        if memo is not None:
            known = memo.known(list(states.values()), stamps, doubt=doubt)
            for position, state in states.items():
                digests[position] = known.get(state)
    unread = [place for place in paths if digests[place] is None and place not in reasons]
    if not unread:
        return digests

    def work(position: int) -> Identified:
        return digest_or_reason(paths[position])

    on_nodes = None
    if settings.cluster is not None:
        on_nodes = settings.cluster.identified({position: paths[position] for position in unread}, settings)
    threads = settings.threads
    together = min(_HANDFUL, max(1, len(unread) // (_HANDFUL * threads)))
    if any(stand_in(paths[place]) for place in unread):
        threads, together = max(threads, FETCHING_THREADS), 1
    with ThreadPoolExecutor(threads) as pool, progress_bar(settings, len(unread), "reading") as bar:
        try:
            for position, outcome in on_nodes or patiently(pool, unread, work, 4 * threads, together):
                bar.update()
                if isinstance(outcome, str):
                    reasons[position] = outcome
                    continue
                state, digest = outcome
                digests[position] = digest
                if memo is not None:
                    memo.remember(state, digest, stamps)
        except StarvedError as starved:
            done = sum(digests[place] is not None or place in reasons for place in unread)
            read = f"{done:,} of {count(len(unread), 'picture')} were read"
            name = printable(paths[cast(int, starved.item)])
            raise starved.explained(name, read) from starved
        finally:  # on an interrupt nobody waits for what no thread has begun
            pool.shutdown(wait=False, cancel_futures=True)
    return digests


def digest_or_reason(path: Path) -> Identified:
    """A file's state and its digest, or why it cannot be used.

    Raises:
        OSError, MemoryError: the machine is at fault.
    """
    try:
        return read_steadily(path, digest_stream, open_picture)
    except UnreadableImage as error:
        return error.reason
    except OSError as error:
        if is_transient(error):
            raise
        return why_unreadable(path, error)


def _states(paths: Mapping[int, Path], stamps: Stamps, reasons: dict[int, str]) -> dict[int, FileState]:
    """What the memo knows files by, or the reasons, by their positions; neither where the machine is at fault."""
    states: dict[int, FileState] = {}
    for position, path in paths.items():
        try:
            status = stamps.look(path)
            check_regular(status, path)
            states[position] = FileState.of(path, status)
        except OSError as error:
            if not is_transient(error):
                reasons[position] = why_unreadable(path, error)
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
