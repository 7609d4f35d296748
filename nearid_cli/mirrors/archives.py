"""Members of zip and tar archives as files of mirrors. Nothing is unpacked but what is opened.

Of a zip that lies elsewhere its table of contents is fetched, from its end, and the members that are read. A tar has no
such table: its headers lie between the members, so that all of it is fetched.
"""

from __future__ import annotations

import errno
import os
import struct
import tarfile
import weakref
import zipfile
import zlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from io import FileIO
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

from nearid_cli import elsewhere
from nearid_cli.errors import InputError
from nearid_cli.images.formats import EXTENSIONS
from nearid_cli.mirrors import samples
from nearid_cli.mirrors.mirror import Mirror, MirroredFile, Source, made_again
from nearid_cli.mirrors.partial import Partial
from nearid_cli.opening import UnfitFileError, is_transient, open_regular
from nearid_cli.remote.attempts import NoRangesError
from nearid_cli.text import count, few, first_few, printable

MOST_MEMBERS = 250_000
_MOST_CONTENTS = 2**27  # bytes of a zip's table of contents
_LARGEST_HEADER = 2**24  # bytes of one read of a tar's headers; names and numbers have a few hundred
_BLOCK = 512  # bytes, of which tar files are made
_LARGEST_END = 2**24  # bytes of zeros behind the last member; tools fill up to 10 kB, and to what tapes have
_AT_ONCE = 2**20  # bytes
_TAIL = 2**18  # bytes from the end of a zip elsewhere; the table of contents of about 2,500 members
_SHOWN = 20
_DAMAGED = (
    zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError,
    struct.error,
)  # fmt: skip


class Member(NamedTuple):
    """A file in an archive: how it is called there, and where it is."""

    name: str
    where: Any
    size: int


class _Archive(Source):
    """What both kinds have in common; see `mirror.Source`. Keys are members."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = self._opened()
        except OSError as error:
            raise InputError(f"cannot read {printable(path)}: {error.strerror}") from error
        # It is read as long as its mirror is there, which is to the end of the process.
        weakref.finalize(self, self._file.close)
        stand_in = elsewhere.stand_in(path)
        # Of a file on this disk nothing is remembered: reading a member takes no longer than asking whether it may be.
        self._own = (b"", False) if stand_in is None else (stand_in.identity, stand_in.tagged)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return made_again, (type(self), (self.path,), [self.path], elsewhere.parcels([self.path]))

    def _opened(self) -> FileIO | Partial:
        return open_regular(self.path, 2**63)  # of any size: only its table is read, and members

    def identity(self, key: object) -> tuple[bytes, bool]:
        """See `mirror.Source`."""
        assert isinstance(key, Member)
        own, tagged = self._own
        return b"\0".join((own, key.name.encode("utf-8", "surrogateescape"))), tagged

    def read(self, key: object, target: IO[bytes]) -> None:
        """See `mirror.Source`."""
        assert isinstance(key, Member)
        for content in self._content(key):
            target.write(content)

    def start(self, key: object, most: int) -> bytes:
        """See `mirror.Source`."""
        assert isinstance(key, Member)
        found = b""
        for content in self._content(key, most):
            found += content
            if len(found) >= most:
                break
        return found[:most]

    def members(self) -> Iterator[Member]:
        """Its files.

        Raises:
            InputError: it cannot be read, or has something else than files and folders.
        """
        raise NotImplementedError

    def _content(self, member: Member, at_once: int = _AT_ONCE) -> Iterator[bytes]:
        raise NotImplementedError

    def damaged(self, why: str) -> InputError:
        """It cannot be read."""
        return InputError(f"{printable(self.path)} cannot be read: {why}")

    def refused(self, members: list[str]) -> InputError:
        """Some members are no files."""
        return InputError(
            f"{count(len(members), 'member')} of {printable(self.path)} cannot be read; unpack it, and give the folder",
            first_few(members, _SHOWN),
        )

    def close(self) -> None:
        """Nothing is read any more."""
        self._file.close()


class _Tar(_Archive):
    def members(self) -> Iterator[Member]:
        irregular: list[str] = []
        try:
            with tarfile.open(fileobj=cast("Any", _Careful(self._file)), mode="r:") as tar:
                while (one := tar.next()) is not None:
                    cast("Any", tar).members = []  # a million of them would be kept
                    name = one.name.removeprefix("./")
                    if one.isdir():
                        continue
                    if one.isreg() and not one.issparse():
                        yield Member(name, one.offset_data, one.size)
                    else:
                        irregular.append(f"{printable(name)}: {_kind_of(one)}")
                end = tar.offset
        except (tarfile.TarError, RecursionError, ValueError, OverflowError) as error:
            why = f"it is no tar file, is cut off, or is compressed ({type(error).__name__})"
            raise self.damaged(why) from error
        # What is no header is the end for the library. An archive ends with a block of zeros.
        rest = os.pread(self._file.fileno(), _LARGEST_END + 1, end)
        if len(rest) < _BLOCK or rest[:_BLOCK].strip(b"\0"):
            raise self.damaged("it is cut off or damaged")
        if len(rest) > _LARGEST_END or rest.strip(b"\0"):
            raise self.damaged(
                "it goes on behind its end: part of it is lost, or several were joined; mend it, or give each by itself"
            )
        if irregular:
            raise self.refused(irregular)

    def _content(self, member: Member, at_once: int = _AT_ONCE) -> Iterator[bytes]:
        place, left = member.where, member.size
        while left:
            content = os.pread(self._file.fileno(), min(left, at_once), place)
            if not content:
                raise UnfitFileError(errno.EINVAL, "is cut off in its archive", member.name)
            place += len(content)
            left -= len(content)
            yield content


def _kind_of(member: tarfile.TarInfo) -> str:
    if member.issym() or member.islnk():
        return f"a link to {printable(member.linkname)}"
    return "a file with holes" if member.issparse() else "a device or pipe"


class _Careful:
    """A file that no header makes read more than headers have."""

    def __init__(self, file: FileIO | Partial) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _LARGEST_HEADER:
            raise tarfile.ReadError("a header is too large")
        return self._file.read(size) or b""


class _Zip(_Archive):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._starts: list[int] = []
        try:
            number, size = self._announced()
            if number > MOST_MEMBERS or size > _MOST_CONTENTS:
                raise too_many(self.path)
            self._zip = zipfile.ZipFile(cast("Any", self._file))
            self._refuse_joined()
        except InputError:
            self.close()
            raise
        except _DAMAGED as error:
            self.close()
            raise self.damaged(f"it is no zip file, or is cut off ({type(error).__name__})") from error

    def _opened(self) -> FileIO | Partial:
        if (found := elsewhere.ranges(self.path)) is None:
            return super()._opened()
        part = Partial(*found)
        try:
            part.have(max(0, part.size - _TAIL), part.size)
        except NoRangesError:
            return super()._opened()
        return part

    def expect(self, keys: Sequence[object]) -> None:
        """See `mirror.Source`: pictures, and what is said beside them."""
        if isinstance(self._file, Partial):
            ends = (*EXTENSIONS, "txt")
            members = (key for key in keys if isinstance(key, Member))
            self._file.expect(
                self._span(one) for one in members if one.name.rpartition(".")[2].lower() in ends
            )

    def _span(self, member: Member) -> tuple[int, int]:
        """Where a member lies, as far as the table of contents says: its header may be longer."""
        if not self._starts:
            self._starts = sorted({one.header_offset for one in self._zip.infolist()} | {self._zip.start_dir})
        one: zipfile.ZipInfo = member.where
        start = one.header_offset
        # As long as it can be, if it unpacks to no more than it says.
        most = start + min(one.compress_size, one.file_size + one.file_size // 64) + 2**17
        number = bisect_right(self._starts, start)
        return start, min([most, *self._starts[number : number + 1]])

    def _announced(self) -> tuple[int, int]:
        """How many members there are and how long their table is, by the record at the end of the file."""
        length = self._file.seek(0, os.SEEK_END)
        start = max(0, length - 2**16 - 22)
        self._file.seek(start)
        tail = self._file.read(length - start) or b""
        at = tail.rfind(b"PK\5\6")
        if at < 0 or len(tail) - at < 22:
            raise self.damaged("it is no zip file, or is cut off")
        number, size = struct.unpack_from("<HI", tail, at + 10)
        wide = tail.rfind(b"PK\6\6", 0, at)
        if (number == 0xFFFF or size == 0xFFFFFFFF) and wide >= 0 and at - wide >= 56:
            number, size = struct.unpack_from("<QQ", tail, wide + 32)
        return number, size

    def _refuse_joined(self) -> None:
        """A zip that begins with members which are not its own: only those of the last one would be seen."""
        if min((one.header_offset for one in self._zip.infolist()), default=self._zip.start_dir):
            self._file.seek(0)
            if (self._file.read(4) or b"") == b"PK\3\4":
                raise self.damaged("several zip files were joined; give each by itself")

    def members(self) -> Iterator[Member]:
        wrong = []
        for one in self._zip.infolist():
            kind = one.external_attr >> 28  # of the file on Unix; 0 where others made it
            if one.is_dir():
                continue
            if kind not in (0, 8):
                wrong.append(f"{printable(one.filename)}: a link, device or pipe")
            elif one.flag_bits & 1:
                wrong.append(f"{printable(one.filename)}: encrypted")
            else:
                yield Member(one.filename.removeprefix("./"), one, one.file_size)
        if wrong:
            raise self.refused(wrong)

    def _content(self, member: Member, at_once: int = _AT_ONCE) -> Iterator[bytes]:
        left = member.size
        if isinstance(self._file, Partial):
            self._file.have(*self._span(member))
        try:
            with self._zip.open(member.where) as stream:
                while left >= 0 and (content := stream.read(at_once)):
                    left -= len(content)
                    yield content
        except _DAMAGED as error:
            if is_transient(error):
                raise
            why = f"is damaged in its archive ({type(error).__name__})"
            raise UnfitFileError(errno.EINVAL, why, member.name) from error
        if left:
            raise UnfitFileError(errno.EINVAL, "is not as long as its archive says", member.name)


def as_folder(path: Path, files: Iterable[Path], shown: str) -> Path:
    """A folder of the members of archives, without the folder in them that is called as the archive and holds all.

    Args:
        path: the archive, or the folder of several.
        files: the archives.
        shown: what people know it as.

    Raises:
        InputError: one cannot be read, or members are none that files can be.
    """
    archives: list[_Archive] = []
    try:
        for file in files:
            archives.append(_Zip(file) if file.suffix.lower() == ".zip" else _Tar(file))
        items = _contents(archives)
        name = path.stem if path.is_file() else path.name
        if items and all(one.startswith(f"{name}/") for one in items):
            items = {one[len(name) + 1 :]: item for one, item in items.items()}
        mirror = Mirror(shown, name or "archive")
        mirror.replace("", items.items(), shown)
        said = samples.described(Path(mirror.folder), items) if isinstance(archives[0], _Tar) else None
        if said is not None:
            mirror.write(samples.TABLE, said)
    except BaseException:
        for archive in archives:
            archive.close()
        raise
    return Path(mirror.folder)


def _contents(archives: Iterable[_Archive]) -> dict[str, MirroredFile]:
    """The members of all archives, as one folder."""
    found: dict[str, MirroredFile] = {}
    twice: list[str] = []
    for archive in archives:
        for member in archive.members():
            if member.name in found:
                twice.append(member.name)
            found[member.name] = MirroredFile(archive, member, member.size)
            if len(found) > MOST_MEMBERS:
                raise too_many(archive.path)
    if twice:
        raise InputError(f"{count(len(twice), 'name')} twice among the members of archives: {few(twice)}")
    return found


def too_many(path: Path) -> InputError:
    """An archive of more members than are looked at."""
    return InputError(
        f"{printable(path)} has more than {MOST_MEMBERS:,} members: divide it into several folders or archives"
    )
