"""CSV and its relatives: which character parts the cells, and the rows with the lines that they begin at."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

_SEPARATORS = (",", ";", "\t")
_DECLARED = re.compile(r'"?sep=(.)"?[\r\n]*', re.IGNORECASE)  # how spreadsheets say it, on a line of its own
_SPACED_QUOTE = re.compile(r'(?:^|[,;\t]) +"', re.MULTILINE)
_QUOTED_CELL = re.compile(r'(?:^|(?<=[,;\t\r]))"(?:[^"]|"")*"', re.MULTILINE)


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
