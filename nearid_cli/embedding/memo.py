"""The memo: from files to the digests of their bytes, so that a file that has not changed is not read again.

A file is known by its absolute path, size, mtime, ctime, device and inode. All six the same means the same bytes,
where `stamps.py` trusts the file system, and if the clock had ticked since the ctime when the file was read. Other
files are not remembered: they are read each time.

An object of a store is known by its address and tag (see `stamps.py`). These are the same for every machine, and so a
cache under a URL remembers them, too.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence, Set
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nearid_cli.embedding import FILES
from nearid_cli.embedding.columns import digests_of, paths_of, whole
from nearid_cli.embedding.disk import Disk
from nearid_cli.embedding.parts import COMPACT_ABOVE, PartFolder
from nearid_cli.embedding.stamps import FileState, Stamps, read_steadily
from nearid_cli.files import digest_stream
from nearid_cli.text import count

if TYPE_CHECKING:
    import pyarrow as pa

    from nearid_cli.embedding.caution import Caution
    from nearid_cli.embedding.storage import Storage

logger = logging.getLogger(__name__)

_FORMAT = "2"  # of the columns; 1 lay in the folder itself, and knew a file by less
_NUMBERS = ("size", "mtime_ns", "ctime_ns", "device", "inode")


class FileMemo:
    """The memo kept in Parquet parts below `folder`.

    Args:
        folder: of this memo and of those of older versions.
        verify: take nothing for known that this process has not read itself, and correct what turns out wrong.
        disk: the folder around it; None for one by itself.
        shared: the cache under a URL, which remembers the objects of stores: they are the same for every machine. None
            to remember them in `folder`, like files.
    """

    def __init__(
        self,
        folder: Path,
        verify: bool = False,
        disk: Disk | None = None,
        shared: tuple[Storage, Caution] | None = None,
    ) -> None:
        self._disk = disk or Disk(folder.parent)
        self.parts = PartFolder(self._disk, f"{folder.name}/{_FORMAT}", self._disk.caution, FILES)
        self.objects = (
            self.parts if shared is None else PartFolder(shared[0], self.parts.inside, shared[1], FILES)
        )
        self._folder = folder.name
        self._verify = verify
        self._tables: dict[PartFolder, list[pa.Table]] = {}
        self._noted: dict[FileState, bytes] = {}
        self._unwritten: dict[FileState, bytes] = {}
        self._doubted: dict[FileState, bytes] = {}
        self._corrected = 0

    def known(
        self, files: Sequence[FileState], stamps: Stamps, *, doubt: bool = False
    ) -> dict[FileState, bytes]:
        """The digests of those files that have not changed since they were remembered.

        Args:
            files: as they are now.
            stamps: what told so.
            doubt: give none. What is remembered of these files afterwards replaces what was, and is counted where it
                is something else.
        """
        found = self._recorded([file for file in files if stamps.trusted(file)])
        if doubt or self._verify:
            self._doubted |= found
            return {}
        return found

    def _recorded(self, files: Sequence[FileState]) -> dict[FileState, bytes]:
        asked = set(files)
        if not asked:
            return {}
        stored = sum(file.is_object for file in asked)
        folders = dict.fromkeys(
            [*([self.objects] if stored else []), *([self.parts] if stored < len(asked) else [])]
        )
        for folder in folders:
            if folder not in self._tables:
                self._tables[folder] = list(folder.tables())
        inodes = np.sort(np.array([file.inode for file in asked], np.uint64))
        found: dict[FileState, bytes] = {}
        for table in (table for folder in folders for table in self._tables[folder]):
            # By DLPack, because `to_numpy` imports pandas, which takes longer than all the rest of a warm run.
            numbers = [np.from_dlpack(whole(table, name)) for name in _NUMBERS]
            # The inode leaves few candidates without making Python objects of a memo of a million files. Not `isin`,
            # which imports masked arrays.
            nearest = np.searchsorted(inodes, numbers[-1]).clip(max=len(inodes) - 1)
            rows = np.flatnonzero(inodes[nearest] == numbers[-1])
            states = zip(*(column[rows].tolist() for column in numbers), strict=True)
            chosen = rows.tolist()
            columns = paths_of(table, chosen), states, digests_of(table, chosen)
            for path, state, digest in zip(*columns, strict=True):
                file = FileState(path, *state)
                if file in asked:
                    found[file] = digest
        return found | {file: self._noted[file] for file in asked if file in self._noted}

    def places(self, digests: Set[bytes]) -> dict[bytes, Path]:
        """For each digest a file that had it when it was last read, where one is known."""
        found: dict[bytes, Path] = {}
        for table in self.parts.tables():
            here = digests_of(table)
            rows = [row for row, digest in enumerate(here) if digest in digests]
            for row, path in zip(rows, paths_of(table, rows), strict=True):
                if b"\0" in path:
                    continue  # an object of a store, which is no file here
                found[here[row]] = Path(os.fsdecode(path))
        return found

    def remember(self, file: FileState, digest: bytes, stamps: Stamps) -> None:
        """Note a digest, unless the file cannot be told from its next version. Written by `flush`.

        Args:
            file: as it was before it was read, and after.
            digest: of what was read.
            stamps: made before it was read.
        """
        was = self._doubted.pop(file, None)
        if was is None and not (stamps.settled(file) and _fits(file)):
            return
        self._noted[file] = digest
        if was != digest:
            self._unwritten[file] = digest
            self._corrected += was is not None

    def flush(self) -> None:
        """Write what was noted since the last flush."""
        if self._corrected:
            logger.warning(
                "%s changed in a way that size and times do not show; what the cache remembers of such is corrected",
                count(self._corrected, "file"),
            )
            self._corrected = 0
        if self._unwritten:
            new, self._unwritten = self._unwritten, {}
            for folder in dict.fromkeys((self.parts, self.objects)):
                own = {file: digest for file, digest in new.items() if self._place_of(file) is folder}
                if own:
                    folder.write(partial(self._table, own))

    def _place_of(self, file: FileState) -> PartFolder:
        return self.objects if file.is_object else self.parts

    @staticmethod
    def _table(new: Mapping[FileState, bytes]) -> pa.Table:
        import pyarrow as pa

        paths = [file.path for file in new]
        ends = np.cumsum([0, *map(len, paths)], dtype=np.int32)
        columns = {
            "path": (pa.binary(), ends, b"".join(paths)),
            "size": (pa.int64(), np.array([file.size for file in new], np.int64)),
            "mtime_ns": (pa.int64(), np.array([file.mtime_ns for file in new], np.int64)),
            "ctime_ns": (pa.int64(), np.array([file.ctime_ns for file in new], np.int64)),
            "device": (pa.uint64(), np.array([file.device for file in new], np.uint64)),
            "inode": (pa.uint64(), np.array([file.inode for file in new], np.uint64)),
            "digest": (pa.binary(32), b"".join(new.values())),
        }
        # Of buffers, because `pa.array` and `pa.table` import pandas, and a warm run may have a file to note.
        arrays = [
            pa.Array.from_buffers(kind, len(new), [None, *map(pa.py_buffer, buffers)])
            for kind, *buffers in columns.values()
        ]
        return pa.Table.from_arrays(arrays, list(columns))

    def compact(self, above: int = COMPACT_ABOVE) -> None:
        """Merge small parts when they are more than `above`, and delete those of older versions.

        Raises:
            OSError: the disk would not take a merged part. Nothing is lost.
        """
        for part in PartFolder(self._disk, self._folder, self._disk.caution, FILES).listing():
            with suppress(OSError):  # another user's
                self._disk.remove(part)
        for folder in dict.fromkeys((self.parts, self.objects)):
            folder.compact(above)

    def digest_file(self, path: Path) -> str:
        """The hex digest of a file of any size (a checkpoint's weights), from the memo when it has not changed.

        Raises:
            OSError: it cannot be read, or keeps changing.
        """
        stamps = Stamps()
        file = FileState.of(path, stamps.look(path))
        # What this process has read itself is not read again, not even to verify it.
        digest = self._noted.get(file) or self.known([file], stamps).get(file)
        if digest is None:
            file, found = read_steadily(path, digest_stream)
            self.remember(file, found, stamps)
            self.flush()
            return found.hex()
        return digest.hex()


def _fits(file: FileState) -> bool:
    """Whether the times of a file are between the years 1678 and 2262, which the columns hold."""
    return all(abs(when) < 2**63 for when in (file.mtime_ns, file.ctime_ns))
