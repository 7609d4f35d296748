"""How far a cache is relied on: whose parts are used, and that no error of it ends a run.

A cache is a convenience. What cannot be read is computed again, what cannot be written is not kept, and both are said
once for each reason. And it is a matter of trust: a part's name says that its bytes are whole, not who computed them.
So parts that other users wrote, or could have changed, are used only where the user says so.
"""

from __future__ import annotations

import functools
import logging
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nearid_cli.owners import belongs_to_another
from nearid_cli.text import count, printable

logger = logging.getLogger(__name__)


class Caution:
    """What has been said of one cache, and whether others are trusted with it.

    Args:
        cache: its folder.
        trusted: use what other users put there.
    """

    def __init__(self, cache: Path, trusted: bool = False) -> None:
        self.cache = cache
        self.trusted = trusted
        self._said: set[str] = set()

    @property
    def modes(self) -> tuple[int, int]:
        """What new folders and files allow, less the umask: only where others are trusted, they may write, too."""
        return (0o777, 0o666) if self.trusted else (0o755, 0o644)

    def unread(self, place: Path, error: OSError | MemoryError) -> None:
        """Say that disk or memory refused to read something, which costs time and nothing else."""
        self._refused("read", place, error, "what is there is computed again")

    @contextmanager
    def reading(self, place: Path) -> Iterator[None]:
        """Go on with what is read so far where disk or memory refuses the rest of the block."""
        try:
            yield
        except (OSError, MemoryError) as error:
            self.unread(place, error)

    @contextmanager
    def writing(self, place: Path) -> Iterator[None]:
        """Go on where disk or memory refuses what the block writes."""
        try:
            yield
        except (OSError, MemoryError) as error:
            self._refused("written", place, error, "what is not kept will be computed again next time")

    def _refused(self, done: str, place: Path, error: OSError | MemoryError, cost: str) -> None:
        reason = why(error)
        where = "" if place == self.cache else f"{printable(place.relative_to(self.cache))}: "
        self._say(  # once a reason: what cannot be read will most often not be written either
            reason,
            f"the cache {printable(self.cache)} cannot be {done} ({where}{reason}): these results are right, and "
            f"{cost}; choose another cache with --cache DIR",
        )

    def owns(self, folder: Path) -> bool:
        """Whether a folder of the cache is as the user and the system alone can have filled it; says so if not.

        Raises:
            OSError: it cannot be looked at.
        """
        if self.trusted:
            return True
        inside = folder.relative_to(self.cache).parts
        for depth in range(len(inside) + 1):
            place = self.cache.joinpath(*inside[:depth])
            try:
                reason = why_not_ours(place.stat())
            except FileNotFoundError:  # the user will make it
                return True
            if reason:
                self._pass_over(place, reason)
                return False
        return True

    def takes(self, part: Path, status: os.stat_result) -> bool:
        """Whether a part is used, by whose it is; says so if not."""
        reason = None if self.trusted else why_not_ours(status)
        if reason:
            self._pass_over(part, reason)
        return reason is None

    def _pass_over(self, place: Path, reason: str) -> None:
        name = "it" if place == self.cache else printable(place.relative_to(self.cache))
        others = sum(1 for _ in self._parts_of_others())
        # Of a cache that is yet to be filled, all parts will be.
        some = f"{count(others, 'part')} of " if others else ""
        self._say(
            "others",
            f"{some}the cache {printable(self.cache)} "
            f"{'are' if others > 1 else 'is'} passed over: {name} {reason}, and whoever writes a part decides about "
            "numbers; use them with --trust-cache, or choose another cache with --cache DIR",
        )

    def _parts_of_others(self) -> Iterator[str]:
        """All parts that are not used, wherever they are in the cache."""
        foreign: dict[str, bool] = {}
        for folder, _, files in os.walk(self.cache):
            try:
                above = foreign.get(str(Path(folder).parent), False)
                foreign[folder] = above or why_not_ours(os.stat(folder)) is not None  # noqa: PTH116
                for name in files:
                    if name.endswith(".parquet") and (
                        foreign[folder] or why_not_ours(os.stat(os.path.join(folder, name)))  # noqa: PTH116, PTH118
                    ):
                        yield name
            except OSError:  # gone, or not to be looked at, and not used either
                continue

    def _say(self, what: str, sentence: str) -> None:
        if what not in self._said:
            self._said.add(what)
            logger.warning("%s", sentence)


def why(error: BaseException) -> str:
    """Why the machine refused something, in a few words."""
    if isinstance(error, MemoryError):
        return "out of memory"
    reason = str(getattr(error, "strerror", None) or error)
    return reason[:1].lower() + reason[1:]


def why_not_ours(status: os.stat_result) -> str | None:
    """Why a file or folder may hold what another user put there; None where only the user and root can have.

    Where there are no users, everything is the user's own.
    """
    if not hasattr(os, "geteuid"):
        return None
    if reason := belongs_to_another(status):
        return reason
    if status.st_mode & stat.S_IWOTH or (status.st_mode & stat.S_IWGRP and not _private(status.st_gid)):
        return f"can be changed by other users (mode {stat.S_IMODE(status.st_mode):o})"
    return None


@functools.cache
def _private(group: int) -> bool:
    """Whether a group is the user's own, of the same name, as many systems make one for each user."""
    import grp
    import pwd

    try:
        found, user = grp.getgrgid(group), pwd.getpwuid(os.geteuid())
    except KeyError:
        return False
    return found.gr_name == user.pw_name and set(found.gr_mem) <= {user.pw_name}
