"""The file of all answers: a line of JSON each, as it comes."""

from __future__ import annotations

import json
import os
import threading
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nearid_cli.errors import InputError
from nearid_cli.opening import expanded, open_regular
from nearid_cli.text import printable


class AnswerLog:
    """Adds lines to a file. Several threads may, and several processes.

    Args:
        path: made with its folders if it is not there, added to if it is.

    Raises:
        InputError: it cannot be written.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = expanded(path)
        if self._path.exists() and not (self._path.is_file() or self._path.is_dir()):
            # Opening a pipe would wait for a reader. Of a folder the system says what it is.
            raise InputError(
                f"--judge-log {printable(self._path)}: cannot be written: it is not a regular file"
            )
        self._lock = threading.Lock()
        self._write(b"" if self._ends_with_a_line() else b"\n")

    def add(self, **entry: Any) -> None:
        """Add a line with the time and these values.

        Raises:
            InputError: the disk would not take it.
        """
        line = json.dumps(
            {"time": datetime.now(UTC).isoformat(timespec="seconds"), **entry}, ensure_ascii=False
        )
        # Half a character of a pair, which no file can hold, becomes an escape of JSON.
        self._write(line.encode("utf-8", "backslashreplace") + b"\n")

    def _ends_with_a_line(self) -> bool:
        """Whether the file's last line is whole, and not half of one of a process that was killed."""
        with suppress(OSError), open_regular(self._path) as file:  # writing says what is wrong with it
            if file.seek(0, os.SEEK_END):
                file.seek(-1, os.SEEK_END)
                return file.read(1) == b"\n"
        return True

    def _write(self, content: bytes) -> None:
        try:
            with self._lock:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                # Each line at once, so that those of processes do not mix, unless a full disk takes only half of it.
                with self._path.open("ab", buffering=0) as file:
                    while content:
                        content = content[file.write(content) :]
        except OSError as error:
            raise InputError(
                f"--judge-log {printable(self._path)}: cannot be written: {error.strerror or error}"
            ) from error
