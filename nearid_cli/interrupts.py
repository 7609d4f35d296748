"""Ctrl-C: noted where it comes, and held back from code that does not survive it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_noted: list[int] = []
_held: list[int] = []


def _note(number: int, frame: FrameType | None) -> None:
    """Python's own handler, which also notes that it was called."""
    _noted.append(number)
    signal.default_int_handler(number, frame)


def raises_interrupt(handler: Any) -> bool:
    """Whether a signal's handler raises KeyboardInterrupt and is nobody else's."""
    return handler in (signal.default_int_handler, _note)


def _may_change() -> bool:
    """Whether Ctrl-C raises KeyboardInterrupt here: not in other threads, under `nohup`, with a host's handler."""
    in_main = threading.current_thread() is threading.main_thread()
    return in_main and raises_interrupt(signal.getsignal(signal.SIGINT))


@contextmanager
def interrupts_noted() -> Iterator[list[int]]:
    """Note each Ctrl-C that comes inside, beside the KeyboardInterrupt that it raises.

    Compiled code that one hits may forget it and raise an error of its own: NumPy says that arrays cannot be compared.
    """
    if not _may_change():
        yield []
        return
    _noted.clear()
    signal.signal(signal.SIGINT, _note)
    try:
        yield _noted
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Raise a KeyboardInterrupt that comes inside only at the end.

    For the import of torch, whose C++ part ends the whole process when an interrupt hits it there, and for the start
    of a process, which must be told all that it needs. Does nothing where Ctrl-C does not raise KeyboardInterrupt
    anyhow: in other threads, under `nohup`, with a host's handler.
    """
    if not _may_change():
        yield
        return
    came: list[int] = []

    def hold(number: int, frame: FrameType | None) -> None:
        came.append(number)
        _held.append(number)

    before = signal.signal(signal.SIGINT, hold)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        _held.clear()
    if came:
        raise KeyboardInterrupt


def interrupt_waits() -> bool:
    """Whether a KeyboardInterrupt is held back now, so that other threads had better leave the cores alone."""
    return bool(_held)
