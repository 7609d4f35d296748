"""`nearid bench dreambench`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nearid_cli.cli.bench import BySamples
from nearid_cli.cli.groups import on_command_line
from nearid_cli.cli.options import reads_no_urls
from nearid_cli.cli.outputs import BenchmarkOutputs, nothing_printed
from nearid_cli.errors import UsageError
from nearid_cli.flags import DEFAULT_METRICS, Flag, FollowSymlinks, Metrics, SkipBad
from nearid_cli.options import Options


@reads_no_urls
def run(
    *,
    context: typer.Context,
    samples: Annotated[Path | None, Flag("Folder of samples: METHOD/{src_image,tgt_image}.", "DIR")] = None,
    scores: Annotated[
        tuple[str, ...],
        Flag(
            "Scores in files, METHOD.json each, under a name of your choice; repeat for several metrics. By default, "
            "without samples, the published scores beside the human ratings.",
            "NAME=DIR",
        ),
    ] = (),
    ratings: Annotated[
        Path | None,
        Flag(
            "Folder of all ratings, with data_human_rating/merged_data/group{1,2}/METHOD-cp.json in it.",
            "DIR",
        ),
    ] = None,
    by: BySamples = (),
    metrics: Metrics = DEFAULT_METRICS,
    against: Annotated[str | None, Flag("Test every other metric against this one.", "METRIC")] = None,
    published_rounding: Annotated[
        bool, Flag("Round each correlation to four decimals first, as the published tables do.")
    ] = False,
    allow_missing: Annotated[bool, Flag("Go on without what does not join, and record it.")] = False,
    outputs: BenchmarkOutputs,
    skip_bad: SkipBad = False,
    follow_symlinks: FollowSymlinks = False,
    options: Options,
) -> None:
    """DreamBench++: does a metric rate pictures as people do?

    Scores samples, or reads scores from files, and correlates them with human ratings.
    """
    from nearid_cli.benchmarks.dreambench.bench import check_names, evaluate, score_dreambench
    from nearid_cli.benchmarks.dreambench.groups import check_by
    from nearid_cli.benchmarks.dreambench.published import ScoreFolders, score_folders
    from nearid_cli.benchmarks.dreambench.ratings import read_humans
    from nearid_cli.benchmarks.dreambench.report import report, write, write_scores
    from nearid_cli.benchmarks.report import make_folder
    from nearid_cli.evaluate.embedding import requested

    if samples is None and not scores and ratings is None:
        raise UsageError(
            "nothing to rate: give --samples DIR, scores in files: --scores NAME=DIR, or published ones: --ratings DIR"
        )
    if samples is None and on_command_line(context, "metric"):
        raise UsageError("--metric scores samples: give --samples DIR too, or leave it out")
    if samples is None and ratings is None:
        raise UsageError("--scores needs human ratings to correlate with: --ratings DIR")
    if ratings is None and against is not None:
        raise UsageError("--against needs human ratings: --ratings DIR")
    given = ScoreFolders(()) if samples and not scores else score_folders(scores, ratings)
    wanted = [request.name for request in requested(options)] if samples else []
    check_names([*wanted, *(name for name, _ in given.folders)], against)
    if by and ratings is None:
        raise UsageError("--by breaks down how metrics agree with people: --ratings DIR")
    if by and ratings is not None:
        check_by(by, read_humans(ratings))
    folder = outputs.folder()
    if folder is not None:
        make_folder(folder)
    scored = None
    unpaired: tuple[str, ...] = ()
    if samples is not None:
        with nothing_printed():
            scored, unpaired = score_dreambench(
                samples,
                options,
                skip_bad=skip_bad,
                allow_missing=allow_missing,
                follow_symlinks=follow_symlinks,
            )
        if folder is not None:  # before ratings are read: what they lack must not cost the scores
            write_scores(scored, folder)
    found = evaluate(
        scored,
        given.folders,
        ratings,
        samples=samples,
        unpaired=unpaired,
        absent=given.absent,
        unknown=given.unknown,
        against=against,
        published_rounding=published_rounding,
        allow_missing=allow_missing,
        by=by,
    )
    if folder is not None:
        write(found, folder)
    outputs.give(report(found.result))
