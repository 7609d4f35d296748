"""The charts of a document as plots of the page."""

from __future__ import annotations

from nearid_cli.reports.charts import IntervalChart, RadarChart
from nearid_cli.reports.html import plots
from nearid_cli.reports.html.radar import radars, shade
from nearid_cli.reports.html.sections import Figures
from nearid_cli.reports.labels import labels


def drawn(chart: IntervalChart | RadarChart) -> Figures:
    """The plots of a chart beside each other, each with its name."""
    if isinstance(chart, RadarChart):
        made = list(radars(chart.name, chart.title, chart.axes, chart.series, chart.gauge))
        parts = [
            f", part {number} of {len(made)}" if len(made) > 1 else "" for number in range(1, len(made) + 1)
        ]
        return Figures([(f"{chart.title}{part}", svg) for part, svg in zip(parts, made, strict=True)])
    figures = []
    for number, one in enumerate(chart.plots):
        names = labels([row.name for row in one.rows], plots.NAME)
        rows = [
            plots.Whisker(name, shade(row.place), row.value, row.interval)
            for name, row in zip(names, one.rows, strict=True)
        ]
        svg = plots.interval_plot(f"{chart.name}-{number}", one.title, rows, one.gauge, zero=one.signed)
        figures.append((one.title, svg))
    return Figures(figures)
