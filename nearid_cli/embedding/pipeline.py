"""From picture files to embeddings: identify, look up, and embed what the cache lacks.

    identify    each file's digest, from the memo or by reading its bytes
    look up     the embeddings that the cache has for these digests
    embed       threads read, decode and prepare pictures ahead (Pillow releases the GIL) while
                this thread runs the encoders batch by batch and hands rows to the cache; on
                several devices, a process for each does so and this one keeps what comes; or the
                nodes of a cluster do, see `cluster/`

One decode serves all metrics. Memory holds a bounded number of prepared pictures, however
many files there are, besides the embeddings themselves.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, cast

from nearid_cli.activity import doing
from nearid_cli.embedding.decoders import Decoders
from nearid_cli.embedding.forward import not_finite
from nearid_cli.embedding.ledger import Kept, Ledger, OtherLengthError
from nearid_cli.embedding.patience import StarvedError
from nearid_cli.embedding.reading import ChangedImage, Content, GivenPicture, identify, place_of
from nearid_cli.embedding.rows import Matrix, Rows
from nearid_cli.embedding.settings import Settings, progress_bar
from nearid_cli.embedding.working import embed_here, load_all
from nearid_cli.errors import BadImage
from nearid_cli.images.reading import Findings, UnreadableImage
from nearid_cli.layouts.dataset import Source
from nearid_cli.text import count, printable, storable

if TYPE_CHECKING:
    from nearid_cli.embedding.cache import Cache
    from nearid_cli.embedding.several import LoadOn
    from nearid_cli.encoders.spec import Encoder, EncoderSpec

logger = logging.getLogger(__name__)

_TURNS = 3  # so often pictures are embedded that change meanwhile


class Embedded(NamedTuple):
    """What came of a list of pictures.

    Attributes:
        digests: for each file the digest of its bytes, for a picture in memory that of its pixels; None for bad ones.
        bad: those that cannot be used, with reasons, in the order given.
        rows: for each encoder (by name) the embedding [D] of each digest.
        absent: for each encoder the digests of good pictures without an embedding, and so without a row, for the reason
            that its spec gives.
    """

    digests: tuple[bytes | None, ...]
    bad: tuple[BadImage, ...]
    rows: Mapping[str, Rows]
    absent: Mapping[str, frozenset[bytes]]

    def matrix(self, encoder: str, digests: Iterable[bytes]) -> Matrix:
        """The embeddings [N, D] of pictures by their digests, which all must have one; [0, 0] of none."""
        return self.rows[encoder].matrix(digests)


def embed(
    sources: Sequence[Source],
    specs: Sequence[EncoderSpec],
    load: Callable[[EncoderSpec], Encoder],
    cache: Cache | None,
    settings: Settings,
    load_on: LoadOn | None = None,
) -> Embedded:
    """Embed pictures with each encoder, through the cache.

    Every good picture is embedded and cached before this returns or raises.

    Args:
        sources: files and pictures in memory; the same one may come several times.
        specs: encoders with distinct names.
        load: makes an encoder from its spec; called only for those with work to do.
        cache: None to neither read nor keep anything.
        settings: how.
        load_on: makes an encoder in another process, on a device; pickles. Needed where `settings` has several.

    Raises:
        ModelError: an encoder cannot be loaded, or gives embeddings that are not finite; all
            such encoders or pictures are named.
        MachineError: descriptors, memory or a disk failed for longer than is waited for.
    """
    load = functools.cache(load)
    digests: list[bytes | None] = [None] * len(sources)
    reasons: dict[int, str] = {}
    places = list(range(len(sources)))
    for turn in range(_TURNS):
        _identify(places, sources, cache, settings, digests, reasons, doubt=turn > 0)
        contents: dict[bytes, Content] = {}
        for source, digest in zip(sources, digests, strict=True):
            if digest is not None and digest not in contents:
                contents[digest] = GivenPicture(source, digest)
        rows, absent, unusable = embed_contents(contents, specs, load, cache, settings, load_on)
        places = [
            place
            for place, digest in enumerate(digests)
            if digest is not None and isinstance(unusable.get(digest), ChangedImage)
        ]
        if not places:
            break
    for place, digest in enumerate(digests):
        if digest in unusable:
            reasons[place] = unusable[digest].reason
    reasons |= dict.fromkeys(places, "keeps changing: it was another picture each time it was opened")
    return Embedded(
        digests=tuple(None if position in reasons else digest for position, digest in enumerate(digests)),
        bad=tuple(BadImage(storable(place_of(sources[i])), reasons[i]) for i in sorted(reasons)),
        rows=rows,
        absent=absent,
    )


def _identify(
    places: Sequence[int],
    sources: Sequence[Source],
    cache: Cache | None,
    settings: Settings,
    digests: list[bytes | None],
    reasons: dict[int, str],
    *,
    doubt: bool,
) -> None:
    """Fill in the digests of the pictures at some places, or the reasons; `doubt` as for `identify`."""
    why: dict[int, str] = {}
    try:
        memo = cache.memo if cache else None
        found = identify([sources[place] for place in places], memo, settings, why, doubt=doubt)
    finally:  # on an interrupt too: what is read need not be read again
        if cache:
            cache.memo.flush()
    for position, place in enumerate(places):
        digests[place] = found[position]
        if position in why:
            reasons[place] = why[position]


def embed_contents(
    contents: Mapping[bytes, Content],
    specs: Sequence[EncoderSpec],
    load: Callable[[EncoderSpec], Encoder],
    cache: Cache | None,
    settings: Settings,
    load_on: LoadOn | None = None,
) -> tuple[dict[str, Rows], dict[str, frozenset[bytes]], dict[bytes, UnreadableImage]]:
    """Embed pictures that are identified already, through the cache.

    Args:
        contents: by digest.
        specs: encoders with distinct names.
        load: makes an encoder from its spec; called only for those with work to do.
        cache: None to neither read nor keep anything.
        settings: how.
        load_on: as for `embed`.

    Returns:
        For each encoder (by name) the embedding [D] of each digest, and the digests that have none; and why pictures
        cannot be used, by digest.

    Raises:
        ModelError, MachineError: as for `embed`.
    """
    while True:
        try:
            return _embed_by_cache(contents, specs, load, cache, settings, load_on)
        except OtherLengthError as other:  # once for each encoder
            assert cache is not None  # whose the other length is
            cache.set_aside(other.spec, other.length)


def _embed_by_cache(
    contents: Mapping[bytes, Content],
    specs: Sequence[EncoderSpec],
    load: Callable[[EncoderSpec], Encoder],
    cache: Cache | None,
    settings: Settings,
    load_on: LoadOn | None = None,
) -> tuple[dict[str, Rows], dict[str, frozenset[bytes]], dict[bytes, UnreadableImage]]:
    """The same, relying on the lengths of what the cache holds.

    Raises:
        OtherLengthError: they are those of something else.
    """
    asked, first = specs, {spec.fingerprint: spec for spec in reversed(specs)}
    # One encoder under two names works once.
    specs = [spec for spec in asked if first[spec.fingerprint] is spec]
    with doing("looking up what is cached"):
        rows = {spec.name: Rows(len(contents), cache.folder if cache else None) for spec in specs}
        if cache:
            for spec in specs:
                for here, known in cache.found(spec, list(contents)):
                    rows[spec.name].add(here, known)
                    del known
        absent = {
            spec.name: cache.absent(spec, list(contents)) if cache and spec.absent else set()
            for spec in specs
        }
    short = [name for name, own in rows.items() if len(own) < len(contents)]
    missing = {
        digest: lacking
        for digest in contents
        if (lacking := [name for name in short if digest not in rows[name] and digest not in absent[name]])
    }
    found: dict[bytes, Findings] = {}
    fast = {spec.name: bool(spec.fast) for spec in specs}
    unusable = _drop_leading_unusable(missing, contents, settings, fast) if missing else {}
    if missing:
        names = {name for lacking in missing.values() for name in lacking}
        kept = {spec.name: Kept(spec, rows[spec.name], absent[spec.name], cache) for spec in specs}
        wanted = [spec for spec in specs if spec.name in names]
        cached = len(contents) - len(unusable) - len(missing)
        try:
            ledger = _embed_missing(missing, contents, wanted, load, load_on, settings, kept, cached)
        except StarvedError as starved:
            whole = sum(
                all(digest in rows[name] or digest in absent[name] for name in rows) for digest in contents
            )
            done = (
                f"{whole:,} of {count(len(contents), 'picture')} are embedded{' and kept' if cache else ''}"
            )
            raise starved.explained(printable(contents[cast(bytes, starved.item)].name), done) from starved
        unusable |= ledger.unusable
        found = ledger.found
        if cache:
            cache.tidy()
    for line in settings.reading.say(sum(found.values(), Findings())):
        logger.warning(line)
    worked = {spec.name: first[spec.fingerprint].name for spec in asked}
    return (
        {name: rows[own] for name, own in worked.items()},
        {name: frozenset(absent[own]) for name, own in worked.items()},
        unusable,
    )


def _drop_leading_unusable(
    missing: dict[bytes, list[str]],
    contents: Mapping[bytes, Content],
    settings: Settings,
    fast: Mapping[str, bool],
) -> dict[bytes, UnreadableImage]:
    """Drop pictures from `missing` up to the first that may be one; returns them with reasons.

    Bad pictures are never in the cache. A run that misses nothing else must not load a model for them. `fast` says
    which encoders, by name, may take pictures at half their size.
    """
    unusable = {}
    for digest in list(missing):
        # At half its size it takes less memory: more than is allowed is found when encoders ask for all of it.
        halve = any(fast[name] for name in missing[digest])
        try:
            contents[digest].open(settings.max_pixels, settings.reading, (lambda _: True) if halve else None)
        except UnreadableImage as error:
            unusable[digest] = error
            del missing[digest]
        except (OSError, MemoryError):  # which say nothing of the picture
            break
        else:
            break
    return unusable


def _embed_missing(
    missing: Mapping[bytes, list[str]],
    contents: Mapping[bytes, Content],
    specs: Sequence[EncoderSpec],
    load: Callable[[EncoderSpec], Encoder],
    load_on: LoadOn | None,
    settings: Settings,
    kept: Mapping[str, Kept],
    cached: int,
) -> Ledger:
    """Embed what is missing: here, in a process a device, or on a cluster.

    Args:
        missing: digest -> names of the encoders that lack it.
        contents: by digest.
        specs: of these encoders.
        load: loads one here.
        load_on: loads one in a process of its device.
        settings: how.
        kept: by the encoder's name, what becomes of its embeddings.
        cached: how many pictures need none of this, for the progress bar.

    Raises:
        ModelError: an encoder fails, or gives embeddings that are not finite; all such pictures are named.
        StarvedError: as `embed_here`.
    """
    devices, cluster = settings.devices_for(len(missing)), settings.cluster
    if cluster is not None:
        cluster.meet(settings)
    encoders: Mapping[str, Encoder] = {}
    with ExitStack() as stack:
        decoders = stack.enter_context(Decoders(missing, contents, settings))
        if cluster is None and len(devices) == 1:
            decoders.begin(specs)
            encoders = load_all(specs, load)
        bar = stack.enter_context(progress_bar(settings, len(missing), "embedding"))
        bar.set_postfix_str(f"{cached:,} from the cache")
        ledger = Ledger(kept, bar.update)
        try:
            if cluster is not None:
                cluster.embed(missing, contents, specs, settings, ledger)
            elif len(devices) == 1:
                embed_here(decoders, encoders, settings, ledger)
            else:
                from nearid_cli.embedding.several import embed_side_by_side

                assert load_on is not None
                embed_side_by_side(
                    missing, contents, specs, load_on, replace(settings, devices=devices), ledger
                )
        finally:  # on an interrupt too: what is done is kept
            ledger.write()
    unsound = [
        (spec, [contents[digest].name for digest in missing if digest in ledger.unsound[spec.name]])
        for spec in specs
        if ledger.unsound[spec.name]
    ]
    if unsound:
        raise not_finite(unsound)
    return ledger
