"""Each metric's SSR and PA minus those of the first one, over the trials that both had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nearid_cli.benchmarks.adjusting import adjusted, tested_columns
from nearid_cli.metrics.share_differences import ShareDifference
from nearid_cli.reports.table import COUNT, Column, Kind, Table, named
from nearid_cli.results import Interval
from nearid_cli.text import printable


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
        p_holm: `p` adjusted by Holm over the metrics that are compared in this pool and number.
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


def compared(
    pool: str, against: str, found: Mapping[str, Mapping[str, ShareDifference]]
) -> tuple[RateDifference, ...]:
    """Differences of several metrics from one, adjusted for their number.

    Args:
        pool: of which samples.
        against: the one.
        found: by metric and number, as `share_differences.rate_differences` gives them.
    """
    rows = [
        RateDifference(
            pool, method, against, number, **vars(one), p_holm=one.p, p_adjusted=max(one.p, one.p_studentised)
        )
        for method, numbers in found.items()
        for number, one in numbers.items()
    ]
    return adjusted(rows, lambda row: row.number)


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
            Column(
                _POINTS,
                [one.delta for one in rows],
                "difference",
                "delta",
                intervals=[one.ci95 for one in rows],
                paper=True,
            ),
            *tested_columns(rows),
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
