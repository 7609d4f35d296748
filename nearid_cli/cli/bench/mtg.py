"""`nearid bench mtg`."""

from __future__ import annotations

from typing import Annotated

from nearid_cli.cli.bench import BySamples
from nearid_cli.cli.options import reads_no_urls
from nearid_cli.cli.outputs import BenchmarkOutputs, nothing_printed
from nearid_cli.flags import DEFAULT_METRICS, Flag, Metrics, Rows, SkipBad
from nearid_cli.options import Options


@reads_no_urls
def run(
    *,
    data: Annotated[
        str, Flag("The data set: a Hub id, a save_to_disk folder, a Parquet file or folder.", "SOURCE")
    ] = "abdo-eldesokey/mtg-dataset",
    split: Annotated[
        str | None, Flag("Which split of it; test by default. What has no splits is taken whole.", "SPLIT")
    ] = None,
    rows: Rows = None,
    masks: Annotated[
        str, Flag("What of the pictures is seen: none (all of them) or object.", "MASKS")
    ] = "none",
    by: BySamples = (),
    metrics: Metrics = DEFAULT_METRICS,
    outputs: BenchmarkOutputs,
    skip_bad: SkipBad = False,
    options: Options,
) -> None:
    """MTG: does a metric see edits of parts?

    Every sample has two pictures of an object, and for each a twin in which a part of the object was edited.
    """
    from nearid_cli.benchmarks.mtg.bench import MtgJob, evaluate_mtg
    from nearid_cli.benchmarks.mtg.report import report

    folder = outputs.folder()
    job = MtgJob(data=data, split=split, rows=rows, masks=masks, skip_bad=skip_bad, by=by)
    with nothing_printed():
        result = evaluate_mtg(job, options, folder)
    outputs.give(report(result), folder)
