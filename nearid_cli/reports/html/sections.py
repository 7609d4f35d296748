"""The parts of the page that hold plots and tables, as blocks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from nearid_cli.reports import gate_text
from nearid_cli.reports.figures import (
    CONTEXT,
    DISTRACTORS,
    figure,
    number_figure,
    p_figure,
    score_figure,
    signed_figure,
)
from nearid_cli.reports.ground import apart, over_common
from nearid_cli.reports.html import blocks, plots
from nearid_cli.reports.html.blocks import (
    Bullets,
    Choice,
    Figures,
    Folded,
    Grid,
    GridColumn,
    Heading,
    Heatmap,
    Paragraph,
    Scatter,
)
from nearid_cli.reports.html.heatmap import COLUMN, heatmap
from nearid_cli.reports.html.heatmap import NAME as HEAT_NAME
from nearid_cli.reports.labels import Label, labelled
from nearid_cli.reports.order import best_subjects_first
from nearid_cli.reports.pairing import how_all_paired
from nearid_cli.reports.provenance import old_schema
from nearid_cli.results import CompareResult, Comparison, GateResult, Method, ScoreResult
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
    names = labels(methods, plots.NAME)
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


def _scores_table(methods: Sequence[Method], metrics: Sequence[str], counted: bool = True) -> Grid:
    first = metrics[0]
    every = [method.result for method in methods]
    extra = [
        name
        for name in (*CONTEXT, *DISTRACTORS)
        if any(getattr(one.aggregate[first], name) is not None for one in every)
    ]
    columns = []
    for metric, title in zip(metrics, _short(metrics, blocks.HEADER), strict=True):
        found = [one.aggregate[metric] for one in every]
        best = {place: "best" for place, method in enumerate(methods) if method.ranks.get(metric) == 1}
        columns.append(GridColumn(title, [score_figure(one.score, one.ci95) for one in found], marks=best))
    columns += [
        GridColumn(name.replace("_", " "), [number_figure(one.aggregate[first], name) for one in every])
        for name in extra
    ]
    if counted and any(method.lacking for method in methods):
        columns.append(GridColumn("subjects", [f"{one.inputs.subjects:,}" for one in every]))
    if any(method.copies for method in methods):
        copies = [f"{method.copies:,} of {len(method.result.images):,}" for method in methods]
        bad = {place: "bad" for place, method in enumerate(methods) if method.copying}
        columns.append(GridColumn("copies", copies, marks=bad))
    caption = "Aggregate scores with 95 % intervals"
    if extra:
        caption += f"; {', '.join(name.replace('_', ' ') for name in extra)} by {first}"
    return _by_method(caption, methods, columns)


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
    names = labels(result.methods, plots.NAME)
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


def _differences_table(result: CompareResult, metric: str, found: Sequence[Comparison]) -> Grid:
    kinds = [kind for kind in ("prompts", "pairs") if any(getattr(one, kind) for one in found)]
    columns = [
        GridColumn("verdict", [one.verdict for one in found], words=True),
        GridColumn("difference", [signed_figure(one.delta, one.ci95) for one in found]),
        GridColumn("p (adjusted)", [p_figure(one.p_adjusted) for one in found]),
        GridColumn("p", [p_figure(one.p) for one in found]),
        GridColumn("win / tie / loss", [f"{one.wins} / {one.ties} / {one.losses}" for one in found]),
        *(GridColumn(kind, [f"{getattr(one, kind):,}" for one in found]) for kind in ("subjects", *kinds)),
        GridColumn("detectable", [figure(one.detectable) for one in found]),
    ]
    places = {method.name: place for place, method in enumerate(result.methods)}
    caption = f"Differences from {result.baseline} by {metric}, {how_all_paired(found)}"
    return _by_method(caption, result.methods, columns, [places[one.method] for one in found])


def subject_heatmaps(methods: Sequence[Method], subjects: Sequence[str], metrics: Sequence[str]) -> Choice:
    """Methods by subjects for each metric, best subject by the first metric first."""
    by_method = [{one.subject: one.scores for one in method.result.subjects} for method in methods]
    ordered = best_subjects_first(methods, subjects, metrics[0])
    names, titles = labels(methods, HEAT_NAME), labels(methods, blocks.HEADER)
    rows, columns = _short(ordered, blocks.NAME), _short(ordered, COLUMN)
    panels = []
    for number, metric in enumerate(metrics):
        scores = [
            [found[subject][metric].score if subject in found else None for subject in ordered]
            for found in by_method
        ]
        svg = heatmap(f"heat-{number}", f"{metric} by method and subject", names, columns, scores)
        cells = [
            GridColumn(title, [*map(figure, numbers)]) for title, numbers in zip(titles, scores, strict=True)
        ]
        panels.append(
            [Heatmap(svg), Folded([Grid(f"{metric} by subject and method", "subject", rows, cells)])]
        )
    return Choice("heat", "Metric", metrics, panels)


def distributions(methods: Sequence[Method], metrics: Sequence[str]) -> Iterator[object]:
    """Where the generations of each method lie by each metric."""
    figures, rows = [], []
    names = labels(methods, plots.NAME)
    for number, metric in enumerate(metrics):
        spreads = []
        for place, method in enumerate(methods):
            values = np.array([image.scores[metric] for image in method.result.images], np.float64)
            scores = method.result.aggregate[metric]
            spreads.append(
                plots.Spread(names[place], plots.colour(place), values, scores.floor, scores.ceiling)
            )
            quantiles = np.percentile(values, [0, 25, 50, 75, 100]).tolist() if len(values) else [None] * 5
            rows.append([metric, f"{len(values):,}", *map(figure, quantiles)])
        svg = plots.distribution_plot(f"spread-{number}", f"Generations by {metric}", spreads)
        figures.append((metric, svg))
    yield Figures(figures)
    titles = ("metric", "generations", "lowest", "quartile", "median", "quartile", "highest")
    columns = [
        GridColumn(title, cells, words=title == "metric")
        for title, cells in zip(titles, zip(*rows, strict=True), strict=True)
    ]
    places = [*range(len(methods))] * len(metrics)
    yield Folded([_by_method("Distribution of the generations' scores", methods, columns, places)])


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
        panels.append([Scatter(number, metric, first, svg, labels(methods, blocks.NAME))])
    return Choice("scatter", f"Against {first}", metrics[1:], panels)


def agreements(result: CompareResult) -> Iterator[object]:
    """Rank correlations between metrics, and the methods that they rank differently."""
    found = result.agreements
    if not found:
        return
    columns = [
        GridColumn("over", [one.level for one in found], words=True),
        GridColumn("n", [f"{one.n:,}" for one in found]),
        GridColumn("Kendall", [figure(one.kendall) for one in found]),
        GridColumn("Spearman", [figure(one.spearman) for one in found]),
    ]
    names = [f"{one.a} and {one.b}" for one in found]
    yield Grid("Rank correlation between metrics", "metrics", names, columns)
    yield Bullets(
        [
            f"{one.metric} ranks {one.method} {'higher' if one.difference > 0 else 'lower'} than {one.against} does."
            for one in result.disagreements
            if one.level == "methods"
        ]
    )


def gate_table(gate: GateResult) -> Grid:
    """The verdicts, failures first."""
    found = [one for status in gate_text.STATUSES for one in gate_text.with_status(gate, status)]
    columns = [
        GridColumn("check", [*map(gate_text.check_title, found)]),
        GridColumn("expected", [one.expected for one in found]),
        GridColumn("found", [*map(gate_text.found_figure, found)]),
        GridColumn("baseline", [*map(gate_text.baseline_figure, found)]),
        GridColumn("drop", [*map(gate_text.drop_figure, found)]),
        GridColumn("reason", [one.reason for one in found]),
        GridColumn("moved most", [gate_text.moved(one) or "-" for one in found]),
    ]
    verdicts = [one.status for one in found]
    return Grid(gate_text.compared(gate), "verdict", verdicts, columns, kind="words", verdicts=True)


def provenance(result: ScoreResult | CompareResult, methods: Sequence[Method]) -> Iterator[object]:
    """What made the numbers: enough to make them again."""
    yield Paragraph(f"Made by {result.tool.name} {result.tool.version}, {result.created}.")
    yield from (Paragraph(line) for line in dict.fromkeys(old_schema(one.result) for one in methods) if line)
    metrics = [vars(metric) for metric in result.metrics]
    columns = [
        GridColumn(fact, [one[fact] or "-" for one in metrics]) for fact in metrics[0] if fact != "name"
    ]
    yield Grid("Metrics", "name", [one["name"] for one in metrics], columns, kind="words")
    inputs = [method.result.inputs for method in methods]
    columns = [
        GridColumn("references", [one.references for one in inputs]),
        GridColumn("generations", [one.generations for one in inputs]),
        GridColumn("layout", [one.layout for one in inputs]),
        GridColumn("subjects", [f"{one.subjects:,}" for one in inputs]),
        GridColumn("reference images", [f"{one.reference_images:,}" for one in inputs]),
        GridColumn("generation images", [f"{one.generation_images:,}" for one in inputs]),
        GridColumn("distractors", [one.distractors or "-" for one in inputs]),
    ]
    names = [Label(method.name, method.name) for method in methods]
    yield Grid("Inputs", "method", names, columns, kind="words")
    for method, one in zip(methods, inputs, strict=True):
        skipped = [f"{picture.path}: {picture.reason}" for picture in one.skipped]
        yield Bullets(skipped, f"{method.name}: {count(len(skipped), 'picture')} skipped")
        yield Bullets(one.unmatched, f"{method.name}: {len(one.unmatched):,} unmatched")
        yield Bullets(method.lacking, f"{method.name} lacks {count(len(method.lacking), 'subject')}")


def labels(methods: Sequence[Method], most: int) -> list[Label]:
    """The methods' names, at most so many characters of each."""
    return _short([method.name for method in methods], most)


def _short(names: Sequence[str], most: int) -> list[Label]:
    return list(labelled(names, most).values())


def _by_method(
    caption: str,
    methods: Sequence[Method],
    columns: Sequence[GridColumn],
    places: Sequence[int] | None = None,
) -> Grid:
    """A table whose rows are methods, each with its colour: all of them in turn, or those at `places`."""
    names = labels(methods, blocks.NAME)
    places = range(len(methods)) if places is None else places
    return Grid(caption, "method", [names[place] for place in places], columns, dict(enumerate(places)))
