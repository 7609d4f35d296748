"""What every result says of its making: which program, and when."""

from __future__ import annotations

from datetime import UTC, datetime

from nearid_cli import __version__
from nearid_cli.results.score import Tool


def this_tool() -> Tool:
    """This program."""
    return Tool("nearid-cli", __version__)


def timestamp() -> str:
    """The time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
