"""Differences between metrics, each minus the first one: of SSR and PA, and adjusted for how many are compared."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypeVar

from nearid_cli.benchmarks.dreambench.result import Difference
from nearid_cli.metrics.margins import ShareDifference
from nearid_cli.metrics.paired import holm
from nearid_cli.reports.table import COUNT, TRUTH, Column, Kind, P, Table, named
from nearid_cli.results import Interval
from nearid_cli.text import printable

GROUP_DIFFERENCES = "breakdown-differences"
"""The label of the table of differences in groups."""


@dataclass(frozen=True)
class RateDifference:
    """A metric minus another one.

    Attributes:
        pool: of which group or source of samples.
        method, against: which metrics.
        number: `ssr` or `pa`.
        samples: that both have.
        delta: -1 to 1.
        ci95: its 95 % interval over samples; None below 3 of them.
        p: two-sided sign-flip test over samples.
        exact: whether `p` is over all sign vectors.
        p_studentised: of the test that belongs to `ci95`; 1 where that is None.
        p_holm: `p` adjusted by Holm over the metrics that are compared in this pool and number; of a group of `--by`
            over those in all groups of its breakdown.
        p_adjusted: what to go by, the larger of `p_holm` and of `p_studentised` adjusted likewise.
    """

    pool: str
    method: str
    against: str
    number: str
    samples: int
    delta: float
    ci95: Interval | None
    p: float
    exact: bool
    p_studentised: float
    p_holm: float
    p_adjusted: float


Tested = TypeVar("Tested", RateDifference, Difference)


def adjusted(rows: Sequence[Tested], family: Callable[[Tested], Hashable]) -> tuple[Tested, ...]:
    """Differences with `p_holm`, Holm over `p`, and `p_adjusted`, the larger of it and of Holm over `p_studentised`.

    Args:
        rows: the differences, in an order that is kept.
        family: those with the same are adjusted together.
    """
    found = list(rows)
    for own in dict.fromkeys(map(family, rows)):
        tested = [i for i, row in enumerate(rows) if family(row) == own]
        plain = holm([rows[i].p for i in tested])
        studentised = holm([rows[i].p_studentised for i in tested])
        for i, p_holm, other in zip(tested, plain, studentised, strict=True):
            found[i] = replace(rows[i], p_holm=p_holm, p_adjusted=max(p_holm, other))
    return tuple(found)


def difference_columns(rows: Sequence[Tested], kind: Kind) -> tuple[Column, ...]:
    """Differences with intervals, of a kind, and their p-values: all for data files, the adjusted one for people."""
    ends = [row.ci95 for row in rows]
    return (
        Column(kind, [row.delta for row in rows], "difference", "delta", intervals=ends, paper=True),
        *(
            Column(P, [getattr(row, name) for row in rows], name=name)
            for name in ("p", "p_studentised", "p_holm")
        ),
        Column(P, [row.p_adjusted for row in rows], "p", "p_adjusted", paper=True),
        Column(TRUTH, [row.exact for row in rows], name="exact"),
    )


def compared(
    pool: str, against: str, found: Mapping[str, Mapping[str, ShareDifference]]
) -> tuple[RateDifference, ...]:
    """Differences of several metrics from one, adjusted for their number.

    Args:
        pool: of which samples.
        against: the one.
        found: by metric and number, as `margins.rate_differences` gives them.
    """
    rows = [
        RateDifference(
            pool, method, against, number, **vars(one), p_holm=one.p, p_adjusted=max(one.p, one.p_studentised)
        )
        for method, numbers in found.items()
        for number, one in numbers.items()
    ]
    return adjusted(rows, lambda row: row.number)


def compared_in_groups(
    against: str, groups: Sequence[tuple[str, str, Mapping[str, Mapping[str, ShareDifference]]]]
) -> list[tuple[RateDifference, ...]]:
    """The differences of each group of samples, adjusted for all metrics and groups of a breakdown together.

    Args:
        against: which metric the others are compared with.
        groups: of each its breakdown, what it is called, and what was found, as for `compared`.
    """
    found: list[tuple[RateDifference, ...]] = []
    for by in dict.fromkeys(by for by, _, _ in groups):
        own = [compared(name, against, numbers) for one, name, numbers in groups if one == by]
        rows = iter(adjusted([row for group in own for row in group], lambda row: row.number))
        found += [tuple(islice(rows, len(group))) for group in own]
    return found


def group_differences_table(rows: Sequence[RateDifference]) -> Table:
    """One row a group, metric and number."""
    table = differences_table(rows)
    return replace(
        table,
        caption=f"By label. {table.caption} Adjusted for all groups of a label, too.",
        label=GROUP_DIFFERENCES,
    )


def differences_table(rows: Sequence[RateDifference]) -> Table:
    """One row a pool, metric and number."""
    return Table(
        (
            named("pool", [one.pool for one in rows], "pool"),
            named("metric", [one.method for one in rows], "method"),
            named("", [one.against for one in rows], "against"),
            Column(_RATE, [one.number for one in rows], "number", "number"),
        ),
        (
            Column(COUNT, [one.samples for one in rows], "samples", "samples", paper=True),
            *difference_columns(rows, _POINTS),
        ),
        caption=f"Each metric minus {printable(rows[0].against)}, in percent points, over the trials that both had. "
        "p: how often chance alone would differ as much, adjusted for comparing several metrics; the larger of two "
        "tests over samples. In brackets: 95 % intervals.",
        label="differences",
    )


def _signed(share: float) -> str:
    """A share in percent with its sign.

    >>> _signed(0.125), _signed(-0.00001), _signed(-1.0)
    ('+12.50', '0.00', '-100.00')
    """
    points = round(100 * share, 2) + 0.0
    return f"{points:{'+' if points > 0 else ''}.2f}"


_POINTS = Kind(float, _signed)
_RATE = Kind(str, {"ssr": "SSR", "pa": "PA"}.__getitem__, text=True)
