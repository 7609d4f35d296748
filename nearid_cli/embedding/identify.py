"""Identifying pictures: a file by the digest of its bytes, from the memo where it knows the file; else by pixels."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from nearid_cli.activity import doing
from nearid_cli.embedding.memo import FileMemo, FileState
from nearid_cli.embedding.reading import identify_in_memory, read_digest, why_unreadable
from nearid_cli.embedding.settings import Settings
from nearid_cli.embedding.threads import ahead, progress_bar
from nearid_cli.layouts.dataset import InMemory, Source


def identify(
    sources: Sequence[Source],
    memo: FileMemo | None,
    settings: Settings,
    reasons: dict[int, str],
) -> list[bytes | None]:
    """The digest of each picture; None, with a reason, for one that cannot be read.

    Args:
        sources: files and pictures in memory.
        memo: what it knows is not read again, unless the settings say so; None for none.
        settings: how.
        reasons: filled with position -> why the file there cannot be used.
    """
    digests: list[bytes | None] = [None] * len(sources)
    paths = {position: source for position, source in enumerate(sources) if not isinstance(source, InMemory)}
    held = {position: source for position, source in enumerate(sources) if isinstance(source, InMemory)}
    if held:
        _identify_held(held, digests, settings, reasons)
    with doing("looking at the files"):
        states = _states(paths, reasons)
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


def _states(paths: Mapping[int, Path], reasons: dict[int, str]) -> dict[int, FileState]:
    """What the memo knows files by, or the reasons, by their positions."""
    states: dict[int, FileState] = {}
    for position, path in paths.items():
        try:
            status = os.stat(path)  # noqa: PTH116 - Path.stat is twice as slow
            if stat.S_ISREG(status.st_mode):
                states[position] = FileState.of(path, status)
            else:  # a pipe would block, a device might never end
                reasons[position] = "is a directory" if stat.S_ISDIR(status.st_mode) else "not a regular file"
        except OSError as error:
            reasons[position] = why_unreadable(path, error)
    return states


def _identify_held(
    pictures: Mapping[int, InMemory],
    digests: list[bytes | None],
    settings: Settings,
    reasons: dict[int, str],
) -> None:
    """Fill in the digests of pictures in memory, or the reasons, by their positions."""

    def work(picture: InMemory) -> bytes | Exception:
        return identify_in_memory(picture, settings.max_pixels, settings.reading)

    with ThreadPoolExecutor(settings.threads) as pool:
        for position, outcome in ahead(pool, pictures.items(), work, window=2 * settings.threads):
            if isinstance(outcome, Exception):
                reasons[position] = str(outcome)
            else:
                digests[position] = outcome
