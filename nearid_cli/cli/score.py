"""`nearid score`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nearid_cli.cli import options as shared
from nearid_cli.flags import DEFAULT_METRICS, By, Flag, Metrics
from nearid_cli.mirrors import here

if TYPE_CHECKING:
    from nearid_cli.cli.outputs import JudgedOutputs
    from nearid_cli.options import LayoutOptions, Leniency, MaskOptions, Options


@shared.types_of("nearid_cli.options", "nearid_cli.cli.outputs")
def score(
    *,
    references: Annotated[
        Path, typer.Argument(help="Folder of references, or a manifest of everything.", metavar="REFS")
    ],
    generations: Annotated[
        Path | None, typer.Argument(help="Folder of generations, or a manifest.", metavar="GENS")
    ] = None,
    metrics: Metrics = DEFAULT_METRICS,
    scores: shared.Scores = shared.NOTHING,
    directions: shared.Directions = shared.NOTHING,
    distractors: shared.Distractors = None,
    maps: Annotated[
        Path | None,
        Flag(
            "Draw where each generation lost identity, by metrics that say so (vsm), into this folder.", "DIR"
        ),
    ] = None,
    by: By = (),
    how: LayoutOptions,
    masks: MaskOptions,
    outputs: JudgedOutputs,
    sort: Annotated[
        str | None, Flag("Order of subjects: subject (by name), or a metric (worst first).", "KEY")
    ] = None,
    worst: Annotated[
        int,
        typer.Option("--worst", min=0, help="Show the N worst generations.", metavar="N", show_default=False),
    ] = 0,
    thumbnails: shared.Thumbnails = 6000,
    gate: Annotated[
        Path | None, Flag("Judge the result by the rules in this nearid.toml or pyproject.toml.", "FILE")
    ] = None,
    baseline: Annotated[
        Path | None,
        Flag("An accepted result (.json): for rules with max_drop, and for arrows in Markdown.", "FILE"),
    ] = None,
    allow_mismatch: Annotated[bool, Flag("Judge against a baseline that was made another way.")] = False,
    leniency: Leniency,
    options: Options,
) -> None:
    """Score the generations of each subject against its references."""
    from nearid_cli.cli.outputs import nothing_printed
    from nearid_cli.evaluate.embedding import requested
    from nearid_cli.evaluate.score import score as run
    from nearid_cli.reports.document import document
    from nearid_cli.reports.order import check_sort
    from nearid_cli.results import ScoreResult
    from nearid_cli.results.reading import read_score

    shared.say_more(leniency.verbose)
    options = replace(options, scores=scores, directions=directions)
    outputs.check(judged=gate is not None, by=by)
    check_sort(sort, [request.name for request in requested(options)])
    rules = None
    if gate is not None:
        from nearid_cli.cli.gate import Rulebook, finish

        rules = Rulebook.of(gate, baseline)
    before = rules.before if rules else read_score(here(baseline)) if baseline else None
    with nothing_printed():
        result = run(
            references,
            generations,
            options,
            layout=how,
            leniency=leniency,
            distractors=distractors,
            masks=masks,
            maps=maps,
            by=by,
        )
    changes = None
    if by and isinstance(before, ScoreResult):
        from nearid_cli.evaluate.compared_groups import BASELINE, RUN, changed_groups
        from nearid_cli.reports.groups import Changes

        changes = Changes(RUN, BASELINE, changed_groups(result, before, by))
    verdicts = None if rules is None else rules.judge(result, str(result.inputs.generations), allow_mismatch)
    made = document(
        result,
        sort=sort,
        worst=worst,
        baseline=before if isinstance(before, ScoreResult) else None,
        changes=changes,
        gate=verdicts,
        thumbnails=thumbnails,
        progress=options.progress,
    )
    outputs.give(made)
    code = 0 if verdicts is None else finish(verdicts, "none" if outputs.form == "json" else "table")
    outputs.track(made)
    raise typer.Exit(code)
