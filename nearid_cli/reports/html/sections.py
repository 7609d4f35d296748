"""The parts of the page that hold plots and tables, as blocks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from nearid_cli.reports import gate_text
from nearid_cli.reports.figures import CONTEXT, DISTRACTORS
from nearid_cli.reports.ground import apart, over_common
from nearid_cli.reports.html import plots
from nearid_cli.reports.html.blocks import (
    Bullets,
    Choice,
    Figures,
    Folded,
    Heading,
    Heatmap,
    Paragraph,
    Scatter,
)
from nearid_cli.reports.html.heatmap import COLUMN, heatmap
from nearid_cli.reports.html.heatmap import NAME as HEAT_NAME
from nearid_cli.reports.html.tables import labels
from nearid_cli.reports.order import best_subjects_first
from nearid_cli.reports.pairing import how_all_paired
from nearid_cli.reports.provenance import old_schema
from nearid_cli.reports.table import COUNT, RECORD, SCORE, SIGNED, TEXT, WORDS, Column, Mark, P, Table, named
from nearid_cli.results import CompareResult, Comparison, GateResult, Method
from nearid_cli.text import count


def headline(result: CompareResult, metrics: Sequence[str]) -> Iterator[object]:
    """The scores that are ranked, and below them those of each method by itself, where these are others."""
    own = apart(result)
    yield from scores(over_common(result).methods, metrics, counted=own is None)
    if own is not None:
        yield Heading("Each over its own subjects and generations, not ranked")
        yield _scores_table(own.methods, metrics)


def scores(methods: Sequence[Method], metrics: Sequence[str], counted: bool = True) -> Iterator[object]:
    """A plot of scores on their bands for each metric, and the table of all numbers.

    `counted` says how many subjects a method has, where that is not the same for all.
    """
    figures = []
    names = labels([method.name for method in methods], plots.NAME)
    for number, metric in enumerate(metrics):
        found = [method.result.aggregate[metric] for method in methods]
        rows = [
            plots.Whisker(
                names[place],
                plots.colour(place),
                None if math.isnan(one.score) else one.score,
                one.ci95,
                (one.floor, one.ceiling),
                methods[place].copying,
            )
            for place, one in enumerate(found)
        ]
        svg = plots.interval_plot(f"score-{number}", f"Score by {metric}", rows, ends=("floor", "ceiling"))
        figures.append((metric, svg))
    yield Figures(figures)
    yield _scores_table(methods, metrics, counted)


def _scores_table(methods: Sequence[Method], metrics: Sequence[str], counted: bool = True) -> Table:
    every = [method.result for method in methods]
    columns = []
    for metric in metrics:
        found = [one.aggregate[metric] for one in every]
        best = [Mark.BEST if method.ranks.get(metric) == 1 else Mark.NONE for method in methods]
        columns.append(
            Column(
                SCORE, [one.score for one in found], metric, intervals=[one.ci95 for one in found], marks=best
            )
        )
    first = [one.aggregate[metrics[0]] for one in every]
    columns += [
        Column(
            SIGNED if name == "margin" else SCORE,
            [getattr(one, name) for one in first],
            name.replace("_", " "),
            by=metrics[0],
            intervals=[getattr(one, f"{name}_ci95", None) for one in first],
        )
        for name in (*CONTEXT, *DISTRACTORS)
    ]
    if counted and any(method.lacking for method in methods):
        columns.append(Column(COUNT, [one.inputs.subjects for one in every], "subjects"))
    if any(method.copies for method in methods):
        columns.append(Column(COUNT, [method.copies for method in methods], "copies"))
        columns.append(Column(COUNT, [len(one.images) for one in every], "generations"))
    known = tuple(column for column in columns if column.known)
    return Table(
        _named(method.name for method in methods), known, caption="Aggregate scores with 95 % intervals"
    )


def differences(result: CompareResult, metrics: Sequence[str]) -> Iterator[object]:
    """Every method against the baseline: a plot for each metric, and the tables of the test."""
    figures, tables = [], []
    for number, metric in enumerate(metrics):
        found = [one for one in result.comparisons if one.metric == metric]
        title = f"Difference from {result.baseline} by {metric}"
        svg = plots.interval_plot(f"delta-{number}", title, _difference_marks(result, found), zero=True)
        figures.append((metric, svg))
        tables.append(_differences_table(result, metric, found))
    yield Figures(figures)
    yield tables[0]
    if tables[1:]:
        yield Folded(tables[1:], f"The same by {', '.join(metrics[1:])}")


def _difference_marks(result: CompareResult, found: Sequence[Comparison]) -> list[plots.Whisker]:
    places = {method.name: place for place, method in enumerate(result.methods)}
    names = labels(places, plots.NAME)
    return [
        plots.Whisker(
            names[places[one.method]],
            plots.colour(places[one.method]),
            one.delta,
            one.ci95,
            (None, None) if one.detectable is None else (-one.detectable, one.detectable),
            result.methods[places[one.method]].copying,
        )
        for one in found
    ]


def _differences_table(result: CompareResult, metric: str, found: Sequence[Comparison]) -> Table:
    kinds = [kind for kind in ("prompts", "pairs") if any(getattr(one, kind) for one in found)]
    columns = (
        Column(WORDS, [one.verdict for one in found], "verdict"),
        Column(SIGNED, [one.delta for one in found], "difference", intervals=[one.ci95 for one in found]),
        Column(P, [one.p_adjusted for one in found], "p (adjusted)"),
        Column(P, [one.p for one in found], "p"),
        Column(RECORD, [(one.wins, one.ties, one.losses) for one in found], "wins/ties/losses"),
        *(Column(COUNT, [getattr(one, kind) for one in found], kind) for kind in ("subjects", *kinds)),
        Column(SCORE, [one.detectable for one in found], "detectable"),
    )
    caption = f"Differences from {result.baseline} by {metric}, {how_all_paired(found)}"
    return Table(_named(one.method for one in found), columns, caption=caption)


def subject_heatmaps(methods: Sequence[Method], subjects: Sequence[str], metrics: Sequence[str]) -> Choice:
    """Methods by subjects for each metric, best subject by the first metric first."""
    by_method = [{one.subject: one.scores for one in method.result.subjects} for method in methods]
    ordered = best_subjects_first(methods, subjects, metrics[0])
    names = [method.name for method in methods]
    rows, columns = labels(names, HEAT_NAME), labels(ordered, COLUMN)
    panels = []
    for number, metric in enumerate(metrics):
        scores = [
            [found[subject][metric].score if subject in found else None for subject in ordered]
            for found in by_method
        ]
        svg = heatmap(f"heat-{number}", f"{metric} by method and subject", rows, columns, scores)
        cells = tuple(Column(SCORE, numbers, name) for name, numbers in zip(names, scores, strict=True))
        table = Table((named("subject", ordered),), cells, caption=f"{metric} by subject and method")
        panels.append([Heatmap(svg), Folded([table])])
    return Choice("heat", "Metric", metrics, panels)


def distributions(methods: Sequence[Method], metrics: Sequence[str]) -> Iterator[object]:
    """Where the generations of each method lie by each metric."""
    figures, rows = [], []
    names = labels([method.name for method in methods], plots.NAME)
    for number, metric in enumerate(metrics):
        spreads = []
        for place, method in enumerate(methods):
            values = np.array([image.scores[metric] for image in method.result.images], np.float64)
            scores = method.result.aggregate[metric]
            spreads.append(
                plots.Spread(names[place], plots.colour(place), values, scores.floor, scores.ceiling)
            )
            quantiles = np.percentile(values, [0, 25, 50, 75, 100]).tolist() if len(values) else [None] * 5
            rows.append([method.name, metric, len(values), *quantiles])
        svg = plots.distribution_plot(f"spread-{number}", f"Generations by {metric}", spreads)
        figures.append((metric, svg))
    yield Figures(figures)
    method_names, metric_names, *numbers = zip(*rows, strict=True)
    titles = ("generations", "lowest", "quartile", "median", "quartile", "highest")
    columns = tuple(
        Column(COUNT if title == "generations" else SCORE, cells, title)
        for title, cells in zip(titles, numbers, strict=True)
    )
    left = named("method", method_names), named("metric", metric_names)
    yield Folded([Table(left, columns, caption="Distribution of the generations' scores")])


def scatters(methods: Sequence[Method], metrics: Sequence[str]) -> Choice:
    """Every further metric against the first one, with the strips of what they disagree about."""
    first = metrics[0]
    columns = [
        {
            name: np.array([image.scores[name] for image in method.result.images], np.float64)
            for name in metrics
        }
        for method in methods
    ]
    copies = [
        np.array([image.copy_of is not None for image in method.result.images], np.bool_)
        for method in methods
    ]
    panels = []
    for number, metric in enumerate(metrics[1:], start=1):
        clouds = [
            plots.Cloud(plots.colour(place), by[metric], by[first], copied)
            for place, (by, copied) in enumerate(zip(columns, copies, strict=True))
        ]
        svg = plots.scatter_plot(f"scatter-{number}", metric, first, clouds)
        panels.append([Scatter(number, metric, first, svg)])
    return Choice("scatter", f"Against {first}", metrics[1:], panels)


def agreements(result: CompareResult) -> Iterator[object]:
    """Rank correlations between metrics, and the methods that they rank differently."""
    found = result.agreements
    if not found:
        return
    columns = (
        Column(TEXT, [one.level for one in found], "over"),
        Column(COUNT, [one.n for one in found], "n"),
        Column(SCORE, [one.kendall for one in found], "Kendall"),
        Column(SCORE, [one.spearman for one in found], "Spearman"),
    )
    names = named("metrics", [f"{one.a} and {one.b}" for one in found])
    yield Table((names,), columns, caption="Rank correlation between metrics")
    yield Bullets(
        [
            f"{one.metric} ranks {one.method} {'higher' if one.difference > 0 else 'lower'} than {one.against} does."
            for one in result.disagreements
            if one.level == "methods"
        ]
    )


def gate_table(gate: GateResult) -> Table:
    """The verdicts, failures first."""
    found = [one for status in gate_text.STATUSES for one in gate_text.with_status(gate, status)]
    columns = (
        Column(TEXT, [*map(gate_text.check_title, found)], "check"),
        Column(TEXT, [one.expected for one in found], "expected"),
        Column(TEXT, [*map(gate_text.found_figure, found)], "found"),
        Column(TEXT, [*map(gate_text.baseline_figure, found)], "baseline"),
        Column(TEXT, [*map(gate_text.drop_figure, found)], "drop"),
        Column(TEXT, [one.reason for one in found], "reason"),
        Column(TEXT, [gate_text.moved(one) or None for one in found], "moved most"),
    )
    return Table(
        (named("verdict", [one.status for one in found]),), columns, caption=gate_text.compared(gate)
    )


def provenance(result: CompareResult) -> Iterator[object]:
    """What made the numbers: enough to make them again."""
    yield Paragraph(f"Made by {result.tool.name} {result.tool.version}, {result.created}.")
    yield from (
        Paragraph(line) for line in dict.fromkeys(old_schema(one.result) for one in result.methods) if line
    )
    methods = result.methods
    metrics = [vars(metric) for metric in result.metrics]
    columns = [Column(TEXT, [one[fact] for one in metrics], fact) for fact in metrics[0] if fact != "name"]
    yield Table((named("metric", [one["name"] for one in metrics]),), tuple(columns), caption="Metrics")
    inputs = [method.result.inputs for method in methods]
    texts = ("references", "generations", "layout", "distractors")
    counts = ("subjects", "reference_images", "generation_images")
    columns = [
        Column(kind, [getattr(one, name) for one in inputs], name.replace("_", " "))
        for kind, names in ((TEXT, texts), (COUNT, counts))
        for name in names
    ]
    yield Table(_named(method.name for method in methods), tuple(columns), caption="Inputs")
    for method, one in zip(methods, inputs, strict=True):
        skipped = [f"{picture.path}: {picture.reason}" for picture in one.skipped]
        yield Bullets(skipped, f"{method.name}: {count(len(skipped), 'picture')} skipped")
        yield Bullets(one.unmatched, f"{method.name}: {len(one.unmatched):,} unmatched")
        yield Bullets(method.lacking, f"{method.name} lacks {count(len(method.lacking), 'subject')}")


def _named(names: Iterable[str]) -> tuple[Column]:
    """The names of rows that are methods."""
    return (named("method", list(names)),)
