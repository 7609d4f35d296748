"""What the page shows of checkpoints: a plot over the step for every metric, for retention and for copies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from markupsafe import Markup

from nearid_cli.reports.curve_answer import common_of, point_number
from nearid_cli.reports.curves import copied_shares
from nearid_cli.reports.gauge import Gauge
from nearid_cli.reports.html import lines
from nearid_cli.reports.html.plots import colour
from nearid_cli.reports.html.sections import Figures
from nearid_cli.reports.labels import labels
from nearid_cli.reports.numbers import in_detail
from nearid_cli.reports.table import SCORE, Kind, score
from nearid_cli.results import CompareResult, Curve, CurvePoint, Interval

_Number = Callable[[CurvePoint], tuple[float | None, Interval | None]]

_SHARE_SPAN = 0.1


def steps(result: CompareResult, metrics: Sequence[Gauge]) -> Figures:
    """Every number over the step; trainings that count steps and those that count epochs apart."""
    colours = {id(one): colour(place) for place, one in enumerate(result.curves)}
    figures: list[tuple[str, Markup]] = []
    for unit, group in groupby(
        sorted(result.curves, key=lambda one: one.unit, reverse=True), lambda one: one.unit
    ):
        curves = list(group)
        names = labels([one.name for one in curves], lines.NAME)
        for number, (title, kind, gauge, span, of) in enumerate(_numbers(result, curves, metrics)):
            shown = [
                lines.Line(
                    name,
                    colours[id(curve)],
                    [
                        lines.Stop(
                            one.number, point_number(one), *of(one), one.left_out, one.method == curve.best
                        )
                        for one in curve.points
                    ],
                )
                for name, curve in zip(names, curves, strict=True)
            ]
            ident = f"steps-{unit}-{number}"
            figures.append(
                (
                    title,
                    lines.line_plot(
                        ident, f"{title} by {unit}", shown, unit, kind, gauge, span, labelled=number == 0
                    ),
                )
            )
    return Figures(figures)


def _numbers(
    result: CompareResult, curves: Sequence[Curve], metrics: Sequence[Gauge]
) -> Iterator[tuple[str, Kind, Gauge | None, float, _Number]]:
    """What is plotted: its title, how it is told, its metric, the least an axis covers, and the number itself."""
    for gauge in metrics:
        yield gauge.label, gauge.score, gauge, gauge.span, _score(result, gauge.name)
    detailed = in_detail(result)
    points = [one for curve in curves for one in curve.points]
    retained = _retention(result, detailed)
    if any(retained(one)[0] is not None for one in points):
        yield f"Retention by {detailed}", SCORE, None, _SHARE_SPAN, retained
    for title, shares in copied_shares(points).items():
        percent = [None if one is None else 100 * one for one in shares]
        yield f"{title.capitalize()}, %", score(0), None, 100 * _SHARE_SPAN, _listed(points, percent)


def _listed(points: Sequence[CurvePoint], values: Sequence[float | None]) -> _Number:
    by_method = {one.method: value for one, value in zip(points, values, strict=True)}
    return lambda one: (by_method[one.method], None)


def _score(result: CompareResult, metric: str) -> _Number:
    def of(point: CurvePoint) -> tuple[float | None, Interval | None]:
        found = common_of(result, point, metric)
        return (found.score, found.ci95) if found else (None, None)

    return of


def _retention(result: CompareResult, metric: str) -> _Number:
    def of(point: CurvePoint) -> tuple[float | None, Interval | None]:
        found = common_of(result, point, metric)
        return (found.retention, found.retention_ci95) if found else (None, None)

    return of
