"""Results in Python: the terminal's tables for notebooks, the tables of CSV files as data frames, and files."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nearid_cli.errors import UsageError
from nearid_cli.reports.compare_terminal import render_compare
from nearid_cli.reports.files import (
    COMPARE_EXTENSIONS,
    GATE_EXTENSIONS,
    RESULT_EXTENSIONS,
    check_outputs,
    write,
)
from nearid_cli.reports.gate_terminal import render_gate
from nearid_cli.reports.order import default_sort
from nearid_cli.reports.sheet import Column, image_sheet, method_sheet, subject_sheet
from nearid_cli.reports.terminal import render_pair, render_score
from nearid_cli.results import CompareResult, GateResult, PairResult, ScoreResult

if TYPE_CHECKING:
    import pandas as pd

_WIDTH = 120  # columns of text, about as many as a notebook shows
# A notebook sets formulas between dollar signs, but not inside <pre>: names may have dollar signs.
_PRE = '<pre style="white-space:pre;overflow-x:auto;line-height:1.3;margin:0">{code}</pre>'


def html(result: ScoreResult | CompareResult | PairResult | GateResult) -> str:
    """What the command prints to a terminal, as HTML. Names are text in it, whatever they hold."""
    from rich.console import Console

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
    if isinstance(result, ScoreResult):
        render_score(result, console)
    elif isinstance(result, CompareResult):
        render_compare(result, console, default_sort(result))
    elif isinstance(result, GateResult):
        render_gate(result, console)
    else:
        render_pair(result, console)
    return console.export_html(code_format=_PRE, inline_styles=True)


def frame(result: ScoreResult | CompareResult, images: bool) -> pd.DataFrame:
    """The table of the result's CSV file, or of `--images`, as a data frame."""
    import pandas as pd

    if images:
        sheet = image_sheet(result)
    elif isinstance(result, CompareResult):
        sheet = method_sheet(result, default_sort(result))
    else:
        sheet = subject_sheet(result, default_sort(result))
    return pd.DataFrame(
        {column.name: pd.Series(list(column.cells), dtype=_dtype(column)) for column in sheet}
    )


def save(result: ScoreResult | CompareResult | GateResult, paths: Sequence[Path]) -> None:
    """Write a result to files as the command line does; all are checked before the first is written.

    Raises:
        UsageError: no file, an unknown extension, or one that the result has no form with.
        InputError: a file cannot be written.
    """
    if not paths:
        raise UsageError("expected a file to write to, such as report.html, found none")
    known = {ScoreResult: RESULT_EXTENSIONS, CompareResult: COMPARE_EXTENSIONS, GateResult: GATE_EXTENSIONS}
    check_outputs(paths, known=known[type(result)])
    sort = None if isinstance(result, GateResult) else default_sort(result)
    for path in paths:
        write(result, path, sort=sort)


def _dtype(column: Column) -> str | None:
    """Of the cells in pandas; None for what it makes of texts, which depends on its version."""
    if column.type is int and None in column.cells:
        return "Int64"  # float64 would not hold whole numbers
    return {str: None, bool: "bool", int: "int64", float: "float64"}[column.type]
