"""Whose a file is: what is obeyed wherever it lies, or run, must not be another user's doing."""

from __future__ import annotations

import os
import stat
from functools import cache
from pathlib import Path


def why_not_ours(path: str | os.PathLike[str]) -> str | None:
    """Why a file or folder may be another user's doing; None where only the user and root can have made it.

    A link counts as well as what it leads to. Where there are no users, everything is the user's own.

    Raises:
        OSError: it is not there, or cannot be looked at.
    """
    if not hasattr(os, "geteuid"):
        return None
    for status in (os.lstat(path), os.stat(path)):  # noqa: PTH116 - one way of asking for both
        if reason := belongs_to_another(status):
            return reason
    if status.st_mode & stat.S_IWOTH:
        return "can be changed by everybody"
    # In a sticky folder, such as /tmp, everybody may add files and nobody replace those of others.
    folder = os.stat(Path(path).parent).st_mode  # noqa: PTH116
    if folder & stat.S_IWOTH and not folder & stat.S_ISVTX:
        return "can be replaced by everybody"
    return None


def belongs_to_another(status: os.stat_result) -> str | None:
    """Why a file or folder is not the user's own or root's; None where it is, or there are no users."""
    if not hasattr(os, "geteuid") or status.st_uid in _ours():
        return None
    return f"belongs to {_named(status.st_uid)}"


@cache
def _ours() -> frozenset[int]:
    """The user, root, and who became root by sudo."""
    user = os.geteuid()
    invoker = os.environ.get("SUDO_UID", "")
    return frozenset(
        {0, user, int(invoker) if user == 0 and invoker.isdecimal() and len(invoker) < 11 else 0}
    )


def _named(user: int) -> str:
    import pwd

    try:
        return f"the user {pwd.getpwuid(user).pw_name}"
    except KeyError:
        return f"another user ({user})"
