"""Results as LaTeX tables for a paper, with the rules of the package booktabs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from nearid_cli.reports.formats.base import FileFormat
from nearid_cli.text import printable

if TYPE_CHECKING:
    from nearid_cli.reports.blocks import Document
    from nearid_cli.reports.table import Column, Mark, Table

# `[` and `*` after the end of a row would be options of that command; the quote, the ligatures `--`, `<<` and
# their like, and whatever the font's encoding lacks, would show as something else.
_ESCAPES = str.maketrans(
    {
        **{character: f"\\{character}" for character in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        "`": r"\textasciigrave{}",
        "'": r"\textquotesingle{}",
        "[": "{[}",
        "]": "{]}",
        "*": "{*}",
        "≤": r"$\leq$",
        "↓": r"$\downarrow$",
    }
)
_LIGATURE = r"(?<=-)(?=-)|(?<=,)(?=,)"
_MARKS: dict[Mark, str] = {"best": r"\textbf", "second": r"\underline"}
_LEGEND: dict[Mark, str] = {"best": "Best in bold, second underlined"}


class Latex(FileFormat):
    """The columns of the document's table that a paper shows."""

    extension = ".tex"
    holds = ("score", "compare", "gate", "benchmark")
    place = 6

    def render(self, document: Document) -> str:
        """A complete `table`, or several, with what made the numbers in comments on top."""
        own = latex_table(document.table, document.draft.made_by)
        return "\n".join([own, *(latex_table(one, ()) for one in document.draft.in_papers)])


def latex_table(made: Table, facts: Iterable[str]) -> str:
    r"""The columns for a paper as a complete `table`: `\usepackage{booktabs}`, then `\input` it.

    Args:
        made: the table; the label is `tab:` and its own, the caption says what marks mean.
        facts: what made the numbers, a line each, for comments on top.
    """
    columns = [*made.shown_names, *(column for column in made.shown if column.paper)]
    rows = [_row(_cell(column, place) for column in columns) for place in range(len(made.names[0].cells))]
    caption = " ".join(filter(None, [made.caption, made.legend(_LEGEND, "paper")]))
    lines = [
        *(f"% {printable(fact)}" for fact in facts),
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{escape(caption)}}}",
        rf"  \label{{tab:{_key(made.label)}}}",
        rf"  \begin{{tabular}}{{{''.join('l' if column.kind.text else 'r' for column in columns)}}}",
        r"    \toprule",
        _row(escape(column.plain_title) for column in columns),
        r"    \midrule",
        *rows[: made.size],
        *([r"    \midrule", rows[-1]] if made.foot else []),
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _cell(column: Column, place: int) -> str:
    """A name, or a number with a minus that is one, and not a hyphen."""
    text = column.spelled(place, "paper")
    if text == "-":
        return "--"
    text = escape(text)
    if column.kind.text:
        return text
    text = text.replace("-", "$-$")
    for mark, command in _MARKS.items():
        if mark in column.mark(place):
            text = f"{command}{{{text}}}"
    return text


def escape(text: str) -> str:
    r"""Text that LaTeX shows as it is. Letters beyond ASCII stay; pdfLaTeX and its like read UTF-8.

    >>> print(escape("100%_[a]--é\n"))
    100\%\_{[}a{]}-{}-é\textbackslash{}n
    """
    return re.sub(_LIGATURE, "{}", printable(text).translate(_ESCAPES))


def _key(label: str) -> str:
    r"""A label as `\ref` takes it: of names from the outside, such as columns, only what means nothing to LaTeX.

    >>> _key("nearid-by-cfg_scale-clip-t"), _key("nearid-by-50% {a}")
    ('nearid-by-cfg_scale-clip-t', 'nearid-by-50-a-')
    """
    return re.sub(r"[^\w.:+/-]+", "-", label)


def _row(cells: Iterable[str]) -> str:
    return f"    {' & '.join(cells)} \\\\"
