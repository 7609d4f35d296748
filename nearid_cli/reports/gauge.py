"""How the numbers of a metric are shown to people: with how many decimals, from where to where, which way is better."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from nearid_cli.reports import table
from nearid_cli.reports.table import GLUE, LOWER, LOWER_IS_BETTER, Kind
from nearid_cli.results import CompareResult, Metric, ScoreResult
from nearid_cli.results.score import largest_score

_PARTS = 20
"""Into so many parts of its range a metric's smallest axis divides it."""


class Gauge(NamedTuple):
    """A metric, and the largest of its numbers in a result.

    Attributes:
        metric: which one.
        largest: the largest number without its sign that is shown; 0 where there is none.
    """

    metric: Metric
    largest: float = 0.0

    @property
    def name(self) -> str:
        """Of the metric."""
        return self.metric.name

    @property
    def lower(self) -> bool:
        """Whether lower is better."""
        return not self.metric.higher_is_better

    @property
    def heading(self) -> str:
        """The name, with an arrow behind it where lower is better."""
        return f"{self.name}{GLUE}{LOWER}" if self.lower else self.name

    @property
    def label(self) -> str:
        """The same with an ordinary space, for where no line breaks."""
        return self.heading.replace(GLUE, " ")

    @property
    def better(self) -> str:
        """For a sentence after the metric's name: that lower is better; nothing where higher is."""
        return ", where lower is better" if self.lower else ""

    @property
    def decimals(self) -> int:
        """With how many its scores are told.

        >>> metric = Metric("psnr", "", None, "", "", "", "", "", range=(0.0, None))
        >>> Gauge(metric, 31.2).decimals, Gauge(metric, 0.0312).decimals, Gauge(COSINE.metric, 0.0312).decimals
        (2, 4, 3)
        """
        return self.metric.decimals(self.largest)

    @property
    def span(self) -> float:
        """No axis and no scale of colours covers less: a twentieth of the range, or of the largest number.

        With one subject, or equal methods, what is left is chance, and an axis drawn to fit it would show it as large
        as a real difference.
        """
        low, high = self.metric.range
        return (self.largest or 2.0 if low is None or high is None else high - low) / _PARTS

    @property
    def score(self) -> Kind:
        """What its scores are."""
        return table.score(self.decimals)

    @property
    def signed(self) -> Kind:
        """What differences of scores are."""
        return table.signed(self.decimals)

    @property
    def change(self) -> Kind:
        """What changes since another run are."""
        return table.change(self.decimals, self.lower)


COSINE = Gauge(Metric("cosine similarity", "", None, "", "", "", "", ""))
"""Of what nobody says any different."""


def gauges(result: ScoreResult | CompareResult) -> dict[str, Gauge]:
    """By name, in the order of the result's metrics."""
    runs = list(result.runs.values())
    return {metric.name: Gauge(metric, largest_score(runs, metric.name)) for metric in result.metrics}


def spanned(low: float, high: float, least: float) -> tuple[float, float]:
    """Bounds that are at least so far apart, around the same middle.

    >>> [round(bound, 3) for bound in spanned(0.5, 0.502, 0.1)], spanned(0.2, 0.8, 0.1)
    ([0.451, 0.551], (0.2, 0.8))
    """
    missing = max(0.0, least - (high - low))
    return low - missing / 2, high + missing / 2


def directions(shown: Iterable[Gauge]) -> tuple[str, ...]:
    """What the arrow behind a name means, where rows have one."""
    return (f"{LOWER_IS_BETTER}.",) if any(one.lower for one in shown) else ()
