"""Which perceptual hashes are nearly the same, of very many: all pairs, without a look at each pair.

Of two hashes that differ in 28 bits at most, one in 29 parts is the same. So only those are compared that have a part
in common. A part has bits from all over the hash, since neighbours say much the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from nearid_cli.encoders.descriptors import BITS, COPY_BITS, COPY_SIMILARITY
from nearid_cli.metrics.arguments import distinct

if TYPE_CHECKING:
    import numpy.typing as npt

    Packed = npt.NDArray[np.uint8]
    Places = npt.NDArray[np.intp]
    PlacePairs = npt.NDArray[np.int32]

_PARTS = COPY_BITS + 1
_PART_BITS = -(-BITS // _PARTS)
_BLOCK = 1024  # hashes at a time
_COSTS = 8  # a pair with a part in common, in pairs of a product of matrices
BYTES = 96
"""Of a packed hash."""


def near(packed: Packed) -> PlacePairs:
    """The places [P, 2] of hashes that are those of copies, each pair once.

    There may be very many: of the frames of a film all pairs.

    Args:
        packed: hashes [N, 96], by `np.packbits`.
    """
    parts = _parts(packed)
    if _COSTS * sum(map(_number_alike, parts)) < len(packed) ** 2:
        return _near_by_parts(packed, parts)
    return _near_of_all(packed)


def _parts(packed: Packed) -> npt.NDArray[np.uint32]:
    """The parts [29, N] of hashes."""
    parts = np.zeros((_PARTS, len(packed)), np.uint32)
    for start in range(0, len(packed), _BLOCK):
        bits = np.zeros((len(packed[start : start + _BLOCK]), _PART_BITS * _PARTS), np.uint8)
        bits[:, :BITS] = np.unpackbits(packed[start : start + _BLOCK], axis=1, count=BITS)
        by_part = np.packbits(bits.reshape(-1, _PART_BITS, _PARTS).transpose(2, 0, 1), axis=2)
        parts[:, start : start + _BLOCK] = np.ascontiguousarray(by_part).view(np.uint32)[..., 0]
    return parts


def _number_alike(part: npt.NDArray[np.uint32]) -> int:
    """How many pairs have the same."""
    counts = np.unique(part, return_counts=True)[1]
    return int((counts * (counts - 1) // 2).sum())


def _near_by_parts(packed: Packed, parts: npt.NDArray[np.uint32]) -> PlacePairs:
    words = packed.view(np.uint64)
    found = [np.empty(0, np.int64)]
    for part in parts:
        for one, other in _alike(part):
            close = np.bitwise_count(words[one] ^ words[other]).sum(axis=1) <= COPY_BITS
            low, high = np.minimum(one, other)[close], np.maximum(one, other)[close]
            found.append(low * len(packed) + high)
    pairs = distinct(np.concatenate(found))
    return np.stack(np.divmod(pairs, max(1, len(packed))), axis=1).astype(np.int32)


def _alike(part: npt.NDArray[np.uint32]) -> Iterator[tuple[Places, Places]]:
    """The places of all pairs that have the same."""
    order = np.argsort(part)
    own = part[order]
    first = np.arange(len(own))
    for step in range(1, len(own)):
        first = first[first + step < len(own)]
        first = first[own[first] == own[first + step]]
        if not len(first):
            return
        yield order[first], order[first + step]


def _near_of_all(packed: Packed) -> PlacePairs:
    """They differ in few bits, so the numbers of their bits that are set differ by no more."""
    lit = np.bitwise_count(packed).sum(axis=1, dtype=np.int64)
    order = np.argsort(lit, kind="stable").astype(np.int32)
    packed, lit = packed[order], lit[order]
    found = [np.empty((0, 2), np.int32)]
    for start in range(0, len(packed), _BLOCK):
        block = _signed(packed[start : start + _BLOCK])
        stop = int(np.searchsorted(lit, lit[start + len(block) - 1] + COPY_BITS, side="right"))
        for beside in range(start, stop, _BLOCK):
            close = block @ _signed(packed[beside : min(beside + _BLOCK, stop)]).T > COPY_SIMILARITY
            one, other = np.nonzero(np.triu(close, 1) if beside == start else close)
            found.append(np.stack([order[start + one], order[beside + other]], axis=1))
    return np.concatenate(found)


def _signed(packed: Packed) -> npt.NDArray[np.float32]:
    bits = np.unpackbits(packed, axis=1, count=BITS).astype(np.float32)
    return (bits - np.float32(0.5)) * np.float32(2 / np.sqrt(BITS))
