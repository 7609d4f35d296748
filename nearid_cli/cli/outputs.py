"""Where a result of `nearid score` or `nearid compare` goes, as their flags say it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from nearid_cli.activity import doing
from nearid_cli.cli import show
from nearid_cli.cli.options import Format
from nearid_cli.options import Flag
from nearid_cli.text import printable

if TYPE_CHECKING:
    from nearid_cli.reports.blocks import Document


def listing(sentence: str, kind: str, judged: str = "") -> Callable[[], str]:
    """A help text with the extensions of files in the place of `{}`, found when a command is built."""

    def found() -> str:
        from nearid_cli.reports import formats

        return sentence.format(formats.listed(kind, judged))

    return found


_ALSO = "Also write {}; repeat for several."


@dataclass(frozen=True)
class Outputs:
    """Files, and stdout."""

    output: Annotated[
        tuple[Path, ...],
        Flag(listing(_ALSO, "compare"), "FILE", short="o"),
    ] = ()
    images: Annotated[
        tuple[Path, ...], Flag(listing("Write one row a generation: {}.", "images"), "FILE")
    ] = ()
    form: Format = "table"

    def give(self, made: Document) -> None:
        """Write the files, print the document or its JSON, and say what was written."""
        from nearid_cli import reports

        for path in self.output:
            with doing(f"writing {printable(path)}"):
                reports.write_document(made, path)
        for path in self.images:
            with doing(f"writing {printable(path)}"):
                reports.write_images(made.result, path)
        show.result(
            made, self.form, lambda one: reports.to_json(one.result), reports.render, lambda one: one.findings
        )
        show.wrote(*self.output, *self.images)


@dataclass(frozen=True)
class JudgedOutputs(Outputs):
    """Of a result that a gate may judge."""

    output: Annotated[
        tuple[Path, ...],
        Flag(listing(_ALSO, "score", "(with --gate)"), "FILE", short="o"),
    ] = ()
