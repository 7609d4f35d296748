"""How numbers look where people read them: three decimals, and `-` for a number that does not exist."""

from __future__ import annotations

from nearid_cli.results import Interval

CONTEXT = ("floor", "ceiling", "retention", "identification")
"""The numbers that put the first metric's score into context, in the order in which they are shown."""


def figure(value: float | None) -> str:
    """A similarity or share.

    >>> figure(0.81249), figure(-0.0001), figure(None)
    ('0.812', '0.000', '-')
    """
    return "-" if value is None else f"{round(value, 3) + 0.0:.3f}"  # + 0.0 turns -0.0 into 0.0


def score_figure(score: float, ci95: Interval | None) -> str:
    """A score with its interval.

    >>> score_figure(0.8124, (0.79, 0.83)), score_figure(0.8124, None)
    ('0.812 [0.790, 0.830]', '0.812')
    """
    return figure(score) if ci95 is None else f"{figure(score)} [{figure(ci95[0])}, {figure(ci95[1])}]"
