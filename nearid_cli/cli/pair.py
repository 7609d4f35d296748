"""`nearid pair`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nearid_cli.cli import options as shared
from nearid_cli.cli import show
from nearid_cli.encoders.registry import DEFAULT_METRICS


def pair(
    context: typer.Context,
    a: Annotated[Path, typer.Argument(help="A picture.", metavar="A")],
    b: Annotated[Path, typer.Argument(help="Another picture.", metavar="B")],
    metrics: shared.Metrics = list(DEFAULT_METRICS),  # noqa: B006 - Typer copies defaults
    form: shared.Format = "table",
    cache: shared.CacheFolder = None,
    no_cache: shared.NoCache = False,
    verify_content: shared.VerifyContent = False,
    device: shared.Device = "auto",
    dtype: shared.Dtype = "auto",
    batch_size: shared.BatchSize = "auto",
    workers: shared.Workers = None,
    max_pixels: shared.MaxPixels = None,
    color_profile: shared.ColorProfile = "ignore",
    sixteen_bit: shared.SixteenBit = "scale",
    safetensors_only: shared.SafetensorsOnly = False,
) -> None:
    """Show how alike two pictures are, by each metric."""
    from nearid_cli import reports
    from nearid_cli.evaluate.pair import pair as run

    show.check_format(form)
    chosen = shared.options(context)
    result = run(a, b, chosen)
    if form == "json":
        show.json_text(reports.to_json(result))
    else:
        reports.render_pair(result, show.console())
