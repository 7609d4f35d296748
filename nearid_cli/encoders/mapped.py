"""A file in memory without a copy of it: mapped, and what was read of it given back to the system."""

from __future__ import annotations

import ctypes
import errno
import mmap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nearid_cli.opening import open_regular

if TYPE_CHECKING:
    import numpy.typing as npt

_SECONDS = 0.005  # in which cores that pack weights read some 10 MB; after 0.05 they were done


class MappedFile:
    """A file's bytes, which must not be written to while this is there.

    Args:
        path: the file.

    Attributes:
        bytes: uint8, as long as this object is there. The array says that it may be written to, for who takes no other;
            a write would end the process, because the system does not allow it.

    Raises:
        OSError: it cannot be read, or is empty.
    """

    def __init__(self, path: Path) -> None:
        with open_regular(path) as file:
            try:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except ValueError as error:
                raise OSError(errno.EINVAL, "the file is empty", str(path)) from error
        held = np.frombuffer(self._map, np.uint8)
        kind: Any = ctypes.c_uint8 * len(held)
        self.bytes: npt.NDArray[np.uint8] = np.ctypeslib.as_array(kind.from_address(held.ctypes.data))

    @contextmanager
    def read_once(self) -> Iterator[None]:
        """Inside, what was read is given back every so often, so that who makes a copy does not hold both.

        Whatever is read again comes from the file again.
        """
        if not hasattr(mmap, "MADV_DONTNEED"):
            yield
            return
        ended = threading.Event()

        def give_back() -> None:
            while not ended.wait(_SECONDS):
                self._map.madvise(mmap.MADV_DONTNEED)

        thread = threading.Thread(target=give_back, name="give back", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            self._map.madvise(mmap.MADV_DONTNEED)
