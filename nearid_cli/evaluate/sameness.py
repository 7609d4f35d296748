"""Which pictures are one picture: the same bytes under two names, or saved again in another format or size.

Perceptual hashes, which are cached anyway, propose; thumbnails of the few pictures that are proposed decide. So a
run without such pictures opens none, and one that found some finds them in the cache the next time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from nearid_cli.encoders.descriptors import SAME_LEVELS, greatest_difference
from nearid_cli.evaluate.nearness import BYTES, near

if TYPE_CHECKING:
    import numpy.typing as npt

    from nearid_cli.embedding.rows import Rows

Thing = TypeVar("Thing", bound=Hashable)
Pair = tuple[bytes, bytes]

_BLOCK, _PAIRS = 256, 65_536  # pictures, and pairs of them, at a time


def equal_hashes(digests: Iterable[bytes], hashes: Rows) -> list[Pair]:
    """Pictures with the very same hash: the first of them, by digest, with each of the others.

    It takes time and memory in proportion to the pictures.

    Args:
        digests: of the pictures.
        hashes: perceptual hash of each digest.
    """
    return [(same[0], other) for same in _by_hash(digests, hashes).values() for other in same[1:]]


def near_hashes(digests: Iterable[bytes], hashes: Rows) -> Collection[Pair]:
    """Pictures whose hashes are those of copies, which nearly the same hash or the very same one is.

    Arguments as for `equal_hashes`.
    """
    groups = _by_hash(digests, hashes)
    first = [same[0] for same in groups.values()]
    packed = np.frombuffer(b"".join(groups), np.uint8).reshape(-1, BYTES)
    equal = [(same[0], other) for same in groups.values() for other in same[1:]]
    return _Proposed(equal, first, near(packed))


@dataclass(frozen=True)
class _Proposed(Collection[Pair]):
    """Pairs, of which there may be millions: those of the very same hash, and others by their places among digests."""

    equal: list[Pair]
    digests: list[bytes]
    places: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.equal) + len(self.places)

    def __iter__(self) -> Iterator[Pair]:
        yield from self.equal
        for start in range(0, len(self.places), _PAIRS):
            for one, other in self.places[start : start + _PAIRS].tolist():
                yield self.digests[one], self.digests[other]

    def __contains__(self, pair: object) -> bool:
        return any(pair == own for own in self)


def one_picture(pairs: Collection[Pair], look: Callable[[Sequence[bytes]], Rows]) -> dict[bytes, bytes]:
    """What stands for the pictures that are one: for each of them, the first by digest.

    Args:
        pairs: proposed by their hashes.
        look: finds the thumbnails of digests; one that is missing is of no picture that another one is.

    Returns:
        Nothing for pictures that are like no other.
    """
    if not pairs:
        return {}
    thumbnails = look(sorted({digest for pair in pairs for digest in pair}))
    known = (pair for pair in pairs if pair[0] in thumbnails and pair[1] in thumbnails)
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


def _by_hash(digests: Iterable[bytes], hashes: Rows) -> dict[bytes, list[bytes]]:
    """Digests in order, by their packed hash."""
    as_given = list(dict.fromkeys(digests))  # which is how they lie in a file, if they are many
    packed: dict[bytes, bytes] = {}
    for start in range(0, len(as_given), _BLOCK):
        block = as_given[start : start + _BLOCK]
        bits = np.packbits(hashes.matrix(block)[:] > 0, axis=1)
        packed |= {digest: own.tobytes() for digest, own in zip(block, bits, strict=True)}
    groups: dict[bytes, list[bytes]] = {}
    for digest in sorted(packed):
        groups.setdefault(packed[digest], []).append(digest)
    return groups
