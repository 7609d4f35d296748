"""A large object of which only those parts are fetched that are asked for, and each of them once.

They lie where they lie in the object, in a file with holes. Spans that are known to be asked for soon are fetched
together where they are next to each other, several such blocks at a time: a store takes as long to begin an answer as
to send a megabyte.
"""

from __future__ import annotations

import os
import tempfile
import threading
import weakref
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from io import FileIO

from nearid_cli.elsewhere import Between
from nearid_cli.mirrors import room
from nearid_cli.remote.ranges import Ranges

_BLOCK = 2**21  # bytes of spans that are fetched together
_AHEAD = 8  # blocks that are fetched at a time
_AT_ONCE = 2**23  # bytes of one request


class Partial(Ranges):
    """An object of which parts are here. Any number of threads may use `have`, one at a time the rest.

    Args:
        fetch: reads it, and raises RemoteError.
        size: in bytes.
    """

    def __init__(self, fetch: Between, size: int) -> None:
        super().__init__(self._read, size)
        self._fetch = fetch
        with room.named():
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - see below
        self._lock = threading.Lock()
        self._here: list[tuple[int, int]] = []  # in order, no two of which touch
        self._spans: set[tuple[int, int]] = set()
        self._blocks: list[tuple[int, int]] = []  # in order
        self._begun: dict[tuple[int, int], Future[None]] = {}
        self._pool = ThreadPoolExecutor(_AHEAD)
        weakref.finalize(self, _end, self._pool, self._file)

    def expect(self, spans: Iterable[tuple[int, int]]) -> None:
        """Say which parts will be asked for, with those that were said before."""
        with self._lock:
            self._spans.update((start, end) for start, end in spans if 0 <= start < end <= self.size)
            blocks: list[tuple[int, int]] = []
            for start, end in sorted(self._spans):
                if blocks and start <= blocks[-1][1] and end - blocks[-1][0] <= _BLOCK:
                    blocks[-1] = blocks[-1][0], max(end, blocks[-1][1])
                else:
                    blocks.append((start, end))
            self._blocks = blocks

    def have(self, start: int, end: int) -> None:
        """See to it that a part is here, and with it what is expected around it and next.

        Raises:
            RemoteError: the store refuses.
            OSError: the disk does not take it.
        """
        start, end = max(0, start), min(end, self.size)
        with self._lock:
            if not self._lacking(start, end):
                return
            number = bisect_right(self._blocks, start, key=lambda block: block[0]) - 1
            block, following = (start, end), list[tuple[int, int]]()
            if number >= 0 and end <= self._blocks[number][1]:
                block, following = self._blocks[number], self._blocks[number + 1 : number + _AHEAD]
            # Large ones are asked for by as many threads, or not at all.
            for one in (block, *(one for one in following if one[1] - one[0] <= _BLOCK)):
                if one not in self._begun:
                    self._begun[one] = self._pool.submit(self._bring, *one)
            begun = self._begun[block]
        try:
            begun.result()
        finally:
            with self._lock:
                if self._begun.get(block) is begun:
                    del self._begun[block]  # it is here, or whoever asks next tries again

    @room.named()
    def _bring(self, start: int, end: int) -> None:
        with self._lock:
            lacking = self._lacking(start, end)
        for first, last in lacking:
            for at in range(first, last, _AT_ONCE):
                content = self._fetch(at, min(at + _AT_ONCE, last))
                left = memoryview(content)
                while left:
                    left = left[os.pwrite(self._file.fileno(), left, at + len(content) - len(left)) :]
                with self._lock:
                    self._add(at, at + len(content))

    def _lacking(self, start: int, end: int) -> list[tuple[int, int]]:
        """What is not here of a part."""
        found = []
        number = bisect_right(self._here, start, key=lambda one: one[0])
        if number:
            start = max(start, self._here[number - 1][1])
        while start < end:
            first, last = self._here[number] if number < len(self._here) else (end, end)
            if start < first:
                found.append((start, min(first, end)))
            start, number = last, number + 1
        return found

    def _add(self, start: int, end: int) -> None:
        first = bisect_left(self._here, start, key=lambda one: one[1])
        last = bisect_right(self._here, end, key=lambda one: one[0])
        touched = [(start, end), *self._here[first:last]]
        self._here[first:last] = [(min(one[0] for one in touched), max(one[1] for one in touched))]

    def _read(self, start: int, end: int) -> bytes:
        self.have(start, end)
        return os.pread(self._file.fileno(), end - start, start)


def _end(pool: ThreadPoolExecutor, file: FileIO) -> None:
    pool.shutdown(wait=False, cancel_futures=True)
    file.close()
