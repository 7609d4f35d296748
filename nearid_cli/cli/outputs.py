"""Where results go, as flags say it: files, which are checked before any work is done, and stdout."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from nearid_cli.activity import doing
from nearid_cli.cli import show
from nearid_cli.cli.options import Format
from nearid_cli.errors import UsageError
from nearid_cli.flags import Flag
from nearid_cli.remote.stores import named, url_of
from nearid_cli.text import printable

if TYPE_CHECKING:
    from nearid_cli.benchmarks.report import Report
    from nearid_cli.reports.blocks import Document


def give(
    made: Document,
    form: str,
    files: Sequence[Path] = (),
    images: Sequence[Path] = (),
    groups: Sequence[Path] = (),
) -> None:
    """Write files, print a document or its JSON, and say what was written.

    Args:
        made: what to give. Beside JSON, what a reader of its numbers must not miss goes to stderr.
        form: what stdout gets: `table`, `json`, or `none` where it holds something else; the table then goes to
            stderr.
        files: to write, the format by extension.
        images: files of one row a generation.
        groups: files of one row a group of generations.
    """
    from nearid_cli.reports.files import write_document, write_groups, write_images
    from nearid_cli.reports.formats.data import to_json

    for path in files:
        with doing(f"writing {named(path)}"):
            write_document(made, path)
    for path in images:
        with doing(f"writing {named(path)}"):
            write_images(made.result, path)
    for path in groups:
        with doing(f"writing {named(path)}"):
            write_groups(made.result, path)
    with contextlib.suppress(BrokenPipeError):  # nobody listens any more; files and verdicts stand
        if form == "json":
            _print_json(to_json(made.result))
            sys.stdout.flush()  # or what is said of it might come first
            for line in made.findings:
                typer.echo(f"warning: {line}", err=True)
        else:
            from nearid_cli.reports.terminal import render

            render(made, show.console(stderr=form == "none"))
    show.wrote(*files, *images, *groups)


@contextlib.contextmanager
def nothing_printed() -> Iterator[None]:
    """While metrics are at work: what somebody else's code prints goes to stderr, since stdout is the result's."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


def _print_json(text: str) -> None:
    """Print JSON. What the encoding of stdout cannot hold becomes JSON's own escapes."""
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        import json

        text = json.dumps(json.loads(text), indent=2)
    print(text)


def listing(sentence: str, kind: str, judged: str = "") -> Callable[[], str]:
    """A help text with the extensions of files in the place of `{}`, found when a command is built."""

    def found() -> str:
        from nearid_cli.reports import formats

        return sentence.format(formats.listed(kind, judged))

    return found


_ALSO = "Also write {}; repeat for several."


Log = Annotated[
    tuple[str, ...],
    Flag(
        "Log the result to a tracker of experiments, too: {words}; repeated or as a comma list. Each is an extra of "
        "its name.",
        "NAME[=PLACE]",
    ),
]


def check_log(asked: Sequence[str]) -> None:
    """Refuse trackers that cannot be logged to."""
    if asked:
        from nearid_cli.trackers import check

        with doing("asking trackers"):
            check(asked)


def log_to(asked: Sequence[str], made: Document) -> None:
    """Log a document that has been written and printed, so that nothing is lost where a tracker fails."""
    if asked:
        from nearid_cli.trackers import log_document

        with doing("logging"):
            log_document(made, asked)


@dataclass(frozen=True)
class Outputs:
    """Of a comparison."""

    kind: ClassVar[str] = "compare"
    output: Annotated[tuple[Path, ...], Flag(listing(_ALSO, "compare"), "FILE", short="o")] = ()
    images: Annotated[
        tuple[Path, ...], Flag(listing("Write one row a generation: {}.", "images"), "FILE")
    ] = ()
    groups: Annotated[
        tuple[Path, ...], Flag(listing("With --by, write one row a group: {}.", "groups"), "FILE")
    ] = ()
    form: Format = "table"
    log: Log = ()

    def check(self, judged: bool = False, by: Sequence[str] = ()) -> None:
        """Refuse files that cannot be written; of `judged` results those that need the verdicts of a gate can.

        Raises:
            UsageError: files are unfit, or one of groups without labels `by` which there are any.
            InputError: a file cannot be written.
        """
        from nearid_cli.reports import formats
        from nearid_cli.reports.files import check_outputs

        if self.groups and not by:
            raise UsageError("--groups needs --by LABEL: without it there are no groups")
        check_outputs(self.output, self.images, formats.known(self.kind, judged), self.groups)
        check_log(self.log)

    def give(self, made: Document) -> None:
        """Give the document to all of them but trackers."""
        give(made, self.form, self.output, self.images, self.groups)
        tables = [path for path in self.output if path.suffix.lower() in (".csv", ".parquet")]
        if made.result.groups and tables and not self.groups:
            names = ", ".join(map(named, tables))
            typer.echo(f"note: no groups in {names}; --groups FILE writes a row for each", err=True)

    def track(self, made: Document) -> None:
        """Give it to the trackers, when nothing else is left to do."""
        log_to(self.log, made)


@dataclass(frozen=True)
class JudgedOutputs(Outputs):
    """Of a score result, which a gate may judge."""

    kind: ClassVar[str] = "score"
    output: Annotated[
        tuple[Path, ...], Flag(listing(_ALSO, "score", "(with --gate)"), "FILE", short="o")
    ] = ()


@dataclass(frozen=True)
class BenchmarkOutputs:
    """Of a benchmark: a folder, and files for its report."""

    output: Annotated[
        tuple[Path, ...],
        Flag(
            listing(
                "Folder for all files, which a second run resumes, or one file for the report: {}. Repeat for both.",
                "benchmark",
            ),
            "PATH",
            short="o",
        ),
    ] = ()
    form: Format = "table"
    log: Log = ()

    def folder(self) -> Path | None:
        """The folder, which is not made here; None if there is none.

        Raises:
            UsageError: several folders, or a file that is named twice.
            InputError: a file cannot be written.
        """
        from nearid_cli.reports import formats
        from nearid_cli.reports.files import check_outputs

        files = self._files()
        folders = [path for path in self.output if path not in files]
        for path in folders:
            if url := url_of(path):
                raise UsageError(
                    f"{printable(url)}: the folder of a benchmark is resumed, and lies on a disk; a URL may be that of "
                    "its report, such as .json"
                )
        if len(folders) > 1:
            raise UsageError(
                f"several folders for one report: {', '.join(map(printable, folders))}; give one"
            )
        check_outputs(files, known=formats.known("benchmark"))
        check_log(self.log)
        return next(iter(folders), None)

    def _files(self) -> list[Path]:
        """What has the extension of a format."""
        from nearid_cli.reports.formats.base import FORMATS

        return [path for path in self.output if path.suffix.lower() in FORMATS and not path.is_dir()]

    def give(self, report: Report, folder: Path | None = None) -> None:
        """Write what belongs into a folder, and the files, print the report or the result as JSON, and log it."""
        if folder is not None:
            report.write(folder)
        give(report.document, self.form, self._files())
        log_to(self.log, report.document)
