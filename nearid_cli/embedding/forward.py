"""One encoder at work: batches that fit into memory, and which rows can be used."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from nearid_cli.encoders.libraries import out_of_memory
from nearid_cli.encoders.plugged import class_of
from nearid_cli.errors import ModelError
from nearid_cli.text import count, few, printable

if TYPE_CHECKING:
    import numpy.typing as npt

    from nearid_cli.embedding.ledger import Witness
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


def testify(witness: Witness, encoder: str, digests: Sequence[bytes], rows: Embeddings) -> None:
    """Tell a witness of a batch: the embeddings, and pictures of which an encoder gave what is none.

    Args:
        witness: is told.
        encoder: the name of the metric.
        digests: [N], of the pictures.
        rows: [N, D], what the encoder gave.
    """
    usable = sound(rows)
    witness.took(
        encoder, [digest for digest, good in zip(digests, usable, strict=True) if good], rows[usable]
    )
    if not usable.all():
        witness.doubted(encoder, [digest for digest, good in zip(digests, usable, strict=True) if not good])


class Batches:
    """Gathers one encoder's prepared pictures into batches and embeds them.

    Args:
        name: what the encoder is called.
        encoder: embeds.
        batch_size: pictures a forward pass, at most.
        witness: is told what comes of them.
    """

    def __init__(self, name: str, encoder: Encoder, batch_size: int, witness: Witness) -> None:
        self.encoder = encoder
        self._name = name
        self._forward = Forward(encoder, batch_size)
        self._witness = witness
        self._waiting: list[tuple[bytes, Pixels]] = []

    def add(self, digest: bytes, pixels: Pixels | None) -> None:
        """Take a prepared picture, and embed when a batch is full; note one that has no embedding (None)."""
        if pixels is None:
            self._witness.lacked(self._name, digest)
            return
        self._waiting.append((digest, pixels))
        if len(self._waiting) >= self._forward.batch_size:
            self.embed()

    def embed(self) -> None:
        """Embed what waits.

        Raises:
            ModelError: memory does not hold one picture, or a plug-in fails.
        """
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        rows = self._forward([pixels for _, pixels in waiting])
        testify(self._witness, self._name, [digest for digest, _ in waiting], rows)
