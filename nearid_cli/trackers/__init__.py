"""Logging results to the programs that people keep their experiments in: `--log`, and `result.log` in Python.

Nothing is sent anywhere unless it is asked for. A result is complete, and written, before a tracker sees it. Help names
the trackers, so nothing is imported here that only logging needs.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from nearid_cli.errors import TrackingError, UsageError
from nearid_cli.text import printable, unknown
from nearid_cli.trackers import kinds as _kinds  # noqa: F401 - fills the list
from nearid_cli.trackers.base import TRACKERS, Tracker

if TYPE_CHECKING:
    from nearid_cli.reports.blocks import Document
    from nearid_cli.results import CompareResult, GateResult, ScoreResult

logger = logging.getLogger(__name__)


def known() -> list[str]:
    """The names of all trackers."""
    return sorted(TRACKERS)


def chosen(asked: Iterable[str]) -> list[Tracker]:
    """The trackers that `--log` asks for, each once.

    Args:
        asked: `NAME`, `NAME=PLACE` or a comma list of these.

    Raises:
        UsageError: a tracker is unknown, has an empty place, or is named twice.
    """
    found: dict[str, Tracker] = {}
    for one in (part.strip() for whole in asked for part in whole.split(",")):
        name, equals, place = one.partition("=")
        if name not in TRACKERS:
            raise UsageError(unknown("tracker", name, known()))
        if equals and not place.strip():
            raise UsageError(f"--log {name}=: expected {TRACKERS[name].place} behind the =")
        if name in found:
            raise UsageError(f"--log {name} is given twice; a result goes to one place of a tracker")
        found[name] = TRACKERS[name](place.strip() or None)
    return list(found.values())


def check(asked: Iterable[str]) -> None:
    """Refuse trackers that cannot be logged to, before a job has cost anything; all of them are named.

    Raises:
        UsageError: a tracker is unknown.
        TrackingError: a package is missing, or a server or folder cannot be used.
    """
    _each(chosen(asked), Tracker.check)


def log_document(made: Document, asked: Iterable[str], step: int | None = None) -> None:
    """Log a document to each tracker, also where another one fails.

    Args:
        made: of a result.
        asked: as in `chosen`.
        step: of a training that the result belongs to.

    Raises:
        UsageError: a tracker is unknown.
        TrackingError: a tracker failed; all others have the result.
    """
    from nearid_cli.trackers.record import LoggedResult

    record = LoggedResult(made, step)
    record.prepare()  # before any tracker has begun a run

    def log(tracker: Tracker) -> None:
        logger.info("logged to %s: %s", tracker.name, printable(tracker.log(record)))

    _each(chosen(asked), log)


def log(result: ScoreResult | CompareResult | GateResult, *trackers: str, step: int | None = None) -> None:
    """Log a result as `--log` does. To the run that a program has open, or to one of its own where none is.

    Args:
        result: what to log.
        *trackers: `NAME` or `NAME=PLACE`; with a place the result has a run of its own.
        step: of a training that the result belongs to; by default the step that all of its generations have, if they
            have one.

    Raises:
        UsageError: no tracker, or one that is unknown.
        TrackingError: a package is missing, or a tracker did not take all of it; all others have the result.
    """
    from nearid_cli.reports.document import document
    from nearid_cli.reports.files import DEFAULT_THUMBNAILS

    if not trackers:
        raise UsageError(f"expected a tracker to log to, found none; known: {', '.join(known())}")
    check(trackers)
    log_document(document(result, thumbnails=DEFAULT_THUMBNAILS), trackers, step)


def _each(trackers: Sequence[Tracker], do: Callable[[Tracker], None]) -> None:
    """Do something with every tracker, and then say of all what went wrong."""
    problems: list[str] = []
    # What their packages print is not the result, and stdout is the result's.
    with contextlib.redirect_stdout(sys.stderr):
        for tracker in trackers:
            try:
                do(tracker)
            except TrackingError as error:
                problems += [error.message, *error.details]
    if problems:
        raise TrackingError(problems[0], problems[1:])
