"""The result of DreamBench++ as files in a folder: summary, scores and tables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from nearid_cli.benchmarks.dreambench import DreamBench
from nearid_cli.benchmarks.dreambench_result import DreamBenchResult
from nearid_cli.benchmarks.dreambench_tables import Table, tables
from nearid_cli.benchmarks.ratings import category_of, in_order, subject_of
from nearid_cli.benchmarks.samples import Scored
from nearid_cli.errors import InputError
from nearid_cli.reports import markdown_text
from nearid_cli.reports.files import replace_file
from nearid_cli.reports.latex import escape as latex_escape
from nearid_cli.reports.sheet import Column, Sheet
from nearid_cli.reports.tabular import to_csv, to_parquet
from nearid_cli.text import printable


def write(found: DreamBench, folder: Path) -> None:
    """Write the result into a folder that exists, replacing older files.

    | file | holds |
    |---|---|
    | `summary.json` | the result |
    | `scores.csv`, `scores.parquet` | one row a picture: method, item, human ratings, a column a metric |
    | `table`, `methods`, `differences`: `.csv`, `.md`, `.tex` | the tables |

    Raises:
        InputError: a file cannot be written.
    """
    result = found.result
    replace_file(folder / "summary.json", (to_json(result) + "\n").encode())
    sheet = _score_sheet(found)
    replace_file(folder / "scores.csv", to_csv(sheet).encode())
    facts = {
        key: value
        for key, value in result.to_dict().items()
        if key in ("schema", "tool", "created", "metrics")
    }
    replace_file(folder / "scores.parquet", to_parquet(sheet, {"nearid": json.dumps(facts)}))
    for table in tables(result):
        replace_file(folder / f"{table.name}.csv", to_csv(table.sheet).encode())
        replace_file(folder / f"{table.name}.md", _markdown(table).encode())
        replace_file(folder / f"{table.name}.tex", _latex(table, result).encode())


def write_scores(scored: Scored, folder: Path) -> None:
    """Write the scores of samples as published: `scores/<metric>/<method>.json`, `/` in a metric's name as `~`.

    Raises:
        InputError: a file cannot be written.
    """
    for metric, methods in scored.scores.items():
        own = make_folder(folder / "scores" / metric.replace("/", "~"))
        for method, scores in methods.items():
            text = json.dumps(dict(sorted(scores.items())), indent=4, allow_nan=False)
            replace_file(own / f"{method}.json", text.encode())


def to_json(result: DreamBenchResult) -> str:
    """The result as JSON of ASCII characters alone."""
    return json.dumps(result.to_dict(), indent=2, allow_nan=False)


def make_folder(folder: Path) -> Path:
    """Make a folder for results, or take one that is there.

    Raises:
        InputError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {printable(folder)}: {error.strerror}") from error
    return folder


def _score_sheet(found: DreamBench) -> Sheet:
    """One row a method and item that any set has; empty where a set has no number."""
    keys = [
        (method, item)
        for method in in_order({method for one in found.sets for method in one.methods})
        for item in sorted({item for one in found.sets for item in one.methods.get(method, {})})
    ]
    return (
        Column("method", str, [method for method, _ in keys]),
        Column("item", str, [item for _, item in keys]),
        Column("category", str, [category_of(item) for _, item in keys]),
        Column("subject", str, [subject_of(item) for _, item in keys]),
        *(
            Column(one.name, float, [one.methods.get(method, {}).get(item) for method, item in keys])
            for one in found.sets
        ),
    )


def _markdown(table: Table) -> str:
    rows = ([markdown_text.escape(cell) for cell in row] for row in table.rows)
    caption = markdown_text.Part(0, before=(markdown_text.escape(table.caption), ""))
    return markdown_text.document([caption, markdown_text.table(1, table.header, rows, texts=table.texts)])


def _latex(table: Table, result: DreamBenchResult) -> str:
    alignment = "l" * table.texts + "r" * (len(table.header) - table.texts)
    lines = [
        f"% {printable(f'{result.tool.name} {result.tool.version}, {result.created}')}",
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{latex_escape(table.caption)}}}",
        rf"  \label{{tab:dreambench-{table.name}}}",
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
