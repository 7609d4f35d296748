"""What comes of pictures while they are embedded: rows, which go to the cache every few seconds, and what is wrong.

Whatever embeds tells it as it comes, in this process or, by messages, from another.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from nearid_cli.errors import ModelError
from nearid_cli.text import printable

if TYPE_CHECKING:
    from nearid_cli.embedding.cache import Cache
    from nearid_cli.embedding.rows import Rows
    from nearid_cli.encoders.spec import Embeddings, EncoderSpec
    from nearid_cli.images.reading import Findings, UnreadableImage

# What a kill -9 may cost at most: this many embeddings or this many seconds of work.
FLUSH_ROWS = 1024
FLUSH_SECONDS = 5.0


class Witness(Protocol):
    """Is told what comes of pictures. Encoders are called by the names of their metrics, pictures by their digests."""

    def saw(self, digest: bytes, findings: Findings | None, unusable: UnreadableImage | None) -> None:
        """A picture was opened, and prepared if it can be used.

        Args:
            digest: of the picture.
            findings: what of it was a matter of choice.
            unusable: why it cannot be used.
        """

    def took(self, encoder: str, digests: Sequence[bytes], rows: Embeddings) -> None:
        """An encoder gave embeddings [N, D], of those pictures of a batch of which they are sound."""

    def lacked(self, encoder: str, digest: bytes) -> None:
        """A good picture has no embedding by an encoder."""

    def doubted(self, encoder: str, digests: Sequence[bytes]) -> None:
        """An encoder gave what is not finite, or zero. Such pictures get neither a row nor a place in the cache."""


class Ledger:
    """The witness of a run: fills in rows, and hands them to the cache.

    Args:
        kept: by the encoder's name, what becomes of its embeddings.
        tick: called for each picture that was seen.

    Attributes:
        unusable: pictures that cannot be used, with reasons.
        found: what of each picture that was opened was a matter of choice.
        unsound: by the encoder's name, pictures of which it gave what is not finite, or zero.
    """

    def __init__(self, kept: Mapping[str, Kept], tick: Callable[[], object]) -> None:
        self.unusable: dict[bytes, UnreadableImage] = {}
        self.found: dict[bytes, Findings] = {}
        self.unsound: dict[str, set[bytes]] = defaultdict(set)
        self._kept = kept
        self._tick = tick

    def saw(self, digest: bytes, findings: Findings | None, unusable: UnreadableImage | None) -> None:
        """See `Witness`."""
        if findings is not None:
            self.found[digest] = findings
        if unusable is not None:
            self.unusable[digest] = unusable
        self._tick()

    def took(self, encoder: str, digests: Sequence[bytes], rows: Embeddings) -> None:
        """See `Witness`.

        Raises:
            ModelError: a plug-in gives embeddings of another length than the cache holds.
            OtherLengthError: an encoder that its fingerprint says all of gives those.
        """
        self._kept[encoder].add(digests, rows)

    def lacked(self, encoder: str, digest: bytes) -> None:
        """See `Witness`."""
        self._kept[encoder].note_absent(digest)

    def doubted(self, encoder: str, digests: Sequence[bytes]) -> None:
        """See `Witness`."""
        self.unsound[encoder].update(digests)

    def write(self) -> None:
        """Hand what is new to the cache."""
        for kept in self._kept.values():
            kept.write()


class OtherLengthError(Exception):
    """An encoder gives embeddings of another length than the cache holds under its fingerprint: those are none of its.

    Attributes:
        spec: the encoder's.
        length: of what it gives.
    """

    def __init__(self, spec: EncoderSpec, length: int) -> None:
        super().__init__(f"{spec.name}: {length}")
        self.spec = spec
        self.length = length


class Kept:
    """One encoder's embeddings: in the rows of the run, and every few seconds in the cache.

    Args:
        spec: what they are kept as.
        rows: gets the embedding [D] of each digest.
        absent: gets the digests of pictures that have none.
        cache: gets them too; may be None.
    """

    def __init__(self, spec: EncoderSpec, rows: Rows, absent: set[bytes], cache: Cache | None) -> None:
        self._spec = spec
        self._rows = rows
        self._absent = absent
        self._cache = cache
        self._unwritten: list[bytes] = []
        self._unwritten_absent: list[bytes] = []
        self._dimension = cache.dimension(spec) if cache is not None else None
        self._written = time.monotonic()

    def add(self, digests: Sequence[bytes], rows: Embeddings) -> None:
        """Take embeddings [N, D]; see `Ledger.took`."""
        if self._dimension not in (None, rows.shape[1]):
            if not self._spec.plugin:
                raise OtherLengthError(self._spec, rows.shape[1])
            name = printable(self._spec.name)
            raise ModelError(
                f'metric "{name}": expected embeddings of {self._dimension} numbers, as the cache holds, found '
                f"{rows.shape[1]}; who changes what comes out changes the plug-in's version, or forgets the old "
                f"ones: nearid cache clear --metric {name}"
            )
        self._rows.add(digests, rows)
        self._unwritten += digests
        self._write_now_and_then()

    def note_absent(self, digest: bytes) -> None:
        """Note a picture that has no embedding."""
        self._absent.add(digest)
        self._unwritten_absent.append(digest)
        self._write_now_and_then()

    def _write_now_and_then(self) -> None:
        unwritten = len(self._unwritten) + len(self._unwritten_absent)
        if unwritten >= FLUSH_ROWS or time.monotonic() - self._written > FLUSH_SECONDS:
            self.write()

    def write(self) -> None:
        """Hand new rows to the cache."""
        if self._cache is not None and self._unwritten:
            self._cache.add(self._spec, self._unwritten, self._rows.matrix(self._unwritten)[:])
        if self._cache is not None and self._unwritten_absent:
            self._cache.add_absent(self._spec, self._unwritten_absent)
        self._unwritten = []
        self._unwritten_absent = []
        self._written = time.monotonic()
