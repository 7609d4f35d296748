"""A folder of immutable Parquet parts: the storage that the cache and the file memo share.

A part is written aside under a temporary name, flushed to the disk and renamed to the BLAKE3
digest of its own bytes. So a part is there whole or not at all, its name is its checksum, two
processes never write the same name with different bytes, and nobody ever edits a part.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
from collections.abc import Iterator, Set
from pathlib import Path
from typing import TYPE_CHECKING

import blake3

from nearid_cli.files import sweep_leftovers, write_whole
from nearid_cli.text import printable

if TYPE_CHECKING:
    import pyarrow as pa

logger = logging.getLogger(__name__)

SUFFIX = ".parquet"
# Parts grow by merging up to this size: large enough that few remain, small enough that
# reading one whole, to check it, is cheap in time and memory.
FULL_BYTES = 64 * 2**20
COMPACT_ABOVE = 16
# Smaller parts are read whole at once: looking into them first would cost more than it saves.
PEEK_ABOVE = 2**20

_UNWRITABLE = {errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT}


class DamagedPartError(Exception):
    """A part's bytes do not match its name, or are not Parquet."""


def read_part(path: Path) -> pa.Table:
    """Read one part whole and check it.

    Raises:
        DamagedPartError: the content differs from the checksum in the name, or does not parse.
        FileNotFoundError: another process merged the part away in the meantime.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    content = path.read_bytes()
    if blake3.blake3(content).hexdigest() != path.stem:
        raise DamagedPartError(f"{path}: the content does not match the checksum in its name")
    try:
        # Not `read_table`: it imports pyarrow.dataset, and with it pandas, which takes a third of a second.
        # In this thread: one of Arrow's may still hold `content` when Python ends, and aborts the process then.
        return pq.ParquetFile(pa.BufferReader(content)).read(use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise DamagedPartError(f"{path}: not a Parquet file ({error})") from error


def _may_hold(path: Path, keys: Set[bytes]) -> bool:
    """Whether a part is worth reading: one that is small, or damaged, or whose first column has any of the keys.

    Raises:
        FileNotFoundError: another process merged the part away.
    """
    import pyarrow.parquet as pq

    if path.stat().st_size < PEEK_ABOVE:
        return True
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            found = file.read([file.schema_arrow.names[0]], use_threads=False).column(0).to_pylist()
            return len(found) != file.metadata.num_rows or not keys.isdisjoint(found)
    except FileNotFoundError:
        raise
    except Exception:  # parsing unchecked bytes raises nearly anything; reading the part whole tells why
        return True


def warn_unwritable(cache: Path, error: OSError) -> None:
    """Say that a disk that is full or read-only costs the next run time, and this one nothing."""
    logger.warning(
        "the cache %s cannot be written (%s): these results are right, and what is not kept will be computed "
        "again next time; choose another cache with --cache DIR",
        printable(cache),
        (error.strerror or str(error)).lower(),
    )


class PartFolder:
    """The parts in one folder. Safe for several processes at once without locks.

    Args:
        folder: need not exist yet.
        cache: the cache that it belongs to, for messages.
    """

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder = folder
        self.cache = cache

    def paths(self) -> list[Path]:
        """The parts that are there now, oldest first."""
        while True:
            try:
                with os.scandir(self.folder) as entries:
                    found = [
                        (entry.stat().st_mtime_ns, entry.name)
                        for entry in entries
                        if entry.name.endswith(SUFFIX)
                    ]
                return [self.folder / name for _, name in sorted(found)]
            except FileNotFoundError:
                if not self.folder.exists():
                    return []
                # A part was merged away between its listing and its stat: list what took its place.

    def sizes(self) -> dict[Path, int]:
        """The parts that are there now, oldest first, with their bytes."""
        sizes: dict[Path, int] = {}
        for path in self.paths():
            with contextlib.suppress(FileNotFoundError):  # merged away by another process
                sizes[path] = path.stat().st_size
        return sizes

    def tables(self, keys: Set[bytes] | None = None) -> Iterator[pa.Table]:
        """Each part's table. A damaged part is set aside with a warning and passed over.

        Args:
            keys: pass over parts whose first column holds none of these, without reading them whole.
        """
        seen: set[Path] = set()
        pending = self.paths()
        while pending:
            vanished = False
            for path in pending:
                seen.add(path)
                try:
                    if keys is not None and not _may_hold(path, keys):
                        continue
                    table = self.read(path)
                except FileNotFoundError:
                    vanished = True
                    continue
                if table is not None:
                    yield table
            # A part that vanished was merged by another process: its rows are in a part newer than our list.
            pending = [path for path in self.paths() if path not in seen] if vanished else []

    def read(self, path: Path) -> pa.Table | None:
        """One part's table, or None after setting the part aside because it is damaged.

        Raises:
            FileNotFoundError: another process merged the part away.
        """
        try:
            return read_part(path)
        except DamagedPartError as damage:
            with contextlib.suppress(OSError):  # a read-only cache keeps its damaged part; it is never used
                path.rename(path.with_name(path.name + ".damaged"))
            logger.warning(
                "a damaged part of the cache is set aside and its pictures are embedded again: %s", damage
            )
            return None

    def write(self, table: pa.Table) -> None:
        """Add a part. A disk that is full or read-only costs the part and a warning, not the run."""
        try:
            self._add(table)
        except OSError as error:
            if error.errno not in _UNWRITABLE:
                raise
            warn_unwritable(self.cache, error)

    def _add(self, table: pa.Table) -> Path:
        import pyarrow as pa
        import pyarrow.parquet as pq

        sink = pa.BufferOutputStream()
        # Embeddings are random bits: neither a dictionary nor compression makes them smaller.
        pq.write_table(table, sink, use_dictionary=False, compression="none", write_page_checksum=True)
        content = sink.getvalue()
        part = self.folder / f"{blake3.blake3(content).hexdigest()}{SUFFIX}"
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(part, content)
        return part

    def compact(self, above: int = COMPACT_ABOVE) -> None:
        """Merge small parts when there are more than `above` of them.

        The merged part is in place before the first source goes, and a source goes only when its
        rows were read whole, so a kill or a second merge at any moment costs nothing but room.

        Raises:
            OSError: the disk would not take the merged part. Nothing is lost.
        """
        sweep_leftovers(self.folder)
        sizes = self.sizes()
        small = [path for path, size in sizes.items() if size < FULL_BYTES]
        if len(small) <= max(above, 1):
            return
        batch: list[Path] = []
        filled = 0
        for path in small:
            batch.append(path)
            filled += sizes[path]
            if filled >= FULL_BYTES:
                self._merge(batch)
                batch, filled = [], 0
        self._merge(batch)

    def _merge(self, sources: list[Path]) -> None:
        import pyarrow as pa

        if len(sources) < 2:
            return
        read: dict[Path, pa.Table] = {}
        for path in sources:
            with contextlib.suppress(FileNotFoundError):
                table = self.read(path)
                if table is not None:
                    read[path] = table
        if not read:
            return
        merged = self._add(_distinct(pa.concat_tables(list(read.values()))))
        for path in read:
            if path != merged:
                with contextlib.suppress(OSError):  # gone already, or another user's: its rows stand twice
                    path.unlink()


def _distinct(table: pa.Table) -> pa.Table:
    """The table with the last of the rows that share a first column (the key)."""
    keys = table.column(0).to_pylist()
    last = {key: row for row, key in enumerate(keys)}
    return table if len(last) == len(keys) else table.take(sorted(last.values()))
