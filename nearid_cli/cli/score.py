"""`nearid score`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nearid_cli.activity import doing
from nearid_cli.cli import options as shared
from nearid_cli.cli import show
from nearid_cli.encoders.registry import DEFAULT_METRICS
from nearid_cli.text import printable


def score(
    context: typer.Context,
    references: Annotated[
        Path, typer.Argument(help="Folder of references, or a manifest of everything.", metavar="REFS")
    ],
    generations: Annotated[
        Path | None, typer.Argument(help="Folder of generations, or a manifest.", metavar="GENS")
    ] = None,
    metrics: shared.Metrics = list(DEFAULT_METRICS),  # noqa: B006 - Typer copies defaults
    distractors: shared.Distractors = None,
    layout: shared.Layout = "auto",
    pattern: shared.Pattern = None,
    refs_pattern: shared.ReferencesPattern = None,
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
    thumbnails: shared.Thumbnails = "6000",
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
    verbose: shared.Verbose = False,
    allow_unmatched: shared.AllowUnmatched = False,
    skip_bad: shared.SkipBad = False,
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
    """Score the generations of each subject against its references."""
    from nearid_cli import reports
    from nearid_cli.cli.gate import finish, read_baseline
    from nearid_cli.evaluate.score import score as run
    from nearid_cli.layouts import How
    from nearid_cli.results import CompareResult, ScoreResult

    shared.say_more(verbose)
    show.check_format(form)
    with_gate = {} if gate is None else {"known": reports.SCORE_EXTENSIONS}
    reports.check_outputs(output or [], images or [], **with_gate)
    shown = shared.thumbnails(thumbnails)
    chosen = shared.options(context)
    reports.check_sort(sort, [request.name for request in chosen.requests()])
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
        chosen,
        layout=How(layout, pattern, refs_pattern),
        allow_unmatched=allow_unmatched,
        skip_bad=skip_bad,
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
                thumbnails=shown,
                progress=chosen.progress,
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
