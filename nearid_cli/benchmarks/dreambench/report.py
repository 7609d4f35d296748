"""The result of DreamBench++: its tables and files, what a reader must not miss, and what made them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from nearid_cli.benchmarks.differences import GROUP_DIFFERENCES, difference_columns
from nearid_cli.benchmarks.dreambench.bench import Evaluated
from nearid_cli.benchmarks.dreambench.published import ROUNDING, published_source
from nearid_cli.benchmarks.dreambench.ratings import CATEGORIES, category_of, in_order, subject_of
from nearid_cli.benchmarks.dreambench.result import (
    CEILING,
    MEAN,
    Alignment,
    CategoryAlignment,
    DreamBenchResult,
)
from nearid_cli.benchmarks.dreambench.samples import Scored
from nearid_cli.benchmarks.labels import LABEL, few_groups, group_columns, too_many
from nearid_cli.benchmarks.report import Report, make_folder
from nearid_cli.breakdown.labels import told
from nearid_cli.files import replace_file
from nearid_cli.metrics.correlations import FEW_SUBJECTS
from nearid_cli.reports.blocks import Block, Document, Draft
from nearid_cli.reports.charts import IntervalChart, RadarChart, Spokes, Spot, Spots
from nearid_cli.reports.files import write_document
from nearid_cli.reports.gauge import COSINE
from nearid_cli.reports.table import COUNT, SCORE, SIGNED, TRUTH, Column, Kind, Table, named
from nearid_cli.text import count, few, printable

_MH = CATEGORIES[0]
_IN_BRACKETS = "In brackets: 95 % intervals over subjects."


def report(result: DreamBenchResult) -> Report:
    """Metrics by categories, metrics by methods and differences; without ratings, mean scores by methods."""
    by_group = [*_by_group(result)]
    if result.human is None:
        tables, rows = [_scored(result)], {}
    else:
        every = [result.human, *result.alignments]
        by_method = _by_method(result, every)
        tables = [
            _by_category(result, every),
            *_published(every),
            *by_group,
            by_method,
            *_differences(result),
        ]
        # A terminal has room for the category of MH alone, and for the mean of what is published.
        rows = {
            table.label: [i for i, name in enumerate(table.names[1].cells) if name in (_MH, MEAN)]
            for table in tables
            if table.label in ("published", "methods")
        } | few_groups(by_group)
    return Report(
        "DreamBench++",
        result,
        tuple(tables),
        (*_findings(result), *too_many(by_group)),
        tuple(_facts(result)),
        "dreambench",
        few=rows,
        left_out=tuple(_left_out(result)),
        charts={} if result.human is None else {"table": tuple(_charts(result))},
    )


def _charts(result: DreamBenchResult) -> Iterator[Block]:
    """The categories as a radar where there are three or more, and MH and the mean with intervals."""
    assert result.human is not None
    every = [(result.human, None), *((one, place) for place, one in enumerate(result.alignments))]
    categories = [name for name in CATEGORIES if any(_of(one, name) for one, _ in every)]
    if len(categories) > 2:
        yield RadarChart(
            "categories",
            "Agreement with people by category",
            COSINE,
            list(map(_title, categories)),
            [
                Spokes(
                    one.metric, place, [own.mh if (own := _of(one, name)) else None for name in categories]
                )
                for one, place in every
            ],
            where="page",
        )
    of_mh = [(one.metric, place, _of(one, _MH)) for one, place in every]
    yield IntervalChart(
        "agreement",
        [
            Spots(
                f"MH, {_MH}",
                COSINE,
                [
                    Spot(metric, place, own.mh if own else None, own.ci95 if own else None)
                    for metric, place, own in of_mh
                ],
            ),
            Spots(
                "Mean over the categories",
                COSINE,
                [Spot(one.metric, place, one.mean, one.mean_ci95) for one, place in every],
            ),
        ],
        where="page",
    )


def write(found: Evaluated, folder: Path) -> None:
    """Write the result into a folder that exists, replacing older files.

    | file | holds |
    |---|---|
    | `summary.json` | the result |
    | `scores.csv`, `scores.parquet` | one row a picture: method, item, human ratings, a column a metric |
    | `table`, `methods`, `breakdown`, `differences`: `.csv`, `.md`, `.tex` | the tables |

    Raises:
        InputError: a file cannot be written.
    """
    report(found.result).write(folder)
    scores = _scores_document(found)
    for extension in (".csv", ".parquet"):
        write_document(scores, folder / f"scores{extension}")


def write_scores(scored: Scored, folder: Path) -> None:
    """Write the scores of samples as published: `scores/<metric>/<method>.json`, `/` in a metric's name as `~`.

    Raises:
        InputError: a file cannot be written.
    """
    for metric, methods in scored.scores.items():
        own = make_folder(folder / "scores" / metric.replace("/", "~"))
        for method, scores in methods.items():
            text = json.dumps(dict(sorted(scores.items())), indent=4, allow_nan=False)
            replace_file(own / f"{method}.json", text.encode())


def _findings(result: DreamBenchResult) -> Iterator[str]:
    """What a reader of the numbers must not miss: a line each."""
    if result.human is None:
        return
    every = [
        (one, own)
        for one in (result.human, *result.alignments)
        for own in one.published
        if own.as_published is not None
    ]
    apart = [f"{one.metric} {_title(own.category)}" for one, own in every if not own.as_published]
    if apart:
        yield (
            f"not the published value, by more than rounding: {len(apart):,} of {len(every):,} numbers ({few(apart)})"
        )
    if result.absent:
        yield f"published scores that are not here: {', '.join(result.absent)}"
    if result.unknown:
        yield (
            f"{count(len(result.unknown), 'folder')} beside the published scores not read: {few(result.unknown)}; "
            "name what is to be read: --scores NAME=DIR"
        )
    rough = {
        _title(own.category): own.subjects
        for one in (result.human, *result.alignments)
        for own in one.categories
        if own.ci95 is not None and own.subjects < FEW_SUBJECTS
    }
    if rough:
        named = ", ".join(f"{category} {count(subjects, 'subject')}" for category, subjects in rough.items())
        yield f"intervals over fewer than {FEW_SUBJECTS} subjects are rough: {named}"
    of_groups = [
        told(one.labels) for one in result.groups if one.subjects < FEW_SUBJECTS and one.human.mean_ci95
    ]
    if of_groups:
        yield f"rough are those of {count(len(of_groups), 'group')}, too: {few(of_groups)}"


def _title(category: str) -> str:
    """A category as people see it."""
    return {"live_subject_animal": "animal", "live_subject_human": "human"}.get(category, category)


_CATEGORY = Kind(str, _title, text=True)


def _by_category(result: DreamBenchResult, every: Sequence[Alignment]) -> Table:
    columns = []
    for name in CATEGORIES:
        own = [_of(one, name) for one in every]
        if any(own):
            columns += [
                Column(
                    SCORE,
                    [one.mh if one else None for one in own],
                    f"{_title(name)} ({_number(every, name)})",
                    name,
                    intervals=[one.ci95 if one else None for one in own],
                    paper=True,
                ),
                *(
                    Column(COUNT, [getattr(one, number, 0) for one in own], name=f"{name}_{number}")
                    for number in ("items", "subjects", "averaged")
                ),
            ]
    mean = Column(
        SCORE,
        [one.mean for one in every],
        MEAN,
        MEAN,
        intervals=[one.mean_ci95 for one in every],
        paper=True,
    )
    rounding = " Each correlation is rounded to four decimals first." if result.published_rounding else ""
    return Table(
        (named("metric", [one.metric for one in every], "metric"),),
        (*columns, mean),
        caption="Agreement with people (DreamBench++): Pearson correlation with human ratings, Fisher-z mean over "
        f"{count(len(result.methods), 'method')}. MH is that of {_title(_MH)}. {_IN_BRACKETS}{rounding}",
        label="table",
    )


def _by_group(result: DreamBenchResult) -> Iterator[Table]:
    """Every group by every metric, people first, and the differences of metrics."""
    if not result.groups:
        return
    rows = [(group, one) for group in result.groups for one in (group.human, *group.alignments)]
    means, ends = [one.mean for _, one in rows], [one.mean_ci95 for _, one in rows]
    counts = {
        "items": ("pictures", [sum(own.items for own in one.categories) for _, one in rows]),
        "subjects": ("subjects", [sum(own.subjects for own in one.categories) for _, one in rows]),
        "averaged": ("categories", [one.averaged for _, one in rows]),
    }
    yield Table(
        group_columns([(group.by, group.labels, one.metric) for group, one in rows]),
        (
            Column(SCORE, means, "agreement", MEAN, ends, paper=True),
            *(Column(COUNT, cells, title, name, paper=True) for name, (title, cells) in counts.items()),
        ),
        caption="Agreement with people by label: Pearson correlation with human ratings, Fisher-z mean over methods, "
        f"and over so many categories. {_IN_BRACKETS}",
        label=LABEL,
    )
    apart = [(group, own) for group in result.groups for own in group.differences]
    if apart:
        every = [own for _, own in apart]
        yield Table(
            group_columns([(group.by, group.labels, own.metric) for group, own in apart]),
            (
                named("", [own.against for own in every], "against"),
                Column(COUNT, [own.items for own in every], name="items"),
                Column(COUNT, [own.subjects for own in every], "subjects", "subjects", paper=True),
                *difference_columns(every, SIGNED),
            ),
            caption=f"By label, each metric minus {printable(every[0].against)}, over the pictures that both score. p "
            f"is adjusted for comparing several metrics in several groups. {_IN_BRACKETS}",
            label=GROUP_DIFFERENCES,
        )


def _published(every: Sequence[Alignment]) -> Iterator[Table]:
    """Ours beside what is published of the same ratings, a row a number; nothing without such ratings."""
    rows = [(one, own) for one in every for own in one.published]
    if not rows:
        return
    ours = [None if own.difference is None else own.value + own.difference for _, own in rows]
    yield Table(
        (
            named("metric", [one.metric for one, _ in rows], "metric"),
            Column(_CATEGORY, [own.category for _, own in rows], "category", "category"),
        ),
        (
            Column(SCORE, ours, "ours", "ours", paper=True),
            Column(SCORE, [own.value for _, own in rows], "published", "published", paper=True),
            Column(SIGNED, [own.difference for _, own in rows], "difference", "difference", paper=True),
            Column(TRUTH, [own.as_published for _, own in rows], "as published", "as_published", paper=True),
        ),
        caption=f"Agreement with people beside the published values of the same ratings ({published_source()}). As "
        f"published: no further apart than {ROUNDING}, which is rounding.",
        label="published",
    )


def _number(every: Sequence[Alignment], category: str) -> str:
    """How many pictures the correlations of a category are over; the most, where metrics differ."""
    numbers = {own.items for one in every if (own := _of(one, category))}
    return f"n {'=' if len(numbers) == 1 else '≤'} {max(numbers):,}"


def _of(one: Alignment, category: str) -> CategoryAlignment | None:
    return next((own for own in one.categories if own.category == category), None)


def _by_method(result: DreamBenchResult, every: Sequence[Alignment]) -> Table:
    rows = [(one.metric, own.category, own.methods) for one in every for own in one.categories]
    found = [{method.method: method.r for method in methods} for _, _, methods in rows]
    flat = [(metric, category, method) for metric, category, methods in rows for method in methods]
    groups = [(None, None) if metric == CEILING else method.groups for metric, _, method in flat]
    data = Table(
        (
            named("", [metric for metric, _, _ in flat], "metric"),
            named("", [category for _, category, _ in flat], "category"),
            named("", [method.method for _, _, method in flat], "method"),
        ),
        (
            Column(COUNT, [method.items for _, _, method in flat], name="items"),
            Column(SCORE, [method.r for _, _, method in flat], name="r"),
            Column(SCORE, [pair[0] for pair in groups], name="group1"),
            Column(SCORE, [pair[1] for pair in groups], name="group2"),
        ),
    )
    return Table(
        (
            named("metric", [metric for metric, _, _ in rows]),
            Column(_CATEGORY, [category for _, category, _ in rows], "category"),
        ),
        tuple(Column(SCORE, [r.get(name) for r in found], name, paper=True) for name in result.methods),
        caption="Pearson correlation with human ratings by method of generation: the mean of those with the two "
        "groups.",
        label="methods",
        data=data,
    )


def _differences(result: DreamBenchResult) -> list[Table]:
    every = result.differences
    if not every:
        return []
    table = Table(
        (
            named("metric", [one.metric for one in every], "metric"),
            named("", [one.against for one in every], "against"),
            Column(_CATEGORY, [one.category for one in every], "category", "category"),
        ),
        (
            Column(COUNT, [one.items for one in every], name="items"),
            Column(COUNT, [one.subjects for one in every], "subjects", "subjects", paper=True),
            *difference_columns(every, SIGNED),
        ),
        caption=f"Each metric minus {printable(every[0].against)}, over the pictures that both score. p: how often "
        "chance alone would differ as much, adjusted for comparing several metrics; the larger of two tests. "
        f"{_IN_BRACKETS}",
        label="differences",
    )
    return [table]


def _scored(result: DreamBenchResult) -> Table:
    means = {(one.metric, one.method): one.mean for one in result.scored}
    metrics = list(dict.fromkeys(one.metric for one in result.scored))
    data = Table(
        (
            named("", [one.metric for one in result.scored], "metric"),
            named("", [one.method for one in result.scored], "method"),
        ),
        (
            Column(COUNT, [one.items for one in result.scored], name="items"),
            Column(SCORE, [one.mean for one in result.scored], name="mean"),
        ),
    )
    return Table(
        (named("metric", metrics),),
        tuple(
            Column(SCORE, [means.get((metric, method)) for metric in metrics], method, paper=True)
            for method in result.methods
        ),
        caption="Mean score (100 x cosine) of each method; without human ratings there is nothing to correlate it "
        "with.",
        label="table",
        data=data,
    )


def _facts(result: DreamBenchResult) -> Iterator[str]:
    for name, folder in (("samples", result.samples), ("ratings", result.ratings)):
        if folder is not None:
            yield f"{name}: {folder}"
    for one in result.alignments:
        if one.origin != result.samples:
            yield f"scores of {one.metric}: {one.origin}"


def _left_out(result: DreamBenchResult) -> Iterator[str]:
    for number, what in (
        (sum(len(one.items) or 1 for one in result.unjoined), "did not join"),
        (len(result.unpaired), "without a partner"),
        (len(result.skipped), "that cannot be read"),
    ):
        if number:
            yield f"left out: {number:,} {what}; summary.json names them"


def _scores_document(found: Evaluated) -> Document:
    """One row a method and item that any set has; empty where a set has no number."""
    keys = [
        (method, item)
        for method in in_order({method for one in found.sets for method in one.methods})
        for item in sorted({item for one in found.sets for item in one.methods.get(method, {})})
    ]
    table = Table(
        (
            named("", [method for method, _ in keys], "method"),
            named("", [item for _, item in keys], "item"),
            named("", [category_of(item) for _, item in keys], "category"),
            named("", [subject_of(item) for _, item in keys], "subject"),
        ),
        tuple(
            Column(SCORE, [one.methods.get(method, {}).get(item) for method, item in keys], name=one.name)
            for one in found.sets
        ),
    )
    return Document("benchmark", found.result, lambda: Draft(table=table), report(found.result).about_numbers)
