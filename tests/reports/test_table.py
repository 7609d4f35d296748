"""The table model: one table, in every format at once."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pyarrow.parquet as pq
import pytest

from nearid_cli.reports.formats.data import to_csv, to_parquet
from nearid_cli.reports.formats.latex import latex_table
from nearid_cli.reports.formats.markdown import LEGEND, Piece, joined, table_piece
from nearid_cli.reports.table import (
    BREAK,
    COUNT,
    RECORD,
    SCORE,
    SIGNED,
    TEXT,
    TRUTH,
    WORDS,
    Column,
    P,
    Table,
    named,
    share,
)
from nearid_cli.reports.terminal import show_table

Render = Callable[..., str]

MADE = Table(
    (named("method", ["ours (copies)", "b|c", "all"]), Column(TEXT, ["ours", "b|c", "all"], name="method")),
    (
        Column(COUNT, [1200, 3, 1203], "gens", "generations", group="first"),
        Column(
            SCORE,
            [0.8, -0.25, 0.3],
            "nearid",
            "nearid_score",
            intervals=[(0.7, 0.9), None, (0.2, 0.4)],
            ends="nearid_ci95",
            marks=[("best", "better"), ("second", "worse"), ()],
            group="first",
            paper=True,
            bare="paper",
        ),
        Column(SCORE, [0.1, float("nan"), None], "floor", "nearid_floor", by="nearid"),
        Column(WORDS, ["better", "no difference shown: too few", ""], "verdict", "verdict"),
        Column(RECORD, [(1, 0, 2), (2, 0, 1), (0, 0, 0)], f"wins/ties{BREAK}/losses"),
        Column(TRUTH, [True, False, False], name="copying"),
        Column(P, [0.0001, 1.0, None], "p (adjusted)", "p"),
    ),
    foot=True,
    caption="Scores_of all.",
    label="nearid-test",
    marks={"best": " over 3 subjects", "better": " than b"},
    brackets="95 % intervals",
    notes=("-: not there",),
)


def squeezed(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


AT_100 = """\
                                              wins/ties           p
method          gens                  nearid    /losses  (adjusted)  verdict
─────────────────────────────────────────────────────────────────────────────────────────────────
ours (copies)  1,200  0.800 [0.700, 0.900] *      1/0/2      <0.001  better
b|c                3                -0.250 +      2/0/1       1.000  no difference shown: too few
─────────────────────────────────────────────────────────────────────────────────────────────────
all            1,203    0.300 [0.200, 0.400]      0/0/0           -

by nearid      floor
────────────────────
ours (copies)  0.100
b|c                -
────────────────────
all                -

-: not there

* best, + second over 3 subjects. In brackets: 95 % intervals.

"""

BESIDE = """\
method          gens  verdict
────────────────────────────────────────
ours (copies)  1,200  better
b|c                3  no difference
                      shown: too few
────────────────────────────────────────
all            1,203

method                         nearid
─────────────────────────────────────
"""

BELOW = """\
method                      difference
──────────────────────────────────────
ours (copies)  +0.800 [+0.700, +0.900]
                                better
b|c                             -0.250
                  no difference shown:
                               too few
"""

APART = """\
                           wins/ties
method         difference    /losses
────────────────────────────────────
ours (copies)      +0.800      1/0/2
b|c                -0.250      2/0/1

method         verdict
────────────────────────────────────
ours (copies)  better
b|c            no difference shown:
               too few

"""


def shown(made: Table) -> Callable[[Any], None]:
    return lambda console: show_table(console, made)


def test_terminal(render: Render) -> None:
    assert squeezed(render(shown(MADE), width=100)) == AT_100


def test_words_stay_beside_the_first_numbers_or_go_below_them(render: Render) -> None:
    assert squeezed(render(shown(MADE), width=40)).startswith(BESIDE)
    assert squeezed(render(shown(judged([(0.7, 0.9), None, None])), width=40)).startswith(BELOW)


def test_words_have_a_table_of_their_own_where_the_first_numbers_are_narrow(render: Render) -> None:
    assert squeezed(render(shown(judged([])), width=36)) == APART


def test_words_have_a_table_of_their_own_where_the_first_numbers_stay_together(render: Render) -> None:
    made = judged([(0.7, 0.9), None, None])
    first, words, record = made.columns
    grouped = (replace(first, group="a"), replace(record, group="a"), words)
    printed = squeezed(render(shown(replace(made, columns=grouped)), width=60))
    rows = "ours (copies)  better\nb|c            no difference shown: too few\n\n"
    assert printed.endswith(f"\n\nmethod         verdict\n{'─' * 43}\n{rows}")


def test_names_that_two_lines_do_not_hold_lose_their_middle_but_for_paths(render: Render) -> None:
    names = {"two lines": "one two three four five", "more": " ".join(["one two three four"] * 6)}
    for name in names.values():
        made = Table((named("method", [name]),), (Column(TEXT, ["x" * 30], "words"),))
        printed = {whole: render(shown(replace(made, whole=whole)), width=46) for whole in (False, True)}
        assert ("…" in printed[False]) == (name == names["more"])
        assert "…" not in printed[True]


def judged(intervals: list[tuple[float, float] | None]) -> Table:
    difference = Column(SIGNED, [0.8, -0.25, 0.3], "difference", intervals=intervals)
    return Table(MADE.names, (difference, *MADE.columns[3:5])).only([0, 1])


def test_markdown() -> None:
    assert joined([table_piece(0, MADE)]) == (
        "| method | gens | nearid | verdict | wins/ties/losses | p (adjusted) | floor by nearid |\n"
        "| --- | ---: | ---: | --- | ---: | ---: | ---: |\n"
        "| ours (copies) | 1,200 | **0.800 [0.700, 0.900]** ▲ | better | 1/0/2 | <0.001 | 0.100 |\n"
        "| b&#124;c | 3 | <ins>-0.250</ins> ▼ | no difference shown: too few | 2/0/1 | 1.000 | - |\n\n"
    )
    assert MADE.legend(LEGEND) == (
        "Best in **bold**, second <ins>underlined</ins> over 3 subjects. ▲ better, ▼ worse than b. "
        "In brackets: 95 % intervals."
    )


def test_markdown_leaves_out_no_row_that_fits() -> None:
    piece = Piece(0, ["head"], ["123456789"] * 3, noun="rows")
    least = len(joined([piece], 0))
    for limit in range(least, least + 40):
        text = joined([piece], limit)
        assert len(text) <= limit
        assert text.count("123456789") == min((limit - least) // 10, 3)


def test_latex() -> None:
    assert (
        latex_table(MADE, ["a_b"])
        == r"""% a_b
\begin{table}
  \centering
  \caption{Scores\_of all. Best in bold, second underlined over 3 subjects.}
  \label{tab:nearid-test}
  \begin{tabular}{lr}
    \toprule
    method & nearid \\
    \midrule
    ours (copies) & \textbf{0.800} \\
    b\textbar{}c & \underline{$-$0.250} \\
    \midrule
    all & 0.300 \\
    \bottomrule
  \end{tabular}
\end{table}
"""
    )


def test_data_files_hold_other_names_and_no_foot() -> None:
    header, *rows = csv.reader(io.StringIO(to_csv(MADE)))
    assert header == [
        *("method", "generations", "nearid_score", "nearid_ci95_low", "nearid_ci95_high"),
        *("nearid_floor", "verdict", "copying", "p"),
    ]
    assert rows[0] == ["ours", "1200", "0.8", "0.7", "0.9", "0.1", "better", "True", "0.0001"]
    assert rows[1][3:6] == ["", "", ""]
    assert len(rows) == 2
    read = pq.read_table(io.BytesIO(to_parquet(MADE, {"nearid": "x"})))
    assert read.schema.names == header
    assert list(map(str, read.schema.types)) == [
        *("string", "int64", "double", "double", "double", "double", "string", "bool", "double")
    ]
    assert read.column("nearid_floor").to_pylist() == [0.1, None]


def test_data_of_other_rows() -> None:
    other = Table((named("", ["x"], "key"),), (Column(COUNT, [7], name="n"),))
    assert to_csv(Table(MADE.names, MADE.columns, data=other)) == "key,n\nx,7\n"


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        (Column(SIGNED, [0.1], intervals=[(-0.2, 0.3)]), "+0.100 [-0.200, +0.300]"),
        (Column(share(1), [0.465], intervals=[(0.41, 0.5249)]), "46.5 [41.0, 52.5]"),
        (Column(SCORE, [float("nan")], intervals=[(0.1, 0.2)]), "-"),
        (Column(TEXT, ["a\nb"]), r"a\nb"),
    ],
)
def test_cells(column: Column, cell: str) -> None:
    assert column.spelled(0) == cell
    assert column.known == (cell != "-")
