"""What `nearid bench mtg` finds out. Plain frozen dataclasses; a number that does not exist is None."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nearid_cli.benchmarks.differences import RateDifference
from nearid_cli.metrics.part_level import PartLevel
from nearid_cli.results import Metric, Skipped, Tool
from nearid_cli.results.base import Plain, known_figure, listed
from nearid_cli.text import count


@dataclass(frozen=True)
class MtgInputs:
    """What was measured.

    Attributes:
        data: the data set, as it was named.
        split: which split of it.
        rows: the file that lists the rows, or `COLUMN=VALUE`; None for all of them.
        masks: what of the pictures was seen: `none` for all, `object`.
        samples: how many rows these are.
        skipped: pictures and masks that could not be used, with reasons.
        oracles: how many twins have an oracle.
        zero_oracles: how many of these are 0: no mask, an empty object, or all of it edited.
        negative_oracles: how many are below 0, because the part is larger than the object.
    """

    data: str
    split: str
    rows: str | None
    masks: str
    samples: int
    skipped: tuple[Skipped, ...]
    oracles: int
    zero_oracles: int
    negative_oracles: int


@dataclass(frozen=True)
class MtgGroup:
    """The samples that have one value of a label, or one value of each of several.

    Attributes:
        by: the labels, joined by `+`.
        labels: what the samples have in common, label to value; None for those that lack the label.
        samples: how many there are.
        scores: by metric. `mo` and `mo_pair` are None where one of their correlations is over fewer than 3 samples, two
            of which would always lie on a line.
        differences: SSR and PA of each metric minus those of the first.
    """

    by: str
    labels: Mapping[str, str | None]
    samples: int
    scores: Mapping[str, PartLevel]
    differences: tuple[RateDifference, ...] = ()


@dataclass(frozen=True, repr=False)
class MtgResult(Plain):
    """The result of `nearid bench mtg` (schema `nearid.bench.mtg/2`).

    Attributes:
        tool, created: what made it, and when (ISO 8601, UTC).
        inputs: of what.
        metrics: what made the similarities.
        scores: by metric.
        differences: SSR and PA of each metric minus those of the first.
        files: by metric, the file of similarities, relative to the output folder; empty without one.
        groups: the scores by what `--by` asked for.
    """

    tool: Tool
    created: str
    inputs: MtgInputs
    metrics: tuple[Metric, ...]
    scores: Mapping[str, PartLevel]
    differences: tuple[RateDifference, ...]
    files: Mapping[str, str]
    groups: tuple[MtgGroup, ...] = ()
    schema = "nearid.bench.mtg/2"

    def _line(self) -> str:
        scores = [f"{name} {known_figure('MO', one.mo)}" for name, one in self.scores.items()]
        return f"{count(self.inputs.samples, 'sample')}; {listed(scores)}"
