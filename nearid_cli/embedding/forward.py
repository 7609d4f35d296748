"""One encoder at work: batches that fit into memory, which rows can be used, and from there into the cache."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from nearid_cli.encoders.libraries import out_of_memory
from nearid_cli.encoders.plugged import class_of
from nearid_cli.errors import ModelError
from nearid_cli.text import count, few, printable

if TYPE_CHECKING:
    import numpy.typing as npt

    from nearid_cli.embedding.cache import Cache
    from nearid_cli.embedding.rows import Rows
    from nearid_cli.encoders.spec import Embeddings, Encoder, EncoderSpec, Pixels

    class _Embeds(Protocol):
        @property
        def spec(self) -> EncoderSpec: ...

        def embed(self, batch: Sequence[Pixels]) -> Embeddings: ...


NOT_FINITE = "the checkpoint or the dtype is at fault: try --dtype float32"


def not_finite(found: Iterable[tuple[EncoderSpec, Sequence[str]]]) -> ModelError:
    """The error about embeddings that are not finite, or zero: a line for each plug-in, every picture of a checkpoint.

    Args:
        found: encoders, at least one, with the names of the pictures.
    """
    checkpoints, lines = [], []
    for spec, names in found:
        if spec.plugin is None:
            checkpoints.append((spec.name, names))
            continue
        lines.append(
            f'metric "{printable(spec.name)}": expected finite numbers, not all of them zero, from '
            f"{class_of(spec.plugin)}.embed, found others of {count(len(names), 'picture')}: {few(names)}"
        )
    if not checkpoints:
        return ModelError(lines[0], lines[1:])
    return ModelError(
        f"embeddings that are not finite numbers, from {', '.join(name for name, _ in checkpoints)}; {NOT_FINITE}",
        [*(f"{encoder}: {printable(name)}" for encoder, names in checkpoints for name in names), *lines],
    )


class Forward:
    """Embeds prepared pictures (or texts), as many at once as memory holds.

    Args:
        encoder: embeds.
        batch_size: pictures a forward pass; halved for good whenever memory runs out.
    """

    def __init__(self, encoder: _Embeds, batch_size: int) -> None:
        self.encoder = encoder
        self.batch_size = batch_size

    def __call__(self, prepared: Sequence[Pixels]) -> Embeddings:
        """Embed pictures: float32 [len(prepared), D]. Rows that `sound` refuses may be among them.

        Raises:
            ModelError: memory does not hold a single picture's pass.
        """
        rows: list[Embeddings] = []
        start = 0
        while start < len(prepared):
            batch = prepared[start : start + self.batch_size]
            try:
                rows.append(self.encoder.embed(batch))
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                if len(batch) == 1:
                    raise ModelError(
                        f'metric "{printable(self.encoder.spec.name)}": out of memory, with a single picture a '
                        "forward pass; free some, or choose another --device or a smaller --dtype "
                        f"({printable(' '.join(str(error).split())[:160])})"
                    ) from error
                self.batch_size = len(batch) // 2
                continue
            start += len(batch)
        return np.concatenate(rows)


def sound(rows: Embeddings) -> npt.NDArray[np.bool_]:
    """Which rows of [N, D] are embeddings: finite numbers, not all of them zero.

    >>> sound(np.array([[0.6, 0.8], [np.nan, 1], [0, 0]], np.float32)).tolist()
    [True, False, False]
    """
    usable: npt.NDArray[np.bool_] = np.logical_and(np.isfinite(rows).all(axis=1), rows.any(axis=1))
    return usable


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


# What a kill -9 may cost at most: this many embeddings or this many seconds of work.
FLUSH_ROWS = 1024
FLUSH_SECONDS = 5.0


class Batches:
    """Gathers one encoder's prepared pictures into batches and embeds them.

    Args:
        spec: what the rows are kept as.
        encoder: embeds.
        batch_size: pictures a forward pass, at most.
        rows: gets the embedding [D] of each digest.
        absent: gets the digests of pictures that have none.
        cache: gets them too, every few seconds; may be None.

    Attributes:
        not_finite: digests of pictures whose embedding is not finite, or zero. They get neither a row nor
            a place in the cache.
    """

    def __init__(
        self,
        spec: EncoderSpec,
        encoder: Encoder,
        batch_size: int,
        rows: Rows,
        absent: set[bytes],
        cache: Cache | None,
    ) -> None:
        self.encoder = encoder
        self._spec = spec
        self.not_finite: list[bytes] = []
        self._forward = Forward(encoder, batch_size)
        self._rows = rows
        self._absent = absent
        self._cache = cache
        self._waiting: list[tuple[bytes, Pixels]] = []
        self._unwritten: list[bytes] = []
        self._unwritten_absent: list[bytes] = []
        self._dimension = cache.dimension(spec) if cache is not None else None
        self._written = time.monotonic()

    def add(self, digest: bytes, pixels: Pixels | None) -> None:
        """Take a prepared picture, and embed when a batch is full; note one that has no embedding (None)."""
        if pixels is None:
            self._absent.add(digest)
            self._unwritten_absent.append(digest)
            self._write_now_and_then()
            return
        self._waiting.append((digest, pixels))
        if len(self._waiting) >= self._forward.batch_size:
            self.embed()

    def embed(self) -> None:
        """Embed what waits.

        Raises:
            ModelError: memory does not hold one picture, or a plug-in fails, or gives embeddings of another length than
                the cache holds.
            OtherLengthError: an encoder that its fingerprint says all of gives those.
        """
        waiting, self._waiting = self._waiting, []
        if waiting:
            rows = self._forward([pixels for _, pixels in waiting])
            if self._dimension not in (None, rows.shape[1]):
                if not self._spec.plugin:
                    raise OtherLengthError(self._spec, rows.shape[1])
                name = printable(self._spec.name)
                raise ModelError(
                    f'metric "{name}": expected embeddings of {self._dimension} numbers, as the cache holds, found '
                    f"{rows.shape[1]}; who changes what comes out changes the plug-in's version, or forgets the old "
                    f"ones: nearid cache clear --metric {name}"
                )
            usable = sound(rows)
            known = [digest for (digest, _), good in zip(waiting, usable, strict=True) if good]
            self._rows.add(known, rows[usable])
            self._unwritten += known
            self.not_finite += [digest for (digest, _), good in zip(waiting, usable, strict=True) if not good]
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
