"""Immutable Parquet parts in one folder of a storage: what the cache and the file memo share.

Nobody ever edits a part. Many small ones are merged: the merged part is in place before the first source goes.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence, Set
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import blake3

from nearid_cli.embedding.caution import Caution, why
from nearid_cli.embedding.columns import misfit
from nearid_cli.embedding.storage import (
    LARGEST_BYTES,
    PEEK_ABOVE,
    SUFFIX,
    DamagedPartError,
    Storage,
    StoredPart,
)
from nearid_cli.text import printable

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

logger = logging.getLogger(__name__)

# Parts grow by merging up to this size: large enough that few remain, small enough that reading one whole, to check it,
# is cheap in memory, and that glibc and Arrow give the memory of one to the next. Beyond 32 MiB glibc asks the kernel
# anew each time, and new pages cost as much as all else of reading a part.
FULL_BYTES = 16 * 2**20
COMPACT_ABOVE = 16

_KEY_BYTES = 32  # of a row at least: every part has a digest in each, and we compress nothing
_AHEAD_BYTES = 8 * FULL_BYTES
"""So much is read ahead where parts are asked for together."""

T = TypeVar("T")


class ForeignPartError(Exception):
    """A part's bytes match its name, and are not what we write. Somebody else, or another version, wrote it."""


def table_of(content: bytes, what: str, place: str) -> pa.Table:
    """What is in a part whose bytes match its name.

    Args:
        content: all of it.
        what: it is to hold, see `columns.py`.
        place: as messages name it.

    Raises:
        ForeignPartError: it does not parse, or holds something else.
        MemoryError: there is no room for it.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # Not `read_table`: it imports pyarrow.dataset, and with it pandas, which takes a third of a second.
        parquet = pq.ParquetFile(pa.BufferReader(content))
        if parquet.metadata.num_rows * _KEY_BYTES > len(content):
            raise ForeignPartError(f"{place}: says that it has more rows than it has room for")
        # In this thread: one of Arrow's may still hold `content` when Python ends, and aborts the process then.
        table = parquet.read(use_threads=False)
    except MemoryError:
        raise
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # the last for names of columns
        raise ForeignPartError(f"{place}: not a Parquet file ({error})") from error
    if reason := misfit(table, what):
        raise ForeignPartError(f"{place}: {reason}")
    return table


class PartFolder:
    """The parts in one folder. Safe for several processes at once without locks, and no error of it ends a run.

    Args:
        storage: of the cache.
        inside: the folder in it, which need not exist yet.
        caution: of the cache.
        what: its parts hold, see `columns.py`.
    """

    def __init__(self, storage: Storage, inside: str, caution: Caution, what: str) -> None:
        self.storage = storage
        self.inside = inside
        self.caution = caution
        self.what = what

    def listing(self) -> list[StoredPart]:
        """The parts that are there now and are to be used, oldest first."""
        try:
            return self.storage.listing(self.inside)
        except (OSError, MemoryError) as error:
            self.caution.unread(self.inside, error)
            return []

    def each(
        self, call: Callable[[StoredPart], T], parts: Sequence[StoredPart]
    ) -> Iterator[tuple[StoredPart, Callable[[], T]]]:
        """Parts, and what gives or raises that which a call comes to of each; ahead of time where that saves time."""
        if self.storage.at_once == 1 or len(parts) < 2:
            yield from ((part, partial(call, part)) for part in parts)
            return
        from concurrent.futures import ThreadPoolExecutor

        waiting: deque[tuple[StoredPart, Callable[[], T]]] = deque()
        with ThreadPoolExecutor(self.storage.at_once) as pool:
            for part in parts:
                ahead = sum(other.size for other, _ in waiting)
                while waiting and (len(waiting) >= self.storage.at_once or ahead + part.size > _AHEAD_BYTES):
                    ahead -= waiting[0][0].size
                    yield waiting.popleft()
                waiting.append((part, pool.submit(call, part).result))
            yield from waiting

    def followed(
        self, call: Callable[[StoredPart], T], listed: Sequence[StoredPart] | None = None
    ) -> Iterator[tuple[StoredPart, T]]:
        """What a call comes to of each part, and of those in which parts went up that other processes merged meanwhile.

        So no row is missed, and some may be met twice.

        Args:
            call: raises FileNotFoundError where a part is gone.
            listed: the parts that were there a moment ago, where that is known.
        """
        seen: set[str] = set()
        pending = self.listing() if listed is None else listed
        while pending:
            vanished = False
            for part, outcome in self.each(call, pending):
                seen.add(part.key)
                try:
                    yield part, outcome()  # holding none of it while the next is read
                except FileNotFoundError:
                    vanished = True
            # A part that vanished was merged by another process: its rows are in a part newer than our list.
            pending = [part for part in self.listing() if part.key not in seen] if vanished else []

    def of_one_moment(self, call: Callable[[StoredPart], T]) -> list[tuple[StoredPart, T]]:
        """The same of the parts of one moment, in which every row is met once: begun again while parts go.

        What is listed and still not there, such as a link to nothing, is passed over.
        """
        missed = Counter[str]()
        while True:
            found = []
            before = missed.total()
            for part, outcome in self.each(call, [part for part in self.listing() if missed[part.key] < 2]):
                try:
                    found.append((part, outcome()))
                except FileNotFoundError:
                    missed[part.key] += 1
            if missed.total() == before:
                return found

    def tables(
        self, keys: Set[bytes] | None = None, listed: Sequence[StoredPart] | None = None
    ) -> Iterator[pa.Table]:
        """Each part's table, but for those that cannot be used, of which a warning says why.

        Args:
            keys: pass over parts whose first column holds none of these, without reading them whole.
            listed: the parts that were there a moment ago, where that is known.
        """
        for _, table in self.followed(partial(self.read, keys=keys), listed):
            if table is not None:
                yield table
            del table  # before the next one is read: parts are large

    def read(self, part: StoredPart, keys: Set[bytes] | None = None) -> pa.Table | None:
        """One part's table, or None if it is not to be had.

        A damaged part is set aside. What disk or memory refuse is left where it is: it may be sound.

        Args:
            part: which one.
            keys: where its first column holds none of these, it is not read whole.

        Raises:
            FileNotFoundError: another process merged the part away.
        """
        try:
            if keys is not None and not self._may_hold(part, keys):
                return None
            return self.checked(part)
        except FileNotFoundError:
            raise
        except DamagedPartError as damage:
            self.set_aside(part)
            logger.warning(
                "a damaged part of the cache is set aside and its pictures are embedded again: %s", damage
            )
        except ForeignPartError as error:
            logger.warning("a part of the cache that this nearid did not write is passed over: %s", error)
        except (OSError, MemoryError) as error:
            self.caution.unread(part.key, error)
        return None

    def checked(self, part: StoredPart, itself: bool = False) -> pa.Table | None:
        """Read one part whole and check it; None where it is not taken, being another user's.

        Args:
            part: which one.
            itself: what is there now, and no copy of it.

        Raises:
            DamagedPartError: the content differs from the checksum in the name.
            ForeignPartError: it does not parse, or holds something else.
            OSError: it cannot be read, which says nothing of what is in it.
            FileNotFoundError: another process merged the part away in the meantime.
            MemoryError: there is no room for it.
        """
        content = self.storage.read(part, itself=itself)
        return None if content is None else table_of(content, self.what, self.storage.place(part.key))

    def _may_hold(self, part: StoredPart, keys: Set[bytes]) -> bool:
        """Whether a part is worth reading: one that is small, or damaged, or whose first column has any of the keys.

        Raises:
            FileNotFoundError: another process merged the part away.
        """
        if part.size < PEEK_ABOVE:
            return True
        found = self.keys(part)
        return found is None or not keys.isdisjoint(found)

    def keys(self, part: StoredPart) -> list[bytes] | None:
        """The first column of a part, of which no more is read or checked; None if it is not to be had.

        Raises:
            FileNotFoundError: another process merged the part away.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            opened = self.storage.open(part)
            if opened is None:
                return None
            with opened, pq.ParquetFile(opened, page_checksum_verification=True) as file:
                column = file.read([file.schema_arrow.names[0]], use_threads=False).column(0)
                found: list[bytes] = column.to_pylist()
                whole = len(found) == file.metadata.num_rows and not column.null_count
                return found if whole and pa.types.is_fixed_size_binary(column.type) else None
        except FileNotFoundError:
            raise
        except Exception:  # parsing unchecked bytes raises nearly anything; reading the part whole tells why
            return None

    def metadata(self, part: StoredPart, quiet: bool = False) -> pq.FileMetaData | None:
        """What a part says of itself, unchecked, or None, with a warning, if that is not to be had.

        Args:
            part: which one.
            quiet: without the warning, for whoever reads the part next and says it then.

        Raises:
            FileNotFoundError: another process merged the part away.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            opened = self.storage.open(part)
            if opened is None:
                return None
            with opened:
                return pq.read_metadata(opened)
        except FileNotFoundError:
            raise
        except pa.ArrowException as error:
            if not quiet:
                place = printable(self.storage.place(part.key))
                logger.warning("%s cannot be read (%s); `nearid cache verify` says more", place, why(error))
        except (OSError, MemoryError) as error:
            if not quiet:
                self.caution.unread(part.key, error)
        return None

    def set_aside(self, part: StoredPart) -> None:
        """Keep a part under a name that is no part's. A read-only cache keeps it as it is."""
        with contextlib.suppress(OSError):
            self.storage.set_aside(part)

    def write(self, make: Callable[[], pa.Table]) -> None:
        """Add a part, or several of a large table. What the machine refuses costs the part and a warning, not the run.

        Args:
            make: makes the table.
        """
        with self.caution.writing(self.inside):
            table = make()
            rows = max(1, len(table) * FULL_BYTES // max(FULL_BYTES, table.nbytes))
            for start in range(0, len(table), rows):
                self._add(table.slice(start, rows))

    def _add(self, table: pa.Table) -> str | None:
        """Add a part and give its name; None where it would lie among those of others, which are not used."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        sink = pa.BufferOutputStream()
        # Embeddings are random bits: neither a dictionary nor compression makes them smaller, and least and greatest,
        # which each page would name, say nothing.
        pq.write_table(
            table,
            sink,
            use_dictionary=False,
            compression="none",
            write_page_checksum=True,
            write_statistics=False,
        )
        content = memoryview(sink.getvalue())
        if len(content) > LARGEST_BYTES:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        key = f"{self.inside}/{blake3.blake3(content).hexdigest()}{SUFFIX}"
        return key if self.storage.add(key, content) else None

    def compact(self, above: int = COMPACT_ABOVE) -> None:
        """Merge small parts when there are more than `above` of them.

        The merged part is in place before the first source goes, and a source goes only when its
        rows were read whole, so a kill, a power loss or a second merge at any moment costs nothing but room.

        Raises:
            OSError, MemoryError: the disk, or memory, would not take the merged part. Nothing is lost.
        """
        self.storage.tidy(self.inside)
        small = [part for part in self.listing() if part.size < FULL_BYTES]
        if len(small) <= max(above, 1):
            return
        batch: list[StoredPart] = []
        filled = 0
        for part in small:
            batch.append(part)
            filled += part.size
            if filled >= FULL_BYTES:
                self._merge(batch)
                batch, filled = [], 0
        self._merge(batch)

    def _merge(self, sources: Sequence[StoredPart]) -> None:
        import pyarrow as pa

        if len(sources) < 2:
            return
        alike: dict[pa.Schema, dict[StoredPart, pa.Table]] = {}  # versions of nearid may write other columns
        for part, outcome in self.each(self.read, sources):
            with contextlib.suppress(FileNotFoundError):
                table = outcome()
                if table is not None:
                    alike.setdefault(table.schema.remove_metadata(), {})[part] = table
        for read in alike.values():
            try:
                merged = self._add(_distinct(pa.concat_tables(list(read.values()))))
            except FileNotFoundError:  # somebody clears the cache just now, again and again
                return
            for part in read if merged else ():
                if part.key != merged:
                    with contextlib.suppress(
                        OSError
                    ):  # gone already, or another user's: its rows stand twice
                        self.storage.remove(part)


def _distinct(table: pa.Table) -> pa.Table:
    """The table with the last of the rows that share a first column (the key)."""
    keys = table.column(0).to_pylist()
    last = {key: row for row, key in enumerate(keys)}
    return table if len(last) == len(keys) else table.take(sorted(last.values()))
