"""Objects that are read where somebody looks, rather than from their start to their end."""

from __future__ import annotations

import io
import os
from typing import Any

from nearid_cli.elsewhere import Between


class Ranges(io.RawIOBase):
    """An object as a file.

    Args:
        between: reads it.
        size: in bytes.
    """

    def __init__(self, between: Between, size: int) -> None:
        self._between, self.size, self._at = between, size, 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As of any file."""
        at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence]
        if at < 0:
            raise ValueError("a place before the start")
        self._at = at
        return self._at

    def tell(self) -> int:
        """As of any file."""
        return self._at

    def readinto(self, buffer: Any) -> int:
        """As of any file: by one call of `between`."""
        end = min(self._at + len(buffer), self.size)
        if end <= self._at:
            return 0
        found = self._between(self._at, end)
        buffer[: len(found)] = found
        self._at += len(found)
        return len(found)
