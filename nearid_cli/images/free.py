"""How much memory this process may still take, as the system tells it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_UNKNOWN = 4 * 10**9
"""Bytes that are taken to be free where the system says nothing."""


def free_memory(root: Path = Path("/")) -> int:
    """Bytes: the least of what the machine has free and what limits leave, of control groups and of the process.

    4 GB where nothing is said, as outside Linux.

    Args:
        root: where the kernel's /proc and /sys are.
    """
    return min(_told(root), default=_UNKNOWN)


class _GroupFiles(NamedTuple):
    """What a version of control groups calls its files, and of `memory.stat` what can be given up."""

    limit: str
    used: str
    cached: str


_FIRST = _GroupFiles("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
_SECOND = _GroupFiles("memory.max", "memory.current", "inactive_file")


def _told(root: Path) -> Iterator[int]:
    for name, number in _entries(root / "proc/meminfo"):
        if name == "MemAvailable:":
            yield number * 1024
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if line.startswith("0::"):
            yield from _left(root / "sys/fs/cgroup", path, _SECOND)
        elif "memory" in controllers.split(","):
            yield from _left(root / "sys/fs/cgroup/memory", path, _FIRST)
    yield from process_limits()


def process_limits() -> Iterator[int]:
    """Bytes that this process may have in all, as `ulimit -v` and `-d` say; none where they say nothing."""
    if os.name == "posix":
        import resource

        for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
            limit = resource.getrlimit(kind)[0]
            if limit != resource.RLIM_INFINITY:
                yield limit


def _left(mount: Path, path: str, names: _GroupFiles) -> Iterator[int]:
    """What a control group and those around it have left; inside a container its own may be mounted as the outermost.

    Files that the kernel keeps in memory, and gives up when it must, are counted as used, and are not.
    """
    parts = path.strip("/").split("/")
    inside = [] if ".." in parts else parts  # a path may lead out of what is mounted
    for depth in range(len(inside), -1, -1):
        folder = mount.joinpath(*inside[:depth])
        for limit in _numbers(folder / names.limit):
            used = sum(_numbers(folder / names.used))
            cached = sum(number for name, number in _entries(folder / "memory.stat") if name == names.cached)
            yield max(0, limit - max(0, used - cached))


def _numbers(path: Path) -> Iterator[int]:
    """The number in a file; none where it says `max`, or there is no file."""
    return (int(line) for line in _lines(path) if _is_number(line))


def _entries(path: Path) -> Iterator[tuple[str, int]]:
    """The lines of a file that are a name and a number."""
    for line in _lines(path):
        name, _, rest = line.partition(" ")
        number = rest.removesuffix("kB").strip()
        if _is_number(number):
            yield name, int(number)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 30


def _lines(path: Path) -> list[str]:
    """The lines of a file of the kernel's, none where it is not there."""
    try:
        return path.read_text(errors="replace").splitlines()
    except OSError:
        return []
