"""`nearid pair`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nearid_cli.cli.options import Format, types_of
from nearid_cli.flags import DEFAULT_METRICS, Metrics

if TYPE_CHECKING:
    from nearid_cli.options import Options


@types_of("nearid_cli.options")
def pair(
    *,
    a: Annotated[Path, typer.Argument(help="A picture.", metavar="A")],
    b: Annotated[Path, typer.Argument(help="Another picture.", metavar="B")],
    metrics: Metrics = DEFAULT_METRICS,
    form: Format = "table",
    options: Options,
) -> None:
    """Show how alike two pictures are, by each metric."""
    from nearid_cli.cli.outputs import give, nothing_printed
    from nearid_cli.evaluate.embed import pair as run
    from nearid_cli.reports.document import document

    with nothing_printed():
        result = run(a, b, options)
    give(document(result), form)
