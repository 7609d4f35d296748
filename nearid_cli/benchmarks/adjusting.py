"""p-values of differences between metrics, adjusted for how many metrics are compared at once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from nearid_cli.metrics.paired import holm

TESTS = ("p", "p_studentised", "p_holm", "p_adjusted")
"""The p-values of a difference, as tables name them."""


class Tested(Protocol):
    """A frozen dataclass of a difference with the p-values of two tests; it has `p_holm` and `p_adjusted` as well."""

    @property
    def p(self) -> float:
        """Of the test that Holm's procedure alone goes by."""

    @property
    def p_studentised(self) -> float:
        """Of the other one."""


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
