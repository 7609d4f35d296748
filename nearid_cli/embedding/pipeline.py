"""From picture files to embeddings: identify, look up, and embed what the cache lacks.

    identify    each file's digest, from the memo or by reading its bytes
    look up     the embeddings that the cache has for these digests
    embed       threads read, decode and prepare pictures ahead (Pillow releases the GIL) while
                this thread runs the encoders batch by batch and hands rows to the cache

One decode serves all metrics. Memory holds a bounded number of prepared pictures, however
many files there are, besides the embeddings themselves.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from nearid_cli.embedding.batches import Batches
from nearid_cli.embedding.memo import FileMemo, FileState
from nearid_cli.embedding.reading import open_picture, read_digest, why_unreadable
from nearid_cli.errors import BadImage, ModelError
from nearid_cli.text import count, printable, storable

if TYPE_CHECKING:
    import numpy.typing as npt
    from tqdm import tqdm

    from nearid_cli.embedding.cache import Cache
    from nearid_cli.encoders.spec import Encoder, EncoderSpec, Pixels

    Row = npt.NDArray[np.float32]

Item = TypeVar("Item")
Result = TypeVar("Result")

BATCH_SIZES = {"cpu": 16, "cuda": 128, "mps": 32}


@dataclass(frozen=True)
class Settings:
    """How to embed; nothing here changes an embedding by more than rounding.

    Attributes:
        device: `cpu`, `cuda`, `cuda:N` or `mps`.
        batch_size: pictures a forward pass; None for the device's default.
        workers: decoding threads; None for one a core.
        max_pixels: pictures with more pixels are bad; None for the default limit.
        verify_content: read every file again, whatever the memo says.
        progress: show a bar on stderr.
    """

    device: str = "cpu"
    batch_size: int | None = None
    workers: int | None = None
    max_pixels: int | None = None
    verify_content: bool = False
    progress: bool = False


@dataclass(frozen=True)
class Embedded:
    """What came of a list of files.

    Attributes:
        digests: for each file the digest of its bytes, or None where the file is bad.
        bad: the files that cannot be used, with reasons, in the order given.
        rows: for each encoder (by name) the embedding [D] of each digest.
    """

    digests: tuple[bytes | None, ...]
    bad: tuple[BadImage, ...]
    rows: Mapping[str, Mapping[bytes, Row]]

    def matrix(self, encoder: str, digests: Iterable[bytes]) -> npt.NDArray[np.float32]:
        """The embeddings [N, D] of pictures by their digests."""
        rows = self.rows[encoder]
        return np.stack([rows[digest] for digest in digests])


def embed(
    paths: Sequence[Path],
    specs: Sequence[EncoderSpec],
    load: Callable[[EncoderSpec], Encoder],
    cache: Cache | None,
    settings: Settings,
) -> Embedded:
    """Embed files with each encoder, through the cache.

    Every good picture is embedded and cached before this returns or raises.

    Args:
        paths: files; the same picture may come several times.
        specs: encoders with distinct names.
        load: makes an encoder from its spec; called only for those with work to do.
        cache: None to neither read nor keep anything.
        settings: how.

    Raises:
        ModelError: an encoder cannot be loaded, or gives embeddings that are not finite; all
            such encoders or pictures are named.
    """
    workers = settings.workers or os.cpu_count() or 1
    reasons: dict[int, str] = {}
    try:
        digests = _identify(paths, cache.memo if cache else None, settings, workers, reasons)
    finally:  # on an interrupt too: what is read need not be read again
        if cache:
            cache.memo.flush()
    first: dict[bytes, Path] = {}
    for path, digest in zip(paths, digests, strict=True):
        if digest is not None:
            first.setdefault(digest, path)
    rows: dict[str, dict[bytes, Row]] = {
        spec.name: cache.load(spec, list(first)) if cache else {} for spec in specs
    }
    missing = {
        digest: lacking
        for digest in first
        if (lacking := [spec.name for spec in specs if digest not in rows[spec.name]])
    }
    unusable = _drop_leading_unusable(missing, first, settings) if missing else {}
    if missing:
        names = {name for lacking in missing.values() for name in lacking}
        encoders = _load([spec for spec in specs if spec.name in names], load)
        batches = {
            name: Batches(encoder, _batch_size(settings), rows[name], cache)
            for name, encoder in encoders.items()
        }
        cached = len(first) - len(unusable) - len(missing)
        unusable |= _embed_missing(missing, first, batches, settings, workers, cached)
        if cache:
            with suppress(OSError):  # a full disk has been warned about; parts that stay apart are as good
                cache.compact()
    for position, digest in enumerate(digests):
        if digest in unusable:
            reasons[position] = unusable[digest]
    return Embedded(
        digests=tuple(None if position in reasons else digest for position, digest in enumerate(digests)),
        bad=tuple(BadImage(storable(paths[position]), reasons[position]) for position in sorted(reasons)),
        rows=rows,
    )


def _identify(
    paths: Sequence[Path],
    memo: FileMemo | None,
    settings: Settings,
    workers: int,
    reasons: dict[int, str],
) -> list[bytes | None]:
    """The digest of each file's bytes; None, with a reason, for a file that cannot be read."""
    digests: list[bytes | None] = [None] * len(paths)
    states: dict[int, FileState] = {}
    for position, path in enumerate(paths):
        try:
            status = os.stat(path)  # noqa: PTH116 - Path.stat is twice as slow
            if stat.S_ISREG(status.st_mode):
                states[position] = FileState.of(path, status)
            else:  # a pipe would block, a device might never end
                reasons[position] = "is a directory" if stat.S_ISDIR(status.st_mode) else "not a regular file"
        except OSError as error:
            reasons[position] = why_unreadable(path, error)
    if memo is not None and not settings.verify_content:
        known = memo.known(list(states.values()))
        for position, state in states.items():
            digests[position] = known.get(state)
    unread = [position for position in states if digests[position] is None]
    if not unread:
        return digests
    with ThreadPoolExecutor(workers) as pool, _bar(settings, len(unread), "reading") as bar:
        jobs = ((position, paths[position]) for position in unread)
        for position, outcome in _ahead(pool, jobs, read_digest, window=4 * workers):
            bar.update()
            if isinstance(outcome, OSError):
                reasons[position] = why_unreadable(paths[position], outcome)
                continue
            state, digest = outcome
            digests[position] = digest
            if memo is not None:
                memo.remember(state, digest)
    return digests


def _drop_leading_unusable(
    missing: dict[bytes, list[str]], first: Mapping[bytes, Path], settings: Settings
) -> dict[bytes, str]:
    """Drop pictures from `missing` up to the first that can be decoded; returns them with reasons.

    Bad pictures are never in the cache. A run that misses nothing else must not load a model for them.
    """
    from nearid_cli.images.decode import UnreadableImage

    unusable = {}
    for digest in list(missing):
        try:
            open_picture(first[digest], digest, settings.max_pixels)
        except UnreadableImage as error:
            unusable[digest] = error.reason
            del missing[digest]
        else:
            break
    return unusable


def _load(specs: Sequence[EncoderSpec], load: Callable[[EncoderSpec], Encoder]) -> dict[str, Encoder]:
    """Load encoders; every one that fails is named in one error."""
    encoders: dict[str, Encoder] = {}
    failures: list[ModelError] = []
    for spec in specs:
        try:
            encoders[spec.name] = load(spec)
        except ModelError as error:
            failures.append(error)
    if len(failures) == 1:
        raise failures[0]
    if failures:
        details = [line for error in failures for line in (error.message, *error.details)]
        raise ModelError(f"{count(len(failures), 'checkpoint')} cannot be loaded", details)
    return encoders


def _embed_missing(
    missing: Mapping[bytes, list[str]],
    first: Mapping[bytes, Path],
    batches: Mapping[str, Batches],
    settings: Settings,
    workers: int,
    cached: int,
) -> dict[bytes, str]:
    """Embed what is missing, picture by picture and encoder by encoder.

    Args:
        missing: digest -> names of the encoders that lack it.
        first: digest -> a file with these bytes.
        batches: by the encoder's name.
        settings: how.
        workers: threads that read, decode and prepare.
        cached: how many pictures need none of this, for the progress bar.

    Returns:
        The pictures that cannot be used, with reasons.

    Raises:
        ModelError: embeddings that are not finite; all such pictures are named.
    """
    from nearid_cli.images.decode import UnreadableImage

    unusable: dict[bytes, str] = {}

    def prepare(digest: bytes) -> dict[str, Pixels] | UnreadableImage:
        try:
            image = open_picture(first[digest], digest, settings.max_pixels)
            shared: dict[object, Pixels] = {}
            for name in missing[digest]:
                encoder = batches[name].encoder
                if encoder.preparation not in shared:
                    shared[encoder.preparation] = encoder.prepare(image)
        except UnreadableImage as error:
            return error
        return {name: shared[batches[name].encoder.preparation] for name in missing[digest]}

    pool = ThreadPoolExecutor(workers, thread_name_prefix="decode")
    try:
        with _bar(settings, len(missing), "embedding") as bar:
            bar.set_postfix_str(f"{cached:,} from the cache")
            window = 2 * workers + _batch_size(settings)
            for digest, outcome in _ahead(pool, ((d, d) for d in missing), prepare, window):
                bar.update()
                if isinstance(outcome, UnreadableImage):
                    unusable[digest] = outcome.reason
                    continue
                for name, pixels in outcome.items():
                    batches[name].add(digest, pixels)
            for gathered in batches.values():
                gathered.embed()
    finally:
        # On an interrupt too: what is done is kept, and nobody waits for pictures that nobody wants.
        pool.shutdown(wait=False, cancel_futures=True)
        for gathered in batches.values():
            gathered.write()
    not_finite = {name: gathered.not_finite for name, gathered in batches.items() if gathered.not_finite}
    if not_finite:
        raise ModelError(
            f"embeddings that are not finite numbers, from {', '.join(not_finite)}; "
            "the checkpoint or the dtype is at fault: try --dtype float32",
            [f"{name}: {printable(first[d])}" for name, digests in not_finite.items() for d in digests],
        )
    return unusable


def _batch_size(settings: Settings) -> int:
    return settings.batch_size or BATCH_SIZES[settings.device.partition(":")[0]]


def _ahead(
    pool: ThreadPoolExecutor,
    jobs: Iterable[tuple[Item, object]],
    work: Callable[..., Result],
    window: int,
) -> Iterator[tuple[Item, Result]]:
    """Results of `work` on each job in order, with at most `window` jobs begun ahead of their use."""
    begun: deque[tuple[Item, Future[Result]]] = deque()
    for item, argument in jobs:
        begun.append((item, pool.submit(work, argument)))
        if len(begun) >= window:
            item, future = begun.popleft()
            yield item, future.result()
    while begun:
        item, future = begun.popleft()
        yield item, future.result()


def _bar(settings: Settings, total: int, what: str) -> tqdm[object]:
    """A progress bar on stderr with pictures a second and the time left."""
    from tqdm import tqdm

    return tqdm(total=total, desc=what, unit="img", leave=False, disable=not settings.progress)
