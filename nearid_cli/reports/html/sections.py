"""What the page shows beside the blocks that all formats share: plots of scores, differences, subjects, generations.

Each block that is made here is shown by the macro of its class's name in blocks.html.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TypeVar

import numpy as np
from markupsafe import Markup

from nearid_cli.reports.blocks import Block, Panel
from nearid_cli.reports.gauge import Gauge, directions
from nearid_cli.reports.html import plots
from nearid_cli.reports.labels import Label, labels
from nearid_cli.reports.order import best_subjects_first, over_common
from nearid_cli.reports.table import COUNT, Column, Table, missing, named
from nearid_cli.results import AggregateScores, CompareResult, Interval, Method
from nearid_cli.results.unscored import why_no_score

End = TypeVar("End")


@dataclass(frozen=True)
class Figures(Block):
    """Plots beside each other, each with its name."""

    plots: Sequence[tuple[str, Markup]]


@dataclass(frozen=True)
class Heatmap(Block):
    """One plot as wide as the page."""

    svg: Markup


@dataclass(frozen=True)
class Scatter(Block):
    """Generations by two metrics, beside the strips of what the two disagree about.

    Attributes:
        number, metric: of the metric that is compared with the first one.
        first: the first metric.
        svg: the plot.
        extremes: what a metric rates a generation that it likes, and one that it does not.
    """

    number: int
    metric: str
    first: str
    svg: Markup
    extremes: tuple[str, str]


@dataclass(frozen=True)
class Choice(Block):
    """Panels of which one is shown: `name` is unique on the page, `options` are the titles of the panels."""

    name: str
    label: str
    options: Sequence[str]
    panels: Sequence[Block]


def scores(result: CompareResult, metrics: Sequence[Gauge]) -> Figures:
    """The scores that are ranked on their bands, a plot for each metric."""
    methods = over_common(result).methods
    names = labels([method.name for method in methods], plots.NAME)
    figures = []
    for number, gauge in enumerate(metrics):
        found = [method.result.aggregate[gauge.name] for method in methods]
        rows = [
            plots.Whisker(
                names[place],
                plots.colour(place),
                None if missing(one.score) else one.score,
                one.ci95,
                _band(gauge, one.floor, one.ceiling),
                methods[place].copying,
            )
            for place, one in enumerate(found)
        ]
        title, ends = f"Score by {gauge.name}", _band(gauge, "floor", "ceiling")
        figures.append((gauge.label, plots.interval_plot(f"score-{number}", title, rows, gauge, ends=ends)))
    return Figures(figures)


def _band(gauge: Gauge, floor: End, ceiling: End) -> tuple[End, End]:
    """From what is worst to what is best by most metrics; the other way round where lower is better."""
    return (ceiling, floor) if gauge.lower else (floor, ceiling)


def differences(result: CompareResult, metrics: Sequence[Gauge]) -> Figures:
    """Every method against the baseline, a plot for each metric."""
    places = {method.name: place for place, method in enumerate(result.methods)}
    names = labels(places, plots.NAME)
    figures = []
    for number, gauge in enumerate(metrics):
        rows = [
            plots.Whisker(
                names[places[one.method]],
                plots.colour(places[one.method]),
                one.delta,
                one.ci95,
                (None, None) if one.detectable is None else (-one.detectable, one.detectable),
                result.methods[one.method].copying,
            )
            for one in result.comparisons
            if one.metric == gauge.name
        ]
        title = f"Difference from {result.baseline} by {gauge.name}"
        figures.append((gauge.label, plots.interval_plot(f"delta-{number}", title, rows, gauge, zero=True)))
    return Figures(figures)


def identity_against_text(result: CompareResult, metrics: Sequence[Gauge]) -> Iterator[Block]:
    """Methods by what is scored against references and what is against prompts; nothing where either is lacking."""
    methods = over_common(result).methods
    names = labels([method.name for method in methods], plots.NAME)
    of_references, of_prompts = (
        [gauge for gauge in metrics if gauge.metric.against == against]
        for against in ("references", "prompts")
    )
    pairs = list(product(of_references, of_prompts))
    figures = [
        (
            f"{identity.label} and {text.label}",
            plots.point_plot(
                f"text-{number}",
                text.name,
                identity.name,
                [
                    _point(method, name, place, text, identity)
                    for place, (method, name) in enumerate(zip(methods, names, strict=True))
                ],
                (text, identity),
            ),
        )
        for number, (identity, text) in enumerate(pairs)
    ]
    if figures:
        yield Figures(figures)
        shown = [*of_references, *of_prompts]
        columns = (
            Column(
                gauge.score,
                [_known(method.result.aggregate[gauge.name])[0] for method in methods],
                gauge.name,
                intervals=[_known(method.result.aggregate[gauge.name])[1] for method in methods],
                lower=gauge.lower,
            )
            for gauge in shown
        )
        table = Table(
            (named("method", [method.name for method in methods]),),
            tuple(columns),
            caption="Identity and text, with 95 % intervals over subjects",
            noun="methods",
        )
        yield Panel(table, folded="The numbers")


def _point(method: Method, name: Label, place: int, text: Gauge, identity: Gauge) -> plots.Point:
    (x, x_interval), (y, y_interval) = (
        _known(method.result.aggregate[gauge.name]) for gauge in (text, identity)
    )
    return plots.Point(name, plots.colour(place), x, y, x_interval, y_interval, method.copying)


def _known(scores: AggregateScores) -> tuple[float | None, Interval | None]:
    """A score with its interval; a method that lacks some of what is ranked has neither."""
    return (None, None) if missing(scores.score) else (scores.score, scores.ci95)


def subject_heatmaps(methods: Sequence[Method], subjects: Sequence[str], metrics: Sequence[Gauge]) -> Choice:
    """Methods by subjects for each metric, best subject by the first metric first."""
    ordered = best_subjects_first(methods, subjects, metrics[0].metric)
    rows, columns = labels([one.name for one in methods], plots.ROW), labels(ordered, plots.COLUMN)
    by_method = [{one.subject: one.scores for one in method.result.subjects} for method in methods]
    panels = []
    for number, gauge in enumerate(metrics):
        numbers = [
            [found[subject][gauge.name].score if subject in found else None for subject in ordered]
            for found in by_method
        ]
        title = f"{gauge.label} by method and subject"
        why = _why_empty(methods, ordered, gauge.name)
        panels.append(Heatmap(plots.heatmap(f"heat-{number}", title, rows, columns, numbers, gauge, why)))
    return Choice("heat", "Metric", [gauge.label for gauge in metrics], panels)


def _why_empty(methods: Sequence[Method], subjects: Sequence[str], metric: str) -> dict[tuple[int, int], str]:
    """By the places of method and subject, why none of the generations has a score."""
    places = {subject: place for place, subject in enumerate(subjects)}
    found = {}
    for row, method in enumerate(methods):
        for subject in method.result.subjects:
            if subject.scores[metric].score is None:
                own = [image for image in method.result.images if image.subject == subject.subject]
                found[row, places[subject.subject]] = f"no score: {why_no_score(own, metric)}"
    return found


def distributions(methods: Sequence[Method], metrics: Sequence[Gauge]) -> Iterator[Block]:
    """Where the generations of each method lie by each metric, of those that have a score."""
    names = labels([method.name for method in methods], plots.NAME)
    figures, rows = [], []
    for number, gauge in enumerate(metrics):
        spreads = []
        for place, method in enumerate(methods):
            values = _numbers(method, gauge.name)
            values = values[~np.isnan(values)]
            aggregate = method.result.aggregate[gauge.name]
            band = _band(gauge, aggregate.floor, aggregate.ceiling)
            spreads.append(plots.Spread(names[place], plots.colour(place), values, band))
            quantiles = np.percentile(values, [0, 25, 50, 75, 100]).tolist() if len(values) else [None] * 5
            rows.append([len(values), *quantiles])
        title, ends = f"Generations by {gauge.name}", _band(gauge, "floor", "ceiling")
        figures.append(
            (gauge.label, plots.distribution_plot(f"spread-{number}", title, spreads, gauge, ends))
        )
    yield Figures(figures)
    titles = ("generations", "lowest", "quartile", "median", "quartile", "highest")
    by, of_methods = zip(*product(metrics, (method.name for method in methods)), strict=True)
    kinds = [gauge.score for gauge in by]
    counts, *quantities = (
        Column(kinds[0], cells, title, kinds=kinds)
        for title, cells in zip(titles, zip(*rows, strict=True), strict=True)
    )
    table = Table(
        (named("metric", [gauge.label for gauge in by]), named("method", of_methods)),
        (replace(counts, kind=COUNT, kinds=()), *quantities),
        caption="Distribution of the generations' scores",
        notes=directions(metrics),
    )
    yield Panel(table, folded="The numbers")


def _numbers(method: Method, metric: str) -> plots.Floats:
    """The scores of a method's generations [G]; NaN for those that have none."""
    return np.array([image.scores[metric] for image in method.result.images], np.float64)


def scatters(methods: Sequence[Method], metrics: Sequence[Gauge]) -> Choice:
    """Every further metric against the first one, with the strips of what they disagree about."""
    first, *further = metrics
    panels = []
    for number, gauge in enumerate(further, start=1):
        clouds = [_cloud(method, place, gauge.name, first.name) for place, method in enumerate(methods)]
        svg = plots.scatter_plot(f"scatter-{number}", gauge.name, first.name, clouds, (gauge, first))
        extremes = ("good", "bad") if gauge.lower or first.lower else ("high", "low")
        panels.append(Scatter(number, gauge.name, first.name, svg, extremes))
    return Choice("scatter", f"Against {first.label}", [gauge.label for gauge in further], panels)


def _cloud(method: Method, place: int, x_metric: str, y_metric: str) -> plots.Cloud:
    """The generations of a method that have a score by both metrics."""
    x, y = _numbers(method, x_metric), _numbers(method, y_metric)
    copies = np.array([image.copy_of is not None for image in method.result.images], np.bool_)
    known = ~np.isnan(x + y)
    return plots.Cloud(plots.colour(place), x[known], y[known], copies[known])
