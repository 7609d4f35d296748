"""NearID-Bench: are two views of one object more alike to a metric than a view and a near-identical distractor?

    plan      a file of similarities for each source of distractors and metric, and which of them are there already
    embed     the pictures that the others need, through the cache
    compute   their similarities, sample by sample, into the files
    tabulate  SSR, PA and their relatives from the files, whichever run made them

A run that finds every file goes from the first step to the last, without torch and without `datasets`.
"""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nearid_cli.benchmarks import resume
from nearid_cli.benchmarks.contents import describe, find_metrics
from nearid_cli.benchmarks.masks import MASKS
from nearid_cli.benchmarks.nearid.groups import columns_asked_for, nearid_groups
from nearid_cli.benchmarks.nearid.result import NearidBenchResult, NearidInputs, SourceSimilarities
from nearid_cli.benchmarks.report import make_folder
from nearid_cli.benchmarks.resume import Record, recorded, write_record
from nearid_cli.benchmarks.tables.similarities import (
    MODES,
    file_name,
    read_similarities,
    source_tag,
    write_similarities,
)
from nearid_cli.benchmarks.tables.tabulate import tabulate
from nearid_cli.encoders.registry import MetricRequest
from nearid_cli.errors import InputError, UsageError
from nearid_cli.evaluate.embedding import Job, refuse_bad, requested
from nearid_cli.nearid_data import RowsGiven, rows_name
from nearid_cli.options import Options
from nearid_cli.results import Metric, Skipped
from nearid_cli.results.base import this_tool, timestamp
from nearid_cli.text import printable, unknown

logger = logging.getLogger(__name__)

_VERSION = 1  # of what a request means; raise it when the same request would give other similarities


@dataclass(frozen=True)
class NearidJob:
    """What to compute.

    Attributes:
        positives: the data set with the views, a source for `nearid_data.open_source`.
        distractors: the data sets with their distractors; may be none in mode `positives`.
        rows: which rows to take, as for `nearid_data.choose_rows`; None for all.
        split: which split of all data sets.
        mode: one of `MODES`.
        masks: one of `MASKS`.
        max_samples: take only so many of the rows, the first; None for all.
        compact_slots: number the pictures of a sample without gaps, as the published code does.
        skip_bad: go on without pictures that cannot be read.
        by: labels to break the result down by, as for `read_breakdowns`.
    """

    positives: str
    distractors: tuple[str, ...] = ()
    rows: RowsGiven | None = None
    split: str = "train"
    mode: str = "full"
    masks: str = "none"
    max_samples: int | None = None
    compact_slots: bool = False
    skip_bad: bool = False
    by: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise UsageError(unknown("mode", self.mode, MODES))
        if self.masks not in MASKS:
            raise UsageError(unknown("masks", self.masks, MASKS))
        if self.by and not self.crossed:
            raise UsageError(
                "--by breaks SSR and PA down, which mode positives has not: --mode full or fullneg"
            )
        if self.crossed and not self.distractors:
            raise UsageError(
                f"mode {self.mode} compares views with distractors: add --distractors, or --mode positives"
            )
        tags: dict[str, list[str]] = {}
        for source in self.distractors:
            tags.setdefault(source_tag(folder_name(source)), []).append(source)
        if twice := {tag: sources for tag, sources in tags.items() if len(sources) > 1}:
            raise UsageError(
                "every --distractors needs a source of its own; these are counted as one",
                [f"{tag}: {', '.join(map(printable, sources))}" for tag, sources in twice.items()],
            )

    @property
    def crossed(self) -> bool:
        """Whether views are compared with distractors."""
        return self.mode != "positives"

    @property
    def sources(self) -> tuple[str, ...]:
        """The data sets after which the folders of similarities are named."""
        return self.distractors or (self.positives,)


@dataclass(frozen=True)
class SourceFile:
    """A file of similarities: one source of distractors, one metric.

    Attributes:
        source: the data set of the distractors, as it was named; of the positives where there are no distractors.
        metric: which one.
        path: where it lies.
    """

    source: str
    metric: Metric
    path: Path


def bench_nearid(job: NearidJob, output: Path, options: Options | None = None) -> NearidBenchResult:
    """Run or resume NearID-Bench.

    Args:
        job: what to compute.
        output: the folder for the similarities; each source has its folder in it.
        options: which metrics, and how to embed.

    Raises:
        BadImagesError: some pictures cannot be read, and the job does not skip such. All others are compared.
        NearIDError: the data sets, metrics or options cannot be used.
    """
    tags = {source: source_tag(folder_name(source)) for source in job.sources}
    columns = columns_asked_for(job.by, job.positives, job.rows, job.split, job.max_samples, [*tags.values()])
    metrics, files = similarity_files(job, output, options or Options())
    tables = None
    if job.crossed:
        # Of these files alone: the folder may hold those of other metrics, modes and rows.
        paths = [file.path for file in files]
        first = paths[0] if len(metrics) > 1 else None
        tables = replace(tabulate(paths, against=first), roots=(str(output),))
    known = {file.source: record.request["data"] for file, record in files.items()}
    return NearidBenchResult(
        tool=this_tool(),
        created=timestamp(),
        inputs=NearidInputs(
            positives=job.positives,
            distractors=job.distractors,
            data={job.positives: known[job.sources[0]][0]} | {name: data[-1] for name, data in known.items()},
            split=job.split,
            rows=None if job.rows is None else str(job.rows),
            mode=job.mode,
            masks=job.masks,
            max_samples=job.max_samples,
            compact_slots=job.compact_slots,
        ),
        metrics=tuple(metrics),
        skipped=tuple(
            Skipped(bad.path, bad.reason)
            for bad in dict.fromkeys(bad for record in files.values() for bad in record.skipped)
        ),
        similarities=tuple(_summary(file, record.rows, output) for file, record in files.items()),
        tables=tables,
        label_groups=nearid_groups(
            job.by,
            {(one.metric.name, tags[one.source]): read_similarities(one.path) for one in files},
            columns,
        )
        if job.by
        else (),
    )


def similarity_files(
    job: NearidJob, output: Path, options: Options
) -> tuple[list[Metric], dict[SourceFile, Record]]:
    """Make the files of similarities that are not there yet.

    Returns:
        The metrics, and the files by source and metric.

    Raises:
        NearIDError: as `bench_nearid`.
    """
    requests = requested(options)
    found = find_metrics(requests, options)
    metrics = [describe(metric) for metric in found]
    variant = "image" if job.masks == "none" else job.masks
    rows = job.split if job.rows is None else rows_name(job.rows)
    names = resume.file_names(
        requests, found, lambda tag: file_name("", variant, rows, job.max_samples, job.mode, tag)
    )
    files = [
        SourceFile(source, metric, output / folder_name(source) / names[metric.name])
        for source in job.sources
        for metric in metrics
    ]
    records: dict[SourceFile, Record] = {}
    asked = {file: _request(job, file.source, file.metric, options) for file in files}
    for file, request in asked.items():
        if not options.verify_content and (record := recorded(file.path, request, job.skip_bad)):
            records[file] = record
    if missing := {file: request for file, request in asked.items() if file not in records}:
        names_of = {file.metric.name for file in missing}
        lacking = [request for request in requests if request.name in names_of]
        records |= _make(job, missing, lacking, options)
    return metrics, {file: records[file] for file in files}


def folder_name(source: str) -> str:
    """The name of the folder for a source: that of its data set.

    >>> [folder_name(source) for source in ("Aleksandar/NearID-Flux", "data/NearID-Qwen/", "x/NearID-SDXL.parquet")]
    ['NearID-Flux', 'NearID-Qwen', 'NearID-SDXL']
    """
    return os.path.basename(os.path.abspath(os.path.expanduser(source))).removesuffix(".parquet")  # noqa: PTH100, PTH111, PTH119


def _request(job: NearidJob, source: str, metric: Metric, options: Options) -> resume.Request:
    """What decides the similarities of a source by a metric."""
    data = [job.positives, source] if job.distractors else [job.positives]
    return {
        "version": _VERSION,
        "metric": metric.fingerprint,
        "data": [resume.data_identity(name, Job(options).digest_file) for name in data],
        "split": job.split,
        "rows": resume.digest_rows(job.rows),
        "max_samples": job.max_samples,
        "mode": job.mode,
        "masks": job.masks,
        "compact_slots": job.compact_slots,
        "max_pixels": options.max_pixels,
    }


def _make(
    job: NearidJob,
    asked: Mapping[SourceFile, resume.Request],
    requests: Sequence[MetricRequest],
    options: Options,
) -> dict[SourceFile, Record]:
    """Embed pictures, and write their similarities by source and metric, each with its record."""
    from nearid_cli.benchmarks.contents import compare_pictures
    from nearid_cli.benchmarks.nearid.samples import ChosenRows, similarities
    from nearid_cli.nearid_data import Identities

    _need_libraries(job)
    sources = list(dict.fromkeys(file.source for file in asked))
    distractors = sources if job.distractors else ()
    identities = Identities.open(job.positives, distractors, job.rows, job.split, logger.info)
    if job.max_samples is not None:
        identities = identities.subset(identities.numbers[: job.max_samples])
    pictures = ChosenRows(identities, job.crossed, job.masks)
    samples = {source: pictures.samples(position) for position, source in enumerate(sources)}
    every = list(dict.fromkeys(picture for chosen in samples.values() for picture in chosen.pictures()))
    compared = compare_pictures(every, requests, options)
    if not job.skip_bad:
        refuse_bad(list(compared.bad.values()), len(every))
    told = {
        file: resume.settled(before, _request(job, file.source, file.metric, options))
        for file, before in asked.items()
    }
    records = {}
    for position, source in enumerate(sources):
        skipped = [compared.bad[picture] for picture in samples[source].pictures() if picture in compared.bad]
        left = pictures.samples(position, without=compared.bad)
        for file in (file for file in told if file.source == source):
            likeness = compared.likeness[file.metric.name]
            table = similarities(left, likeness, compared.places, job.mode, job.compact_slots)
            make_folder(file.path.parent)
            write_similarities(file.path, table)
            records[file] = Record(told[file], pictures.rows, tuple(skipped))
            write_record(file.path, records[file])
    return records


def _need_libraries(job: NearidJob) -> None:
    """Refuse to begin without what the extra [bench] brings.

    Raises:
        InputError: it is not installed.
    """
    if importlib.util.find_spec("datasets") is None:
        raise InputError('reading data sets needs the datasets library: pip install "nearid-cli[bench]"')
    if job.masks != "none":
        from nearid_cli.images.masking import opencv

        opencv()


def _summary(file: SourceFile, rows: int, output: Path) -> SourceSimilarities:
    found = read_similarities(file.path)
    return SourceSimilarities(
        metric=file.metric.name,
        source=source_tag(folder_name(file.source)),
        path=file.path.relative_to(output).as_posix(),
        rows=rows,
        samples=len(found.sample_ids),
        mean_sim=_mean(found.sim),
        mean_cross=_mean(np.diagonal(found.cross, axis1=1, axis2=2)),
        mean_neg_sim=_mean(found.neg_sim),
    )


def _mean(values: npt.NDArray[np.float64]) -> float | None:
    there = values[~np.isnan(values)]
    return float(there.mean()) if there.size else None
