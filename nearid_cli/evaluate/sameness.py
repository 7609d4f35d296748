"""Which pictures are one picture: the same bytes under two names, or saved again in another format or size.

Perceptual hashes, which are cached anyway, propose; thumbnails of the few pictures that are proposed decide. So a
run without such pictures opens none, and one that found some finds them in the cache the next time.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from nearid_cli.encoders.descriptors import COPY_BITS, COPY_SIMILARITY, SAME_LEVELS, greatest_difference

if TYPE_CHECKING:
    import numpy.typing as npt

    from nearid_cli.embedding.rows import Rows

    Floats = npt.NDArray[np.float32]

Thing = TypeVar("Thing", bound=Hashable)
Pair = tuple[bytes, bytes]

_BLOCK = 256  # pictures at a time


def equal_hashes(digests: Iterable[bytes], hashes: Rows) -> list[Pair]:
    """Pictures with the very same hash: the first of them, by digest, with each of the others.

    It takes time and memory in proportion to the pictures.

    Args:
        digests: of the pictures.
        hashes: perceptual hash of each digest.
    """
    return [(same[0], other) for same in _by_hash(digests, hashes) for other in same[1:]]


def near_hashes(digests: Iterable[bytes], hashes: Rows) -> list[Pair]:
    """Pictures whose hashes are those of copies, which nearly the same hash or the very same one is.

    Arguments as for `equal_hashes`. All pictures are compared whose hashes have nearly as many bits set.
    """
    groups = _by_hash(digests, hashes)
    pairs = [(same[0], other) for same in groups for other in same[1:]]
    if len(groups) > 1:
        first = [same[0] for same in groups]
        pairs += [(first[i], first[j]) for i, j in _near(hashes.matrix(first)[:])]
    return pairs


def one_picture(pairs: Iterable[Pair], look: Callable[[Sequence[bytes]], Rows]) -> dict[bytes, bytes]:
    """What stands for the pictures that are one: for each of them, the first by digest.

    Args:
        pairs: proposed by their hashes.
        look: finds the thumbnails of digests; one that is missing is of no picture that another one is.

    Returns:
        Nothing for pictures that are like no other.
    """
    pairs = list(pairs)
    if not pairs:
        return {}
    thumbnails = look(sorted({digest for pair in pairs for digest in pair}))
    known = [pair for pair in pairs if pair[0] in thumbnails and pair[1] in thumbnails]
    return connected(
        pair for pair in known if greatest_difference(thumbnails[pair[0]], thumbnails[pair[1]]) <= SAME_LEVELS
    )


def connected(pairs: Iterable[tuple[Thing, Thing]]) -> dict[Thing, Thing]:
    """The smallest thing that each thing is connected with, directly or through others, in whatever order they come.

    >>> connected([("b", "c"), ("a", "b"), ("x", "y")])
    {'b': 'a', 'c': 'a', 'a': 'a', 'x': 'x', 'y': 'x'}
    """
    parent: dict[Thing, Thing] = {}

    def root(thing: Thing) -> Thing:
        while (above := parent.setdefault(thing, thing)) != thing:
            parent[thing] = parent[above]
            thing = above
        return thing

    for one, other in pairs:
        low, high = sorted([root(one), root(other)])  # type: ignore[type-var]
        parent[high] = low
    return {thing: root(thing) for thing in list(parent)}


def _by_hash(digests: Iterable[bytes], hashes: Rows) -> list[list[bytes]]:
    """Digests in order, grouped by hash."""
    as_given = list(dict.fromkeys(digests))  # which is how they lie in a file, if they are many
    packed: dict[bytes, bytes] = {}
    for start in range(0, len(as_given), _BLOCK):
        block = as_given[start : start + _BLOCK]
        bits = np.packbits(hashes.matrix(block)[:] > 0, axis=1)
        packed |= {digest: own.tobytes() for digest, own in zip(block, bits, strict=True)}
    groups: dict[bytes, list[bytes]] = {}
    for digest in sorted(packed):
        groups.setdefault(packed[digest], []).append(digest)
    return list(groups.values())


def _near(rows: Floats) -> Iterator[tuple[int, int]]:
    """The places of hashes [N, 767] that are those of copies, each pair once.

    They differ in few bits, so the numbers of their bits that are set differ by no more.
    """
    lit = (rows > 0).sum(axis=1)
    order = np.argsort(lit, kind="stable")
    rows, lit = rows[order], lit[order]
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        stop = int(np.searchsorted(lit, lit[start + len(block) - 1] + COPY_BITS, side="right"))
        close = np.triu(block @ rows[start:stop].T > COPY_SIMILARITY, 1)
        for i, j in zip(*np.nonzero(close), strict=True):
            yield int(order[start + i]), int(order[start + j])
