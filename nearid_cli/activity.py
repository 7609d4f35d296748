"""What a long job does just now, for whoever shows it: the command line in a terminal, else nobody.

with doing("looking for pictures"):
    ...
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Display(Protocol):
    """What shows a step from its beginning to its end. Steps may lie in steps."""

    def begin(self, what: str, at_once: bool) -> None:
        """A step begins."""

    def end(self) -> None:
        """The step that began last has ended."""


_displays: list[Display] = []


@contextmanager
def shown_on(display: Display) -> Iterator[None]:
    """Show on this display what is done inside the block."""
    _displays.append(display)
    try:
        yield
    finally:
        _displays.remove(display)


@contextmanager
def doing(what: str, *, at_once: bool = False) -> Iterator[None]:
    """Say what is done inside the block, in a few words.

    Args:
        what: such as `looking for pictures`.
        at_once: show it before the step begins rather than when it has taken a while: for a step that certainly takes
            long, or that lets no other thread run.
    """
    displays = tuple(_displays)
    for display in displays:
        display.begin(what, at_once)
    try:
        yield
    finally:
        for display in displays:
            display.end()
