"""Ctrl-C and SIGTERM as a wish to stop after the step at hand."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SAME_SECONDS = 1.0


class StopRequest:
    """A context in which the first Ctrl-C or SIGTERM only sets `came`; a later one acts as it always does.

    A launcher of several processes hands on the Ctrl-C that they got from the terminal already, so what comes
    within a second is still the first.

    Does nothing in other threads, and where a signal is ignored or somebody else's (`nohup`, a notebook).
    """

    def __init__(self) -> None:
        self.came = False
        self._first = 0.0
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                handler = signal.getsignal(number)
                if handler in (signal.default_int_handler, signal.SIG_DFL):
                    self._previous[number] = handler
                    signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._give_back()

    def _note(self, number: int, frame: FrameType | None) -> None:
        if not self.came:
            self.came, self._first = True, time.monotonic()
        elif time.monotonic() - self._first > _SAME_SECONDS:
            self._give_back()
            signal.raise_signal(number)

    def _give_back(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}
