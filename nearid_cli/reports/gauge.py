"""How the numbers of a metric are shown to people: with how many decimals, from where to where, which way is better."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from nearid_cli.reports import table
from nearid_cli.reports.table import GLUE, LOWER, LOWER_IS_BETTER, Kind
from nearid_cli.results import CompareResult, Metric, ScoreResult

_PARTS = 20
"""Into so many parts of its range a metric's smallest axis divides it."""


@dataclass(frozen=True)
class Gauge:
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
    def reach(self) -> float:
        """The largest number that is to be expected: of a range that has ends, or of the result."""
        low, high = self.metric.range
        return self.largest if low is None or high is None else max(abs(low), abs(high))

    @property
    def decimals(self) -> int:
        """Three for numbers around 1; of smaller ones three digits remain, of larger ones four.

        >>> from dataclasses import replace
        >>> metric = Metric("psnr", "", None, "", "", "", "", "", range=(0.0, None))
        >>> [Gauge(metric, largest).decimals for largest in (0.0, 0.4, 9.5, 31.2, 0.031, 52_000)]
        [3, 3, 3, 2, 4, 0]
        >>> Gauge(replace(metric, range=(0.0, 100.0)), 0.4).decimals
        1
        """
        if not self.reach or 0.1 <= self.reach <= 10:
            return 3
        power = math.floor(math.log10(self.reach))
        return 2 - power if power < 0 else max(3 - power, 0)

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
    found = {}
    for metric in result.metrics:
        name = metric.name
        runs = result.runs.values()
        scores = [run.aggregate[name].score for run in runs]
        scores += [subject.scores[name].score for run in runs for subject in run.subjects]
        known = (abs(score) for score in scores if score is not None and not math.isnan(score))
        found[name] = Gauge(metric, max(known, default=0.0))
    return found


def directions(shown: Iterable[Gauge]) -> tuple[str, ...]:
    """What the arrow behind a name means, where rows have one."""
    return (f"{LOWER_IS_BETTER}.",) if any(one.lower for one in shown) else ()
