"""How far a cache is relied on: no error of it ends a run.

A cache is a convenience. What cannot be read is computed again, what cannot be written is not kept, and both are said
once for each reason.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

from nearid_cli.text import printable

logger = logging.getLogger(__name__)


class Caution:
    """What has been said of one cache.

    Args:
        cache: what people call it.
    """

    def __init__(self, cache: str) -> None:
        self._cache = printable(cache)
        self._said: set[str] = set()

    def unread(self, place: str, error: OSError | MemoryError) -> None:
        """Say that something cannot be read, which costs time and nothing else.

        Args:
            place: inside the cache; nothing for the cache itself.
            error: why.
        """
        self._refused("read", place, error, "what is there is computed again")

    @contextmanager
    def reading(self, place: str) -> Iterator[None]:
        """Go on with what is read so far where the rest of the block is refused."""
        try:
            yield
        except (OSError, MemoryError) as error:
            self.unread(place, error)

    @contextmanager
    def writing(self, place: str) -> Iterator[None]:
        """Go on where what the block writes is refused."""
        try:
            yield
        except (OSError, MemoryError) as error:
            self._refused("written", place, error, "what is not kept will be computed again next time")

    def _refused(self, done: str, place: str, error: OSError | MemoryError, cost: str) -> None:
        reason = why(error)
        where = f"{printable(place)}: " if place else ""
        self.say(  # once a reason: what cannot be read will most often not be written either
            re.sub(r"[0-9]+", "", reason),  # after whatever number of tries, and of seconds
            f"the cache {self._cache} cannot be {done} ({where}{reason}): these results are right, and "
            f"{cost}; choose another cache with --cache DIR",
        )

    def say(self, what: str, sentence: str) -> None:
        """Say a sentence, once for `what` it is about."""
        if what not in self._said:
            self._said.add(what)
            logger.warning("%s", sentence)


def why(error: BaseException) -> str:
    """Why the machine, or another one, refused something, in a few words."""
    if isinstance(error, MemoryError):
        return "out of memory"
    reason = str(getattr(error, "strerror", None) or error)
    return reason[:1].lower() + reason[1:]
