"""What `nearid bench nearid` finds out. Plain frozen dataclasses; a number that does not exist is None."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nearid_cli.benchmarks.differences import RateDifference
from nearid_cli.benchmarks.tables.result import TablesResult
from nearid_cli.metrics.margins import Outcome
from nearid_cli.results import Metric, Skipped, Tool
from nearid_cli.results.base import Plain, plain
from nearid_cli.text import count


@dataclass(frozen=True)
class NearidInputs:
    """What was measured on, and how.

    Attributes:
        positives, distractors: the data sets, as they were named.
        data: what each of them is known by: place and state of a folder or file, or the commit of a data set of the
            Hub; None where that cannot be told.
        split: of all data sets.
        rows: the file that lists the rows, or `COLUMN=VALUE`; None for all.
        mode, masks, max_samples, compact_slots: as in `NearidJob`.
    """

    positives: str
    distractors: tuple[str, ...]
    data: dict[str, str | None]
    split: str
    rows: str | None
    mode: str
    masks: str
    max_samples: int | None
    compact_slots: bool


@dataclass(frozen=True)
class SourceSimilarities:
    """The similarities of one source by one metric.

    Attributes:
        metric: its name.
        source: tag of the source.
        path: of the CSV file, relative to the folder of the results.
        rows: rows of the data set that were asked for.
        samples: those of them with enough pictures.
        mean_sim: mean similarity of two views.
        mean_cross: mean similarity of a view and the distractor of its slot.
        mean_neg_sim: mean similarity of two distractors.
    """

    metric: str
    source: str
    path: str
    rows: int
    samples: int
    mean_sim: float | None
    mean_cross: float | None
    mean_neg_sim: float | None


@dataclass(frozen=True)
class NearidGroup:
    """The samples that have one value of a label, or one value of each of several.

    Attributes:
        by: the labels, joined by `+`.
        labels: what the samples have in common, label to value; None for those that lack the label.
        samples: how many there are; those of several sources count once.
        scores: by metric, over all sources together.
        differences: SSR and PA of each metric minus those of the first.
    """

    by: str
    labels: Mapping[str, str | None]
    samples: int
    scores: Mapping[str, Outcome]
    differences: tuple[RateDifference, ...] = ()


@dataclass(frozen=True, repr=False)
class NearidBenchResult(Plain):
    """The result of `nearid bench nearid` (schema `nearid.bench.nearid/2`).

    Attributes:
        tool: the program that made it.
        created: ISO 8601, UTC.
        inputs: what was measured on.
        metrics: what made the similarities.
        skipped: pictures that could not be used, and were left out.
        similarities: one a metric and source.
        tables: SSR, PA and their relatives; None in mode `positives`.
        label_groups: the same by what `--by` asked for.
    """

    tool: Tool
    created: str
    inputs: NearidInputs
    metrics: tuple[Metric, ...]
    skipped: tuple[Skipped, ...]
    similarities: tuple[SourceSimilarities, ...]
    tables: TablesResult | None
    label_groups: tuple[NearidGroup, ...] = ()
    schema = "nearid.bench.nearid/2"

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON-ready dictionaries and lists, keys as in docs/guides/bench-nearid.md."""
        facts = {name: value for name, value in plain(self).items() if name != "tables"}
        found = {} if self.tables is None else self.tables.to_dict()
        parts = {
            name: found.get(name, empty)
            for name, empty in (("groups", {}), ("uneven", []), ("differences", []), ("cells", []))
        }
        return {"schema": self.schema, **facts, **parts}

    def _line(self) -> str:
        sources = {one.source: one.samples for one in self.similarities}
        about = f"{count(len(sources), 'source')}, {count(sum(sources.values()), 'sample')}"
        return f"{', '.join(metric.name for metric in self.metrics)} on {about}"
