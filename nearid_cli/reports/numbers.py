"""The numbers of a metric as columns: which there are, what they are called, and who wants to see them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import MISSING, dataclass, fields, replace

from nearid_cli.reports.table import SCORE, SIGNED, TRUTH, Column, Kind, Mark
from nearid_cli.results import AggregateScores, SubjectScores

Scores = SubjectScores | AggregateScores


@dataclass(frozen=True)
class Number:
    """A number of a metric.

    Attributes:
        field: of the scores; its interval, where it has one, is `<field>_ci95`.
        title: for people; empty for what only data files hold.
        kind: what it is.
        group: in a terminal, those of one group stay together.
    """

    field: str
    title: str = ""
    kind: Kind = SCORE
    group: str = "context"

    @property
    def interval(self) -> str:
        """The field of its interval."""
        return "ci95" if self.field == "score" else f"{self.field}_ci95"

    def column(self, rows: Sequence[Scores], prefix: str = "") -> Column:
        """The number of every row; `<prefix>_<number>` in data files, if they hold it."""
        cells = [getattr(one, self.field, None) for one in rows]
        intervals = [getattr(one, self.interval, None) for one in rows]
        return Column(
            self.kind,
            cells if self.kind is not TRUTH else [bool(cell) for cell in cells],
            self.title,
            prefix and f"{prefix}_{self.field}",
            intervals=intervals,
            ends=f"{prefix}_{self.interval}",
            group=self.group,
        )


SCORE_ITSELF = Number("score", "score")
CONTEXT = (
    Number("floor", "floor"),
    Number("ceiling", "ceiling"),
    Number("retention", "retention"),
    Number("identification", "identification"),
)
"""What puts a score into context."""
DISTRACTORS = (
    Number("margin", "margin", SIGNED, "margins"),
    Number("positive_margins", "positive margins", group="margins"),
    Number("ssr", "SSR", group="trials"),
    Number("pa", "PA", group="trials"),
    Number("all_pairs_ssr", "all pairs SSR", group="all pairs"),
    Number("all_pairs_pa", "all pairs PA", group="all pairs"),
)
"""What exists with distractors only."""
NUMBERS = (
    SCORE_ITSELF,
    *map(Number, ("std", "min", "max", "pair_mean")),
    *CONTEXT,
    *DISTRACTORS,
    Number("within_noise", kind=TRUTH),
)
"""All that there are; those without a title are for data files alone."""


def metric_columns(
    metric: str,
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
    row has it.

    Args:
        metric: its name.
        kind: of the rows; a foot may be of another kind.
        rows: the scores.
        prefix: of the names in data files where that is not the metric; people do not see these at all.
        group: of the score in a terminal.
        marks: of the scores.
        context: whether people see the other numbers, too.
        by: the metric as the heading of these.
        pooled: whether there is a mean over all pairs.
    """
    defaults = {one.name: one.default is not MISSING for one in fields(kind)}
    for number in NUMBERS:
        column = number.column(rows, prefix or metric)
        exists = any(cell is not None and cell is not False for cell in column.cells)
        if number.field not in defaults or (defaults[number.field] and not exists):
            continue
        if number.field == "pair_mean" and not pooled:
            continue
        ends = defaults.get(number.interval)
        if ends is None or (ends and not any(column.intervals)):
            column = replace(column, intervals=())
        if prefix:
            column = replace(column, title="")
        elif number is SCORE_ITSELF:
            column = replace(column, title=metric, group=group, marks=marks, paper=True, bare="paper")
        else:
            seen = context and column.known
            column = replace(column, title=column.title if seen else "", by=by, bare="terminal")
        yield column
