"""What the reports of all benchmarks share: a document for people, and a folder of files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nearid_cli.errors import InputError
from nearid_cli.reports.blocks import Block, Document, Draft, Finding, FindingList, Panel, Prose, origin
from nearid_cli.reports.files import write_document
from nearid_cli.reports.provenance import about_metric, about_tool
from nearid_cli.reports.scalars import table_scalars
from nearid_cli.reports.table import GLUE, Table
from nearid_cli.text import printable

FOLD = 40
"""Names of pools and methods, side by side in a terminal, fold only beyond this."""

NOTHING = "the data have nothing to compute this number from"
"""What the `-` of a table means."""


@dataclass(frozen=True)
class Report:
    """The result of a benchmark for people and for files.

    Attributes:
        title: of a page.
        result: has `to_dict`, of which JSON is made.
        tables: the label of each is the name of its files; the first is the one of files that hold one table.
        findings: what a reader of the numbers must not miss, a line each.
        facts: what was measured, a line a fact.
        labels: what the labels of all tables begin with in a paper.
        about: what was measured, a line for a terminal.
        few: by label the rows that a terminal shows of a table; of all others it shows every row.
        missing: what a `-` means.
        left_out: what was left out, a line each.
        charts: by label what a page draws above a table.
    """

    title: str
    result: Any
    tables: tuple[Table, ...]
    findings: tuple[str, ...]
    facts: tuple[str, ...]
    labels: str
    about: str = ""
    few: Mapping[str, Sequence[int]] = field(default_factory=dict)
    missing: str = NOTHING
    left_out: tuple[str, ...] = ()
    charts: Mapping[str, Sequence[Block]] = field(default_factory=dict)

    @property
    def made_by(self) -> tuple[str, ...]:
        """What made the numbers, a line a fact."""
        tool = about_tool(self.result.tool, self.result.created)
        metrics = map(about_metric, getattr(self.result, "metrics", ()))
        return (tool, *self.facts, *metrics, *self.left_out)

    @property
    def document(self) -> Document:
        """All of it, for a terminal and for a file of its own."""
        blocks = [
            block
            for table in self.tables
            for block in (*self.charts.get(table.label, ()), *self._shown(table))
        ]
        findings = FindingList([Finding(line) for line in self.findings])
        about = FindingList((), self.about, where="terminal")
        return self._document(self.tables[0], [*blocks, findings, about], self.made_by, self.title)

    def write(self, folder: Path, name: str = "summary") -> None:
        """Write the result as JSON, and each table as `.csv` (the numbers in full), `.md` and `.tex`.

        Args:
            folder: made where it is not there; older files in it are replaced.
            name: of the JSON.

        Raises:
            InputError: the folder cannot be made, or a file not be written.
        """
        make_folder(folder)
        write_document(self.document, folder / f"{name}.json")
        for table in self.tables:
            made = self._document(table, self._shown(table), (*self.made_by, *self.findings))
            for extension in (".csv", ".md", ".tex"):
                write_document(made, folder / f"{table.label}{extension}")

    def _shown(self, table: Table) -> Iterator[Block]:
        few = self.few.get(table.label)
        gaps = (table.only(few) if few else table).gaps
        columns = [replace(one, title=one.title.replace(" ", GLUE)) for one in table.columns]
        yield Prose([table.caption], where="page" if few == [] else "")
        yield Panel(
            replace(
                table,
                caption="",
                columns=tuple(columns),
                notes=(f"-: {self.missing}",) if gaps else (),
                whole=True,
                fold=FOLD,
            ),
            few,
        )

    def _document(
        self, table: Table, blocks: Iterable[Block], made_by: Sequence[str], title: str = ""
    ) -> Document:
        named = replace(table, label=f"{self.labels}-{table.label}")
        content = Draft(title, (*blocks, origin(made_by)), named, tuple(made_by))
        return Document(
            "benchmark",
            self.result,
            lambda: content,
            self.about_numbers,
            scalars=lambda: table_scalars(self.labels, self.tables),
            tables=self.tables,
        )

    def about_numbers(self) -> dict[str, Any]:
        """What a data file says of how its numbers were made."""
        facts = ("schema", "tool", "created", "metrics")
        return {name: value for name, value in self.result.to_dict().items() if name in facts}


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
