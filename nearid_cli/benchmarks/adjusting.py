"""p-values of differences between metrics, adjusted for how many metrics are compared at once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from nearid_cli.metrics.paired import holm
from nearid_cli.reports.table import TRUTH, Column, P


class Tested(Protocol):
    """A frozen dataclass of a difference with the p-values of two tests."""

    @property
    def p(self) -> float:
        """Of the test that Holm's procedure alone goes by."""

    @property
    def p_studentised(self) -> float:
        """Of the other one."""

    @property
    def p_holm(self) -> float:
        """`p`, adjusted."""

    @property
    def p_adjusted(self) -> float:
        """The one that people see."""

    @property
    def exact(self) -> bool:
        """Whether `p` is over all sign vectors."""


Difference = TypeVar("Difference", bound=Tested)


def adjusted(rows: Sequence[Difference], family: Callable[[Difference], Hashable]) -> tuple[Difference, ...]:
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
            found[i] = replace(rows[i], p_holm=p_holm, p_adjusted=max(p_holm, other))  # type: ignore[type-var]
    return tuple(found)


def tested_columns(rows: Sequence[Tested]) -> tuple[Column, ...]:
    """The p-values of differences: all for data files, the adjusted one for people."""
    return (
        *(
            Column(P, [getattr(row, name) for row in rows], name=name)
            for name in ("p", "p_studentised", "p_holm")
        ),
        Column(P, [row.p_adjusted for row in rows], "p", "p_adjusted", paper=True),
        Column(TRUTH, [row.exact for row in rows], name="exact"),
    )
