"""`nearid compare`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nearid_cli.cli import options as shared
from nearid_cli.cli.groups import on_command_line
from nearid_cli.errors import UsageError
from nearid_cli.flags import DEFAULT_METRICS, By, Flag, Metrics
from nearid_cli.text import printable

if TYPE_CHECKING:
    from nearid_cli.cli.outputs import Outputs
    from nearid_cli.options import LayoutOptions, Leniency, MaskOptions, Options


@shared.types_of("nearid_cli.options", "nearid_cli.cli.outputs")
def compare(
    *,
    context: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Folder of method folders, the folders of several methods, a manifest with a column method, or "
            "finished results (.json) of score.",
            metavar="METHODS",
        ),
    ] = None,
    references: Annotated[
        Path | None,
        Flag(
            "Folder of references, or a manifest; by default refs, references, real or src_image in METHODS.",
            "DIR",
            name="refs",
        ),
    ] = None,
    method: Annotated[
        tuple[str, ...], Flag("A method by name: its folder or finished result; repeat.", "NAME=PATH")
    ] = (),
    baseline: Annotated[
        str | None,
        Flag(
            "The method that the others are compared with; by default the best by the first metric.", "NAME"
        ),
    ] = None,
    metrics: Metrics = DEFAULT_METRICS,
    scores: shared.Scores = shared.NOTHING,
    directions: shared.Directions = shared.NOTHING,
    distractors: shared.Distractors = None,
    by: By = (),
    how: LayoutOptions,
    masks: MaskOptions,
    outputs: Outputs,
    sort: Annotated[
        str | None,
        Flag(
            "Order of methods: method (as given), or a metric (best first); by default the first metric.",
            "KEY",
        ),
    ] = None,
    thumbnails: shared.Thumbnails = 6000,
    leniency: Leniency,
    options: Options,
) -> None:
    """Compare methods: which one is best, and is the difference real.

    Also: do the metrics agree, and how far from real pictures is each method?
    """
    from nearid_cli.cli.outputs import nothing_printed
    from nearid_cli.evaluate.methods import Contest
    from nearid_cli.reports.document import document
    from nearid_cli.reports.order import check_sort

    shared.say_more(leniency.verbose)
    options = replace(options, scores=scores, directions=directions)
    outputs.check(by=by)
    contest = Contest(paths or [], _named(method), options, asked=on_command_line(context, "metric"))
    if contest.metrics is not None:
        check_sort(sort, contest.metrics, "method")
    with nothing_printed():
        result = contest.compare(
            baseline,
            references=references,
            distractors=distractors,
            layout=how,
            leniency=leniency,
            masks=masks,
            by=by,
        )
    check_sort(sort, [metric.name for metric in result.metrics], "method")
    made = document(result, sort=sort, thumbnails=thumbnails, progress=options.progress)
    outputs.give(made)
    outputs.track(made)


def _named(methods: Sequence[str]) -> dict[str, Path]:
    """`--method NAME=PATH`, taken apart."""
    named: dict[str, Path] = {}
    for one in methods:
        name, _, path = one.partition("=")
        if not (name and path):
            raise UsageError(f"expected --method NAME=PATH, found {printable(one)!r}")
        if name in named:
            raise UsageError(f"two methods are called {printable(name)}; give one of them another name")
        named[name] = Path(path)
    return named
