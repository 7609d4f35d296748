"""The numbers of a metric as columns: which there are, what they are called, and who wants to see them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import MISSING, fields, replace
from operator import attrgetter
from typing import NamedTuple

from nearid_cli.reports.gauge import Gauge
from nearid_cli.reports.table import COUNT, SCORE, TRUTH, Column, Kind, Mark
from nearid_cli.results import AggregateScores, CompareResult, ScoreResult, SubjectScores

Scores = SubjectScores | AggregateScores

_OWN: Callable[[Gauge], Kind] = attrgetter("score")
_DIFFERENCE: Callable[[Gauge], Kind] = attrgetter("signed")


def _of(kind: Kind) -> Callable[[Gauge], Kind]:
    """The same kind by every metric."""
    return lambda _: kind


_SHARE, _TRUTH, _COUNT = _of(SCORE), _of(TRUTH), _of(COUNT)


class Number(NamedTuple):
    """A number of a metric.

    Attributes:
        field: of the scores; its interval, where it has one, is `<field>_ci95`.
        title: for people; empty for what only data files hold.
        kind: what it is by a metric; a share by default, else on the metric's own scale.
        group: in a terminal, those of one group stay together.
    """

    field: str
    title: str = ""
    kind: Callable[[Gauge], Kind] = _SHARE
    group: str = "context"

    @property
    def interval(self) -> str:
        """The field of its interval."""
        return "ci95" if self.field == "score" else f"{self.field}_ci95"

    def column(self, rows: Sequence[Scores], gauges: Sequence[Gauge], prefix: str = "") -> Column:
        """The number of every row by its metric; `<prefix>_<number>` in data files, if they hold it."""
        cells = [getattr(one, self.field, None) for one in rows]
        intervals = [getattr(one, self.interval, None) for one in rows]
        kinds = [self.kind(one) for one in gauges]
        return Column(
            kinds[0],
            cells if kinds[0] is not TRUTH else [bool(cell) for cell in cells],
            self.title,
            prefix and f"{prefix}_{self.field}",
            intervals=intervals,
            ends=f"{prefix}_{self.interval}",
            group=self.group,
            kinds=kinds if len(set(kinds)) > 1 else (),
        )


SCORE_ITSELF = Number("score", "score", _OWN)
CONTEXT = (
    Number("floor", "floor", _OWN),
    Number("ceiling", "ceiling", _OWN),
    Number("retention", "retention"),
    Number("identification", "identification"),
)
"""What puts a score into context."""
DISTRACTORS = (
    Number("margin", "margin", _DIFFERENCE, "margins"),
    Number("positive_margins", "positive margins", group="margins"),
    Number("ssr", "SSR", group="trials"),
    Number("pa", "PA", group="trials"),
    Number("all_pairs_ssr", "all pairs SSR", group="all pairs"),
    Number("all_pairs_pa", "all pairs PA", group="all pairs"),
)
"""What exists with distractors only."""
NUMBERS = (
    SCORE_ITSELF,
    *(Number(field, kind=_OWN) for field in ("std", "min", "max", "pair_mean")),
    *CONTEXT,
    *DISTRACTORS,
    Number("within_noise", kind=_TRUTH),
    Number("missing", kind=_COUNT),
    Number("near_copies", kind=_COUNT),
    Number("diversity"),
    Number("prompt_diversity"),
)
"""All that there are; those without a title are for data files alone."""


def in_context(rows: Iterable[Scores]) -> bool:
    """Whether anything puts the scores into context; of some metrics nothing can."""
    return any(
        getattr(one, number.field, None) is not None for one in rows for number in (*CONTEXT, *DISTRACTORS)
    )


def in_detail(result: ScoreResult | CompareResult) -> str:
    """The metric whose scores are put into context: the first one of which there is anything to do that by."""
    names = [metric.name for metric in result.metrics]
    scores = {name: [run.aggregate[name] for run in result.runs.values()] for name in names}
    return next((name for name in names if in_context(scores[name])), names[0])


def metric_columns(
    gauge: Gauge,
    kind: type[Scores],
    rows: Sequence[Scores],
    *,
    prefix: str = "",
    group: str = "",
    marks: Sequence[Collection[Mark]] = (),
    context: bool = False,
    by: str = "",
    pooled: bool = True,
) -> Iterator[Column]:
    """Every number of a metric: all for data files, the score for people, and what puts it into context if asked for.

    What belongs to a part of the job that was not asked for, such as margins without distractors, is there only if some
    row has it; likewise what not every metric can have, such as a floor.

    Args:
        gauge: of the metric.
        kind: of the rows; a foot may be of another kind.
        rows: the scores.
        prefix: of the names in data files where that is not the metric; people do not see these at all.
        group: of the score in a terminal.
        marks: of the scores.
        context: whether people see the other numbers, too.
        by: the metric as the heading of these.
        pooled: whether there is a mean over all pairs.
    """
    defaults = {one.name: one.default for one in fields(kind)}
    optional = {name: default is not MISSING for name, default in defaults.items()}
    if not gauge.metric.usual:
        optional |= {number.field: True for number in CONTEXT}
    for number in NUMBERS:
        column = number.column(rows, [gauge] * len(rows), prefix or gauge.name)
        exists = column.known and any(cell != defaults.get(number.field) for cell in column.cells)
        if number.field not in optional or (optional[number.field] and not exists):
            continue
        if number.field == "pair_mean" and not pooled:
            continue
        ends = optional.get(number.interval)
        if ends is None or (ends and not any(column.intervals)):
            column = replace(column, intervals=())
        if prefix:
            column = replace(column, title="")
        elif number is SCORE_ITSELF:
            column = replace(
                column,
                title=gauge.name,
                group=group,
                marks=marks,
                paper=True,
                bare="paper",
                lower=gauge.lower,
            )
        else:
            seen = context and column.known
            column = replace(column, title=column.title if seen else "", by=by, bare="terminal")
        yield column
