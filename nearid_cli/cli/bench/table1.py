"""`nearid bench table1`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from nearid_cli.cli.options import reads_no_urls
from nearid_cli.cli.outputs import BenchmarkOutputs, nothing_printed
from nearid_cli.errors import UsageError
from nearid_cli.flags import Flag, FollowSymlinks, Metrics, SkipBad
from nearid_cli.options import Options


@reads_no_urls
def run(
    *,
    positives: Annotated[str, Flag("NearID-Bench: views of the objects.", "SOURCE")] = "Aleksandar/NearID",
    distractors: Annotated[
        tuple[str, ...],
        Flag("NearID-Bench: distractors; repeat. By default the seven sources of Table 1.", "SOURCE"),
    ] = (),
    rows: Annotated[
        str | None,
        Flag(
            "NearID-Bench: which rows to take. Those of Table 1 are split=test, or splits/test.json of the published "
            "code; all by default.",
            "FILE|COLUMN=VALUE",
        ),
    ] = None,
    split: Annotated[str, Flag("NearID-Bench: which split.", "SPLIT")] = "train",
    mtg: Annotated[str, Flag("MTG: its data set.", "SOURCE")] = "abdo-eldesokey/mtg-dataset",
    samples: Annotated[
        Path | None, Flag("DreamBench++: folder of samples, METHOD/{src_image,tgt_image}.", "DIR")
    ] = None,
    ratings: Annotated[Path | None, Flag("DreamBench++: folder of the human ratings.", "DIR")] = None,
    metrics: Metrics = ("clip-i", "dino", "siglip2", "nearid"),
    outputs: BenchmarkOutputs,
    skip_bad: SkipBad = False,
    follow_symlinks: FollowSymlinks = False,
    options: Options,
) -> None:
    """Run or resume all three, and print Table 1 of the paper.

    What is missing, a data set or a checkpoint, is named; the rest is done.
    """
    from nearid_cli.benchmarks.table1.bench import DISTRACTORS, Table1Job, table1
    from nearid_cli.benchmarks.table1.report import report

    folder = outputs.folder()
    if folder is None:
        raise UsageError("Table 1 needs a folder for all that is computed: -o DIR")
    job = Table1Job(
        positives, distractors or DISTRACTORS, rows, split, mtg, samples, ratings, skip_bad, follow_symlinks
    )
    with nothing_printed():
        made = report(table1(job, folder, options))
    made.write(folder, "table1")
    outputs.give(made)
