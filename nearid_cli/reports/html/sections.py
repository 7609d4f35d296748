"""What the page shows beside the blocks that all formats share: plots of scores, differences, subjects, generations.

Each block that is made here is shown by the macro of its class's name in blocks.html.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from markupsafe import Markup

from nearid_cli.reports.blocks import Block, Panel
from nearid_cli.reports.html import plots
from nearid_cli.reports.labels import labels
from nearid_cli.reports.order import best_subjects_first, over_common
from nearid_cli.reports.table import COUNT, SCORE, Column, Table, missing, named
from nearid_cli.results import CompareResult, Method


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
    """

    number: int
    metric: str
    first: str
    svg: Markup


@dataclass(frozen=True)
class Choice(Block):
    """Panels of which one is shown: `name` is unique on the page, `options` are the titles of the panels."""

    name: str
    label: str
    options: Sequence[str]
    panels: Sequence[Block]


def scores(result: CompareResult, metrics: Sequence[str]) -> Figures:
    """The scores that are ranked on their bands, a plot for each metric."""
    methods = over_common(result).methods
    names = labels([method.name for method in methods], plots.NAME)
    figures = []
    for number, metric in enumerate(metrics):
        found = [method.result.aggregate[metric] for method in methods]
        rows = [
            plots.Whisker(
                names[place],
                plots.colour(place),
                None if missing(one.score) else one.score,
                one.ci95,
                (one.floor, one.ceiling),
                methods[place].copying,
            )
            for place, one in enumerate(found)
        ]
        svg = plots.interval_plot(f"score-{number}", f"Score by {metric}", rows, ends=("floor", "ceiling"))
        figures.append((metric, svg))
    return Figures(figures)


def differences(result: CompareResult, metrics: Sequence[str]) -> Figures:
    """Every method against the baseline, a plot for each metric."""
    places = {method.name: place for place, method in enumerate(result.methods)}
    names = labels(places, plots.NAME)
    figures = []
    for number, metric in enumerate(metrics):
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
            if one.metric == metric
        ]
        title = f"Difference from {result.baseline} by {metric}"
        figures.append((metric, plots.interval_plot(f"delta-{number}", title, rows, zero=True)))
    return Figures(figures)


def subject_heatmaps(methods: Sequence[Method], subjects: Sequence[str], metrics: Sequence[str]) -> Choice:
    """Methods by subjects for each metric, best subject by the first metric first."""
    ordered = best_subjects_first(methods, subjects, metrics[0])
    rows, columns = labels([one.name for one in methods], plots.ROW), labels(ordered, plots.COLUMN)
    by_method = [{one.subject: one.scores for one in method.result.subjects} for method in methods]
    panels = []
    for number, metric in enumerate(metrics):
        numbers = [
            [found[subject][metric].score if subject in found else None for subject in ordered]
            for found in by_method
        ]
        svg = plots.heatmap(f"heat-{number}", f"{metric} by method and subject", rows, columns, numbers)
        panels.append(Heatmap(svg))
    return Choice("heat", "Metric", metrics, panels)


def distributions(methods: Sequence[Method], metrics: Sequence[str]) -> Iterator[Block]:
    """Where the generations of each method lie by each metric."""
    names = labels([method.name for method in methods], plots.NAME)
    figures, rows = [], []
    for number, metric in enumerate(metrics):
        spreads = []
        for place, method in enumerate(methods):
            values = np.array([image.scores[metric] for image in method.result.images], np.float64)
            aggregate = method.result.aggregate[metric]
            spreads.append(
                plots.Spread(names[place], plots.colour(place), values, aggregate.floor, aggregate.ceiling)
            )
            quantiles = np.percentile(values, [0, 25, 50, 75, 100]).tolist() if len(values) else [None] * 5
            rows.append([len(values), *quantiles])
        svg = plots.distribution_plot(f"spread-{number}", f"Generations by {metric}", spreads)
        figures.append((metric, svg))
    yield Figures(figures)
    titles = ("generations", "lowest", "quartile", "median", "quartile", "highest")
    of_metrics, of_methods = zip(*product(metrics, (method.name for method in methods)), strict=True)
    table = Table(
        (named("metric", of_metrics), named("method", of_methods)),
        tuple(
            Column(COUNT if title == "generations" else SCORE, cells, title)
            for title, cells in zip(titles, zip(*rows, strict=True), strict=True)
        ),
        caption="Distribution of the generations' scores",
    )
    yield Panel(table, folded="The numbers")


def scatters(methods: Sequence[Method], metrics: Sequence[str]) -> Choice:
    """Every further metric against the first one, with the strips of what they disagree about."""
    first, *further = metrics
    panels = []
    for number, metric in enumerate(further, start=1):
        clouds = [
            plots.Cloud(
                plots.colour(place),
                np.array([image.scores[metric] for image in method.result.images], np.float64),
                np.array([image.scores[first] for image in method.result.images], np.float64),
                np.array([image.copy_of is not None for image in method.result.images], np.bool_),
            )
            for place, method in enumerate(methods)
        ]
        svg = plots.scatter_plot(f"scatter-{number}", metric, first, clouds)
        panels.append(Scatter(number, metric, first, svg))
    return Choice("scatter", f"Against {first}", further, panels)
