"""A line at the end of a terminal that says what takes so long, and is gone before anything else is printed."""

from __future__ import annotations

import itertools
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from nearid_cli.text import printable

_DELAY = 0.3  # seconds that a step may take without a word
_TICK = 0.1
_TURNS, _PLAIN_TURNS = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "|/-\\"


class Spinner:
    """Shows the innermost step that is being done, once it has taken a while; a thread turns it.

    Progress bars have the line to themselves.

    Args:
        stream: a terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._steps: list[tuple[str, float]] = []  # each with when it is to be shown
        self._drawn = 0  # columns that are to be cleared
        self._thread: threading.Thread | None = None
        self._turns = itertools.cycle(_TURNS if _takes(stream, _TURNS) else _PLAIN_TURNS)

    def begin(self, what: str, at_once: bool) -> None:
        """A step begins."""
        with self._lock:
            self._erase()
            self._steps.append((what, time.monotonic() + (0 if at_once else _DELAY)))
            if at_once:
                self._draw()
        if self._thread is None:
            self._thread = threading.Thread(target=self._turn, name="spinner", daemon=True)
            self._thread.start()

    def end(self) -> None:
        """The step that began last has ended."""
        with self._lock:
            self._erase()
            self._steps.pop()

    @contextmanager
    def away(self) -> Iterator[None]:
        """Make room for a line of somebody else."""
        with self._lock:
            self._erase()
            yield

    def _turn(self) -> None:
        while True:
            time.sleep(_TICK)
            with self._lock:
                if self._steps and time.monotonic() >= self._steps[-1][1]:
                    self._draw()

    def _draw(self) -> None:
        if _bar_is_shown():
            self._drawn = 0
            return
        room = shutil.get_terminal_size().columns - 1
        line = f"{next(self._turns)} {printable(self._steps[-1][0])}"[:room]
        self._write("\r" + line + " " * (self._drawn - len(line)))
        self._drawn = len(line)

    def _erase(self) -> None:
        if self._drawn:
            self._write("\r" + " " * self._drawn + "\r")
            self._drawn = 0

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:  # the terminal is gone; the job goes on
            self._drawn = 0


def _takes(stream: TextIO, text: str) -> bool:
    try:
        text.encode(stream.encoding)
    except UnicodeEncodeError:
        return False
    return True


def _bar_is_shown() -> bool:
    """Whether one of tqdm's bars is on the terminal."""
    tqdm: Any = getattr(sys.modules.get("tqdm"), "tqdm", None)
    return any(not bar.disable for bar in [*getattr(tqdm, "_instances", ())])
