"""How many pairs have no score, and when that is too many."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence

from nearid_cli.errors import ModelError
from nearid_cli.plugins import NoScore
from nearid_cli.text import count

logger = logging.getLogger(__name__)


class Tally:
    """Counts the pairs of a run.

    A run stops as soon as it is certain that too many of all its pairs will have no score, whatever the others come to:
    so it does not matter in which order they are asked, nor what was in the cache.

    Args:
        most: the share of pairs without a score that is not too many.
        advice: what to do to learn more, as a sentence; empty for nothing.
    """

    def __init__(self, most: float, advice: str = "") -> None:
        self._most = most
        self._advice = advice
        self._total: int | None = None
        self._done = 0
        self._failures: Counter[str] = Counter()

    def begin(self, known: Sequence[float | NoScore], missing: int) -> None:
        """A run begins with what is known already, and as many pairs as are missing.

        Raises:
            ModelError: the known ones alone have too many without a score.
        """
        self._total, self._done = len(known) + missing, 0
        self._failures.clear()
        for score in known:
            self._count(score)
        self._check(self._total)

    def add(self, score: float | NoScore) -> None:
        """A pair is done.

        Raises:
            ModelError: that was one too many.
        """
        self._count(score)
        if self._total is not None:
            self._check(self._total)

    def end(self) -> None:
        """All pairs are done: say what has no score.

        Raises:
            ModelError: too many, which shows only now where nobody had said how many there would be.
        """
        self._check(self._done)
        if self._failures:
            logger.warning("judge: %s%s", self._said(self._done), self._advice and f". {self._advice}")
        self._total = None

    def _count(self, score: float | NoScore) -> None:
        self._done += 1
        if isinstance(score, NoScore):
            self._failures[score.reason] += 1

    def _check(self, total: int) -> None:
        # Divided, not multiplied: 29 of 100 is 0.29 to the last bit, and 0.29 times 100 is less than 29.
        if self._failures and self._failures.total() / total > self._most:
            so_far = " so far" if self._done < total else ""
            raise ModelError(
                f"judge: {self._said(total, so_far)}; more than --judge-max-failures {self._most:g} allows. What came "
                f"is kept.{self._advice and ' ' + self._advice}"
            )

    def _said(self, total: int, so_far: str = "") -> str:
        reasons = ", ".join(f"{number:,} x {reason}" for reason, number in self._failures.most_common())
        return f"{self._failures.total():,} of {count(total, 'pair')} without a score{so_far}: {reasons}"
