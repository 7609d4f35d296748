"""The result of MTG: its table, what a reader must not miss, and what made it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nearid_cli.benchmarks.differences import differences_table, group_differences_table
from nearid_cli.benchmarks.labels import LABEL, few_groups, group_columns, too_many
from nearid_cli.benchmarks.mtg.result import MtgResult
from nearid_cli.benchmarks.report import Report
from nearid_cli.metrics.part_level import PartLevel
from nearid_cli.reports.charts import IntervalChart, Spot, Spots, percent, rate
from nearid_cli.reports.gauge import COSINE
from nearid_cli.reports.table import COUNT, SCORE, TRUTH, Column, Kind, Table, named, share
from nearid_cli.text import count, few, printable

_CAPTION = (
    "Edits of parts (MTG). MO: Fisher-z mean of four correlations of similarities with oracles, of so many pairs "
    "together; MOpair: of the two of a picture with its own twin. SSR: samples that win all their trials, in percent; "
    "PA: trials that are won, in percent. In brackets: 95 % intervals over samples."
)


def report(result: MtgResult) -> Report:
    """The metrics, and where there are several their differences from the first."""
    by_group = [*_by_group(result)]
    tables = [
        Table(
            (named("metric", list(result.scores), "metric"),),
            _columns(list(result.scores.values())),
            caption=_CAPTION,
            label="table",
        ),
        *by_group,
        *([differences_table(result.differences)] if result.differences else []),
    ]
    return Report(
        "MTG",
        result,
        tuple(tables),
        (*_findings(result), *too_many(by_group)),
        (_data(result),),
        "nearid-mtg",
        few=few_groups(by_group),
        charts={"table": (_chart(result),)},
    )


def _chart(result: MtgResult) -> IntervalChart:
    """Correlations with oracles, and rates, with intervals."""
    every = list(enumerate(result.scores.items()))
    correlations = [
        Spots(
            title,
            COSINE,
            [
                Spot(metric, place, getattr(one, name), getattr(one, f"{name}_ci95"))
                for place, (metric, one) in every
            ],
        )
        for name, title in (("mo", "MO"), ("mo_pair", "MOpair"))
    ]
    rates = [
        Spots(
            f"{name.upper()} in percent",
            percent(name.upper()),
            [
                rate(metric, place, getattr(one, name), getattr(one, f"{name}_ci95"))
                for place, (metric, one) in every
            ],
        )
        for name in ("ssr", "pa")
    ]
    return IntervalChart("part-level", [*correlations, *rates], where="page")


def _by_group(result: MtgResult) -> Iterator[Table]:
    """Every group by every metric, and their differences from the first one."""
    if not result.groups:
        return
    rows = [(one, metric, scores) for one in result.groups for metric, scores in one.scores.items()]
    yield Table(
        group_columns([(one.by, one.labels, metric) for one, metric, _ in rows]),
        _columns([scores for _, _, scores in rows]),
        caption="The same by label. A - in MO and MOpair: a correlation would be over fewer than 3 samples.",
        label=LABEL,
    )
    if differences := [row for group in result.groups for row in group.differences]:
        yield group_differences_table(differences)


def _columns(every: Sequence[PartLevel]) -> tuple[Column, ...]:
    """The numbers of a row each."""

    def counts(name: str, title: str = "") -> Column:
        return Column(COUNT, [getattr(one, name) for one in every], title, name, paper=True)

    def number(kind: Kind, name: str, title: str) -> Column:
        ends = [getattr(one, f"{name}_ci95") for one in every]
        return Column(kind, [getattr(one, name) for one in every], title, name, ends, paper=True)

    rates = share(1)
    return (
        number(SCORE, "mo", "MO"),
        number(SCORE, "mo_pair", "MOpair"),
        counts("mo_pairs", "pairs"),
        counts("mo_pair_pairs"),
        number(rates, "ssr", "SSR"),
        counts("samples", "samples"),
        number(rates, "pa", "PA"),
        counts("trials", "trials"),
        Column(SCORE, [one.mean_margin for one in every], name="mean_margin"),
        *(column for k in range(len(every[0].correlations)) for column in _correlation(k, every)),
    )


def _correlation(k: int, every: Sequence[PartLevel]) -> Iterator[Column]:
    """One of the four correlations, for data files."""
    own = [one.correlations[k] for one in every]
    name = f"r_{own[0].similarity}_{own[0].oracle}"
    yield Column(SCORE, [one.r for one in own], name=name, intervals=[one.ci95 for one in own])
    yield Column(COUNT, [one.n for one in own], name=f"{name}_n")
    yield Column(TRUTH, [one.varies for one in own], name=f"{name}_varies")


def _findings(result: MtgResult) -> Iterator[str]:
    """What a reader of the numbers must not miss, a line each."""
    inputs = result.inputs
    if inputs.skipped:
        skipped = [f"{one.path} ({one.reason})" for one in inputs.skipped]
        yield f"{count(len(skipped), 'picture')} skipped: {few(skipped)}"
    if inputs.zero_oracles:
        yield (
            f"oracles that are 0: {inputs.zero_oracles:,} of {inputs.oracles:,} "
            "(no mask, an empty object, or all of it edited)"
        )
    if inputs.negative_oracles:
        yield (
            f"oracles below 0: {inputs.negative_oracles:,} of {inputs.oracles:,} (the part is larger than the object)"
        )
    for metric, one in result.scores.items():
        if one.mo is None:
            yield f"{printable(metric)}: no MO, because no sample has both an oracle and a similarity with a twin"
        elif flat := [f"r({own.similarity}, {own.oracle})" for own in one.correlations if not own.varies]:
            verb = "does not exist and counts" if len(flat) == 1 else "do not exist and count"
            yield f"{printable(metric)}: {', '.join(flat)} {verb} 0, for lack of variance"
        if one.samples < inputs.samples:
            lacking = inputs.samples - one.samples
            yield f"{printable(metric)}: {lacking:,} of {count(inputs.samples, 'sample')} without a trial"


def _data(result: MtgResult) -> str:
    inputs = result.inputs
    rows = "all rows" if inputs.rows is None else f"the rows of {inputs.rows}"
    samples = count(inputs.samples, "sample")
    return f"data: {inputs.data}, split {inputs.split}, {rows} ({samples}), masks {inputs.masks}"
