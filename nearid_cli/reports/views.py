"""Results in Python: the terminal's tables for notebooks, the tables of CSV files as data frames, and files."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearid_cli.errors import UsageError
from nearid_cli.reports import formats
from nearid_cli.reports.document import document, images_document
from nearid_cli.reports.files import DEFAULT_THUMBNAILS, check_outputs, write_document
from nearid_cli.results import CompareResult, GateResult, PairResult, ScoreResult

if TYPE_CHECKING:
    import pandas as pd

_WIDTH = 120  # columns of text, about as many as a notebook shows
# A notebook sets formulas between dollar signs, but not inside <pre>: names may have dollar signs.
_PRE = '<pre style="white-space:pre;overflow-x:auto;line-height:1.3;margin:0">{code}</pre>'


def html(result: ScoreResult | CompareResult | PairResult | GateResult) -> str:
    """What the command prints to a terminal, as HTML. Names are text in it, whatever they hold."""
    from rich.console import Console

    from nearid_cli.reports.terminal import render

    console = Console(
        file=io.StringIO(),
        record=True,
        width=_WIDTH,
        force_jupyter=False,  # or it would show itself
        force_terminal=True,
        color_system="standard",
        highlight=False,
        emoji=False,
    )
    render(document(result), console)
    return console.export_html(code_format=_PRE, inline_styles=True)


def frame(result: ScoreResult | CompareResult, images: bool) -> pd.DataFrame:
    """The table of the result's CSV file, or of `--images`, as a data frame."""
    import pandas as pd

    columns = (images_document(result) if images else document(result)).table.stored()
    return pd.DataFrame({name: pd.Series(cells, dtype=_dtype(kind, cells)) for name, kind, cells in columns})


def save(result: ScoreResult | CompareResult | GateResult, paths: Sequence[Path]) -> None:
    """Write a result to files as the command line does; all are checked before the first is written.

    Raises:
        UsageError: no file, an unknown extension, or one that the result has no form with.
        InputError: a file cannot be written.
    """
    if not paths:
        raise UsageError("expected a file to write to, such as report.html, found none")
    made = document(result, thumbnails=DEFAULT_THUMBNAILS)
    check_outputs(paths, known=formats.known(made.kind))
    for path in paths:
        write_document(made, path)


def _dtype(kind: type[Any], cells: Sequence[Any]) -> str | None:
    """Of the cells in pandas; None for what it makes of texts, which depends on its version."""
    if kind is int and None in cells:
        return "Int64"  # float64 would not hold whole numbers
    return {str: None, bool: "bool", int: "int64", float: "float64"}[kind]
