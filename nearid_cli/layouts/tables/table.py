"""Tables that say something of pictures, as people have them: CSV, JSON or Parquet, read as rows of text.

CSV and its relatives come in whichever Unicode encoding their program wrote, with commas, semicolons or tabs.
"""

from __future__ import annotations

import csv
import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from nearid_cli.errors import InputError
from nearid_cli.layouts.reach import WITHIN, Reach, shown_path
from nearid_cli.layouts.tables.locate import Locator, NoPictureError, OutsideError, Place
from nearid_cli.layouts.tables.spelling import look_alike
from nearid_cli.opening import MalformedError, open_regular, parse_json, read_regular
from nearid_cli.text import count, few, file_size, first_few, printable

_MOST_BYTES, _JSON_BYTES = 2**28, 2**26
_MOST_ROWS, _MOST_COLUMNS, _MOST_CELLS = 2_000_000, 1_000, 20_000_000
_LONGEST_LINE = 2**20  # of JSON
_LONGEST_CELL = csv.field_size_limit()
"""Far more than tables of pictures have. What is beyond would fill the memory long before it is known to be wrong."""
_BATCH = 10_000  # rows of Parquet at a time
SHOWN = 20
"""So many wrong rows, or other findings of one kind, are listed."""
_DIFFERENT = 100_000
_AROUND = 60  # characters that are shown on either side of one that cannot be read

_SEPARATOR_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs"}
_DECLARED = re.compile(r'"?sep=(.)"?[\r\n]*', re.IGNORECASE)  # how spreadsheets say it, on a line of its own
_CELL_IN_QUOTES = re.compile(r'(?:^|(?<=[,;\t\r]))"|((?:^|[,;\t]) +")', re.MULTILINE)
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)?")
_PLAIN_NAME = re.compile(r"[\w(][\w .()/%#+-]{0,59}")

# A lone surrogate that is no byte of a file's name; JSON may hold one as an escape.
_HALF_CHARACTER = re.compile("[\ud800-\udc7f\udd00-\udfff]")


class PictureRow(NamedTuple):
    """One row: where it stands (`line 3`, or `row 3` in Parquet), and its cells by column, as written.

    >>> row = PictureRow("line 3", {"subject": " red cat "})
    >>> row.text("subject"), row.text("seed")
    ('red cat', '')
    """

    where: str
    cells: Mapping[str, str]

    def text(self, column: str) -> str:
        """A cell without white space around it; nothing where there is none."""
        return self.cells.get(column, "").strip()

    def besides(self, *columns: str) -> dict[str, str]:
        """The cells of all other columns likewise, without the empty ones."""
        return {name: cell for name in self.cells if name not in columns and (cell := self.text(name))}


@dataclass
class PictureTable:
    """The rows of a table.

    Attributes:
        kind: what it is to people: `manifest` or `metadata`.
        path: its file.
        needed: columns that must be there; all of them are among the known ones.
        known: columns that hold text and nothing nested, but for `lists`.
        either: columns of which one must be there, if any are named; likewise.
        lists: those of them that may hold a list, which becomes its text in JSON.
        reach: where its paths may lead besides its own folder.
        columns: names of columns as the reader spells them, by how they are written.
        rows: but for those in `problems`; none where they are read as they are asked for.
        problems: rows that are none, each with its place.
        notes: how it was read, where that is not plain.
        leads_outside: whether a path was asked for that lies where its paths may not.
    """

    kind: str
    path: Path
    needed: Sequence[str]
    known: Sequence[str]
    either: Sequence[str] = ()
    lists: Sequence[str] = ()
    reach: Reach = WITHIN
    columns: dict[str, str] = field(default_factory=dict)
    rows: list[PictureRow] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    leads_outside: bool = False
    _said: dict[str, str] = field(default_factory=dict)
    _characters: int = 0

    def error(self, what: str, details: Iterable[str] = ()) -> InputError:
        """What is wrong with the whole of it; of many details the first ones."""
        return InputError(f"{self.kind} {printable(self.path)} {what}", first_few(details, SHOWN))

    def not_utf8(self, where: str, cell: str) -> InputError:
        """A cell holds bytes that are not UTF-8: the file is in an encoding of old, and nothing says which."""
        first = next(place for place, c in enumerate(cell) if "\ud800" <= c <= "\udfff")
        cell = cell[max(first - _AROUND, 0) : first + _AROUND]
        return self.error(
            f"is not UTF-8: {where} holds {printable(cell)}, which may be {printable(_western(cell))} in Windows-1252 "
            "(Latin-1); save it as UTF-8: in a spreadsheet as CSV UTF-8, or with "
            f"iconv -f WINDOWS-1252 -t UTF-8 {shlex.quote(printable(self.path))} > utf8{printable(self.path.suffix)}"
        )

    def picture(self, row: PictureRow, column: str) -> Place:
        """The file that a row names in a column; paths count from the table's folder.

        Raises:
            NoPictureError: it names none, or one that is not there.
            InputError: likewise, in bytes that are not UTF-8.
        """
        written = row.cells.get(column, "")
        if not written.strip():
            raise NoPictureError(f"the {column} is empty")
        try:
            return self._locator.find(written)
        except OutsideError:
            self.leads_outside = True
            raise
        except NoPictureError:
            if not is_utf8(written):
                raise self.not_utf8(row.where, written) from None
            raise

    @cached_property
    def _locator(self) -> Locator:
        return Locator(self.path.parent, self.reach)

    def text(self, limit: int = _MOST_BYTES) -> str:
        """All of it; raises InputError for what is no text, OSError for what cannot be read or has more bytes."""
        try:
            return _decode(read_regular(self.path, limit))
        except ValueError as error:
            raise self.error(f"is {error}") from error

    def spelled(self, written: Iterable[str]) -> list[str]:
        """Names of columns as the reader spells them, whatever their case and the spaces around them."""
        known = {look_alike(name): name for name in self.known}
        return [known.get(look_alike(name), name.strip()) for name in written]

    def fits(self, written: Iterable[str]) -> bool:
        """Whether the needed columns are among these."""
        names = set(self.spelled(written))
        return names.issuperset(self.needed) and (not self.either or not names.isdisjoint(self.either))

    def has_columns(self, written: Sequence[str]) -> None:
        """Set the columns, or refuse them."""
        names = self.spelled(written)
        if len(names) > _MOST_COLUMNS:
            raise self.error(f"has {len(names):,} columns, and no more than {_MOST_COLUMNS:,} are read")
        if not self.fits(written):
            raise self._lacks_columns(names)
        if halves := [name for name in names if _HALF_CHARACTER.search(name)]:
            raise self.error(f"has a column whose name holds half a character: {shown_path(halves[0])}")
        if damaged := [name for name in names if not is_utf8(name)]:
            raise self.not_utf8("a column's name", damaged[0])
        places: dict[str, list[str]] = {}
        for place, name in enumerate(written, 1):
            if name.strip():
                places.setdefault(look_alike(name), []).append(f"{shown_path(name)} (column {place})")
        if twice := [" and ".join(spelled) for spelled in places.values() if len(spelled) > 1]:
            raise self.error(f"has columns of one name: {'; '.join(twice)}; keep one of each")
        self.columns = dict(zip(written, names, strict=True))

    def _lacks_columns(self, names: Sequence[str]) -> InputError:
        found = self._found(names)
        missing = [name for name in self.needed if name not in names]
        if not missing:
            return self.error(f"needs one of the columns {', '.join(self.either)}: found {found}")
        hint = ""
        if "file_name" in names and "file_name" not in self.needed:
            hint = (
                f"; if this is the metadata of an imagefolder, give its folder: {printable(self.path.parent)}"
            )
        return self.error(
            f"needs the columns {', '.join(self.needed)}: missing {', '.join(missing)}, found {found}{hint}"
        )

    def _found(self, names: Sequence[str]) -> str:
        """What columns there are. What hardly is a table may be anybody's file, of which nothing is told."""
        named = [name for name in names if name]
        if not named:
            return "none"
        if all(map(_PLAIN_NAME.fullmatch, named)) and (len(named) > 1 or named[0] in self.known):
            return few(named, SHOWN)
        return f"{count(len(named), 'column')} that {'is' if len(named) == 1 else 'are'} called otherwise"

    def once(self, cell: str) -> str:
        """A text that many rows say, as one object, for as long as not too many are different."""
        if len(self._said) < _DIFFERENT:
            return self._said.setdefault(cell, cell)
        return self._said.get(cell, cell)

    def check_number(self, rows: int) -> None:
        """Raise InputError for more rows than are read."""
        most = min(_MOST_ROWS, _MOST_CELLS // max(len(self.columns), 1))
        if rows > most:
            columns = count(len(self.columns), "column")
            raise self.error(
                f"has more rows than are read, which is {most:,} of {columns}; make several of it"
            )

    def row(self, where: str, values: Mapping[str, Any]) -> PictureRow | None:
        """The row of values by columns as they are written; None for an empty one, and for a wrong one."""
        cells = {}
        for written, value in values.items():
            name = self.columns[written]
            nested = dict if name in self.lists else (dict, list)
            if name in self.known and isinstance(value, nested):
                shown = printable(json.dumps(value, ensure_ascii=False, default=str))
                self.problems.append(f"{where}: expected {name} to be text but got {shown:.40}")
                return None
            if name and (cell := _text(value)):
                cells[name] = self.once(cell)
                self._characters += len(cell)
                if len(cell) > _LONGEST_CELL:
                    most = f"no more than {_LONGEST_CELL:,} are read"
                    self.problems.append(
                        f"{where}: {printable(name)} has {len(cell):,} characters, and {most}"
                    )
                    return None
                if not cell.isascii() and _HALF_CHARACTER.search(cell):
                    self.problems.append(
                        f"{where}: {printable(name)} holds half a character: {printable(cell):.80}"
                    )
                    return None
        if self._characters > 2 * _MOST_BYTES:
            raise self.error(f"holds more text than is read, which is {file_size(2 * _MOST_BYTES)}")
        return PictureRow(where, cells) if any(cell.strip() for cell in cells.values()) else None


def read_table(
    path: Path,
    kind: str,
    needed: Sequence[str],
    known: Sequence[str],
    either: Sequence[str] = (),
    lists: Sequence[str] = (),
    reach: Reach = WITHIN,
) -> PictureTable:
    """Read a table as text. Names of columns are trimmed, and the `known` ones may be in any case.

    Args:
        path: a file with one of `TABLE_EXTENSIONS`, or `.json`: a list of rows.
        kind: what it is to people.
        needed: columns that must be there; all of them are among the known ones.
        known: columns that hold text and nothing nested, but for `lists`.
        either: columns of which one must be there, if any are named; likewise.
        lists: those of them that may hold a list, which becomes its text in JSON.
        reach: where its paths may lead besides its own folder.

    Raises:
        InputError: it cannot be read as a whole: encoding, quotes, columns that are missing or there twice.
    """
    table = PictureTable(kind, path, needed, known, either, lists, reach)
    table.rows += rows_of(table)
    return table


def rows_of(table: PictureTable) -> Iterator[PictureRow]:
    """The rows of a table, read as they are asked for: of a million not all need be held at once.

    Its columns are known once the first row is, and its problems and notes once all are.

    Args:
        table: without rows.

    Raises:
        InputError: as for `read_table`.
    """
    try:
        for number, row in enumerate((_READERS | _IN_ONE)[table.path.suffix.lower()](table), 1):
            table.check_number(number)
            yield row
    except OSError as error:
        why = error.strerror or " ".join(str(error).split())  # Arrow's may have several lines
        raise InputError(f"cannot read {table.kind} {printable(table.path)}: {printable(why)}") from error


def table_of(
    rows: Iterable[Mapping[str, Any]],
    name: str,
    kind: str,
    known: Sequence[str],
    either: Sequence[str] = (),
) -> PictureTable:
    """Rows that a program holds, as a table.

    Args:
        rows: values by column; a column that a row lacks is empty there.
        name: what the table is called where something is wrong with it.
        kind: as for `read_table`.
        known: likewise.
        either: likewise.

    Raises:
        InputError: columns are missing or there twice.
    """
    table = PictureTable(kind, Path(name), (), known, either)
    objects = [(f"row {number}", row) for number, row in enumerate(rows, 1)]
    _has_keys(table, objects)
    table.rows += _rows_of_objects(table, objects)
    table.check_number(len(table.rows))
    return table


def is_utf8(text: str) -> bool:
    r"""Whether a text holds no bytes that were not UTF-8.

    >>> is_utf8("café"), is_utf8("caf\udce9")
    (True, False)
    """
    return text.isascii() or not any("\ud800" <= c <= "\udfff" for c in text)


def _decode(data: bytes) -> str:
    r"""UTF-8, UTF-16 and UTF-32 as text, with a byte order mark or without.

    Bytes that are not UTF-8 become lone surrogates: file names are bytes, and a table may hold them as they are.

    Raises:
        ValueError: UTF-16 or UTF-32 that is broken, or zero bytes; the message says which, and where.

    >>> _decode("path".encode("utf-16")), _decode("path".encode("utf-32-be")), _decode(b"caf\xe9")
    ('path', 'path', 'caf\udce9')
    """
    encoding = json.detect_encoding(data)
    try:
        text = data.decode(encoding, "surrogateescape" if encoding.startswith("utf-8") else "strict")
    except UnicodeDecodeError as error:
        name = encoding.upper().removesuffix("-LE").removesuffix("-BE")
        raise ValueError(
            f"broken {name}: {error.reason} at byte {error.start:,}; save it as UTF-8"
        ) from error
    if (place := text.find("\0")) >= 0:
        line = text.count("\n", 0, place) + 1
        raise ValueError(f"no text file: line {line:,} holds a zero byte; save it as UTF-8 text")
    return text


def _western(text: str) -> str:
    r"""Bytes that are not UTF-8, as what they most often are: Windows-1252, that is Latin-1 and some.

    >>> _western("caf\udce9")
    'café'
    """
    return _HALF_CHARACTER.sub("?", text).encode("utf-8", "surrogateescape").decode("cp1252", "replace")


def _delimited(table: PictureTable) -> tuple[list[str], str, Iterator[tuple[int, list[str]]]]:
    """Cells between commas; between semicolons or tabs where only so the header fits. Empty rows are passed over.

    Spreadsheets write semicolons wherever a comma is the decimal sign.

    Returns:
        A header, the character between cells, and the further rows, each with the line that it begins at.

    Raises:
        ValueError: also while rows are read: a quote that does not close, or a cell that goes on after one.
    """
    text = table.text()
    first_line = _line(text, 0)
    declared = _DECLARED.fullmatch(first_line)
    start = len(first_line) if declared else 0
    separators = [declared[1]] if declared else _SEPARATOR_NAMES
    spaced = ' "' in text and _has_spaced_quotes(text)
    first = None
    for separator in separators:
        rows = _rows(text, start, separator, spaced)
        try:
            _, header = next(rows, (0, []))
        except ValueError:
            if first is None:
                raise
            continue  # a wrong guess
        one = header, separator, rows
        if table.fits(header):
            return one
        first = first or one
    assert first is not None  # or its error was raised
    return first


def _line(text: str, start: int) -> str:
    match = _LINE.match(text, start)
    assert match is not None  # it may be empty
    return match[0]


def _has_spaced_quotes(text: str) -> bool:
    """Whether spaces stand between a separator and a quote, outside of cells in quotes."""
    at = 0
    while match := _CELL_IN_QUOTES.search(text, at):
        if match[1]:
            return True
        at = match.end()
        while (at := text.find('"', at) + 1) and text.startswith('"', at):
            at += 1  # two quotes are one in the cell
        if not at:
            return False
    return False


def _rows(text: str, start: int, separator: str, spaced: bool) -> Iterator[tuple[int, list[str]]]:
    lines = (match[0] for match in _LINE.finditer(text, start) if match[0])  # CR alone ends one, too
    # Spaces before a quote would make it part of the cell, and its commas the ends of cells. Elsewhere spaces stay:
    # the name of a file may begin with one.
    reader = csv.reader(lines, delimiter=separator, strict=True, skipinitialspace=spaced)
    while True:
        line = (2 if start else 1) + reader.line_num
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            why = "a quote is not closed" if "end of data" in str(error) else error
            raise ValueError(f"{why}, in the row that begins at line {line:,}") from error
        if any(cell.strip() for cell in cells):
            yield line, cells


def _read_csv(table: PictureTable) -> Iterator[PictureRow]:
    try:
        header, separator, rows = _delimited(table)
        table.has_columns(header)
        names = table.spelled(header)
        separator = _SEPARATOR_NAMES.get(separator, separator)
        nameless = [place for place, name in enumerate(names) if not name]
        passed_over = False
        for line, cells in rows:
            if any(cell.strip() for cell in cells[len(names) :]):
                table.problems.append(
                    f"line {line}: {len(cells)} cells in {len(names)} columns; quote cells that hold {separator}"
                )
                continue
            passed_over = passed_over or any("".join(cells[place : place + 1]).strip() for place in nameless)
            row = {name: table.once(cell) for name, cell in zip(names, cells, strict=False) if name and cell}
            yield PictureRow(f"line {line}", row)
    except ValueError as error:
        raise table.error(f"is not valid CSV: {error}") from error
    if separator != "commas" and (separator, table.path.suffix.lower()) != ("tabs", ".tsv"):
        table.notes.append(f"cells are separated by {separator}")
    if passed_over:
        table.notes.append("a column without a name is passed over")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        keys = [key for key, _ in pairs]
        raise InputError(f"the key {printable(next(k for k in keys if keys.count(k) > 1))} is there twice")
    return made


def _read_jsonl(table: PictureTable) -> Iterator[PictureRow]:
    text = table.text()
    if text.lstrip().startswith("["):
        raise table.error("is one JSON list: expected one object a line, for example from jq -c '.[]'")
    # Twice, since the last line may have a key that no other has, and a million objects take a gigabyte.
    _has_keys(table, _objects_of(table, text, table.problems))
    yield from _rows_of_objects(table, _objects_of(table, text, []))


def _objects_of(
    table: PictureTable, text: str, problems: list[str]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The objects of a text, one a line; adds lines that are none to `problems`."""
    found = 0
    for number, match in enumerate(_LINE.finditer(text), 1):
        if match[0].isspace() or not match[0]:
            continue
        where = f"line {number}"
        if len(match[0]) > _LONGEST_LINE:
            problems.append(
                f"{where}: has {len(match[0]):,} characters, and no more than {_LONGEST_LINE:,} are read"
            )
            continue
        try:
            value = parse_json(match[0], object_pairs_hook=_once)
        except InputError as error:
            problems.append(f"{where}: {error}")
        except MalformedError as error:
            problems.append(f"{where}: not valid JSON: {_without_start(error)}")
        else:
            found += 1
            table.check_number(found)
            yield from _object(where, value, problems)


def _read_json(table: PictureTable) -> Iterator[PictureRow]:
    """A list of rows, or an object with a number, or another plain value, a path."""
    try:
        value = parse_json(table.text(_JSON_BYTES), object_pairs_hook=_once)
    except MalformedError as error:
        raise table.error(f"is not valid JSON: {_without_start(error)}") from error
    except InputError as error:
        raise (
            error if error.message.startswith(table.kind) else table.error(f"is no table: {error}")
        ) from error
    if isinstance(value, dict) and value and not any(isinstance(one, (dict, list)) for one in value.values()):
        value = [{"path": path, "score": one} for path, one in value.items()]
    if not isinstance(value, list):
        raise table.error("is no table: expected a list of rows, each an object, or numbers by path")
    objects = [
        found
        for number, one in enumerate(value, 1)
        for found in _object(f"row {number}", one, table.problems)
    ]
    _has_keys(table, objects)
    yield from _rows_of_objects(table, objects)


def _without_start(error: MalformedError) -> str:
    return str(error).removeprefix("it is not JSON: ")


def _object(where: str, value: Any, problems: list[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The object with its place; else adds to `problems`."""
    if isinstance(value, dict):
        yield where, value
    else:
        problems.append(f"{where}: expected a JSON object")


def _has_keys(table: PictureTable, objects: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
    """Set the columns. A key that some lack is an empty cell there; one that all lack is a missing column."""
    written = dict.fromkeys(name for _, one in objects for name in one)
    if written or not table.problems:
        table.has_columns(list(written))


def _rows_of_objects(
    table: PictureTable, objects: Iterable[tuple[str, Mapping[str, Any]]]
) -> Iterator[PictureRow]:
    return (row for where, one in objects if (row := table.row(where, one)) is not None)


def _read_parquet(table: PictureTable) -> Iterator[PictureRow]:
    import pyarrow as pa

    try:
        with open_regular(table.path) as file:
            rows = ((f"row {number}", row) for number, row in enumerate(_parquet_rows(table, file), 1))
            yield from _rows_of_objects(table, rows)
    except UnicodeDecodeError as error:
        raise table.error(f"holds text that is not UTF-8: {printable(repr(error.object)):.80}") from error
    except (pa.ArrowException, ValueError, OverflowError) as error:  # the last for a date beyond all years
        raise table.error(f"is not valid Parquet: {printable(' '.join(str(error).split())):.200}") from error


def _parquet_rows(table: PictureTable, opened: BinaryIO) -> Iterator[dict[str, Any]]:
    """The values of every column that holds text, or may be a label, row by row.

    A few megabytes may hold millions of values, each said once and named ever after: how many there are is looked up
    before any is read, and values that are one stay one.
    """
    import pyarrow.parquet as pq

    with pq.ParquetFile(opened) as file:
        schema = file.schema_arrow
        pictures = [one.name for one in schema if _holds_pictures(one.type)]
        if pictures and not table.fits(schema.names):
            raise table.error(
                f"holds pictures in its column {printable(pictures[0])}, and no "
                f"{' or '.join(table.needed or table.either)}: write them into files first"
            )
        table.has_columns(schema.names)
        table.check_number(file.metadata.num_rows)
        kept = [
            one.name
            for one in schema
            if table.columns[one.name] in table.known or _may_be_label(one.name, one.type)
        ]
        _check_values(table, file.metadata, set(kept))
        if passed_over := [name for name in schema.names if name not in kept]:
            table.notes.append(f"passed over, as no text: {few(passed_over, SHOWN)}")
        texts = [one.name for one in schema if one.name in kept and _is_text(one.type)]
    with pq.ParquetFile(opened, read_dictionary=texts) as file:
        for batch in file.iter_batches(_BATCH, columns=kept):
            values = [_values(batch.column(name)) for name in kept]
            for row in zip(*values, strict=True):
                yield dict(zip(kept, row, strict=True))


def _check_values(table: PictureTable, metadata: Any, kept: set[str]) -> None:
    """Raise InputError for more values, in lists, say, than cells are read, or more text than files may have."""
    values = size = 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        for place in range(group.num_columns):
            column = group.column(place)
            if column.path_in_schema.partition(".")[0] in kept:
                values += column.num_values
                size += column.total_uncompressed_size
    if values > _MOST_CELLS:
        raise table.error(f"holds {values:,} values, and no more than {_MOST_CELLS:,} are read")
    if size > 2 * _MOST_BYTES:
        raise table.error(
            f"holds {file_size(size)} of text, and no more than {file_size(2 * _MOST_BYTES)} are read"
        )


def _holds_pictures(kind: Any) -> bool:
    """Whether an Arrow type is that of pictures in a data set, structs of bytes and path."""
    import pyarrow as pa

    return pa.types.is_struct(kind) and "bytes" in kind.names


def _may_be_label(name: str, kind: Any) -> bool:
    """Whether a column of an Arrow type says something in words: not bytes, pictures, vectors or row numbers."""
    import pyarrow as pa

    types = pa.types
    bytes_or_pictures = (types.is_binary, types.is_large_binary, types.is_fixed_size_binary, _holds_pictures)
    a_list = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    return not (
        any(is_it(kind) for is_it in bytes_or_pictures)
        or (a_list and types.is_floating(kind.value_type))
        or name.startswith("__index_level_")
    )


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_binary(kind))


def _values(column: Any) -> list[Any]:
    """The values of an Arrow column. Short floats as they are written, not as the long ones nearest to them."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type) and not pa.types.is_dictionary(column.type.value_type):
        said = _values(column.dictionary)
        return [None if place is None else said[place] for place in column.indices.to_pylist()]
    values: list[Any] = column.to_pylist()
    if pa.types.is_float32(column.type) or pa.types.is_float16(column.type):
        short = column.type.to_pandas_dtype()
        return [None if value is None else float(str(short(value))) for value in values]
    return values


def _text(value: Any) -> str:
    """A value as text; whole numbers without the `.0` that data frames give columns with gaps.

    >>> [_text(value) for value in (None, float("nan"), 7.0, 0.5, True, [1, "é"])]
    ['', '', '7', '0.5', 'true', '[1, "é"]']
    """
    if isinstance(value, str):
        return value
    if value is None or value != value:  # NaN marks a gap too
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


_READERS = {
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".jsonl": _read_jsonl,
    ".ndjson": _read_jsonl,
    ".parquet": _read_parquet,
}
TABLE_EXTENSIONS = tuple(_READERS)
"""Those of tables."""
_IN_ONE = {".json": _read_json}  # which manifests and metadata are not: a picture a line can be appended
