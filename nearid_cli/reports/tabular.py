"""Columns that benchmarks still make by themselves, as CSV and Parquet."""

from __future__ import annotations

from nearid_cli.reports.formats import data
from nearid_cli.reports.sheet import Sheet, as_table


def to_csv(sheet: Sheet) -> str:
    """As `data.to_csv`."""
    return data.to_csv(as_table(sheet))


def to_parquet(sheet: Sheet, metadata: dict[str, str]) -> bytes:
    """As `data.to_parquet`."""
    return data.to_parquet(as_table(sheet), metadata)
