"""`nearid pair`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nearid_cli.cli import options as shared
from nearid_cli.cli import show
from nearid_cli.options import DEFAULT_METRICS, Metrics, Options


def pair(
    *,
    a: Annotated[Path, typer.Argument(help="A picture.", metavar="A")],
    b: Annotated[Path, typer.Argument(help="Another picture.", metavar="B")],
    metrics: Metrics = DEFAULT_METRICS,
    form: shared.Format = "table",
    options: Options,
) -> None:
    """Show how alike two pictures are, by each metric."""
    from nearid_cli import reports
    from nearid_cli.evaluate.embed import pair as run

    result = run(a, b, options)
    show.result(reports.document(result), form, lambda made: reports.to_json(made.result), reports.render)
