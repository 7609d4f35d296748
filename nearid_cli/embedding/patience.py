"""Trying again what the machine failed at, not the file: descriptors, memory, a disk that stalls.

Work in many threads takes much at once. What failed for want of it is done at the end, one after the other, with pauses
that grow; what fails then, too, is an error of the run. It is never a finding about the file.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from nearid_cli.embedding.settings import ahead
from nearid_cli.errors import MachineError
from nearid_cli.opening import is_transient

Item = TypeVar("Item")
Result = TypeVar("Result")

_WAITS = (0, 0.1, 0.4, 2)  # seconds before each further try

_ROOM = "make room where downloads lie, or set TMPDIR to a folder that has some"

_ADVICE = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EFBIG: "allow larger files (ulimit -f)",
    errno.EMFILE: "allow more open files (ulimit -n), or lower --workers",
    errno.ENFILE: "close programs that hold many files, or lower --workers",
    errno.ENOMEM: "free memory, or lower --workers or --memory",
}
_OTHERWISE = "see whether the disk or the network is well"


class StarvedError(Exception):
    """Work failed for want of what did not come back; its cause says of what.

    Attributes:
        item: what was worked on.
    """

    def __init__(self, item: object) -> None:
        super().__init__(item)
        self.item = item

    def explained(self, name: str, done: str) -> MachineError:
        """The error of the run.

        Args:
            name: of what was worked on.
            done: what is kept, in words.
        """
        cause = self.__cause__
        if isinstance(cause, MachineError):
            return MachineError(f"{name}: {cause.message}; {done}; then run again")
        number = cause.errno if isinstance(cause, OSError) and cause.errno else errno.ENOMEM
        what = cause.strerror if isinstance(cause, OSError) and cause.strerror else "Cannot allocate memory"
        return MachineError(
            f"{what} ({errno.errorcode.get(number, number)}) in each of {len(_WAITS) + 1} tries at {name}; {done}; "
            f"{_ADVICE.get(number, _OTHERWISE)}, and run again"
        )


def patiently(
    pool: ThreadPoolExecutor,
    items: Iterable[Item],
    work: Callable[[Item], Result],
    window: int,
    together: int = 1,
) -> Iterator[tuple[Item, Result]]:
    """Results of `work` on each item, in order, and then of those that it failed at for want of something.

    Args:
        pool: works ahead.
        items: are worked on.
        work: may raise errors of the machine, as `opening.is_transient` tells them.
        window: as for `ahead`.
        together: likewise.

    Raises:
        StarvedError: it fails at the same item for too long.
    """
    starved: list[Item] = []

    def attempt(item: Item) -> Result | StarvedError:
        try:
            return work(item)
        except (OSError, MemoryError) as error:
            if not is_transient(error):
                raise
            return StarvedError(item)

    for item, outcome in ahead(pool, ((item, item) for item in items), attempt, window, together):
        if isinstance(outcome, StarvedError):
            starved.append(item)
        else:
            yield item, outcome
    for item in starved:
        yield item, _again(item, work)


def _again(item: Item, work: Callable[[Item], Result]) -> Result:
    for wait in _WAITS:
        time.sleep(wait)
        try:
            return work(item)
        except (OSError, MemoryError) as error:
            if not is_transient(error):
                raise
            last = error
    raise StarvedError(item) from last
