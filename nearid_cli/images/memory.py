"""One budget of memory for decoding pictures, which all threads share.

A thread takes what its picture needs before it unpacks it, and waits until so much is left. Pictures of ordinary size
never wait; large ones are decoded one after the other instead of all at once.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from nearid_cli.errors import MachineError
from nearid_cli.images.free import free_memory
from nearid_cli.images.reading import UnreadableImage
from nearid_cli.text import file_size

_SHARE = 4
"""The default budget is one of so many parts of what is free, which leaves room for models and results."""

_LEAST = 256 * 2**20
"""Bytes: the default budget is no smaller, so that pictures of 16 Mpx are read on any machine."""


_WORTH_TRIMMING = 64 * 2**20


def _trim() -> None:
    """Give freed memory back to the system: glibc keeps, for each thread, what its largest picture took."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # which other C libraries lack
        if trim is not None:
            trim(0)


class ShortBudgetError(MachineError, MemoryError):
    """This machine has too little memory for a picture, which is no finding about the picture."""


@dataclass(eq=False)
class _Request:
    """A thread that waits for so many bytes, whether it holds some already, and whether to wait no longer."""

    cost: int
    holds: bool
    thread: int
    given_up: bool = False


class _Mine(threading.local):
    """What this thread holds, and how many `kept` it is inside."""

    held = 0
    kept = 0


class Budget:
    """So many bytes, of which threads take what they need and give it back.

    They get it in the order in which they ask, so that a large request is not overtaken for ever by small ones.
    A thread that holds some and asks for more (for the mask beside a picture) comes before those that hold none.
    Where all that hold some wait for more, nobody could go on; then the first of them does, whatever is left, until it
    is done. So what is in use is never more than twice the budget, and no more than it where no thread asks twice.

    Args:
        size: bytes; None for a quarter of the memory that is free when it is first asked for, or where that does not
            do, when it is asked for again.

    Attributes:
        given: the bytes that were named, if any were.
        processes: among how many a quarter of the free memory is shared.
    """

    def __init__(self, size: int | None = None) -> None:
        self.given = size
        self.processes = 1
        self._found = 0
        self._used = 0
        self._holders = 0
        self._favoured: int | None = None  # the thread that may go beyond the budget
        self._waiting: list[_Request] = []
        self._changed = threading.Condition(threading.Lock())
        self._mine = _Mine()

    @property
    def size(self) -> int:
        """Bytes."""
        if self.given is not None:
            return self.given
        return self._found or self._look()

    @size.setter
    def size(self, size: int | None) -> None:
        with self._changed:
            self.given = size
            self._changed.notify_all()

    def _look(self) -> int:
        """The size by what is free now, if that is more than before."""
        self._found = max(_LEAST, self._found, free_memory() // (_SHARE * self.processes))
        return self._found

    @contextmanager
    def taken(self, cost: int) -> Iterator[None]:
        """Hold so many bytes inside, and on to the end of the innermost `kept` of this thread; waits for them first.

        Raises:
            UnreadableImage: with what this thread holds already, they are more than the whole budget.
            InterruptedError: `give_up` was called while it waited.
            ShortBudgetError: so they are, of a budget that nobody named: another machine would have them.
        """
        mine = self._mine
        before = mine.held
        try:
            self._take(cost, mine)
            yield
        finally:
            if not mine.kept:
                self._give(before, mine)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep to the end what this thread takes inside: for work on pictures after they are decoded."""
        mine = self._mine
        before = mine.held
        mine.kept += 1
        try:
            yield
        finally:
            mine.kept -= 1
            self._give(before, mine)

    def give_up(self) -> None:
        """Let those that wait now wait no longer: they get an InterruptedError in place of memory.

        For who ends a run: what they would decode, one after the other, nobody wants any more.
        """
        with self._changed:
            for one in self._waiting:
                one.given_up = True
            self._changed.notify_all()

    def _take(self, cost: int, mine: _Mine) -> None:
        needed = mine.held + cost
        if needed > self.size:
            self._check(needed)
        with self._changed:
            if self._waiting or self._used + cost > self.size:
                self._wait(_Request(cost, mine.held > 0, threading.get_ident()))
            self._used += cost
            self._holders += mine.held == 0 < cost
            mine.held += cost

    def _check(self, needed: int) -> None:
        """Raise where one thread alone needs more than all."""
        if self.given is None and needed > self._look():
            raise ShortBudgetError(
                f"decoding takes {file_size(needed)} of memory, and a quarter of what is free here is "
                f"{file_size(self.size)}; allow more with --memory"
            )
        if needed > self.size:
            raise UnreadableImage(
                f"takes {file_size(needed)} of memory to decode, over the limit of {file_size(self.size)}; "
                "raise it with --memory"
            )

    def _wait(self, request: _Request) -> None:
        self._waiting.append(request)
        self._changed.notify_all()  # with this one, all that hold some may wait
        try:
            while not self._may_go(request):
                self._changed.wait()
                if request.given_up:
                    raise InterruptedError(errno.EINTR, "nobody waits for this picture any more")
        finally:
            self._waiting.remove(request)
            self._changed.notify_all()

    def _may_go(self, request: _Request) -> bool:
        holding = [one for one in self._waiting if one.holds]
        if request is (holding or self._waiting)[0] and self._used + request.cost <= self.size:
            return True
        if len(holding) < self._holders:
            return False
        if not holding:  # the budget became smaller than what this one waits for
            return request is self._waiting[0]
        # Always the same one until it is done, or several would come to be beyond the budget.
        if self._favoured not in [one.thread for one in holding]:
            self._favoured = holding[0].thread
        return request.thread == self._favoured

    def _give(self, before: int, mine: _Mine) -> None:
        """Give back what this thread holds beyond so much."""
        if mine.held - before >= _WORTH_TRIMMING:
            _trim()
        with self._changed:
            self._used -= mine.held - before
            self._holders -= before == 0 < mine.held
            mine.held = before
            if before == 0 and self._favoured == threading.get_ident():
                self._favoured = None
            if self._waiting:
                self._changed.notify_all()


BUDGET = Budget()
"""The one of this process."""

if hasattr(os, "register_at_fork"):
    # A child has none of its parent's threads, one of which may have been changing the budget.
    os.register_at_fork(after_in_child=lambda: BUDGET.__init__(BUDGET.given))  # type: ignore[misc]
