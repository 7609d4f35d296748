"""Sheets as CSV and Parquet."""

from __future__ import annotations

import csv
import io
from types import SimpleNamespace

from nearid_cli.reports.sheet import Cell, Sheet

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def to_csv(sheet: Sheet) -> str:
    r"""A sheet as CSV with a header line: UTF-8, comma, `\n`, numbers in full precision, None as nothing.

    A text that a spreadsheet would run as a formula gets a leading apostrophe.
    """
    lines: list[str] = []
    writer = csv.writer(SimpleNamespace(write=lines.append))  # ends lines with CR LF, so it quotes both
    writer.writerow([_defused(column.name) for column in sheet])
    writer.writerows(zip(*([_defused(cell) for cell in column.cells] for column in sheet), strict=True))
    return valid("".join(line.removesuffix("\r\n") + "\n" for line in lines))


def to_parquet(sheet: Sheet, metadata: dict[str, str]) -> bytes:
    """A sheet as a Parquet file: texts, int64 and nullable float64.

    Args:
        sheet: the columns.
        metadata: key-value pairs for the file's schema.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {str: pa.string(), int: pa.int64(), float: pa.float64()}
    table = pa.Table.from_arrays(
        [
            pa.array(
                [valid(cell) if isinstance(cell, str) else cell for cell in column.cells], types[column.type]
            )
            for column in sheet
        ],
        names=[valid(column.name) for column in sheet],
    )
    buffer = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(metadata), buffer)
    return buffer.getvalue()


def valid(text: str) -> str:
    r"""Text that UTF-8 can hold: a lone surrogate becomes backslash text such as `\udcff`."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _defused(cell: Cell) -> Cell:
    """A cell that a spreadsheet shows instead of running it. Numbers, negative ones too, are no formulas."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
