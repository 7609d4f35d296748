"""`nearid bench nearid`."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from nearid_cli.cli.bench import BySamples
from nearid_cli.cli.options import reads_no_urls
from nearid_cli.cli.outputs import BenchmarkOutputs, nothing_printed
from nearid_cli.flags import DEFAULT_METRICS, Flag, Metrics, Rows, SkipBad
from nearid_cli.options import Options


@reads_no_urls
def run(
    *,
    positives: Annotated[
        str, Flag("Views of identities: a Hub id, a save_to_disk folder, a Parquet file or folder.", "SOURCE")
    ],
    distractors: Annotated[
        tuple[str, ...], Flag("Their distractors, row by row; repeat for several sources.", "SOURCE")
    ] = (),
    rows: Rows = None,
    split: Annotated[str, Flag("Which split of the data sets.", "NAME")] = "train",
    mode: Annotated[
        str,
        Flag(
            "positives (views alone), full (and views with distractors) or fullneg (and distractors alone).",
            "MODE",
        ),
    ] = "full",
    masks: Annotated[
        str, Flag("none, foreground (black around the object) or background (the object black).", "MASKS")
    ] = "none",
    max_samples: Annotated[int | None, Flag("Take the first N of the rows.", "N", low=1)] = None,
    compact_slots: Annotated[
        bool, Flag("Number pictures without gaps where a view is missing, as the published code does.")
    ] = False,
    by: BySamples = (),
    metrics: Metrics = DEFAULT_METRICS,
    outputs: BenchmarkOutputs,
    skip_bad: SkipBad = False,
    options: Options,
) -> None:
    """NearID-Bench: are objects told from look-alikes?

    Are two views of one object more alike to a metric than a view and a near-identical distractor?

    Reports SSR and PA by source, by category, and pooled as in Table 1 of the paper.
    """
    from nearid_cli.benchmarks.nearid.bench import NearidJob, bench_nearid
    from nearid_cli.benchmarks.nearid.report import report
    from nearid_cli.benchmarks.report import make_folder

    folder = outputs.folder()
    job = NearidJob(
        positives,
        distractors,
        rows,
        split,
        mode,
        masks,
        max_samples,
        compact_slots,
        skip_bad,
        by,
    )
    with ExitStack() as stack, nothing_printed():
        place = make_folder(folder) if folder else Path(stack.enter_context(TemporaryDirectory()))
        made = report(bench_nearid(job, place, options))
    outputs.give(made, folder)
