"""Data sets of Hugging Face as folders: Parquet files with a column of pictures, whose other columns describe them.

Each row is a picture, and the rest of it a row of a table beside the pictures, as imagefolders have it; or of a
manifest, where columns `subject` and `role` say whose it is and which side's.
"""

from __future__ import annotations

import errno
import json
import logging
import re
import threading
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple

from nearid_cli import elsewhere
from nearid_cli.errors import InputError
from nearid_cli.images.formats import EXTENSIONS, SNIFF_BYTES, sniff
from nearid_cli.mirrors.mirror import Mirror, MirroredFile, Source, made_again, why_no_name
from nearid_cli.opening import MalformedError, UnfitFileError, is_transient, open_regular, parse_json
from nearid_cli.text import count, few, file_size, printable

logger = logging.getLogger(__name__)

MOST_ROWS = 250_000
_LARGEST_GROUP = 2**31  # bytes of the pictures of one row group, which are in memory together
_GROUPS = 2  # so many are kept, since rows are read in order
_SHARD = re.compile(r"(.+?)-\d+-of-\d+(?:-[0-9a-f]+)?\.parquet")
_SPLIT = re.compile(
    r"(?:.*[^a-z])?(train(?:ing)?|test(?:ing)?|val(?:id(?:ation)?)?|dev|eval(?:uation)?)(?:[^a-z].*)?\.parquet",
    re.I,
)
"""What the `datasets` library takes for splits where people name files themselves."""
_FILE_NAME = "file_name"


class _Row(NamedTuple):
    file: int
    group: int
    row: int


class _Table(Source):
    """The pictures of Parquet files; see `mirror.Source`. Keys are rows."""

    def __init__(self, files: Sequence[Path], column: str) -> None:
        import pyarrow.parquet as pq

        self._paths, self._column = tuple(files), column
        self._opened = [open_regular(file, 2**63) for file in files]
        self.files = [pq.ParquetFile(file, page_checksum_verification=True) for file in self._opened]
        self._own = []
        for file in files:
            stand_in = elsewhere.stand_in(file)
            self._own.append((b"", False) if stand_in is None else (stand_in.identity, stand_in.tagged))
        self._groups: OrderedDict[tuple[int, int], Any] = OrderedDict()
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return made_again, (_Table, (self._paths, self._column), self._paths, elsewhere.parcels(self._paths))

    def identity(self, key: object) -> tuple[bytes, bool]:
        assert isinstance(key, _Row)
        own, tagged = self._own[key.file]
        return b"\0".join((own, f"{self._column}:{key.group}:{key.row}".encode())), tagged

    def read(self, key: object, target: IO[bytes]) -> None:
        target.write(self._bytes(key))

    def start(self, key: object, most: int) -> bytes:
        return self._bytes(key)[:most]

    def _bytes(self, key: object) -> bytes:
        assert isinstance(key, _Row)
        with self._lock:
            at = key.file, key.group
            group = self._groups.get(at)
            if group is None:
                group = self._pictures(key)
                self._groups[at] = group
                while len(self._groups) > _GROUPS:
                    self._groups.popitem(last=False)
            self._groups.move_to_end(at)
            cell = group.column(self._column)[key.row].as_py()
        return bytes(cell["bytes"])

    def _pictures(self, key: _Row) -> Any:
        import pyarrow as pa

        try:
            return self.files[key.file].read_row_group(key.group, [f"{self._column}.bytes"])
        except (pa.ArrowException, OSError) as error:
            if is_transient(error):
                raise
            raise UnfitFileError(errno.EINVAL, "is damaged in its data set", self._paths[key.file]) from error

    def close(self) -> None:
        """Nothing is read any more."""
        for file in self._opened:
            file.close()

    def rows(self) -> Iterator[tuple[_Row, dict[str, Any]]]:
        """Every row with all of its cells, a row group at a time."""
        for number, file in enumerate(self.files):
            for group in range(file.num_row_groups):
                table = file.read_row_group(group)
                for row, cells in enumerate(table.to_pylist()):
                    yield _Row(number, group, row), cells


def files_of(path: Path) -> list[Path]:
    """The Parquet files of what may be a data set: itself, a pattern of such, or those in a folder or its `data`."""
    if path.suffix.lower() == ".parquet" and (path.is_file() or "*" in path.name):
        return sorted(path.parent.glob(path.name)) if "*" in path.name else [path]
    for place in (path, path / "data"):
        if files := sorted(one for one in place.glob("[!.]*.parquet") if one.name != "metadata.parquet"):
            return files
    return []


def image_columns(file: Path) -> list[str]:
    """The columns of a Parquet file that hold pictures: their bytes, and a path; none where it is no such file.

    Raises:
        InputError: it lies in a store, which does not give it.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        opened = open_regular(file, 2**63)
    except OSError as error:
        if elsewhere.stand_in(file) is None:
            return []  # who looks for pictures names it among other files
        raise InputError(f"cannot read {printable(file)}: {error.strerror}") from error
    try:
        with opened:
            schema = pq.read_schema(opened)
    except (pa.ArrowException, OSError):
        return []
    return [
        field.name
        for field in schema
        if pa.types.is_struct(field.type) and {one.name for one in field.type} == {"bytes", "path"}
    ]


def as_folder(path: Path, files: Sequence[Path], columns: Sequence[str], shown: str) -> Path:
    """A folder of the pictures of a data set, or its manifest.

    Args:
        path: what was given.
        files: its Parquet files.
        columns: those of the first file that hold pictures.
        shown: what people know it as.

    Raises:
        InputError: there are several splits or columns of pictures, too many rows, rows without a picture, or files
            that cannot be read or have no such column.
    """
    import pyarrow as pa

    splits = sorted({split for file in files if (split := _split_of(file.name))})
    if len(splits) > 1:
        raise InputError(
            f"data set {printable(shown)} has several splits, {', '.join(map(printable, splits))}: give the files of "
            f"one, such as {printable(files[0].parent)}/*{printable(splits[0])}*.parquet"
        )
    column = columns[0] if len(columns) == 1 else "image"
    if column not in columns:
        raise InputError(
            f"data set {printable(shown)} has several columns of pictures, {', '.join(map(printable, columns))}, and "
            "none is called image; write one with a row a picture"
        )
    if len(columns) > 1:
        logger.info("data set %s: of the columns of pictures, image is taken", printable(shown))
    if other := [file.name for file in files[1:] if column not in image_columns(file)]:
        raise InputError(
            f"data set {printable(shown)}: {count(len(other), 'file')} of {len(files):,} cannot be read, or "
            f"{'has' if len(other) == 1 else 'have'} no pictures in a column {printable(column)} as "
            f"{printable(files[0].name)} has ({few(other)}); mend or move {'it' if len(other) == 1 else 'them'}"
        )
    table = _Table(files, column)
    try:
        return _folder_of(table, path, column, columns, shown)
    except (pa.ArrowException, OSError) as error:
        table.close()
        if is_transient(error):
            raise
        raise InputError(f"data set {printable(shown)} cannot be read: a file of it is damaged") from error
    except BaseException:
        table.close()
        raise


def _split_of(name: str) -> str:
    """The split that a file belongs to, by its name; empty where that says none."""
    found = _SHARD.fullmatch(name) or _SPLIT.fullmatch(name)
    return found[1] if found else ""


def _folder_of(table: _Table, path: Path, column: str, columns: Sequence[str], shown: str) -> Path:
    classes = _classes(table.files[0].schema_arrow.metadata)
    names: dict[str, MirroredFile] = {}
    said: list[dict[str, Any]] = []
    lacking: list[str] = []
    _check_groups(table, shown)
    _check_names(table, shown)
    for number, (key, cells) in enumerate(table.rows()):
        if number >= MOST_ROWS:
            raise InputError(
                f"data set {printable(shown)} has more than {MOST_ROWS:,} rows: give some of its files"
            )
        picture = cells.pop(column) or {}
        content = picture.get("bytes")
        if not content:
            lacking.append(f"row {number}")
            continue
        name = _name(picture.get("path"), content, number, names)
        names[name] = MirroredFile(table, key, len(content))
        said.append({_FILE_NAME: name, **_plain(cells, columns, classes)})
    if lacking:
        raise InputError(
            f"data set {printable(shown)} has {count(len(lacking), 'row')} without a picture ({few(lacking)}); "
            "datasets embeds the files with embed_external_files"
        )
    manifest = {"subject", "role"} <= {name for row in said for name in row}
    mirror = Mirror(shown, path.name if path.is_dir() else path.stem.replace("*", "") or "data")
    mirror.replace("", names.items(), shown)
    if manifest:
        said = [
            {("path" if name == _FILE_NAME else name): cell for name, cell in row.items()} for row in said
        ]
    table_name = "manifest.jsonl" if manifest else "metadata.jsonl"
    lines = (json.dumps(row, ensure_ascii=False) for row in said)
    mirror.write(table_name, "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape"))
    return Path(mirror.folder, table_name) if manifest else Path(mirror.folder)


def _check_groups(table: _Table, shown: str) -> None:
    for file in table.files:
        for group in range(file.num_row_groups):
            size = file.metadata.row_group(group).total_byte_size
            if size > _LARGEST_GROUP:
                raise InputError(
                    f"data set {printable(shown)} has row groups of {file_size(size)}, and no more than "
                    f"{file_size(_LARGEST_GROUP)} are read at once: write it with fewer rows in each"
                )


def _check_names(table: _Table, shown: str) -> None:
    for file in table.files:
        names = Counter(file.schema_arrow.names)
        if twice := [name for name, number in names.items() if number > 1]:
            raise InputError(
                f"data set {printable(shown)} has several columns of one name, {few(twice)}: nobody says which of them "
                "is meant; write it with one"
            )


def _name(path: object, content: bytes, number: int, taken: Mapping[str, MirroredFile]) -> str:
    """What a row's picture is called: as the data set has it where that says something, else by its row.

    Whatever it is called, it is a picture: it gets the name of one, and no hidden one.
    """
    found = sniff(content[:SNIFF_BYTES])
    extension = found.name.lower() if found and found.name.lower() in EXTENSIONS else "png"
    if isinstance(path, str):
        own = PurePosixPath(path.replace("\\", "/"))
        name = "/".join(filter(None, (part.lstrip(".") for part in own.parts)))
        if own.suffix[1:].lower() not in EXTENSIONS:
            name = f"{name}.{extension}"
        if "." in own.name and not own.is_absolute() and name not in taken and not why_no_name(name):
            return name
    name = f"{number:06}.{extension}"
    while name in taken:
        name = f"row-{name}"
    return name


def _plain(
    cells: Mapping[str, Any], images: Sequence[str], classes: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """The cells that a table holds: words and numbers, classes by their names."""
    found: dict[str, Any] = {}
    for name, cell in cells.items():
        if name in images or name.lower() == _FILE_NAME or isinstance(cell, bool) or cell != cell:
            continue
        if name in classes and isinstance(cell, int) and 0 <= cell < len(classes[name]):
            found[name] = classes[name][cell]
        elif isinstance(cell, str | int | float):
            found[name] = cell
    return found


def _classes(metadata: Mapping[bytes, bytes] | None) -> dict[str, list[str]]:
    """The names of classes, by column, where a file's metadata says them: cells are their numbers."""
    said = (metadata or {}).get(b"huggingface")
    try:
        features = parse_json(said)["info"]["features"] if said else {}
        return {
            name: list(map(str, one["names"]))
            for name, one in features.items()
            if isinstance(one, dict) and one.get("_type") == "ClassLabel"
        }
    except (MalformedError, KeyError, TypeError, AttributeError):
        return {}
