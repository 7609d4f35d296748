"""The text of a table file, whichever Unicode encoding its program wrote, and the cells of CSV and its relatives."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

_SEPARATORS = (",", ";", "\t")
_DECLARED = re.compile(r'"?sep=(.)"?[\r\n]*', re.IGNORECASE)  # how spreadsheets say it, on a line of its own
_SPACED_QUOTE = re.compile(r'(?:^|[,;\t]) +"', re.MULTILINE)
_QUOTED_CELL = re.compile(r'(?:^|(?<=[,;\t\r]))"(?:[^"]|"")*"', re.MULTILINE)

HALF_CHARACTER = re.compile("[\ud800-\udc7f\udd00-\udfff]")
"""A lone surrogate that is no byte of a file's name; JSON may hold one as an escape."""


def decode(data: bytes) -> str:
    r"""UTF-8, UTF-16 and UTF-32 as text, with a byte order mark or without.

    Bytes that are not UTF-8 become lone surrogates: file names are bytes, and a table may hold them as they are.

    Raises:
        ValueError: UTF-16 or UTF-32 that is broken, or zero bytes; the message says which, and where.

    >>> decode("path".encode("utf-16")), decode("path".encode("utf-32-be")), decode(b"caf\xe9")
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


def western(text: str) -> str:
    r"""Bytes that are not UTF-8, as what they most often are: Windows-1252, that is Latin-1 and some.

    >>> western("caf\udce9")
    'café'
    """
    return HALF_CHARACTER.sub("?", text).encode("utf-8", "surrogateescape").decode("cp1252", "replace")


@dataclass(frozen=True)
class Delimited:
    """A header, the character between cells, and the further rows, each with the line that it begins at."""

    header: list[str]
    separator: str
    rows: Iterator[tuple[int, list[str]]]


def read_delimited(text: str, fits: Callable[[Sequence[str]], bool]) -> Delimited:
    """Cells between commas; between semicolons or tabs where only so the header `fits`. Empty rows are passed over.

    Spreadsheets write semicolons wherever a comma is the decimal sign.

    Raises:
        ValueError: also while rows are read: a quote that does not close, or a cell that goes on after one.
    """
    first_line = io.StringIO(text, newline="").readline()
    declared = _DECLARED.fullmatch(first_line)
    start = len(first_line) if declared else 0
    separators = [declared[1]] if declared else _SEPARATORS
    spaced = ' "' in text and _SPACED_QUOTE.search(_QUOTED_CELL.sub("", text)) is not None
    first: Delimited | None = None
    for separator in separators:
        rows = _rows(text, start, separator, spaced)
        try:
            _, header = next(rows, (0, []))
        except ValueError:
            if first is None:
                raise
            continue  # a wrong guess
        one = Delimited(header, separator, rows)
        if fits(header):
            return one
        first = first or one
    assert first is not None  # or its error was raised
    return first


def _rows(text: str, start: int, separator: str, spaced: bool) -> Iterator[tuple[int, list[str]]]:
    lines = io.StringIO(text, newline="")  # keeps line ends as they are: CR alone is one, too
    lines.seek(start)
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
