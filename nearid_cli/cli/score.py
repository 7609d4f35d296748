"""`nearid score`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nearid_cli.activity import doing
from nearid_cli.cli import options as shared
from nearid_cli.cli import show
from nearid_cli.options import DEFAULT_METRICS, LayoutOptions, Leniency, Metrics, Options
from nearid_cli.text import printable


def score(
    *,
    references: Annotated[
        Path, typer.Argument(help="Folder of references, or a manifest of everything.", metavar="REFS")
    ],
    generations: Annotated[
        Path | None, typer.Argument(help="Folder of generations, or a manifest.", metavar="GENS")
    ] = None,
    metrics: Metrics = DEFAULT_METRICS,
    distractors: shared.Distractors = None,
    how: LayoutOptions,
    output: Annotated[
        list[Path] | None,
        typer.Option(
            "--output",
            "-o",
            help="Also write .json, .csv, .parquet, .md, .tex, .html or (with --gate) .xml; repeat for several.",
            metavar="FILE",
        ),
    ] = None,
    images: shared.Images = None,
    form: shared.Format = "table",
    sort: Annotated[
        str | None,
        typer.Option(
            "--sort", help="Order of subjects: subject (by name), or a metric (worst first).", metavar="KEY"
        ),
    ] = None,
    worst: Annotated[
        int,
        typer.Option("--worst", min=0, help="Show the N worst generations.", metavar="N", show_default=False),
    ] = 0,
    thumbnails: shared.Thumbnails = 6000,
    gate: Annotated[
        Path | None,
        typer.Option(
            "--gate",
            help="Judge the result by the rules in this nearid.toml or pyproject.toml.",
            metavar="FILE",
        ),
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option(
            "--baseline",
            help="An accepted result (.json): for rules with max_drop, and for arrows in Markdown.",
            metavar="FILE",
        ),
    ] = None,
    allow_mismatch: Annotated[
        bool,
        typer.Option("--allow-mismatch", help="Judge against a baseline that was made another way."),
    ] = False,
    leniency: Leniency,
    options: Options,
) -> None:
    """Score the generations of each subject against its references."""
    from nearid_cli import reports
    from nearid_cli.cli.gate import finish, read_baseline
    from nearid_cli.evaluate.embedding import requested
    from nearid_cli.evaluate.score import score as run
    from nearid_cli.results import CompareResult, ScoreResult

    shared.say_more(leniency.verbose)
    with_gate = {} if gate is None else {"known": reports.SCORE_EXTENSIONS}
    reports.check_outputs(output or [], images or [], **with_gate)
    reports.check_sort(sort, [request.name for request in requested(options)])
    rules = None
    if gate is not None:
        from nearid_cli.gate.rules import load_rules, named_baseline

        rules = load_rules(gate, Path.cwd())
        if baseline is None:
            baseline = named_baseline(gate, Path.cwd())
    before: ScoreResult | CompareResult | None = None
    if rules is not None:
        before = read_baseline(baseline, holes=True)
    elif baseline is not None:
        from nearid_cli.results.reading import read_score

        before = read_score(baseline)
    result = run(
        references,
        generations,
        options,
        layout=how,
        leniency=leniency,
        distractors=distractors,
    )
    verdicts = None
    if rules is not None:
        from nearid_cli.gate.judge import judge

        verdicts = judge(
            result,
            before,
            rules,
            run_name=str(result.inputs.generations),
            baseline_name=None if baseline is None else str(baseline),
            allow_mismatch=allow_mismatch,
        )
    for path in output or []:
        with doing(f"writing {printable(path)}"):
            reports.write(
                result,
                path,
                sort=sort,
                baseline=before if isinstance(before, ScoreResult) else None,
                gate=verdicts,
                thumbnails=thumbnails,
                progress=options.progress,
            )
    for path in images or []:
        with doing(f"writing {printable(path)}"):
            reports.write_images(result, path)
    if form == "json":
        show.json_result(reports.to_json(result), reports.findings(result))
    else:
        reports.render_score(result, show.console(), sort=sort, worst=worst)
    show.wrote(*(output or []), *(images or []))
    if verdicts is not None:
        raise typer.Exit(finish(verdicts, "none" if form == "json" else "table"))
