"""Checkpoints over the step: their numbers as a table, and how these go as a sketch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from nearid_cli.reports.blocks import Block, Panel, Topic
from nearid_cli.reports.curve_answer import common_of, point_number
from nearid_cli.reports.gauge import Gauge, gauges, spanned
from nearid_cli.reports.numbers import in_detail
from nearid_cli.reports.table import COUNT, SCORE, TEXT, Column, Mark, Table, named
from nearid_cli.results import CompareResult, Curve, CurvePoint
from nearid_cli.results.compare import BETTER, WORSE
from nearid_cli.text import printable


class Sketch(NamedTuple):
    """How a number goes with the step.

    Attributes:
        name: of the number.
        values: one a step; None where there is none.
        ends: the values that the lowest and the highest mark stand for.
    """

    name: str
    values: Sequence[float | None]
    ends: tuple[float, float]

    def steps(self, levels: int) -> list[int | None]:
        """How high each value is on so many levels from 0; None where there is none.

        >>> Sketch("hog", [0.2, 0.4, None, 0.6], (0.2, 0.6)).steps(8)
        [0, 4, None, 7]
        """
        low, high = self.ends
        return [
            None if value is None else max(0, min(int((value - low) / (high - low) * levels), levels - 1))
            for value in self.values
        ]


@dataclass(frozen=True)
class Sketches(Block):
    """Several below each other, over the same steps, under a title."""

    title: str
    rows: Sequence[Sketch]


def curve_blocks(result: CompareResult) -> Iterator[Block]:
    """The sketch and the table of each curve."""
    for curve in result.curves:
        yield _sketches(result, curve)
        folded = f"Checkpoints{_whose(curve)} by {curve.unit}"
        yield Panel(steps_table(result, curve), topic=Topic.STEPS, paper=True, folded=folded)


def _whose(curve: Curve) -> str:
    return f" of {printable(curve.name)}" if curve.name else ""


def _sketches(result: CompareResult, curve: Curve) -> Sketches:
    rows = []
    for gauge in gauges(result).values():
        found = [common_of(result, one, gauge.name) for one in curve.points]
        scores = [one.score if one else None for one in found]
        known = [score for score in scores if score is not None]
        ends = spanned(min(known), max(known), gauge.span) if known else (0.0, 1.0)
        rows.append(Sketch(gauge.label, scores, ends))
    rows += [Sketch(title, shares, (0.0, 1.0)) for title, shares in copied_shares(curve.points).items()]
    first, last = (point_number(curve.points[place]) for place in (0, -1))
    return Sketches(
        f"Checkpoints{_whose(curve)}, {curve.unit} {first} to {last}",
        rows,
        topic=Topic.STEPS,
        where="terminal",
    )


def copied_shares(points: Sequence[CurvePoint]) -> dict[str, list[float | None]]:
    """The shares of generations that copy, and that nearly copy; neither where none does."""
    counts: dict[str, list[int | None]] = {
        "copies": [one.copies for one in points],
        "near copies": [one.near_copies for one in points],
    }
    return {
        title: [
            number / one.generations if number is not None and one.generations else None
            for number, one in zip(numbers, points, strict=True)
        ]
        for title, numbers in counts.items()
        if any(numbers)
    }


def steps_table(result: CompareResult, curve: Curve) -> Table:
    """A checkpoint a row, in order: its scores, copies, and how it differs from the best one."""
    points, shown = curve.points, list(gauges(result).values())
    first = shown[0]
    best = _places(result, curve, first)
    columns = []
    detailed = in_detail(result)
    for gauge in shown:
        found = [common_of(result, one, gauge.name) for one in points]
        columns.append(
            Column(
                gauge.score,
                [one.score if one else None for one in found],
                gauge.name,
                intervals=[one.ci95 if one else None for one in found],
                marks=best if gauge is first else (),
                lower=gauge.lower,
                paper=True,
                group="scores" if gauge is first else "",
            )
        )
        if gauge.name == detailed and any(one and one.retention is not None for one in found):
            columns.append(
                Column(
                    SCORE,
                    [one.retention if one else None for one in found],
                    "retention" if gauge is first else f"retention by {gauge.name}",
                    intervals=[one.retention_ci95 if one else None for one in found],
                    bare="terminal",
                    paper=True,
                )
            )
    for title, counts in (
        ("copies", [one.copies for one in points]),
        ("near copies", [one.near_copies for one in points]),
    ):
        if any(counts):
            columns.append(Column(COUNT, counts, title, paper=True))
    compared = [curve.difference(one.method, first.name) for one in points]
    if curve.best is not None and any(compared):
        columns += [
            Column(
                first.signed,
                [one.delta if one else None for one in compared],
                "minus best",
                intervals=[one.ci95 if one else None for one in compared],
                marks=[_trend(one.verdict if one else "") for one in compared],
                bare="terminal",
            ),
            Column(TEXT, [_words(curve, one) for one in points], "verdict"),
        ]
    of = f" of {printable(curve.name)}" if curve.name else ""
    where = "best, of those that do not copy" if any(one.left_out for one in points) else "best"
    return Table(
        (named(curve.unit, [point_number(one) for one in points]),),
        tuple(columns),
        caption=f"Checkpoints{of} by {curve.unit}, {first.label} first",
        label=f"nearid-checkpoints-{result.curves.index(curve) + 1}"
        if len(result.curves) > 1
        else "nearid-checkpoints",
        noun="checkpoints",
        marks={"best": where.removeprefix("best")} if curve.best else {},
        brackets="95 % intervals over subjects",
    )


def _trend(verdict: str) -> tuple[Mark, ...]:
    return ("better",) if verdict == BETTER else ("worse",) if verdict == WORSE else ()


def _words(curve: Curve, point: CurvePoint) -> str:
    """Its verdict, briefly: why nothing is shown is told of methods."""
    if point.method == curve.best:
        return "the best"
    if point.left_out:
        return "copies"
    found = curve.difference(point.method, curve.differences[0].metric)
    if found is None or found.p_adjusted is None:
        return "not compared"
    return found.verdict if found.verdict in (BETTER, WORSE) else "not shown to differ"


def _places(result: CompareResult, curve: Curve, gauge: Gauge) -> list[tuple[Mark, ...]]:
    """Which is best and which second, of those that do not copy."""
    scores = {
        one.method: gauge.metric.sign * found.score
        for one in curve.points
        if not one.left_out and (found := common_of(result, one, gauge.name)) and found.score is not None
    }
    further = [score for method, score in scores.items() if method != curve.best]
    second = [method for method, score in scores.items() if method != curve.best and score == max(further)][
        :1
    ]
    marks: dict[str | None, tuple[Mark, ...]] = {curve.best: ("best",), **dict.fromkeys(second, ("second",))}
    return [marks.get(one.method, ()) for one in curve.points]


def numbers_of(result: CompareResult, methods: Sequence[str]) -> Mapping[str, Sequence[int | None]]:
    """For data files, by `step` and `epoch` the number of each method that is a checkpoint; no key where none is."""
    numbers = {
        unit: {
            one.method: one.number for curve in result.curves if curve.unit == unit for one in curve.points
        }
        for unit in ("step", "epoch")
    }
    return {unit: [own.get(name) for name in methods] for unit, own in numbers.items() if own}
