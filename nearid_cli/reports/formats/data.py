"""Formats for programs: JSON and JSON lines, CSV and Parquet."""

from __future__ import annotations

import csv
import io
import json
from types import SimpleNamespace
from typing import Any

from nearid_cli.reports.blocks import Document
from nearid_cli.reports.formats.base import Format
from nearid_cli.reports.json_text import image_lines, to_json
from nearid_cli.reports.table import Table
from nearid_cli.text import printable, storable

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Json(Format):
    """The whole result, which loses nothing."""

    extension = ".json"
    holds = ("score", "compare", "gate", "benchmark")
    place = 1

    def render(self, document: Document) -> str:
        """One object."""
        return f"{to_json(document.result)}\n"


class JsonLines(Format):
    """A line a generation, as in `images` of the JSON."""

    extension = ".jsonl"
    holds = ("images",)
    place = 4

    def render(self, document: Document) -> str:
        """One object a line."""
        runs = document.result.runs
        return image_lines((method, image) for method, run in runs.items() for image in run.images)


class Csv(Format):
    """The document's table."""

    extension = ".csv"
    holds = ("score", "compare", "gate", "images", "benchmark")
    place = 2

    def render(self, document: Document) -> str:
        """A header line, and one a row."""
        return to_csv(document.table)


class Parquet(Format):
    """The same with types, and with what made the numbers: key `nearid` of the metadata."""

    extension = ".parquet"
    holds = ("score", "compare", "gate", "images", "benchmark")
    place = 3

    def render(self, document: Document) -> bytes:
        """One row group."""
        facts = document.facts()
        return to_parquet(document.table, {"nearid": json.dumps(facts, allow_nan=False)} if facts else {})


def to_csv(table: Table) -> str:
    r"""A table as CSV with a header line: UTF-8, comma, `\n`, numbers in full precision, None as nothing.

    Text is for eyes here: control characters become backslash escapes, and what a spreadsheet would run as a
    formula gets a leading apostrophe. JSON and Parquet hold names as they are.
    """
    names, _, columns = zip(*table.stored(), strict=True)
    lines: list[str] = []
    writer = csv.writer(SimpleNamespace(write=lines.append))  # ends lines with CR LF, so it quotes both
    writer.writerow([_defused(name) for name in names])
    writer.writerows(zip(*([_defused(cell) for cell in cells] for cells in columns), strict=True))
    return "".join(line.removesuffix("\r\n") + "\n" for line in lines)


def to_parquet(table: Table, metadata: dict[str, str]) -> bytes:
    """A table as a Parquet file: texts, truth values, int64 and float64, all of them nullable.

    Args:
        table: the columns.
        metadata: key-value pairs for the file's schema.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {str: pa.string(), bool: pa.bool_(), int: pa.int64(), float: pa.float64()}
    names, kinds, columns = zip(*table.stored(), strict=True)
    made = pa.Table.from_arrays(
        [
            pa.array([storable(cell) if isinstance(cell, str) else cell for cell in cells], types[kind])
            for kind, cells in zip(kinds, columns, strict=True)
        ],
        names=list(map(storable, names)),
    )
    buffer = io.BytesIO()
    pq.write_table(made.replace_schema_metadata(metadata), buffer)
    return buffer.getvalue()


def _defused(cell: Any) -> Any:
    """A cell that a spreadsheet shows instead of running it. Numbers, negative ones too, are no formulas."""
    if not isinstance(cell, str):
        return cell
    text = printable(cell)
    return f"'{text}" if text.startswith(_FORMULA) else text
