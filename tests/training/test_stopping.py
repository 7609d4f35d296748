from __future__ import annotations

import signal
import threading

import pytest

from nearid_cli.training import loop
from nearid_cli.training.loop import stop_requests


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_is_a_wish(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with stop_requests() as stop:
        assert not stop.is_set()
        signal.raise_signal(number)
        assert stop.is_set()
        signal.raise_signal(number)  # the launcher hands on what the terminal sent
    assert signal.getsignal(number) is before


def test_a_later_one_is_an_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "_SAME_SECONDS", -1.0)
    with stop_requests() as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.is_set()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_a_host_keeps_its_handler() -> None:
    seen: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: seen.append(number))
    try:
        with stop_requests() as stop:
            signal.raise_signal(signal.SIGINT)
        assert (stop.is_set(), seen) == (False, [signal.SIGINT])
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_are_left_alone() -> None:
    problems: list[Exception] = []

    def enter() -> None:
        try:
            with stop_requests():
                pass
        except ValueError as error:  # what Python says to a handler set outside of the main thread
            problems.append(error)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert problems == []
