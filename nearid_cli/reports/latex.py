"""Results as LaTeX tables for a paper, with the rules of the package booktabs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from nearid_cli.reports.figures import figure, method_name
from nearid_cli.reports.ground import apart, ground, over_common
from nearid_cli.reports.order import sorted_methods, sorted_subjects
from nearid_cli.reports.provenance import made_by
from nearid_cli.reports.table import Column, Mark, Table
from nearid_cli.results import CompareResult, Method, ScoreResult
from nearid_cli.text import printable

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
    }
)
_LIGATURE = re.compile(r"(?<=-)(?=-)|(?<=,)(?=,)")


def to_latex(result: ScoreResult | CompareResult, sort: str | None = None) -> str:
    r"""The scores as a complete `table`: `\usepackage{booktabs}`, then `\input` it.

    A score result gives subjects by metrics and their mean; a comparison methods by metrics, the best bold and the
    second underlined, as in `Method.ranks`. What made the numbers is in comments on top.

    Args:
        result: what to show.
        sort: order of subjects as in `sorted_subjects`; of methods, for a comparison, as in `sorted_methods`.

    Raises:
        UsageError: `sort` names nothing to sort by.
    """
    names = [metric.name for metric in result.metrics]
    if isinstance(result, CompareResult):
        over = f"the {ground(result)}" if apart(result) else "subjects"
        methods = sorted_methods(over_common(result), sort)
        label, rows = "compare", [_method_row(method, names) for method in methods]
        caption = f"Mean cosine similarity over {over}. Best in bold, second underlined."
        header = ["method", *names]
    else:
        label, rows = "score", _subject_rows(result, names, sort)
        caption = "Mean cosine similarity of the generations of each subject to its references."
        header = ["subject", *names]
    lines = [
        *(f"% {printable(fact)}" for fact in made_by(result)),
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{caption}}}",
        rf"  \label{{tab:nearid-{label}}}",
        rf"  \begin{{tabular}}{{l{'r' * len(names)}}}",
        r"    \toprule",
        _row(map(escape, header)),
        r"    \midrule",
        *rows,
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


_MARKS = {Mark.BEST: r"\textbf", Mark.SECOND: r"\underline"}
_LEGEND = {Mark.BEST: "Best in bold, second underlined"}


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
        rf"  \label{{tab:{made.label}}}",
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
    return _LIGATURE.sub("{}", printable(text).translate(_ESCAPES))


def _subject_rows(result: ScoreResult, names: Sequence[str], sort: str | None) -> list[str]:
    rows = [
        _row([escape(subject.subject), *(_number(subject.scores[name].score) for name in names)])
        for subject in sorted_subjects(result, sort)
    ]
    mean = _row(["mean", *(_number(result.aggregate[name].score) for name in names)])
    return [*rows, r"    \midrule", mean]


def _method_row(method: Method, names: Sequence[str]) -> str:
    cells = []
    for name in names:
        number = _number(method.result.aggregate[name].score)
        mark = {1: r"\textbf", 2: r"\underline"}.get(method.ranks[name] or 0)
        cells.append(f"{mark}{{{number}}}" if mark else number)
    return _row([escape(method_name(method)), *cells])


def _number(value: float) -> str:
    """A number with a minus that is one, and not a hyphen."""
    text = figure(value)
    if text == "-":
        return "--"
    return f"$-${text[1:]}" if text.startswith("-") else text


def _row(cells: Iterable[str]) -> str:
    return f"    {' & '.join(cells)} \\\\"
