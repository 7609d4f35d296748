"""How numbers and lists look where people read them: three decimals, `-` for a number that does not exist."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nearid_cli.results import AggregateScores, Interval, Method, SubjectScores
from nearid_cli.text import printable

_NAMED = 3  # so many of a list are named; the rest is counted

CONTEXT = ("floor", "ceiling", "retention", "identification")
"""The numbers that put the first metric's score into context, in the order in which they are shown."""

DISTRACTORS = ("margin", "positive_margins", "ssr", "pa", "all_pairs_ssr", "all_pairs_pa")
"""The numbers that exist with distractors only, in the order in which they are shown."""


def figure(value: float | None) -> str:
    """A similarity or share.

    >>> figure(0.81249), figure(-0.0001), figure(None)
    ('0.812', '0.000', '-')
    """
    if value is None or math.isnan(value):
        return "-"
    return f"{round(value, 3) + 0.0:.3f}"  # + 0.0 turns -0.0 into 0.0


def score_figure(score: float, ci95: Interval | None) -> str:
    """A score with its interval.

    >>> score_figure(0.8124, (0.79, 0.83)), score_figure(0.8124, None)
    ('0.812 [0.790, 0.830]', '0.812')
    """
    return figure(score) if ci95 is None else f"{figure(score)} [{figure(ci95[0])}, {figure(ci95[1])}]"


def number_figure(scores: SubjectScores | AggregateScores, number: str) -> str:
    """One of `CONTEXT` or `DISTRACTORS`, with its interval where it has one.

    >>> scores = AggregateScores(0.8, None, 0.8, 0.9, 0.1, 0.9, 1.0, identification_ci95=(0.74, 1.0))
    >>> number_figure(scores, "identification"), number_figure(scores, "floor"), number_figure(scores, "pa")
    ('1.000 [0.740, 1.000]', '0.100', '-')
    """
    value = getattr(scores, number)
    return "-" if value is None else score_figure(value, getattr(scores, f"{number}_ci95", None))


def signed_figure(delta: float | None, ci95: Interval | None = None) -> str:
    """A difference with its sign, and its interval.

    >>> signed_figure(0.0124), signed_figure(-0.0124, (-0.02, 0.0001)), signed_figure(-0.0001)
    ('+0.012', '-0.012 [-0.020, 0.000]', '0.000')
    """
    if delta is None:
        return "-"
    sign = "+" if round(delta, 3) > 0 else ""
    if ci95 is None:
        return sign + figure(delta)
    return f"{sign}{figure(delta)} [{signed_figure(ci95[0])}, {signed_figure(ci95[1])}]"


def change_figure(delta: float | None) -> str:
    """A change with an arrow that says which way, so far as three decimals show it.

    >>> change_figure(0.0124), change_figure(-0.0124), change_figure(-0.0001), change_figure(None)
    ('▲ +0.012', '▼ -0.012', '= 0.000', '-')
    """
    if delta is None:
        return "-"
    rounded = round(delta, 3)
    return f"{'▲' if rounded > 0 else '▼' if rounded < 0 else '='} {signed_figure(delta)}"


def p_figure(p: float | None) -> str:
    """A p-value, never shown as 0.

    >>> p_figure(0.03125), p_figure(0.0001), p_figure(1.0), p_figure(None)
    ('0.031', '<0.001', '1.000', '-')
    """
    return "<0.001" if p is not None and p < 0.001 else figure(p)


def some(names: Sequence[str], most: int = _NAMED) -> str:
    """The first names of a list, and how many more there are.

    >>> some(["cat", "dog"]), some(["cat", "dog", "mug", "car", "hat"])
    ('cat, dog', 'cat, dog, mug and 2 more')
    """
    rest = len(names) - most
    return ", ".join(map(printable, names[:most])) + (f" and {rest:,} more" if rest > 0 else "")


def method_name(method: Method) -> str:
    """A method's name, flagged where its scores say nothing: beside the name nobody misses it."""
    return f"{method.name} (copies references)" if method.copying else method.name
