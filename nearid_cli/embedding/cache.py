"""The cache: (digest of a picture's bytes, fingerprint of an encoder) -> embedding; and the like for other metrics.

In one folder, or under one URL, that any number of processes may use at once:

    CACHEDIR.TAG                      tells backup tools to pass by, where nothing else lies there
    format                            the number of this layout
    embeddings/<fingerprint>/*.parquet    columns digest (32 bytes), embedding (list of float32)
    embeddings/<fingerprint>/absent/*.parquet    column digest: pictures in which there was nothing to embed
    pairs/<fingerprint>/*.parquet         numbers of pairs (see pairs.py)
    features/<fingerprint>/*.parquet      what such numbers are computed from, where that is worth its room

What is of use on one machine only lies in a folder; in the user's own, where the cache is a URL:

    files/*.parquet                   the memo from files to digests (see memo.py)
    weights/*.safetensors             pickled weights as safetensors (see encoders/pickled.py)
    openvino/<key>-<digest>/          models converted for OpenVINO (see encoders/kept_models.py)
    copies/*.parquet                  parts that were read from URLs, or written there (see objects.py)

Each part's Parquet metadata says which metric and checkpoint it belongs to.
"""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import blake3
import numpy as np

from nearid_cli.activity import doing
from nearid_cli.embedding import ABSENT, EMBEDDINGS, FEATURES, PAIRS
from nearid_cli.embedding.caution import Caution, why
from nearid_cli.embedding.columns import digests_of, embeddings_of
from nearid_cli.embedding.disk import Disk
from nearid_cli.embedding.memo import FileMemo
from nearid_cli.embedding.parts import COMPACT_ABOVE, ForeignPartError, PartFolder
from nearid_cli.embedding.storage import OURS, DamagedPartError, Storage, StoredPart
from nearid_cli.errors import CacheError
from nearid_cli.files import cache_folder, delete_named
from nearid_cli.opening import MalformedError, parse_json
from nearid_cli.remote.stores import url_of
from nearid_cli.text import count, few, printable

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa
    import pyarrow.parquet as pq
    from PIL import Image

    from nearid_cli.encoders.spec import EncoderSpec
    from nearid_cli.images.reading import Masking

logger = logging.getLogger(__name__)

_PIXELS = "nearid-cli 2026 pixels of a picture in memory 1"  # change the number when the pixels taken change
_MASKED = (
    "nearid-cli 2026 part of a picture by mask and box 1"  # likewise, when images/masking.py changes pixels
)


def digest_bytes(content: bytes) -> bytes:
    """The BLAKE3 digest, 32 bytes."""
    return blake3.blake3(content).digest()


def digest_pixels(picture: Image.Image) -> bytes:
    """The BLAKE3 digest of a picture's mode, size and pixels, 32 bytes.

    In BLAKE3's key derivation mode, so that no file, whatever its bytes, has the digest of a picture in memory.
    """
    width, height = picture.size
    hasher = blake3.blake3(derive_key_context=_PIXELS)
    hasher.update(f"{picture.mode} {width} {height}\0".encode())
    return hasher.update(picture.tobytes()).digest()


def digest_masked(picture: bytes, mask: bytes | None, box: Sequence[int] | None, how: Masking) -> bytes:
    """The BLAKE3 digest of a part of a picture, 32 bytes: of what decides about its pixels.

    Args:
        picture: the digest of the picture.
        mask: the digest of its mask's file; None without one.
        box: as it is painted around; None without one.
        how: which part it is.
    """
    said = json.dumps([picture.hex(), mask and mask.hex(), box and list(box), how.keep, how.fill, how.clean])
    return blake3.blake3(said.encode(), derive_key_context=_MASKED).digest()


FORMAT = 1
_MARKER, _MARKER_BYTES = "format", 64
_METADATA = b"nearid"
_TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# This folder is a cache made by nearid. It can be deleted.\n"


_STORES = (EMBEDDINGS, PAIRS, FEATURES)
_MEMO = "files"
_COPIES = "copies"
_WEIGHTS, _MODELS = "weights", "openvino"


class CachedNumbers(NamedTuple):
    """What the cache holds of one kind for one metric.

    Attributes:
        what: `embeddings`, `pairs` or `features`.
        ways: how it comes otherwise than by default, such as `fast` or `openvino`.
        numbers: how many of these.
    """

    what: str
    metric: str
    checkpoint: str
    dtype: str
    ways: tuple[str, ...]
    fingerprint: str
    numbers: int
    parts: int
    size: int
    written: float


class Verified(NamedTuple):
    """What `Cache.verify` found.

    Attributes:
        sound: how many parts.
        damaged: one line for each part that is.
        unread: likewise for parts that disk or memory refused, of which nothing is known.
    """

    sound: int
    damaged: list[str]
    unread: list[str]


class UnreadableCacheError(CacheError):
    """A cache cannot be used, and a run goes on without it."""


def open_cache(place: Path | str, verify_content: bool = False, trusted: bool = False) -> Cache | None:
    """The cache of a run, or None, with a warning, where the run is to go on without it; arguments as of `Cache`."""
    try:
        return Cache(place, verify_content, trusted)
    except UnreadableCacheError as error:
        logger.warning("%s; this run goes on without it", error.message)
        return None


class Cache:
    """The cache in a folder, or under a URL, made when first written.

    Args:
        place: the folder, which need not exist, or the URL, where nothing needs to be.
        verify_content: read every file again, whatever the memo says, and correct it.
        trusted: use what other users put into the folder, too. Of a URL everything is used.

    Attributes:
        folder: where what is of use on this machine only is kept.
        name: of the place, for messages.
        under_url: whether that is a URL.

    Raises:
        UnreadableCacheError: the folder is a file, a newer nearid wrote it, or it cannot be told which one did.
        UsageError: the URL is none that can be used.
    """

    def __init__(self, place: Path | str, verify_content: bool = False, trusted: bool = False) -> None:
        url = url_of(place)
        self.folder = cache_folder(place)
        disk = Disk(self.folder, trusted=trusted)
        self.storage: Storage = _under(url, self.folder) if url else disk
        self.under_url = url is not None
        self.name = self.storage.name
        self.caution = Caution(self.name) if url else disk.caution
        shared = (self.storage, self.caution) if url else None
        self.memo = FileMemo(self.folder / _MEMO, verify_content, disk, shared)
        self._marked = _format(self.storage) is not None
        self._lengths: dict[str, int] = {}
        """Of the embeddings of encoders that have been run, by fingerprint, where parts had another."""

    def load(self, spec: EncoderSpec, digests: Sequence[bytes]) -> dict[bytes, npt.NDArray[np.float32]]:
        """The embeddings that are here among `digests`, float32 [D] each, exactly as they were added."""
        return {
            digest: row
            for here, rows in self.found(spec, digests)
            for digest, row in zip(here, rows, strict=True)
        }

    def found(
        self, spec: EncoderSpec, digests: Sequence[bytes]
    ) -> Iterator[tuple[list[bytes], npt.NDArray[np.float32]]]:
        """The same part by part: digests, and their embeddings [N, D].

        Every part that gives a row is read whole and checked first; of the others, only the digests are read.
        """
        wanted = set(digests)
        parts = self.parts(EMBEDDINGS, spec.fingerprint)
        listed = parts.listing()
        dimension = self._dimension(spec, parts, listed)
        with self.caution.reading(parts.inside):
            for table in parts.tables(wanted, listed):
                here = digests_of(table)
                chosen = [row for row, digest in enumerate(here) if digest in wanted]
                rows = embeddings_of(table)
                dimension = dimension or rows.shape[1]
                if rows.shape[1] != dimension:
                    logger.warning(
                        "%s",
                        f"a part of the cache is passed over: its embeddings are of {rows.shape[1]} numbers, most of "
                        f"{dimension}; `nearid cache clear --metric {printable(spec.name)}` forgets both",
                    )
                    continue
                if len(chosen) < len(here):  # copied, so that a few rows do not keep a whole part in memory
                    here, rows = [here[row] for row in chosen], rows[chosen]
                yield here, rows
                del table, rows

    def absent(self, spec: EncoderSpec, digests: Sequence[bytes]) -> set[bytes]:
        """Those among `digests` that are known to have no embedding by an encoder."""
        wanted = set(digests)
        found: set[bytes] = set()
        parts = self._absent(spec.fingerprint)
        with self.caution.reading(parts.inside):
            for table in parts.tables(wanted):
                found |= wanted.intersection(digests_of(table))
        return found

    def add_absent(self, spec: EncoderSpec, digests: Sequence[bytes]) -> None:
        """Note pictures that have no embedding by an encoder, as one new part."""
        import pyarrow as pa

        def table() -> pa.Table:
            schema = pa.schema([pa.field("digest", pa.binary(32), nullable=False)], metadata=_about(spec))
            return pa.table([pa.array(list(digests), pa.binary(32))], schema=schema)

        self.mark()
        self._absent(spec.fingerprint).write(table)

    def dimension(self, spec: EncoderSpec) -> int | None:
        """The length of most embeddings that are here, or None if none are."""
        parts = self.parts(EMBEDDINGS, spec.fingerprint)
        return self._dimension(spec, parts, parts.listing())

    def _dimension(self, spec: EncoderSpec, parts: PartFolder, listed: Sequence[StoredPart]) -> int | None:
        if spec.fingerprint in self._lengths:
            return self._lengths[spec.fingerprint]
        numbers = Counter[int]()
        for _, found in parts.followed(partial(parts.metadata, quiet=True), listed):
            if found and (length := _length_in(found)):
                numbers[length] += found.num_rows
        return max(numbers, key=numbers.__getitem__, default=None)

    def set_aside(self, spec: EncoderSpec, length: int) -> None:
        """Set aside the parts that are none of an encoder's, which gives embeddings of this length."""
        self._lengths[spec.fingerprint] = length
        parts = self.parts(EMBEDDINGS, spec.fingerprint)
        for part, found in parts.followed(parts.metadata):
            if found and _length_in(found) not in (0, length):
                parts.set_aside(part)
                logger.warning(
                    "%s",
                    f"a part of the cache is set aside and its pictures are embedded again: its embeddings are of "
                    f"{_length_in(found)} numbers, and {printable(spec.name)} gives {length}",
                )

    def add(self, spec: EncoderSpec, digests: Sequence[bytes], embeddings: npt.NDArray[np.float32]) -> None:
        """Add float32 embeddings [N, D] as one new part."""
        import pyarrow as pa

        def table() -> pa.Table:
            dimension = embeddings.shape[1]
            values = pa.array(np.ascontiguousarray(embeddings, dtype=np.float32).ravel())
            element = pa.field("element", pa.float32(), nullable=False)
            schema = pa.schema(
                [
                    pa.field("digest", pa.binary(32), nullable=False),
                    pa.field("embedding", pa.list_(element, dimension), nullable=False),
                ],
                metadata=_about(spec),
            )
            rows = pa.FixedSizeListArray.from_arrays(values, type=pa.list_(element, dimension))
            return pa.table([pa.array(list(digests), pa.binary(32)), rows], schema=schema)

        self.mark()
        self.parts(EMBEDDINGS, spec.fingerprint).write(table)

    def tidy(self) -> None:
        """Merge small parts at the end of a run. What keeps it from that has been warned about, or costs room only."""
        with doing("tidying the cache"), suppress(OSError, MemoryError):
            self.compact()

    def compact(self, above: int = COMPACT_ABOVE) -> None:
        """Merge small parts of every encoder and of the memo, where they are many.

        Raises:
            OSError, MemoryError: the disk, or memory, would not take a merged part. Nothing is lost.
        """
        # Features are large, one a part, and the oldest go first: they stay as they are.
        stores: list[PartFolder | FileMemo] = [
            parts
            for what, fingerprint in self._all()
            if what != FEATURES
            for parts in self._of(what, fingerprint)
        ]
        for store in [*stores, self.memo]:
            store.compact(above)

    def info(self) -> list[CachedNumbers]:
        """What is here, by metric, the most room first."""
        rows = []
        for what, fingerprint in self._all():
            about: dict[str, str] = {}
            numbers = size = written = 0
            listed = []
            for parts in self._of(what, fingerprint):
                for part, metadata in parts.of_one_moment(parts.metadata):
                    listed.append(part)
                    size += part.size
                    written = max(written, part.written)
                    if metadata is None:
                        continue
                    about = _said(metadata.metadata) or about
                    if what != EMBEDDINGS or "embedding" in metadata.schema.to_arrow_schema().names:
                        numbers += metadata.num_rows
            if listed:
                rows.append(
                    CachedNumbers(
                        what=what,
                        metric=about.get("metric", "?"),
                        checkpoint=about.get("checkpoint", "?"),
                        dtype=about.get("dtype", "?"),
                        ways=tuple(about[name] for name in ("way", "engine") if name in about),
                        fingerprint=fingerprint,
                        numbers=numbers,
                        parts=len(listed),
                        size=size,
                        written=written / 1e9,
                    )
                )
        return sorted(rows, key=lambda row: (-row.size, row.metric))

    def keys(self) -> dict[str, list[bytes]]:
        """The digests of the pictures whose embeddings are here, by the encoder's fingerprint."""
        found: dict[str, list[bytes]] = {}
        for what, fingerprint in self._all():
            if what == EMBEDDINGS:
                keys: set[bytes] = set()
                parts = self.parts(what, fingerprint)
                with self.caution.reading(parts.inside):
                    for _, found_here in parts.followed(parts.keys):
                        keys.update(found_here or ())
                found[fingerprint] = sorted(keys)
        return found

    def about(self, fingerprint: str) -> dict[str, str]:
        """What the embeddings of an encoder say of it; nothing where that is not to be had."""
        parts = self.parts(EMBEDDINGS, fingerprint)
        for _, metadata in parts.followed(parts.metadata):
            if metadata and (said := _said(metadata.metadata)):
                return said
        return {}

    def verify(self) -> Verified:
        """Read every part, check its checksum and that its embeddings are finite unit vectors."""
        found = Verified(0, [], [])
        stores = [parts for what, fingerprint in self._all() for parts in self._of(what, fingerprint)]
        for parts in [*stores, *dict.fromkeys((self.memo.parts, self.memo.objects))]:
            for _, (sound, damaged, unread) in parts.followed(partial(_verdict, parts)):
                found = Verified(found.sound + sound, found.damaged + damaged, found.unread + unread)
        return found

    def clear(self, metric: str | None = None, older_than: float | None = None) -> int:
        """Delete parts: of one metric, or last written more than `older_than` seconds ago, or all there is.

        Nothing goes but what has a name that nearid gives. What else lies among it is said.

        Returns:
            Bytes freed.

        Raises:
            OSError: something cannot be deleted. The rest is.
        """
        freed = 0
        failed: OSError | None = None
        now = time.time_ns()
        for row in self.info():
            if metric is not None and row.metric != metric:
                continue
            asked: set[str] = set()
            # Until none is left: another process may put a merged part where some go that it was made from.
            while pending := [
                part for part in self._parts(row.what, row.fingerprint) if part.key not in asked
            ]:
                for part in pending:
                    asked.add(part.key)
                    if older_than is not None and not 0 < part.written < now - older_than * 1e9:
                        continue
                    try:
                        self.storage.remove(part)
                        freed += part.size
                    except FileNotFoundError:
                        continue  # merged away by another process
                    except OSError as error:
                        failed = error
            if not self._parts(row.what, row.fingerprint):
                with suppress(OSError):  # what is left in it is no part
                    self.storage.clear(f"{row.what}/{row.fingerprint}")
        if metric is None and older_than is None:
            left: list[str] = []
            for clear in self._clearing():
                try:
                    size, others = clear()
                except OSError as error:
                    failed = error
                else:
                    freed += size
                    left += others
            if left:
                logger.warning(
                    "left alone in the cache: %s of names that nearid does not give (%s)",
                    count(len(left), "file"),
                    few(left),
                )
        if failed:
            raise failed
        return freed

    def _clearing(self) -> Iterator[Callable[[], tuple[int, list[str]]]]:
        """What deletes all that is ours, folder by folder."""
        for name in (*_STORES, _MEMO):
            yield partial(self.storage.clear, name)
        if not self.under_url:
            from nearid_cli.encoders.kept_models import KEPT
            from nearid_cli.encoders.pickled import COPY

            for name, ours in ((_WEIGHTS, COPY), (_MODELS, KEPT), (_COPIES, OURS)):
                yield partial(delete_named, self.folder / name, ours)

    def converted_weights(self) -> list[int]:
        """Sizes in bytes of the safetensors copies of pickled weights."""
        return self._sizes(_WEIGHTS, "*.safetensors")

    def converted_models(self) -> list[int]:
        """Sizes in bytes of the models that are converted for OpenVINO."""
        return self._sizes(_MODELS, "*/model.bin")

    def copies(self) -> list[int]:
        """Sizes in bytes of the copies of parts of caches under URLs."""
        return self._sizes(_COPIES, "*.parquet")

    def _sizes(self, what: str, pattern: str) -> list[int]:
        sizes = []
        for file in (self.folder / what).glob(pattern):
            with suppress(OSError):  # deleted by another process
                sizes.append(file.stat().st_size)
        return sizes

    def _all(self) -> Iterator[tuple[str, str]]:
        """Of what there is anything, and the fingerprints of which metrics."""
        for what in _STORES:
            try:
                names = self.storage.folders(what)
            except OSError as error:
                self.caution.unread(what, error)
                continue
            yield from ((what, name) for name in names)

    def parts(self, what: str, fingerprint: str) -> PartFolder:
        """The parts of a metric that hold `EMBEDDINGS`, `PAIRS` or `FEATURES`."""
        return PartFolder(self.storage, f"{what}/{fingerprint}", self.caution, what)

    def _absent(self, fingerprint: str) -> PartFolder:
        return PartFolder(self.storage, f"{EMBEDDINGS}/{fingerprint}/absent", self.caution, ABSENT)

    def _of(self, what: str, fingerprint: str) -> list[PartFolder]:
        """All folders of parts of a metric."""
        parts = self.parts(what, fingerprint)
        return [parts, self._absent(fingerprint)] if what == EMBEDDINGS else [parts]

    def listing(self, what: str) -> list[StoredPart]:
        """The parts of all metrics that hold `EMBEDDINGS`, `PAIRS` or `FEATURES`."""
        return [part for found, name in self._all() if found == what for part in self._parts(what, name)]

    def _parts(self, what: str, fingerprint: str) -> list[StoredPart]:
        return [part for parts in self._of(what, fingerprint) for part in parts.listing()]

    def mark(self) -> None:
        """Name the format and tag the folder, before the first part lands in it."""
        if self._marked:
            return
        self._marked = True
        with self.caution.writing(""):
            if self._alone() and not self.storage.add("CACHEDIR.TAG", _TAG.encode()):
                return
            self.storage.add(_MARKER, f"{FORMAT}\n".encode())

    def _alone(self) -> bool:
        """Whether nothing but a cache lies in the folder: a project that is taken for one is missing in backups."""
        if self.under_url or not self.folder.exists():
            return True
        return {entry.name for entry in self.folder.iterdir()} <= {
            *_STORES,
            _MEMO,
            _WEIGHTS,
            _MODELS,
            _COPIES,
        }


def _under(url: str, folder: Path) -> Storage:
    """What is kept under a URL, with copies in a folder."""
    from nearid_cli.embedding.objects import Objects

    return Objects(url, folder / _COPIES)


def _length_in(part: pq.FileMetaData) -> int:
    """The length of a part's embeddings, as it says; 0 where it holds none."""
    schema = part.schema.to_arrow_schema()
    if "embedding" not in schema.names:
        return 0
    return max(0, getattr(schema.field("embedding").type, "list_size", 0))


def _format(storage: Storage) -> int | None:
    """The format of a cache; None where there is none yet.

    Raises:
        UnreadableCacheError: as `Cache`.
    """
    name = printable(storage.name)
    try:
        text = storage.note(_MARKER, _MARKER_BYTES)
    except FileNotFoundError:
        return None
    except NotADirectoryError as error:
        raise UnreadableCacheError(
            f"the cache {name} would have to be a folder, and there is a file in its place; "
            "choose another with --cache DIR"
        ) from error
    except OSError as error:
        raise UnreadableCacheError(
            f"the cache {name} cannot be read ({_MARKER}: {why(error)}); choose another with --cache DIR"
        ) from error
    found = text.strip()
    if not found.isdigit():
        raise UnreadableCacheError(
            f"the cache {name} cannot be read ({_MARKER}: expected the number of its layout, found no "
            "number); choose another with --cache DIR, or move that file away"
        )
    if int(found) != FORMAT:
        raise UnreadableCacheError(
            f"the cache {name} has format {int(found)}, and this nearid knows format {FORMAT}; "
            "upgrade nearid or choose another cache with --cache DIR"
        )
    return int(found)


def _verdict(parts: PartFolder, part: StoredPart) -> Verified:
    """What is found of one part.

    Raises:
        FileNotFoundError: another process merged the part away.
    """
    try:
        return Verified(int(parts.checked(part, itself=True) is not None), [], [])
    except FileNotFoundError:
        raise
    except (DamagedPartError, ForeignPartError) as damage:
        return Verified(0, [str(damage)], [])
    except (OSError, MemoryError) as error:
        return Verified(0, [], [f"{parts.storage.place(part.key)}: {why(error)}"])


def _said(metadata: Mapping[bytes, bytes] | None) -> dict[str, str]:
    """What a part's metadata say of its metric; nothing where they are not of ours."""
    try:
        about = parse_json((metadata or {}).get(_METADATA, b"{}"))
    except MalformedError:
        return {}
    return about if isinstance(about, dict) else {}


def _about(spec: EncoderSpec) -> dict[bytes, bytes]:
    """A part's metadata: what the encoder is."""
    about = {
        "metric": spec.name,
        "checkpoint": spec.checkpoint,
        "revision": spec.revision,
        "readout": spec.readout,
        "dtype": spec.dtype,
        "preprocessing": spec.preprocessing,
        "fingerprint": spec.fingerprint,
    }
    if spec.fast:
        about["way"] = "fast"
    if spec.engine:
        about["engine"] = spec.engine
    return metadata_of(about)


def metadata_of(about: Mapping[str, Any]) -> dict[bytes, bytes]:
    """What the parts of a metric say of it, for `info`."""
    return {_METADATA: json.dumps(about).encode()}
