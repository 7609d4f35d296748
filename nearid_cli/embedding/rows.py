"""The embeddings of a run: in memory while they are few, and beyond that in a file without a name.

100,000 pictures of 2,500 numbers are a gigabyte, of which a run looks at a few hundred at a time. So what is many is
kept on the disk, beside the cache, and read again in blocks. The file has no name from the moment it is made: it ends
with the process, however that ends.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

logger = logging.getLogger(__name__)

IN_MEMORY = 64 * 2**20
"""So many bytes of one encoder's embeddings are held in memory; more are kept in a file."""

_AT_ONCE = 512  # rows in memory at a time where all are asked for


class Rows(Mapping[bytes, "Floats"]):
    """The embedding [D] of each digest by one encoder.

    Args:
        most: how many there will be at most.
        folder: where a file may be made; None for where temporary files are. One that cannot be written costs memory.
    """

    def __init__(self, most: int, folder: Path | None = None) -> None:
        self._most = most
        self._folder = folder
        self._places: dict[bytes, int] = {}
        self._store: _InMemory | _OnDisk | None = None

    @classmethod
    def of(cls, vectors: Mapping[bytes, Floats]) -> Rows:
        """Those that a program holds already."""
        made = cls(len(vectors))
        if vectors:
            made.add(list(vectors), np.stack(list(vectors.values())))
        return made

    def add(self, digests: Sequence[bytes], rows: Floats) -> None:
        """Take the embeddings [N, D] of some digests; one that is there already is replaced."""
        if not len(digests):
            return
        if not self._places and len(set(digests)) == len(digests) == self._most and rows.nbytes <= IN_MEMORY:
            # All that there will be, as they are.
            self._places = dict(zip(digests, range(self._most), strict=True))
            self._store = _InMemory(rows)
            return
        if self._store is None:
            self._store = _store(self._most, rows.shape[1], self._folder)
        start = len(self._places)
        places = np.array([self._places.setdefault(digest, len(self._places)) for digest in digests])
        try:
            self._store.put(places, rows)
        except OSError as error:
            logger.debug("embeddings are held in memory: no room in a file for them (%s)", error)
            self._store = self._store.whole(self._most, start)
            self._store.put(places, rows)

    def matrix(self, digests: Iterable[bytes]) -> Matrix:
        """The embeddings of some digests, which all must be here."""
        return Matrix(self, np.array(list(map(self._places.__getitem__, digests)), np.intp))

    def at(self, places: npt.NDArray[np.intp]) -> Floats:
        """The embeddings [N, D] at places among all."""
        return np.empty((0, 0), np.float32) if self._store is None else self._store.take(places)

    @property
    def dimension(self) -> int:
        """D; 0 where there is none."""
        return 0 if self._store is None else self._store.dimension

    def __getitem__(self, digest: bytes) -> Floats:
        """One embedding.

        Raises:
            KeyError: there is none.
        """
        row: Floats = self.at(np.array([self._places[digest]]))[0]
        return row

    def __contains__(self, digest: object) -> bool:
        return digest in self._places

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


class Matrix:
    """Embeddings [N, D] that are read when rows are asked for: `matrix[10:20]`, or by an array of places.

    Args:
        rows: has them.
        places: of each among these.
    """

    dtype = np.dtype(np.float32)
    ndim = 2

    def __init__(self, rows: Rows, places: npt.NDArray[np.intp]) -> None:
        self._rows = rows
        self._places = places
        self.shape = len(places), rows.dimension if len(places) else 0

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, chosen: Any) -> Floats:
        """The rows of a slice, or of an array of places or of truth values."""
        return self._rows.at(self._places[chosen])

    def blocks(self) -> Iterator[Floats]:
        """All of them, some hundred at a time."""
        for start in range(0, len(self), _AT_ONCE):
            yield self[start : start + _AT_ONCE]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """All of them in memory."""
        return self[:].astype(dtype or self.dtype, copy=False)


def _store(most: int, dimension: int, folder: Path | None) -> _InMemory | _OnDisk:
    if most * dimension * 4 > IN_MEMORY:
        try:
            return _OnDisk(dimension, folder)
        except OSError as error:
            logger.debug("embeddings are held in memory: no file for them (%s)", error)
    return _InMemory(np.empty((most, dimension), np.float32))


class _InMemory:
    """Embeddings in one array, which may be a part of the cache as it was read."""

    def __init__(self, array: Floats) -> None:
        self.dimension = array.shape[1]
        self._array = array

    def put(self, places: npt.NDArray[np.intp], rows: Floats) -> None:
        if not self._array.flags.writeable:
            self._array = self._array.copy()
        self._array[places] = rows

    def take(self, places: npt.NDArray[np.intp]) -> Floats:
        found: Floats = self._array[places]
        return found

    def whole(self, most: int, number: int) -> _InMemory:
        """Itself: it is in memory."""
        return self


class _OnDisk:
    """Embeddings in a file without a name.

    Raises:
        OSError: there can be none.
    """

    def __init__(self, dimension: int, folder: Path | None) -> None:
        self.dimension = dimension
        from tempfile import TemporaryFile

        where = folder if folder and folder.is_dir() else None
        self._file = TemporaryFile(dir=where, buffering=0)  # noqa: SIM115 - see below
        weakref.finalize(self, self._file.close)

    def put(self, places: npt.NDArray[np.intp], rows: Floats) -> None:
        """Write rows.

        Raises:
            OSError: the disk is full.
        """
        content = np.ascontiguousarray(rows, np.float32)
        for first, stop in _runs(places):
            left = content[first:stop].data.cast("B")
            self._file.seek(int(places[first]) * self.dimension * 4)
            while left:
                left = left[self._file.write(left) :]

    def take(self, places: npt.NDArray[np.intp]) -> Floats:
        """Read rows.

        Raises:
            OSError: the disk fails.
        """
        found = np.empty((len(places), self.dimension), np.float32)
        for first, stop in _runs(places):
            left = found[first:stop].data.cast("B")
            self._file.seek(int(places[first]) * self.dimension * 4)
            while left:
                read = self._file.readinto(left)
                if not read:
                    raise OSError(f"the file of embeddings ends at {self._file.tell():,} bytes")
                left = left[read:]
        return found

    def whole(self, most: int, number: int) -> _InMemory:
        """The first so many in memory."""
        held = _InMemory(np.empty((most, self.dimension), np.float32))
        for start in range(0, number, _AT_ONCE):
            places = np.arange(start, min(start + _AT_ONCE, number))
            held.put(places, self.take(places))
        return held


def _runs(places: npt.NDArray[np.intp]) -> Iterator[tuple[int, int]]:
    """Where places that follow each other begin and end, since they are read at once.

    >>> list(_runs(np.array([4, 5, 6, 2, 3, 9])))
    [(0, 3), (3, 5), (5, 6)]
    """
    if len(places):
        breaks = np.flatnonzero(np.diff(places) != 1) + 1
        yield from zip([0, *breaks.tolist()], [*breaks.tolist(), len(places)], strict=True)
