"""MTG: does a metric see edits of a part of an object, and how large the part is?

    plan      a file of similarities for each metric, and which of them are there already
    measure   the masks, for the oracles
    embed     the pictures, through the cache
    compute   similarities and oracles, sample by sample, into the files
    tabulate  MO, MOpair, SSR and PA

A run that finds every file goes from the first step to the last, without torch and without `datasets`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nearid_cli.benchmarks import resume
from nearid_cli.benchmarks.contents import describe, find_metrics
from nearid_cli.benchmarks.differences import compared
from nearid_cli.benchmarks.mtg.groups import groups_asked_for, mtg_groups
from nearid_cli.benchmarks.mtg.result import MtgInputs, MtgResult
from nearid_cli.benchmarks.mtg.samples import (
    PartSimilarities,
    measure_masks,
    oracles_of,
    read_part_similarities,
    similarities_of,
    stored_pictures,
    write_part_similarities,
)
from nearid_cli.benchmarks.report import make_folder
from nearid_cli.encoders.registry import MetricRequest
from nearid_cli.errors import BadImage, InputError, UsageError
from nearid_cli.evaluate.embedding import Job, refuse_bad, requested
from nearid_cli.metrics.margins import rate_differences
from nearid_cli.metrics.part_level import part_level, part_margins
from nearid_cli.nearid_data import RowsGiven, rows_name
from nearid_cli.nearid_data.sources import default_split
from nearid_cli.options import Options
from nearid_cli.results import Metric, Skipped
from nearid_cli.results.base import this_tool, timestamp
from nearid_cli.text import count, printable, storable, unknown

logger = logging.getLogger(__name__)

DATA = "abdo-eldesokey/mtg-dataset"
MASKS = ("none", "object")
FOLDER = "MTG-Dataset"
"""Where the published code puts its files of similarities."""

_VARIANTS = {"none": "image", "object": "foreground"}  # as the published files are named
_VERSION = 1  # of what a request means; raise it when the same request would give other similarities


@dataclass(frozen=True)
class MtgJob:
    """What to measure.

    Attributes:
        data: the data set, a source for `nearid_data.open_source`.
        split: which split of it; None for `test`. What is not divided into splits is taken whole: as `train`, or under
            the name that is given.
        rows: which rows to take, as for `nearid_data.choose_rows`; None for all.
        masks: one of `MASKS`.
        skip_bad: go on without pictures and masks that cannot be read.
        by: labels to break the result down by, as for `read_breakdowns`.
    """

    data: str = DATA
    split: str | None = None
    rows: RowsGiven | None = None
    masks: str = "none"
    skip_bad: bool = False
    by: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.masks not in MASKS:
            raise UsageError(unknown("masks", self.masks, MASKS))

    @property
    def chosen_split(self) -> str:
        """The split that is taken."""
        return self.split or default_split(self.data, "test")


@dataclass(frozen=True)
class _Made:
    """What became of one metric."""

    table: PartSimilarities
    skipped: tuple[BadImage, ...]


def evaluate_mtg(job: MtgJob, options: Options, output: Path | None = None) -> MtgResult:
    """Measure metrics on MTG.

    Args:
        job: on what.
        options: which metrics, and how to embed.
        output: the folder for the files of similarities; what is there of an earlier run is not computed again, unless
            the options say to verify contents. None to keep none.

    Raises:
        BadImagesError: some pictures or masks cannot be read, and the job does not skip such. All others are compared.
        NearIDError: the data set, metrics or options cannot be used.
    """
    requests = requested(options)
    folder = None if output is None else make_folder(output / FOLDER)
    found = find_metrics(requests, options)
    groups = groups_asked_for(job.by, job.data, job.chosen_split, job.rows) if job.by else None
    metrics = [describe(metric) for metric in found]
    rows = job.chosen_split if job.rows is None else rows_name(job.rows)
    start = f"sims_{_VARIANTS[job.masks]}_{rows}_mtg_".replace("/", "~")
    names = resume.file_names(requests, found, lambda tag: f"{start}{tag.replace('/', '~')}.csv")
    made: dict[str, _Made] = {}
    asked = {metric.name: _request(job, metric, options) for metric in metrics}
    if folder is not None and not options.verify_content:
        for metric in metrics:
            path = folder / names[metric.name]
            if record := resume.recorded(path, asked[metric.name], job.skip_bad):
                made[metric.name] = _Made(read_part_similarities(path), record.skipped)
                logger.info("%s: similarities of an earlier run, %s", metric.name, printable(path))
    if missing := [request for request in requests if request.name not in made]:
        made |= _make(job, missing, options)
        fresh = {request.name for request in missing}
        for metric in (one for one in metrics if one.name in fresh):
            told = resume.settled(asked[metric.name], _request(job, metric, options))
            if folder is not None:
                path, one = folder / names[metric.name], made[metric.name]
                write_part_similarities(path, one.table)
                resume.write_record(path, resume.Record(told, len(one.table.rows), one.skipped))
    result = _result(job, metrics, made, {} if folder is None else names)
    if groups is None:
        return result
    return replace(
        result, groups=mtg_groups(*groups, {metric.name: made[metric.name].table for metric in metrics})
    )


def _make(job: MtgJob, requests: Sequence[MetricRequest], options: Options) -> dict[str, _Made]:
    """Similarities and oracles by metric."""
    from nearid_cli.benchmarks.contents import compare_pictures
    from nearid_cli.embedding.settings import Settings
    from nearid_cli.nearid_data import PartEdits, choose_rows

    split = default_split(job.data, job.chosen_split)
    if split != job.chosen_split:
        logger.warning(
            "%s is not divided into splits; all of it is taken as %s",
            printable(job.data),
            printable(job.chosen_split),
        )
    edits = PartEdits.open(job.data, split, logger.info)
    if job.masks != "none" and not edits.object_masks.exist:
        raise InputError(
            f"{printable(job.data)} has no columns image_1_object_mask and image_2_object_mask, "
            f"so --masks {job.masks} has nothing to go by"
        )
    rows = (
        np.arange(len(edits.dataset))
        if job.rows is None
        else np.array(choose_rows(job.rows, job.data, edits.dataset), np.int64)
    )
    settings = Settings(workers=options.workers, max_pixels=options.max_pixels, progress=options.progress)
    areas = measure_masks(edits, rows, settings)
    if areas.uneven.any():
        logger.warning(
            "%s with a part mask of another size than the object mask; the oracle compares their pixels as they are",
            count(int(areas.uneven.sum()), "twin"),
        )
    cells = list(stored_pictures(edits, rows, job.masks, areas))
    compared = compare_pictures([picture for _, _, picture in cells], requests, options)
    unusable = areas.bad | {
        (picture.row, str(picture.columns.names[picture.slot])): why for picture, why in compared.bad.items()
    }
    bad = tuple(unusable[place] for place in sorted(unusable))  # by row and column
    if not job.skip_bad:
        refuse_bad(bad, len(cells) + areas.masks)
    if not compared.places:
        raise InputError(f"{printable(job.data)}: {count(len(rows), 'row')} without any picture to embed")
    places = np.full((len(rows), 4), -1)
    for n, place, picture in cells:
        places[n, place] = compared.places.get(picture, -1)
    oracles = oracles_of(edits, rows, areas)
    return {
        metric: _Made(PartSimilarities(rows, oracles, similarities_of(likeness, places)), bad)
        for metric, likeness in compared.likeness.items()
    }


def _request(job: MtgJob, metric: Metric, options: Options) -> resume.Request:
    """What decides the similarities by a metric."""
    return {
        "benchmark": "mtg",
        "version": _VERSION,
        "metric": metric.fingerprint,
        "data": [resume.data_identity(job.data, Job(options).digest_file)],
        "split": job.chosen_split,
        "rows": resume.digest_rows(job.rows),
        "masks": job.masks,
        "max_pixels": options.max_pixels,
    }


def _result(
    job: MtgJob, metrics: Sequence[Metric], made: Mapping[str, _Made], names: Mapping[str, str]
) -> MtgResult:
    tables = {metric.name: made[metric.name].table for metric in metrics}
    leading, first = next(iter(tables.items()))  # rows and oracles are the same for all metrics
    margins = {metric: part_margins(table.similarities) for metric, table in tables.items()}
    skipped = dict.fromkeys(bad for metric in metrics for bad in made[metric.name].skipped)
    return MtgResult(
        tool=this_tool(),
        created=timestamp(),
        inputs=MtgInputs(
            data=storable(job.data),
            split=storable(job.chosen_split),
            rows=None if job.rows is None else storable(job.rows),
            masks=job.masks,
            samples=len(first.rows),
            skipped=tuple(Skipped(bad.path, bad.reason) for bad in skipped),
            oracles=int((~np.isnan(first.oracles)).sum()),
            zero_oracles=int((first.oracles == 0).sum()),
            negative_oracles=int((first.oracles < 0).sum()),
        ),
        metrics=tuple(metrics),
        scores={metric: part_level(table.similarities, table.oracles) for metric, table in tables.items()},
        differences=compared(
            storable(job.chosen_split),
            leading,
            {
                metric: rate_differences(own, margins[leading])
                for metric, own in margins.items()
                if metric != leading
            },
        ),
        files={metric: f"{FOLDER}/{storable(name)}" for metric, name in names.items()},
    )
