"""A table of a benchmark in all its forms: terminal, CSV, Markdown, LaTeX."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nearid_cli.errors import InputError
from nearid_cli.files import replace_file
from nearid_cli.reports import markdown_text
from nearid_cli.reports import terminal as columns
from nearid_cli.reports.formats.latex import escape as latex_escape
from nearid_cli.reports.sheet import Sheet
from nearid_cli.reports.tabular import to_csv
from nearid_cli.text import printable

if TYPE_CHECKING:
    from rich.console import Console


_NAME = 40  # names of pools and methods, side by side, fold only beyond this


@dataclass(frozen=True)
class Table:
    """Cells for people, and the numbers behind them.

    Attributes:
        name: of its files.
        caption: what it shows, in sentences.
        header: one title a column.
        rows: cells for people; the first `texts` of a row hold names.
        texts: how many columns on the left hold names.
        sheet: the numbers in full.
        missing: what a cell `-` stands for.
    """

    name: str
    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    texts: int
    sheet: Sheet
    missing: str = "the data have nothing to compute this number from"


def render(table: Table, console: Console) -> None:
    """Print a table under its caption; what does not fit the width goes into a further table below."""
    names = _beside([table.header, *table.rows], table.texts)
    numbers = [
        columns.Column(title, [row[place] for row in table.rows])
        for place, title in enumerate(table.header)
        if place >= table.texts
    ]
    console.print(
        table.caption, soft_wrap=not console.is_terminal, markup=False, highlight=False, emoji=False
    )
    console.print()
    pages = columns.pages([[one] for one in numbers], names[1:], console.width, fold=_NAME)
    columns.show(console, [columns.table(names[0], names[1:], page) for page in pages])
    if any("-" in row[table.texts :] for row in table.rows):
        columns.say(console, f"-: {table.missing}", "")


def _beside(rows: Sequence[Sequence[str]], texts: int) -> list[str]:
    """The names of each row as one text, each under the one above."""
    from rich.cells import cell_len

    cells = [[printable(cell) for cell in row[:texts]] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(
            cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in cells
    ]


def write(table: Table, folder: Path, label: str, made_by: Sequence[str]) -> None:
    """Write `NAME.csv` (the numbers in full), `NAME.md` and `NAME.tex` into a folder, replacing older files.

    Args:
        table: what to write.
        folder: which exists.
        label: of the LaTeX table, after `tab:`.
        made_by: what made the numbers, a line a fact; comments in LaTeX, a list in Markdown.

    Raises:
        InputError: a file cannot be written.
    """
    replace_file(folder / f"{table.name}.csv", to_csv(table.sheet).encode())
    replace_file(folder / f"{table.name}.md", _markdown(table, made_by).encode())
    replace_file(folder / f"{table.name}.tex", _latex(table, label, made_by).encode())


def make_folder(folder: Path) -> Path:
    """Make a folder for results, or take one that is there.

    Raises:
        InputError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {printable(folder)}: {error.strerror or error}") from error
    return folder


def _markdown(table: Table, made_by: Sequence[str]) -> str:
    rows = ([markdown_text.escape(cell) for cell in row] for row in table.rows)
    facts = markdown_text.Part(0, rows=[f"- {markdown_text.escape(fact)}" for fact in made_by], after=("",))
    return markdown_text.document(
        [
            markdown_text.Part(0, before=(markdown_text.escape(table.caption), "")),
            markdown_text.table(1, table.header, rows, texts=table.texts),
            markdown_text.details("What made it", facts),
        ]
    )


def _latex(table: Table, label: str, made_by: Sequence[str]) -> str:
    alignment = "l" * table.texts + "r" * (len(table.header) - table.texts)
    lines = [
        *(f"% {printable(fact)}" for fact in made_by),
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{latex_escape(table.caption)}}}",
        rf"  \label{{tab:{label}}}",
        rf"  \begin{{tabular}}{{{alignment}}}",
        r"    \toprule",
        _latex_row(map(latex_escape, table.header)),
        r"    \midrule",
        *(_latex_row(_latex_cells(row, table.texts)) for row in table.rows),
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _latex_cells(row: Sequence[str], texts: int) -> Iterator[str]:
    """Names as they are, numbers with a minus that is one."""
    for place, cell in enumerate(row):
        safe = latex_escape(cell)
        yield safe if place < texts or cell == "-" else safe.replace("-", "$-$")


def _latex_row(cells: Iterable[str]) -> str:
    return f"    {' & '.join(cells)} \\\\"
