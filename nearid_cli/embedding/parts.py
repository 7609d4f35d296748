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
from collections.abc import Callable, Iterator, Set
from pathlib import Path
from typing import TYPE_CHECKING

import blake3

from nearid_cli.embedding.caution import Caution, why
from nearid_cli.embedding.columns import misfit
from nearid_cli.files import make_folder, sweep_leftovers, write_whole
from nearid_cli.opening import open_regular, read_open
from nearid_cli.text import printable

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

logger = logging.getLogger(__name__)

SUFFIX = ".parquet"
# Parts grow by merging up to this size: large enough that few remain, small enough that
# reading one whole, to check it, is cheap in time and memory.
FULL_BYTES = 64 * 2**20
# More than any part has: tables are cut to `FULL_BYTES`, and merging comes to less than twice that. What is in one
# row, such as a picture's features, is not cut.
LARGEST_BYTES = 2**30
COMPACT_ABOVE = 16
# Smaller parts are read whole at once: looking into them first would cost more than it saves.
PEEK_ABOVE = 2**20

_TRIES = 5  # to write a part into a folder that others delete
_KEY_BYTES = 32  # of a row at least: every part has a digest in each, and we compress nothing


class DamagedPartError(Exception):
    """A part's bytes do not match its name."""


class ForeignPartError(Exception):
    """A part's bytes match its name, and are not what we write. Somebody else, or another version, wrote it."""


def read_part(path: Path, caution: Caution, what: str) -> pa.Table | None:
    """Read one part whole and check it.

    Args:
        path: the part.
        caution: of its cache.
        what: it is to hold, see `columns.py`.

    Returns:
        None where it is not taken, being another user's.

    Raises:
        DamagedPartError: the content differs from the checksum in the name.
        ForeignPartError: it does not parse, or holds something else.
        OSError: it cannot be read, which says nothing of what is in it.
        FileNotFoundError: another process merged the part away in the meantime.
        MemoryError: there is no room for it.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with open_regular(path, LARGEST_BYTES) as file:
        if not caution.takes(path, os.fstat(file.fileno())):
            return None
        content = read_open(file, path, LARGEST_BYTES)
    if blake3.blake3(content).hexdigest() != path.stem:
        raise DamagedPartError(f"{path}: the content does not match the checksum in its name")
    try:
        # Not `read_table`: it imports pyarrow.dataset, and with it pandas, which takes a third of a second.
        parquet = pq.ParquetFile(pa.BufferReader(content))
        if parquet.metadata.num_rows * _KEY_BYTES > len(content):
            raise ForeignPartError(f"{path}: says that it has more rows than it has room for")
        # In this thread: one of Arrow's may still hold `content` when Python ends, and aborts the process then.
        table = parquet.read(use_threads=False)
    except MemoryError:
        raise
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # the last for names of columns
        raise ForeignPartError(f"{path}: not a Parquet file ({error})") from error
    if reason := misfit(table, what):
        raise ForeignPartError(f"{path}: {reason}")
    return table


def keys_of(path: Path) -> list[bytes] | None:
    """The first column of a part, of which no more is read or checked; None if it is not to be had.

    Raises:
        FileNotFoundError: another process merged the part away.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with (
            open_regular(path, LARGEST_BYTES) as opened,
            pq.ParquetFile(opened, page_checksum_verification=True) as file,
        ):
            column = file.read([file.schema_arrow.names[0]], use_threads=False).column(0)
            found: list[bytes] = column.to_pylist()
            whole = len(found) == file.metadata.num_rows and not column.null_count
            return found if whole and pa.types.is_fixed_size_binary(column.type) else None
    except FileNotFoundError:
        raise
    except Exception:  # parsing unchecked bytes raises nearly anything; reading the part whole tells why
        return None


def _may_hold(path: Path, keys: Set[bytes]) -> bool:
    """Whether a part is worth reading: one that is small, or damaged, or whose first column has any of the keys.

    Raises:
        FileNotFoundError: another process merged the part away.
    """
    if path.stat().st_size < PEEK_ABOVE:
        return True
    found = keys_of(path)
    return found is None or not keys.isdisjoint(found)


class PartFolder:
    """The parts in one folder. Safe for several processes at once without locks, and no error of it ends a run.

    Args:
        folder: need not exist yet.
        caution: of the cache that it belongs to.
        what: its parts hold, see `columns.py`.
    """

    def __init__(self, folder: Path, caution: Caution, what: str) -> None:
        self.folder = folder
        self.caution = caution
        self.what = what

    def paths(self) -> list[Path]:
        """The parts that are there now and are to be used, oldest first."""
        found = []
        try:
            if not self.caution.owns(self.folder):
                return []
            with os.scandir(self.folder) as entries:
                for entry in entries:
                    if not entry.name.endswith(SUFFIX):
                        continue
                    modified = 0
                    with contextlib.suppress(
                        OSError
                    ):  # merged away, or not to be looked at: reading it tells
                        status = entry.stat()
                        if not self.caution.takes(self.folder / entry.name, status):
                            continue
                        modified = status.st_mtime_ns
                    found.append((modified, entry.name))
        except FileNotFoundError:
            return []
        except (OSError, MemoryError) as error:
            self.caution.unread(self.folder, error)
        return [self.folder / name for _, name in sorted(found)]

    def sizes(self) -> dict[Path, int]:
        """The parts that are there now, oldest first, with their bytes."""
        sizes: dict[Path, int] = {}
        for path in self.paths():
            with contextlib.suppress(OSError):  # merged away by another process, or not to be looked at
                sizes[path] = path.stat().st_size
        return sizes

    def tables(self, keys: Set[bytes] | None = None) -> Iterator[pa.Table]:
        """Each part's table, but for those that cannot be used, of which a warning says why.

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
                    table = self.read(path, keys)
                except FileNotFoundError:
                    vanished = True
                    continue
                if table is not None:
                    yield table
            # A part that vanished was merged by another process: its rows are in a part newer than our list.
            pending = [path for path in self.paths() if path not in seen] if vanished else []

    def read(self, path: Path, keys: Set[bytes] | None = None) -> pa.Table | None:
        """One part's table, or None if it is not to be had.

        A damaged part is set aside. What disk or memory refuse is left where it is: it may be sound.

        Args:
            path: the part.
            keys: where its first column holds none of these, it is not read whole.

        Raises:
            FileNotFoundError: another process merged the part away.
        """
        try:
            if keys is not None and not _may_hold(path, keys):
                return None
            return read_part(path, self.caution, self.what)
        except FileNotFoundError:
            raise
        except DamagedPartError as damage:
            self.set_aside(path)
            logger.warning(
                "a damaged part of the cache is set aside and its pictures are embedded again: %s", damage
            )
        except ForeignPartError as error:
            logger.warning("a part of the cache that this nearid did not write is passed over: %s", error)
        except (OSError, MemoryError) as error:
            self.caution.unread(path, error)
        return None

    def set_aside(self, path: Path) -> None:
        """Keep a part under a name that is no part's. A read-only cache keeps it as it is."""
        with contextlib.suppress(OSError):
            path.rename(path.with_name(path.name + ".damaged"))

    def metadata(self, path: Path, quiet: bool = False) -> pq.FileMetaData | None:
        """What a part says of itself, unchecked, or None, with a warning, if that is not to be had.

        Args:
            path: the part.
            quiet: without the warning, for whoever reads the part next and says it then.

        Raises:
            FileNotFoundError: another process merged the part away.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with open_regular(path, LARGEST_BYTES) as file:
                return pq.read_metadata(file)
        except FileNotFoundError:
            raise
        except pa.ArrowException as error:
            if not quiet:
                logger.warning(
                    "%s cannot be read (%s); `nearid cache verify` says more", printable(path), why(error)
                )
        except (OSError, MemoryError) as error:
            if not quiet:
                self.caution.unread(path, error)
        return None

    def write(self, make: Callable[[], pa.Table]) -> None:
        """Add a part, or several of a large table. What the machine refuses costs the part and a warning, not the run.

        Args:
            make: makes the table.
        """
        with self.caution.writing(self.folder):
            table = make()
            rows = max(1, len(table) * FULL_BYTES // max(FULL_BYTES, table.nbytes))
            for start in range(0, len(table), rows):
                self._add(table.slice(start, rows))

    def _add(self, table: pa.Table) -> Path | None:
        """Add a part; None where it would lie among those of others, which are not used."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        sink = pa.BufferOutputStream()
        # Embeddings are random bits: neither a dictionary nor compression makes them smaller.
        pq.write_table(table, sink, use_dictionary=False, compression="none", write_page_checksum=True)
        content = sink.getvalue()
        if len(content) > LARGEST_BYTES:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        if not self.caution.owns(self.folder):
            return None
        part = self.folder / f"{blake3.blake3(content).hexdigest()}{SUFFIX}"
        folder_mode, mode = self.caution.modes
        for left in reversed(range(_TRIES)):
            try:
                make_folder(self.folder, folder_mode)
                write_whole(part, content, mode)
                break
            except FileNotFoundError:  # somebody clears the cache just now
                if not left:
                    raise
        return part

    def compact(self, above: int = COMPACT_ABOVE) -> None:
        """Merge small parts when there are more than `above` of them.

        The merged part is on the disk before the first source goes, and a source goes only when its
        rows were read whole, so a kill, a power loss or a second merge at any moment costs nothing but room.

        Raises:
            OSError, MemoryError: the disk, or memory, would not take the merged part. Nothing is lost.
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
        alike: dict[pa.Schema, dict[Path, pa.Table]] = {}  # versions of nearid may write other columns
        for path in sources:
            with contextlib.suppress(FileNotFoundError):
                table = self.read(path)
                if table is not None:
                    alike.setdefault(table.schema.remove_metadata(), {})[path] = table
        for read in alike.values():
            try:
                merged = self._add(_distinct(pa.concat_tables(list(read.values()))))
            except FileNotFoundError:  # somebody clears the cache just now, again and again
                return
            for path in read.keys() - {merged} if merged else ():
                with contextlib.suppress(OSError):  # gone already, or another user's: its rows stand twice
                    path.unlink()


def _distinct(table: pa.Table) -> pa.Table:
    """The table with the last of the rows that share a first column (the key)."""
    keys = table.column(0).to_pylist()
    last = {key: row for row, key in enumerate(keys)}
    return table if len(last) == len(keys) else table.take(sorted(last.values()))
