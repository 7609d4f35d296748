"""How the gate says numbers, bounds and drops, in words that fit which way is better."""

from __future__ import annotations

from dataclasses import dataclass

from nearid_cli.results import Interval, Rule
from nearid_cli.results.gate import COPIES, COUNTS, MISSING, NEAR_COPIES

_COUNTED = {
    COPIES: ("copies", "copy", "a reference"),
    MISSING: ("has", "have", "no score"),
    NEAR_COPIES: ("nearly copies", "nearly copy", "a reference"),
}
"""What one generation does, what several do, and to what."""


@dataclass(frozen=True)
class Words:
    """The words for one statistic of one metric.

    Attributes:
        statistic: which one.
        sign: 1 where a higher number is a better one, -1 where a lower one is, as of a distance.
        places: with how many decimals its numbers are told.
    """

    statistic: str
    sign: float = 1.0
    places: int = 3

    @property
    def drop(self) -> str:
        """What getting worse is called."""
        return "drop" if self.sign > 0 else "rise"

    @property
    def fell(self) -> str:
        """What a number did that got worse."""
        return "fell" if self.sign > 0 else "rose"

    def number(self, value: float) -> str:
        """A number."""
        return f"{value:.{self.places}f}"

    def moved(self, change: float) -> str:
        """A change with its sign."""
        return f"{change:+.{self.places}f}"

    def beside(self, value: float, limit: float) -> str:
        """A number, with as many decimals as tell it from a limit that it is beyond.

        >>> Words("score").beside(0.58, 0.6), Words("score").beside(0.599999, 0.6)
        ('0.580', '0.599999')
        """
        for decimals in range(self.places, 12):
            text = f"{value:.{decimals}f}"
            if float(text) != limit:
                return text
        return repr(value)

    def expected(self, rule: Rule) -> str:
        """The bounds of a rule. They are the same whatever a run has, since checks are known by them.

        >>> Words("score").expected(Rule("nearid", "score", "aggregate", 0.6, None, 0.02, 0.95, "error"))
        'score >= 0.600, drop <= 0.020 with 95 % confidence'
        >>> Words("score", -1).expected(Rule("lpips", "score", "aggregate", None, 0.3, 0.02, None, "error"))
        'score <= 0.300, rise <= 0.020'
        """
        bounds = []
        if rule.min is not None:
            bounds.append(f"{rule.statistic} >= {bound(rule.min)}")
        if rule.max is not None:
            most = f"{rule.max:.0f}" if rule.statistic in COUNTS else bound(rule.max)
            bounds.append(f"{rule.statistic} <= {most}")
        if rule.max_drop is not None:
            sure = f" with {_percent(rule.confidence)} confidence" if rule.confidence else ""
            bounds.append(f"{self.drop} <= {bound(rule.max_drop)}{sure}")
        return ", ".join(bounds)

    def below(self, found: float, least: float) -> str:
        """A number that is too low."""
        return f"{self.statistic} is {self.beside(found, least)}, below the minimum of {bound(least)}"

    def above(self, found: float, most: float) -> str:
        """A number that is too high."""
        return f"{self.statistic} is {self.beside(found, most)}, above the maximum of {bound(most)}"

    def too_much(
        self, rule: Rule, drop: float, certain: float, before: float, now: float, among: int = 1
    ) -> str:
        """A drop that is larger than a rule allows.

        `certain` is how large it is with the rule's confidence, of so many drops `among` which one is found by chance.
        """
        limit = rule.max_drop or 0.0
        sure = (
            f", and with {_percent(rule.confidence)} confidence{_of_several(among)} by "
            f"{self.beside(certain, limit)} or more"
            if rule.confidence is not None
            else ""
        )
        return (
            f"{self.statistic} {self.fell} by {self.beside(drop, limit)}, "
            f"from {self.number(before)} to {self.number(now)}{sure}; {bound(limit)} is allowed"
        )

    def kept(self, rule: Rule, found: float, drop: float | None, ci: Interval | None) -> str:
        """A number that is as it must be."""
        if self.statistic in COUNTS:
            return counted(self.statistic, found)
        is_so = f"{self.statistic} is {self.number(found)}"
        if drop is None or rule.max_drop is None:
            return is_so
        if abs(drop) < 0.5 * 10.0**-self.places:
            return f"{is_so}, as before"
        way = "down" if (drop > 0) == (self.sign > 0) else "up"
        by = f"{is_so}, {way} by {self.number(abs(drop))}"
        if drop <= rule.max_drop or rule.confidence is None or ci is None:
            return by
        return (
            f"{by}, but not by more than {bound(rule.max_drop)} with {_percent(rule.confidence)} confidence"
        )


def counted(statistic: str, number: float) -> str:
    """What is counted, as the beginning of a sentence.

    >>> counted("copies", 1), counted("missing", 2)
    ('1 generation copies a reference', '2 generations have no score')
    """
    one, several, what = _COUNTED[statistic]
    return f"{number:.0f} generation{f' {one}' if number == 1 else f's {several}'} {what}"


def bound(value: float) -> str:
    """A bound with three decimals, or all that it was given with.

    >>> bound(0.6), bound(0.0125)
    ('0.600', '0.0125')
    """
    text = f"{value:.3f}"
    return text if float(text) == value else repr(value)


def _of_several(groups: int) -> str:
    return f" among {groups} groups" if groups > 1 else ""


def _percent(share: float) -> str:
    """A share in percent.

    >>> _percent(0.95), _percent(0.995)
    ('95 %', '99.5 %')
    """
    return f"{100 * share:g} %"
