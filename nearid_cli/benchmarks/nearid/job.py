"""What NearID-Bench is asked to compute, and what its files of similarities are called and decided by."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nearid_cli.benchmarks import resume
from nearid_cli.benchmarks.masks import MASKS
from nearid_cli.benchmarks.naming import file_names
from nearid_cli.benchmarks.tables.groups import source_tag
from nearid_cli.benchmarks.tables.similarities import MODES, file_name
from nearid_cli.encoders.registry import MetricRequest
from nearid_cli.encoders.spec import EncoderSpec
from nearid_cli.errors import UsageError
from nearid_cli.options import Options
from nearid_cli.text import printable, unknown

_VERSION = 1  # of what a request means; raise it when the same request would give other similarities


@dataclass(frozen=True)
class NearidJob:
    """What to compute.

    Attributes:
        positives: the data set with the views, a source for `nearid_data.open_source`.
        distractors: the data sets with their distractors; may be none in mode `positives`.
        rows: a JSON list of the rows to take; None for all.
        split: which split of all data sets.
        mode: one of `MODES`.
        masks: one of `MASKS`.
        max_samples: take only so many of the rows, the first; None for all.
        compact_slots: number the pictures of a sample without gaps, as the published code does.
        skip_bad: go on without pictures that cannot be read.
    """

    positives: str
    distractors: tuple[str, ...] = ()
    rows: Path | None = None
    split: str = "train"
    mode: str = "full"
    masks: str = "none"
    max_samples: int | None = None
    compact_slots: bool = False
    skip_bad: bool = False

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise UsageError(unknown("mode", self.mode, MODES))
        if self.masks not in MASKS:
            raise UsageError(unknown("masks", self.masks, MASKS))
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


def folder_name(source: str) -> str:
    """The name of the folder for a source: that of its data set.

    >>> [folder_name(source) for source in ("Aleksandar/NearID-Flux", "data/NearID-Qwen/", "x/NearID-SDXL.parquet")]
    ['NearID-Flux', 'NearID-Qwen', 'NearID-SDXL']
    """
    return os.path.basename(os.path.abspath(os.path.expanduser(source))).removesuffix(".parquet")  # noqa: PTH100, PTH111, PTH119


def request_of(job: NearidJob, source: str, spec: EncoderSpec, options: Options) -> resume.Request:
    """What decides the similarities of a source by a metric.

    Raises:
        InputError: the list of rows cannot be read.
    """
    data = [job.positives, source] if job.distractors else [job.positives]
    return {
        "version": _VERSION,
        "metric": spec.fingerprint,
        "data": [resume.data_identity(name) for name in data],
        "split": job.split,
        "rows": None if job.rows is None else resume.digest_rows(job.rows),
        "max_samples": job.max_samples,
        "mode": job.mode,
        "masks": job.masks,
        "compact_slots": job.compact_slots,
        "max_pixels": options.max_pixels,
    }


def names_of_files(
    job: NearidJob, requests: Sequence[MetricRequest], specs: Sequence[EncoderSpec]
) -> dict[str, str]:
    """The name of each metric's file, the same for every source.

    Raises:
        UsageError: two metrics would write one file, or a file's name would be too long.
    """
    variant = "image" if job.masks == "none" else job.masks
    rows = job.split if job.rows is None else job.rows.stem
    return file_names(
        requests, specs, lambda tag: file_name("", variant, rows, job.max_samples, job.mode, tag)
    )
