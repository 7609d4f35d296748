"""Where the report of a benchmark goes: a folder, files, and stdout."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from nearid_cli.cli import show
from nearid_cli.errors import UsageError
from nearid_cli.options import Flag
from nearid_cli.reports import formats
from nearid_cli.reports.formats.base import FORMATS
from nearid_cli.text import printable

if TYPE_CHECKING:
    from nearid_cli.benchmarks.report import Report

Outputs = Annotated[
    tuple[Path, ...],
    Flag(
        "Folder for all files, which a second run resumes, or one file for the report: "
        f"{formats.listed('benchmark')}. Repeat for both.",
        "PATH",
        name="output",
        short="o",
    ),
]


def folder_and_files(outputs: Sequence[Path]) -> tuple[Path | None, list[Path]]:
    """The folder among the outputs, which is not made here, and the files: what has the extension of a format.

    Raises:
        UsageError: several folders, or a file that is named twice.
        InputError: a file cannot be written.
    """
    from nearid_cli.reports.files import check_outputs

    files = [path for path in outputs if path.suffix.lower() in FORMATS and not path.is_dir()]
    folders = [path for path in outputs if path not in files]
    if len(folders) > 1:
        raise UsageError(f"several folders for one report: {', '.join(map(printable, folders))}; give one")
    check_outputs(files, known=formats.known("benchmark"))
    return next(iter(folders), None), files


def show_report(made: Report, files: Sequence[Path], form: str) -> None:
    """Write the files, and print the report, or the result as JSON."""
    from nearid_cli.reports import render
    from nearid_cli.reports.files import write_document
    from nearid_cli.reports.formats.data import to_json

    for path in files:
        write_document(made.document, path)
    show.result(
        made,
        form,
        lambda made: to_json(made.result),
        lambda made, console: render(made.document, console),
        lambda made: made.findings,
    )
    show.wrote(*files)
