"""What `nearid bench dreambench` finds out. Plain frozen dataclasses; a number that does not exist is None."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nearid_cli.results import Interval, Metric, Skipped, Tool
from nearid_cli.results.base import Plain, known_figure, listed
from nearid_cli.text import count

CEILING = "human-human"
"""How the agreement of the two human groups with each other is named beside the metrics."""

MEAN = "mean"
"""How the Fisher-z mean over categories is named beside the categories."""


@dataclass(frozen=True)
class MethodCorrelation:
    """One metric, one category, one method of generation.

    Attributes:
        method: which one.
        items: pictures that have the score and both human ratings.
        r: mean of `groups`; None where one of these is.
        groups: Pearson correlation with group 1 and with group 2; for the ceiling just that of the groups with each
            other. None where all ratings or all scores are equal, or with fewer than two items.
    """

    method: str
    items: int
    r: float | None
    groups: tuple[float | None, ...]


@dataclass(frozen=True)
class CategoryAlignment:
    """One metric, one category.

    Attributes:
        category: which one.
        items, subjects: over all methods.
        averaged: how many methods have a correlation; the others are left out of `mh`.
        mh: Fisher-z mean of their correlations.
        ci95: its 95 % interval over subjects; None below 3 of them.
        methods: each method's correlation.
    """

    category: str
    items: int
    subjects: int
    averaged: int
    mh: float | None
    ci95: Interval | None
    methods: tuple[MethodCorrelation, ...]


@dataclass(frozen=True)
class PublishedAgreement:
    """What the authors of NearID found with the same ratings.

    Attributes:
        category: one, or `mean` for the Fisher-z mean over all.
        value: their number, of three decimals.
        difference: ours minus theirs; None where we have none.
        as_published: whether the two are the same but for rounding; None where we have none.
    """

    category: str
    value: float
    difference: float | None
    as_published: bool | None


@dataclass(frozen=True)
class Alignment:
    """How well one metric (or one human group) agrees with people.

    Attributes:
        metric: its name; `human-human` for the ceiling.
        origin: where its scores come from.
        categories: the benchmark's four, so far as there are ratings.
        mean: Fisher-z mean over the categories that have an `mh`.
        mean_ci95: its interval.
        averaged: how many categories these are.
        published: what is published of these very ratings.
    """

    metric: str
    origin: str
    categories: tuple[CategoryAlignment, ...]
    mean: float | None
    mean_ci95: Interval | None
    averaged: int
    published: tuple[PublishedAgreement, ...] = ()


@dataclass(frozen=True)
class Difference:
    """A metric minus another one, over the pictures that both score.

    Attributes:
        metric, against: which ones.
        category: one, or `mean` for the Fisher-z mean over all.
        items, subjects: over all methods.
        delta: difference of the Fisher-z means, of correlations that are not rounded.
        ci95: its 95 % interval over subjects; None below 3 of them.
        p: two-sided swap test over subjects.
        p_studentised: of the test that belongs to `ci95`; 1 where that is None.
        p_holm: `p` adjusted by Holm over the metrics that are compared in this category.
        p_adjusted: what to go by, the larger of `p_holm` and of `p_studentised` adjusted likewise.
        exact: whether `p` is over all swaps.
    """

    metric: str
    against: str
    category: str
    items: int
    subjects: int
    delta: float
    ci95: Interval | None
    p: float
    p_studentised: float
    p_holm: float
    p_adjusted: float
    exact: bool


@dataclass(frozen=True)
class ScoredMethod:
    """What a metric made of a method.

    Attributes:
        metric, method: which ones.
        items: how many pictures were scored.
        mean: of these scores.
    """

    metric: str
    method: str
    items: int
    mean: float | None


@dataclass(frozen=True)
class Unjoined:
    """What one set of ratings lacks and another has.

    Attributes:
        lacking: the set; `samples` for pictures without a partner.
        method: of which method.
        items: which ones; empty for the whole method.
    """

    lacking: str
    method: str
    items: tuple[str, ...]


@dataclass(frozen=True)
class DreamBenchGroup:
    """The pictures that have one value of a label, or one value of each of several.

    Attributes:
        by: the labels, joined by `+`.
        labels: what the pictures have in common, label to value; None for those that lack the label.
        items, subjects: how many pictures people rated, and of how many subjects.
        human: the ceiling over these.
        alignments: every metric over these, in the order given. A method with fewer than 3 pictures of a category
            counts nowhere: two always lie on a line.
        differences: with `--against`, of each metric the mean over the categories minus that of the named one. Their
            `p_holm` is adjusted over all metrics and groups of the breakdown.
    """

    by: str
    labels: Mapping[str, str | None]
    items: int
    subjects: int
    human: Alignment
    alignments: tuple[Alignment, ...]
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True, repr=False)
class DreamBenchResult(Plain):
    """The result of `nearid bench dreambench` (schema `nearid.bench.dreambench/2`).

    Attributes:
        tool, created: what made it and when.
        samples, ratings: the folders, None where not given.
        published_rounding: correlations were rounded to four decimals before anything was averaged.
        methods: those that people rated; without ratings those that were scored.
        metrics: what made the scores of samples.
        scored: every metric on every method.
        human: the ceiling; None without ratings.
        alignments: every metric in the order given; empty without ratings.
        differences: with `--against`, metric by metric.
        unjoined: what did not join and was left out, with `--allow-missing`.
        unpaired: samples without a partner that were left out, with `--allow-missing`.
        skipped: bad pictures that were left out, with `--skip-bad`.
        absent: published folders of scores that are not beside those that were read.
        unknown: folders beside these that are none of the published ones, and were not read.
        groups: the agreement by what `--by` asked for.
    """

    tool: Tool
    created: str
    samples: str | None
    ratings: str | None
    published_rounding: bool
    methods: tuple[str, ...]
    metrics: tuple[Metric, ...]
    scored: tuple[ScoredMethod, ...]
    human: Alignment | None
    alignments: tuple[Alignment, ...]
    differences: tuple[Difference, ...]
    unjoined: tuple[Unjoined, ...]
    unpaired: tuple[str, ...]
    skipped: tuple[Skipped, ...]
    absent: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    groups: tuple[DreamBenchGroup, ...] = ()
    schema = "nearid.bench.dreambench/2"

    def _line(self) -> str:
        agreed = [f"{one.metric} {known_figure('MH', one.mean)}" for one in self.alignments]
        return f"{count(len(self.methods), 'method')}; {listed(agreed or [one.name for one in self.metrics])}"
