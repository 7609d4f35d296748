"""LaTeX read back by pylatexenc: every group and environment closed, every name as it was."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pylatexenc.latex2text import LatexNodes2Text, MacroTextSpec, get_default_latex_context_db
from pylatexenc.latexwalker import (
    LatexCharsNode,
    LatexEnvironmentNode,
    LatexMacroNode,
    LatexSpecialsNode,
    LatexWalker,
)

from nearid_cli.errors import UsageError
from nearid_cli.reports.formats.latex import escape, latex_table
from nearid_cli.reports.table import Table, named
from nearid_cli.text import printable
from tests.printing import to_latex

AWKWARD = [
    *(f"a{character}b" for character in "&%$#_{}~^\\<>|`'\"@"),
    "[x]",
    "*x*",
    "\\end{tabular}",
    "50 % & $2^{10}$",
    "a--b---c",
    "k\nl",
    "é ß Ж 猫",
    "\x1b[31m",
]


# Glyphs that pylatexenc does not know by name, or takes for an accent; what they are is in LaTeX's encguide.
GLYPHS = {
    "textquotesingle": "'",
    "textasciigrave": "`",
    "textasciicircum": "^",
    "textasciitilde": "~",
    "textless": "<",
    "textgreater": ">",
    "textbar": "|",
}
CONTEXT = get_default_latex_context_db()
CONTEXT.add_context_category(
    "glyphs", prepend=True, macros=[MacroTextSpec(*glyph) for glyph in GLYPHS.items()]
)


def text(nodes):
    return LatexNodes2Text(latex_context=CONTEXT).nodelist_to_text(nodes).strip()


def read(latex):
    """Caption, label, column specification, and rows as cells (text, macro around it or None)."""
    nodes, _, _ = LatexWalker(latex, tolerant_parsing=False).get_latex_nodes()
    (table,) = [node for node in nodes if isinstance(node, LatexEnvironmentNode)]
    (tabular,) = [node for node in table.nodelist if isinstance(node, LatexEnvironmentNode)]
    assert (table.environmentname, tabular.environmentname) == ("table", "tabular")
    rows, cells = [], [[]]
    rules = []
    for node in tabular.nodelist:
        if isinstance(node, LatexMacroNode) and node.macroname == "\\":
            assert not node.nodeargd or not any(node.nodeargd.argnlist)  # neither \\* nor \\[...]
            rows.append(cells)
            cells = [[]]
        elif isinstance(node, LatexSpecialsNode) and node.specials_chars == "&":
            cells.append([])
        elif isinstance(node, LatexMacroNode) and node.macroname in ("toprule", "midrule", "bottomrule"):
            rules.append((len(rows), node.macroname))
        elif cells[-1] or not isinstance(node, LatexCharsNode) or node.chars.strip():
            cells[-1].append(node)
    assert cells == [[]]
    return (
        [[text(cell) for cell in row] for row in rows],
        rows,
        rules,
        tabular.nodeargd.argnlist[0].latex_verbatim(),
    )


def test_subjects_by_metrics(result):
    latex = to_latex(result, sort="nearid")
    texts, _, rules, columns = read(latex)
    assert texts == [
        ["subject", "nearid", "clip-i", "dino"],
        ["red mug", "0.750", "0.650", "0.550"],
        ["cat", "0.912", "0.812", "0.712"],
        ["aggregate", "0.831", "0.731", "0.631"],
    ]
    assert rules == [(0, "toprule"), (1, "midrule"), (3, "midrule"), (4, "bottomrule")]
    assert columns == "{lrrr}"
    assert latex.count(r"\label{tab:nearid-score}") == latex.count(r"\caption{") == 1
    comments = [line for line in latex.splitlines() if line.startswith("%")]
    assert latex.startswith("\n".join(comments) + "\n\\begin{table}")
    assert "% tool: nearid-cli 0.1.0, 2026-04-02T10:00:00+00:00" in comments
    assert comments[-1].startswith(
        "% metric dino: checkpoint org/dino; revision abc123; fingerprint ffffffff;"
    )


def test_methods_by_metrics(compared):
    texts, rows, rules, columns = read(to_latex(compared))
    assert texts == [
        ["method", "nearid", "dino"],
        ["lora", "0.900", "0.800"],
        ["dreambooth", "0.800", "0.700"],
        ["copy/cat (copies references)", "0.700", "0.600"],
    ]
    marks = [[getattr(cell[0], "macroname", None) for cell in row[1:]] for row in rows[1:]]
    assert marks == [["textbf"] * 2, ["underline"] * 2, [None] * 2]
    assert rules == [(0, "toprule"), (1, "midrule"), (4, "bottomrule")]
    assert columns == "{lrr}"
    latex = to_latex(compared, sort="-nearid")
    assert [row[0] for row in read(latex)[0]][1:] == ["copy/cat (copies references)", "dreambooth", "lora"]
    assert r"\label{tab:nearid-compare}" in latex
    with pytest.raises(UsageError, match="cannot sort by"):
        to_latex(compared, sort="subject")


def test_names_are_shown_as_they_are(make):
    metrics = ("a&b", "[m]", "100%")
    texts, _, _, _ = read(to_latex(make(dict.fromkeys(AWKWARD, 0.5), metrics=metrics)))
    assert texts[0] == ["subject", *metrics]
    # pylatexenc shows ligatures as TeX does: had they not been broken, dashes would have become one.
    assert [row[0] for row in texts[1:-1]] == [printable(name) for name in AWKWARD]
    assert {len(row) for row in texts} == {4}


def test_what_made_it_stays_in_its_comment(make, replace):
    result = make({"cat": 0.5})
    result = replace(result, inputs=replace(result.inputs, references="a\n\\input{/etc/passwd}\r\u2028x"))
    latex = to_latex(result)
    (line,) = [line for line in latex.splitlines() if "passwd" in line]
    assert line.startswith("% references: a\\n\\input")
    read(latex)


def test_negative_numbers_have_a_minus(make):
    latex = to_latex(make({"cat": -0.25, "dog": -0.0001}, metrics=("nearid",)))
    assert r"cat & $-$0.250 \\" in latex
    assert r"dog & 0.000 \\" in latex


@given(st.text(max_size=30))
def test_any_name_is_one_balanced_piece(name):
    latex = escape(name)
    nodes, _, _ = LatexWalker(latex, tolerant_parsing=False).get_latex_nodes()
    assert not [node for node in nodes if isinstance(node, LatexSpecialsNode)]  # no &, ~ or ligature
    assert not re.search(r"(?<!\\)[%#$&_]|--|^\s*[\[*]", latex)
    assert text(nodes) == printable(name).strip()


@pytest.mark.parametrize("name", AWKWARD)
def test_a_label_made_of_names_keeps_the_table_whole(name):
    """A comment sign, or a brace, of a column that people named would swallow the rest of the file."""
    table = Table((named("k", ["x"]),), (), caption="c", label=f"nearid-by-{name}")
    nodes, _, _ = LatexWalker(latex_table(table, ()), tolerant_parsing=False).get_latex_nodes()
    assert [node.environmentname for node in nodes if isinstance(node, LatexEnvironmentNode)] == ["table"]
    assert re.search(r"\\label\{tab:nearid-by-[\w.:+/-]+\}$", latex_table(table, ()), re.MULTILINE)
