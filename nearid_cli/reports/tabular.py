"""Sheets as CSV and Parquet."""

from __future__ import annotations

import csv
import io
from types import SimpleNamespace

from nearid_cli.reports.sheet import Cell, Column, Sheet
from nearid_cli.reports.table import Table
from nearid_cli.text import printable, storable

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def to_csv(sheet: Sheet) -> str:
    r"""A sheet as CSV with a header line: UTF-8, comma, `\n`, numbers in full precision, None as nothing.

    Text is for eyes here: control characters become backslash escapes, and what a spreadsheet would run as a
    formula gets a leading apostrophe. JSON and Parquet hold names as they are.
    """
    lines: list[str] = []
    writer = csv.writer(SimpleNamespace(write=lines.append))  # ends lines with CR LF, so it quotes both
    writer.writerow([_defused(column.name) for column in sheet])
    writer.writerows(zip(*([_defused(cell) for cell in column.cells] for column in sheet), strict=True))
    return "".join(line.removesuffix("\r\n") + "\n" for line in lines)


def to_parquet(sheet: Sheet, metadata: dict[str, str]) -> bytes:
    """A sheet as a Parquet file: texts, truth values, int64 and float64, all of them nullable.

    Args:
        sheet: the columns.
        metadata: key-value pairs for the file's schema.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {str: pa.string(), bool: pa.bool_(), int: pa.int64(), float: pa.float64()}
    table = pa.Table.from_arrays(
        [
            pa.array(
                [storable(cell) if isinstance(cell, str) else cell for cell in column.cells],
                types[column.type],
            )
            for column in sheet
        ],
        names=[storable(column.name) for column in sheet],
    )
    buffer = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(metadata), buffer)
    return buffer.getvalue()


def table_csv(made: Table) -> str:
    """The data of a table as CSV; see `to_csv`."""
    return to_csv(_sheet(made))


def table_parquet(made: Table, metadata: dict[str, str]) -> bytes:
    """The data of a table as Parquet; see `to_parquet`."""
    return to_parquet(_sheet(made), metadata)


def _sheet(made: Table) -> Sheet:
    return tuple(Column(name, kind, cells) for name, kind, cells in made.stored())


def _defused(cell: Cell) -> Cell:
    """A cell that a spreadsheet shows instead of running it. Numbers, negative ones too, are no formulas."""
    if not isinstance(cell, str):
        return cell
    text = printable(cell)
    return f"'{text}" if text.startswith(_FORMULA) else text
