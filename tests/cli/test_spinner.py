"""The line that says what takes so long: on a terminal only, and gone before anything else is printed."""

from __future__ import annotations

import io
import os
import sys
import time
from pathlib import Path

import pytest

from nearid_cli.activity import doing, shown_on
from nearid_cli.cli.spinner import Spinner
from tests.commandline import Nearid


class Terminal(io.StringIO):
    """Collects what is written, and shows what would stand on its last line."""

    def __init__(self, encoding: str) -> None:
        super().__init__()
        self._encoding = encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding

    @property
    def line(self) -> str:
        shown = ""
        for piece in self.getvalue().split("\r"):
            shown = piece + shown[len(piece) :]
        return shown.rstrip()


@pytest.fixture
def terminal() -> Terminal:
    return Terminal("utf-8")


def test_a_step_is_shown_and_taken_back(terminal: Terminal) -> None:
    with shown_on(Spinner(terminal)):
        with doing("importing all the world", at_once=True):
            assert terminal.line == "⠋ importing all the world"
            with doing("loading", at_once=True):
                assert terminal.line == "⠙ loading"
            assert terminal.line == ""
        assert terminal.line == ""
    written = terminal.getvalue()
    with doing("something else", at_once=True):
        assert terminal.getvalue() == written, "nobody looks any more"


def test_it_turns_by_itself(terminal: Terminal) -> None:
    with shown_on(Spinner(terminal)), doing("waiting"):
        assert terminal.getvalue() == "", "a short step is not worth a word"
        for _ in range(2400):
            if terminal.getvalue().count("waiting") > 2:
                break
            time.sleep(0.05)
        assert "⠋ waiting\r⠙ waiting\r⠹ waiting" in terminal.getvalue()


def test_a_line_of_somebody_else_has_the_terminal_to_itself(terminal: Terminal) -> None:
    spinner = Spinner(terminal)
    with shown_on(spinner), doing("loading", at_once=True), spinner.away():
        assert terminal.line == ""


def test_a_progress_bar_has_the_line_to_itself(terminal: Terminal) -> None:
    from tqdm import tqdm

    with shown_on(Spinner(terminal)), tqdm(total=1, file=io.StringIO()), doing("reading", at_once=True):
        assert terminal.getvalue() == ""


def test_terminals_that_know_ascii_only() -> None:
    terminal = Terminal("ascii")
    with shown_on(Spinner(terminal)), doing("loading", at_once=True):
        assert terminal.line == "| loading"


def test_names_cannot_move_the_cursor(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    with shown_on(Spinner(terminal)), doing("a\n\x1b[2J" + 30 * "x", at_once=True):
        assert terminal.line == r"⠋ a\n\x1b[2J" + 7 * "x"


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_in_a_terminal_and_in_a_pipe(nearid: Nearid, data: Path) -> None:
    import pty

    command = ["pair", "refs/cat/0.jpg", "refs/cat/1.jpg", "-m", "nearid-mini"]
    process, terminal = pty.fork()
    if process == 0:  # pragma: no cover - another process
        os.execv(sys.executable, [sys.executable, "-m", "nearid_cli", *command])
    shown = b""
    try:
        while piece := os.read(terminal, 65536):
            shown += piece
    except OSError:  # how Linux says that the other side is closed
        pass
    assert os.waitpid(process, 0)[1] == 0
    text = shown.decode()
    assert "⠋ loading nearid-mini" in text
    last = text[text.rindex(" loading ") :].replace("loading nearid-mini", "")
    assert last.partition("\r")[2].lstrip(" ").startswith("\r"), "taken back before the result"
    piped = nearid(*command)
    assert (piped.code, piped.err) == (0, "")
