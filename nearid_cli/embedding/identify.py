"""Identifying files: each by the digest of its bytes, from the memo where it knows the file."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from nearid_cli.embedding.memo import FileMemo, FileState
from nearid_cli.embedding.reading import read_digest, why_unreadable
from nearid_cli.embedding.settings import Settings
from nearid_cli.embedding.threads import ahead, progress_bar


def identify(
    paths: Sequence[Path],
    memo: FileMemo | None,
    settings: Settings,
    reasons: dict[int, str],
) -> list[bytes | None]:
    """The digest of each file's bytes; None, with a reason, for a file that cannot be read.

    Args:
        paths: files.
        memo: what it knows is not read again, unless the settings say so; None for none.
        settings: how.
        reasons: filled with position -> why the file there cannot be used.
    """
    digests: list[bytes | None] = [None] * len(paths)
    states: dict[int, FileState] = {}
    for position, path in enumerate(paths):
        try:
            status = os.stat(path)  # noqa: PTH116 - Path.stat is twice as slow
            if stat.S_ISREG(status.st_mode):
                states[position] = FileState.of(path, status)
            else:  # a pipe would block, a device might never end
                reasons[position] = "is a directory" if stat.S_ISDIR(status.st_mode) else "not a regular file"
        except OSError as error:
            reasons[position] = why_unreadable(path, error)
    if memo is not None and not settings.verify_content:
        known = memo.known(list(states.values()))
        for position, state in states.items():
            digests[position] = known.get(state)
    unread = [position for position in states if digests[position] is None]
    if not unread:
        return digests
    with ThreadPoolExecutor(settings.threads) as pool, progress_bar(settings, len(unread), "reading") as bar:
        jobs = ((position, paths[position]) for position in unread)
        for position, outcome in ahead(pool, jobs, read_digest, window=4 * settings.threads):
            bar.update()
            if isinstance(outcome, OSError):
                reasons[position] = why_unreadable(paths[position], outcome)
                continue
            state, digest = outcome
            digests[position] = digest
            if memo is not None:
                memo.remember(state, digest)
    return digests
