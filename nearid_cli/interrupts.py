"""Holding Ctrl-C back from code that does not survive it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Raise a KeyboardInterrupt that comes inside only at the end.

    For the import of torch, whose C++ part ends the whole process when an interrupt hits it there, and for the start
    of a process, which must be told all that it needs. Does nothing where Ctrl-C does not raise KeyboardInterrupt
    anyhow: in other threads, under `nohup`, with a host's handler.
    """
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield
        return
    came: list[int] = []
    signal.signal(signal.SIGINT, lambda number, frame: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if came:
        raise KeyboardInterrupt
