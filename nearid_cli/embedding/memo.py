"""The memo: from files to the digests of their bytes, so that a file that has not changed is not read again.

A file is known by its absolute path, size, modification time and inode. All four the same
means the same bytes, with one exception that the memo guards against: a file changed twice
within the resolution of its file system's clock keeps its time. So a file that was modified
less than `SETTLED_SECONDS` before it was read is not remembered.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nearid_cli.embedding.parts import PartFolder
from nearid_cli.files import digest_file

if TYPE_CHECKING:
    import pyarrow as pa

SETTLED_SECONDS = 2.0  # FAT keeps times to two seconds; no file system in use is coarser


class FileState(NamedTuple):
    """What the memo knows a file by."""

    path: bytes
    size: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, path: str | os.PathLike[str], status: os.stat_result) -> FileState:
        """The state of `path` as `os.stat` or `os.fstat` saw it."""
        return cls(
            os.fsencode(os.path.abspath(path)),  # noqa: PTH100 - abspath is textual; resolve() would touch the disk
            status.st_size,
            status.st_mtime_ns,
            status.st_ino,
        )


class FileMemo:
    """The memo kept in the Parquet parts of `folder`."""

    def __init__(self, folder: Path) -> None:
        self.parts = PartFolder(folder, cache=folder.parent)
        self._tables: list[pa.Table] | None = None
        self._noted: dict[FileState, bytes] = {}
        self._unwritten: dict[FileState, bytes] = {}

    def known(self, files: Sequence[FileState]) -> dict[FileState, bytes]:
        """The digests of those files that have not changed since they were remembered."""
        if self._tables is None:
            self._tables = list(self.parts.tables())
        asked = set(files)
        inodes = np.array([file.inode for file in asked], np.uint64)
        found = {file: self._noted[file] for file in files if file in self._noted}
        for table in self._tables:
            columns = {name: table.column(name).combine_chunks() for name in table.column_names}
            # By DLPack, because `to_numpy` imports pandas, which takes longer than all the rest of a warm run.
            numbers = [np.from_dlpack(columns[name]) for name in ("size", "mtime_ns", "inode")]
            # The inode leaves few candidates without making Python objects of a memo of a million files.
            rows = np.flatnonzero(np.isin(numbers[-1], inodes))
            states = zip(*(column[rows].tolist() for column in numbers), strict=True)
            for row, state in zip(rows.tolist(), states, strict=True):
                file = FileState(columns["path"][row].as_py(), *state)
                if file in asked:
                    found[file] = columns["digest"][row].as_py()
        return found

    def remember(self, file: FileState, digest: bytes) -> None:
        """Note a digest, unless the file is too young to be told from its next version. Written by `flush`."""
        if time.time() - file.mtime_ns / 1e9 > SETTLED_SECONDS:
            self._noted[file] = self._unwritten[file] = digest

    def flush(self) -> None:
        """Write what was noted since the last flush."""
        import pyarrow as pa

        if not self._unwritten:
            return
        new, self._unwritten = self._unwritten, {}
        paths = [file.path for file in new]
        ends = np.cumsum([0, *map(len, paths)], dtype=np.int32)
        columns = {
            "path": (pa.binary(), ends, b"".join(paths)),
            "size": (pa.int64(), np.array([file.size for file in new], np.int64)),
            "mtime_ns": (pa.int64(), np.array([file.mtime_ns for file in new], np.int64)),
            "inode": (pa.uint64(), np.array([file.inode for file in new], np.uint64)),
            "digest": (pa.binary(32), b"".join(new.values())),
        }
        # Of buffers, because `pa.array` and `pa.table` import pandas, and a warm run may have a file to note.
        arrays = [
            pa.Array.from_buffers(kind, len(new), [None, *map(pa.py_buffer, buffers)])
            for kind, *buffers in columns.values()
        ]
        self.parts.write(pa.Table.from_arrays(arrays, list(columns)))

    def digest_file(self, path: Path) -> str:
        """The hex digest of a file of any size (a checkpoint's weights), from the memo when it has not changed."""
        file = FileState.of(path, path.stat())
        known = self.known([file]).get(file)
        if known is None:
            known = bytes.fromhex(digest_file(path))
            self.remember(file, known)
            self.flush()
        return known.hex()
