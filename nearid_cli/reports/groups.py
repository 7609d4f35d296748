"""Results by groups of generations: where do the numbers hold, and where does a difference show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import NamedTuple

from nearid_cli.breakdown.labels import PROMPT, Labels, shown, told
from nearid_cli.reports.blocks import Block, Finding, Panel, Prose, Topic
from nearid_cli.reports.charts import IntervalChart, Spot, Spots
from nearid_cli.reports.differences import difference_columns, stored_differences, trend
from nearid_cli.reports.gauge import Gauge, gauges
from nearid_cli.reports.numbers import in_detail, metric_columns
from nearid_cli.reports.table import COUNT, RECORD, TEXT, Column, Mark, Table, label_columns, named
from nearid_cli.results import (
    AggregateScores,
    ComparedGroup,
    CompareResult,
    Comparison,
    ScoredGroup,
    ScoreResult,
)
from nearid_cli.results.compare import BETTER, TOO_FEW, WORSE
from nearid_cli.text import count, few, printable

_SHOWN = 30  # rows that a terminal shows of one table
_PLOTTED = 40  # groups that a plot holds
_NEARLY_ALL = 0.9
_FOR_INTERVALS = 3  # as `metrics.intervals.MIN_UNITS`, which would import NumPy
_PROMPT_NUMBERS = ("prompt_number", "prompt_id", "prompt_index")

_STYLE = (
    "category style: of styles NearID's authors publish an agreement with people of 0.349, below SigLIP2's 0.441 "
    "(objects 0.545 and 0.515, animals 0.435 and 0.333, humans 0.440 and 0.376): trust nearid less there than elsewhere"
)


class Changes(NamedTuple):
    """A run against a baseline in groups.

    Attributes:
        run, baseline: what the two are called in the groups' comparisons.
        groups: of both.
    """

    run: str
    baseline: str
    groups: Sequence[ComparedGroup]


def about_styles(result: ScoreResult) -> list[str]:
    """How far the scores of styles can be trusted; nothing where no category is called so."""
    styles = (one.get("category", "").casefold() == "style" for one in result.images.column("labels"))
    return [_STYLE] if any(styles) else []


def score_groups(result: ScoreResult, changes: Changes | None = None) -> Iterator[Block]:
    """Each breakdown of a score result, and what changed in its groups since a baseline."""
    by = _by_breakdown(changes.groups if changes else ())
    for number, (labels, groups) in enumerate(_by_breakdown(result.groups).items()):
        title = _title(labels)
        yield replace(Prose([_scored_over(groups)], f"Where does it hold, by {title}?"), topic=Topic.GROUPS)
        table = _scored_table(result, labels, groups)
        yield Panel(table, topic=Topic.GROUPS, few=_first(table), paper=True, rank=2)
        yield Prose(_left_out(table), topic=Topic.GROUPS, where="terminal")
        plotted = [Spots(gauge.label, gauge, _spots(groups, gauge.name)) for gauge in gauges(result).values()]
        if 1 < len(groups) <= _PLOTTED:
            yield IntervalChart(f"by-{number}", plotted, topic=Topic.GROUPS, where="page")
        yield Prose(_about_subjects(result, labels, groups), topic=Topic.GROUPS)
        if changes and labels in by:
            intro = f"What changed since the baseline, by {title}?"
            yield from _differences(result, labels, by[labels], f"since-{number}", intro, changes.run)
            yield Prose(_only_one_has(changes, by[labels]), topic=Topic.GROUPS)


def _only_one_has(changes: Changes, groups: Sequence[ComparedGroup]) -> list[str]:
    """Which groups the run or its baseline lacks, so that nothing tells how they changed."""
    sides = ((changes.run, "the run has"), (changes.baseline, "the baseline has"))
    return [
        f"{has} none of {few(lacking, spelled=str)}"
        for name, has in sides
        if (lacking := [_among(one.labels) for one in groups if name not in one.methods])
    ]


def compare_groups(result: CompareResult) -> Iterator[Block]:
    """Each breakdown of a comparison: the scores of all methods in its groups, and what their differences are worth."""
    for number, (labels, groups) in enumerate(_by_breakdown(result.groups).items()):
        title = _title(labels)
        yield Prose(
            ["Each score is the mean over the subjects that a method has in the group"],
            f"Where does it hold, by {title}?",
            topic=Topic.GROUPS,
        )
        for gauge in gauges(result).values():
            table = _compared_table(result, labels, groups, gauge)
            yield Panel(table, topic=Topic.GROUPS, few=_first(table), paper=True, rank=2)
            yield Prose(_left_out(table), topic=Topic.GROUPS, where="terminal")
        runs = list(result.runs.values())
        own = [max(one.methods.values(), key=lambda scored: scored.subjects) for one in groups]
        yield Prose(_about_subjects(runs[0], labels, own), topic=Topic.GROUPS)
        intro = f"Which differences from {printable(result.baseline)} are real, by {title}?"
        yield from _differences(result, labels, groups, f"groups-{number}", intro)


def groups_table(result: ScoreResult | CompareResult) -> Table:
    """Every group of a result, a row each, and of a comparison one for each method that it has.

    `by` is the breakdown, each label is a column of its name. Numbers are those of the table of subjects or methods.
    """
    compared = [one for one in result.groups if isinstance(one, ComparedGroup)]
    rows: list[tuple[Labels, str | None, ScoredGroup, Mapping[str, Comparison]]] = [
        (one.labels, None, one, {}) for one in result.groups if isinstance(one, ScoredGroup)
    ]
    for group in compared:
        for name, scored in group.methods.items():
            own = {one.metric: one for one in group.comparisons if one.method == name}
            rows.append((group.labels, name, scored, own))
    columns = [
        *([Column(TEXT, [row[1] for row in rows], name="method")] if compared else []),
        Column(COUNT, [row[2].subjects for row in rows], name="subjects"),
        Column(COUNT, [row[2].generations for row in rows], name="generations"),
    ]
    for name, gauge in gauges(result).items():
        columns += metric_columns(
            gauge, AggregateScores, [row[2].aggregate[name] for row in rows], prefix=name
        )
        if compared:
            columns += stored_differences(name, [row[3].get(name) for row in rows])
    by = Column(TEXT, ["+".join(row[0]) for row in rows], name="by")
    others = ["by", "method", *(name for column in columns for name, _, _ in column.stored())]
    labels = label_columns([row[0] for row in rows], others)
    return Table((by,), (*labels, *columns), noun="groups")


def _by_breakdown(groups: Iterable[ScoredGroup | ComparedGroup]) -> dict[tuple[str, ...], list]:  # type: ignore[type-arg]
    """The groups of each breakdown, in their order."""
    return {labels: list(own) for labels, own in groupby(groups, key=lambda one: tuple(one.labels))}


def _title(labels: Sequence[str]) -> str:
    return " and ".join(map(printable, labels))


def _names(
    labels: Sequence[str], groups: Sequence[ScoredGroup | ComparedGroup], gauge: Gauge | None = None
) -> tuple[Column, ...]:
    """What says which group a row is, a column a label; the first one names the metric that all numbers are of."""
    first, *others = (
        named(
            printable(label),
            [
                f"no {printable(label)}" if (value := one.labels[label]) is None else shown(value)
                for one in groups
            ],
        )
        for label in labels
    )
    if gauge is None:
        return (first, *others)
    return (replace(first, title=f"{first.title} by {gauge.name}", lower=gauge.lower), *others)


def _scored_over(groups: Sequence[ScoredGroup]) -> str:
    sizes = sorted({one.subjects for one in groups})
    over = count(sizes[0], "subject") if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,} subjects"
    return f"{count(len(groups), 'group')} of {over}, each as if there were no other generations"


def _scored_table(result: ScoreResult, labels: Sequence[str], groups: Sequence[ScoredGroup]) -> Table:
    detailed = in_detail(result)
    columns = [
        Column(COUNT, [one.subjects for one in groups], "subjects", group="counts", paper=True),
        Column(COUNT, [one.generations for one in groups], "gens", group="counts", paper=True),
    ]
    for name, gauge in gauges(result).items():
        columns += metric_columns(
            gauge,
            AggregateScores,
            [one.aggregate[name] for one in groups],
            group="counts" if name == result.metrics[0].name else "",
            context=name == detailed,
            by=detailed if len(result.metrics) > 1 else "",
        )
    return Table(
        _names(labels, groups),
        tuple(columns),
        caption=f"Scores by {_title(labels)}.",
        label=f"nearid-by-{'-'.join(labels)}",
        noun="groups",
        brackets="95 % intervals over subjects",
        notes=_notes(groups, [metric.name for metric in result.metrics]),
    )


def _compared_table(
    result: CompareResult, labels: Sequence[str], groups: Sequence[ComparedGroup], gauge: Gauge
) -> Table:
    """The scores of all methods by one metric; marks say which way one was shown to differ from the baseline."""
    methods = result.methods.names()
    counts = []
    for title, number in (("subjects", "subjects"), ("gens", "generations")):
        found = [
            tuple(getattr(one.methods[name], number) if name in one.methods else 0 for name in methods)
            for one in groups
        ]
        if all(len(set(own)) == 1 for own in found):
            counts.append(Column(COUNT, [own[0] for own in found], title, group="counts", paper=True))
        else:
            counts.append(Column(RECORD, found, f"{title} of each", group="counts", paper=True))
    columns = []
    for name in methods:
        own = [one.methods[name].aggregate[gauge.name] if name in one.methods else None for one in groups]
        compared = [_of(one.comparisons, name, gauge.name) for one in groups]
        columns.append(
            Column(
                gauge.score,
                [None if one is None else one.score for one in own],
                name,
                intervals=[None if one is None else one.ci95 for one in own],
                marks=[trend(one) for one in compared],
                paper=True,
                bare="terminal",
            )
        )
    lacking = [
        f"-: {printable(name)} has none of {few(missing)}"
        for name in methods
        if (missing := [_among(one.labels) for one in groups if name not in one.methods])
    ]
    marks: dict[Mark, str] = {
        "better": f" than {printable(result.baseline)}, adjusted over methods and groups"
    }
    return Table(
        _names(labels, groups, gauge),
        (*counts, *columns),
        caption=f"Scores by {_title(labels)} and method, by {gauge.label}.",
        label=f"nearid-by-{'-'.join(labels)}-{gauge.name}",
        noun="groups",
        brackets="95 % intervals over subjects",
        notes=(*lacking, *_unscored(groups, methods, gauge.name)),
        marks=marks if any(any(column.marks) for column in columns) else {},
    )


def _differences(
    result: ScoreResult | CompareResult,
    labels: Sequence[str],
    groups: Sequence[ComparedGroup],
    ident: str,
    intro: str,
    run: str | None = None,
) -> Iterator[Block]:
    """What differs in which group, by each metric.

    Args:
        result: whose.
        labels: of the breakdown.
        groups: of it.
        ident: unique on the page.
        intro: what was compared with what.
        run: the one method, which is not named then.
    """
    for number, gauge in enumerate(gauges(result).values()):
        pairs = [(group, one) for group in groups for one in group.comparisons if one.metric == gauge.name]
        if not pairs:
            continue
        of_groups, found = [group for group, _ in pairs], [one for _, one in pairs]
        methods = list(dict.fromkeys(one.method for one in found))
        names = _names(labels, of_groups, gauge)
        if run is None and len(methods) > 1:
            names = (*names, named("method", [one.method for one in found]))
        table = Table(
            names,
            tuple(difference_columns(gauge, found)),
            caption=f"Differences by {_title(labels)}, by {gauge.label}.",
            label=f"nearid-{ident}-{gauge.name}",
            noun="comparisons",
            notes=_no_intervals(of_groups, found),
        )
        paired = "Paired by subject; p (adjusted) is over all groups and methods together. "
        line = _summary(gauge, pairs, run)
        yield Prose([line if number else paired + line], "" if number else intro, topic=Topic.GROUPS)
        yield Panel(table, topic=Topic.GROUPS, few=_telling(found), rank=1)
        yield Prose(_left_out(table, found), topic=Topic.GROUPS, where="terminal")
        if 1 < len(pairs) <= _PLOTTED:
            places = {name: place for place, name in enumerate(result.runs) if name is not None}
            rows = [
                Spot(
                    _briefly(group.labels)
                    if len(methods) == 1
                    else f"{_briefly(group.labels)}, {one.method}",
                    places.get(one.method, 0),
                    one.delta,
                    one.ci95,
                )
                for group, one in pairs
            ]
            plot = Spots(f"Difference by {gauge.label}", gauge, rows, signed=True)
            yield IntervalChart(f"{ident}-{number}", [plot], topic=Topic.GROUPS, where="page")


def groups_findings(
    groups: Sequence[ComparedGroup], metrics: Sequence[Gauge], run: str | None = None
) -> list[Finding]:
    """In which groups a difference was shown, a line each breakdown and metric; nothing where none was.

    Args:
        groups: of all breakdowns.
        metrics: by which they are compared.
        run: as for `_differences`.
    """
    found = []
    for labels, own in _by_breakdown(groups).items():
        for gauge in metrics:
            pairs = [(group, one) for group in own for one in group.comparisons if one.metric == gauge.name]
            if any(one.shown for _, one in pairs):
                line = _summary(gauge, pairs, run)
                found.append(Finding(f"by {_title(labels)}, b{line[1:]}"))
    return found


def _summary(gauge: Gauge, pairs: Sequence[tuple[ComparedGroup, Comparison]], run: str | None) -> str:
    """Where a difference was shown, in a sentence."""
    said = []
    for method in dict.fromkeys(one.method for _, one in pairs):
        own = [(group, one) for group, one in pairs if one.method == method]
        parts = [
            f"{word} in {few([_among(group.labels) for group, one in own if one.verdict == word], 6, str)}"
            for word in (WORSE, BETTER)
            if any(one.verdict == word for _, one in own)
        ]
        left = [one for _, one in own if not one.shown]
        judged = [one for one in left if one.p_adjusted is not None]
        who = "the run" if run is not None else printable(method)
        if parts:
            parts = [f"{who} is {', '.join(parts)}"]
        if judged:
            rest = _not_shown(judged)
            none = (
                f"in {rest} no difference was shown"
                if parts
                else f"no difference of {who} was shown in {rest}"
            )
            parts.append(none)
        if len(judged) < len(left):
            parts.append(f"{who} was not judged in {count(len(left) - len(judged), 'group')}")
        said.append("; ".join(parts))
    return f"By {printable(gauge.name)}: {'; '.join(said)}"


def _not_shown(found: Sequence[Comparison]) -> str:
    """How many groups these are, and in how many of them nothing could have been shown."""
    groups = count(len(found), "group")
    small = sum(one.verdict.startswith(TOO_FEW) for one in found)
    if not small:
        return groups
    reason = "too few subjects to show one"
    return f"{groups} with {reason}" if small == len(found) else f"{groups} ({small:,} with {reason})"


def _of(found: Sequence[Comparison], method: str, metric: str) -> Comparison | None:
    return next((one for one in found if (one.method, one.metric) == (method, metric)), None)


def _among(labels: Labels) -> str:
    """A group in words, as one of several: its labels are joined as they are asked for."""
    return " + ".join(told({label: value}) for label, value in labels.items())


def _briefly(labels: Labels) -> str:
    """A group by its values alone."""
    return ", ".join(f"no {label}" if value is None else shown(value) for label, value in labels.items())


def _spots(groups: Sequence[ScoredGroup], metric: str) -> list[Spot]:
    scores = [one.aggregate[metric] for one in groups]
    return [
        Spot(_briefly(group.labels), 0, one.score, one.ci95)
        for group, one in zip(groups, scores, strict=True)
    ]


def _notes(groups: Sequence[ScoredGroup], metrics: Sequence[str]) -> tuple[str, ...]:
    """What a table of groups lacks, and why."""
    lines = []
    single = [_among(one.labels) for one in groups if one.subjects < _FOR_INTERVALS]
    if single:
        lines.append(f"no interval below {_FOR_INTERVALS} subjects: {few(single)}")
    for metric in metrics:
        unscored = [_among(one.labels) for one in groups if one.aggregate[metric].score is None]
        if unscored:
            lines.append(f"-: {printable(metric)} has no number of {few(unscored)}")
        partly = [
            f"{own.missing:,} of {one.generations:,} in {_among(one.labels)}"
            for one in groups
            if (own := one.aggregate[metric]).missing and own.score is not None
        ]
        if partly:
            lines.append(f"{printable(metric)}: generations without a number: {few(partly)}")
    return tuple(lines)


def _unscored(groups: Sequence[ComparedGroup], methods: Sequence[str], metric: str) -> list[str]:
    """Which generations of methods have no number by a metric, so far as these are not all that is known."""
    lines = []
    for name in methods:
        lacking = [
            f"{missing:,} of {one.methods[name].generations:,} in {_among(one.labels)}"
            for one in groups
            if name in one.methods and (missing := one.methods[name].aggregate[metric].missing)
        ]
        if lacking:
            lines.append(f"{printable(name)}: generations without a number: {few(lacking)}")
    return lines


def _no_intervals(groups: Sequence[ComparedGroup], found: Sequence[Comparison]) -> tuple[str, ...]:
    single = [
        _among(group.labels)
        for group, one in zip(groups, found, strict=True)
        if one.delta is not None and one.ci95 is None
    ]
    return (
        (f"no interval below {_FOR_INTERVALS} subjects: {few(list(dict.fromkeys(single)))}",)
        if single
        else ()
    )


def _about_subjects(result: ScoreResult, labels: Sequence[str], groups: Sequence[ScoredGroup]) -> list[str]:
    """That nearly each group has one subject, so that nothing can be told of it, and what to break down by instead."""
    own = [one for one in groups if None not in one.labels.values()]
    single = sum(one.subjects == 1 for one in own)
    if len(own) < 2 or len(result.subjects) < 2 or single < _NEARLY_ALL * len(own):
        return []
    number = "each" if single == len(own) else "nearly each"
    line = f"{number} group by {_title(labels)} has one subject, and one subject tells nothing of others"
    known = list(dict.fromkeys(label for one in result.images for label in one.labels))
    instead = [one for one in _PROMPT_NUMBERS if one in known]
    if PROMPT not in labels:
        return [line]
    if instead:
        return [f"{line}; the prompts may name their subjects: try --by {instead[0]}"]
    others = f" (labels here: {few(known)})" if known else ""
    return [
        f"{line}; the prompts may name their subjects: a label that numbers the templates goes across subjects{others}"
    ]


def _first(table: Table) -> list[int] | None:
    """The rows that a terminal shows, where they are too many."""
    return None if table.size <= _SHOWN else list(range(_SHOWN))


def _telling(found: Sequence[Comparison]) -> list[int] | None:
    """The same: those with a difference that was shown before the others."""
    if len(found) <= _SHOWN:
        return None
    return sorted(sorted(range(len(found)), key=lambda place: not found[place].shown)[:_SHOWN])


def _left_out(table: Table, found: Sequence[Comparison] = ()) -> list[str]:
    if table.size <= _SHOWN:
        return []
    which = ", those with a difference first" if any(one.shown for one in found) else ""
    return [
        f"{_SHOWN} of {table.size:,} {table.noun} are shown here{which}; a file (-o, --groups) has all of them"
    ]
