"""How much memory this process may still take, as the system tells it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_UNKNOWN = 4 * 10**9
"""Bytes that are taken to be free where the system says nothing."""


def free_memory() -> int:
    """Bytes: the least of what the machine has free and what limits allow, of control groups and of the process.

    4 GB where nothing is said, as outside Linux.
    """
    return min(_told(), default=_UNKNOWN)


def _told() -> Iterator[int]:
    for line in _lines(Path("/proc/meminfo")):
        if line.startswith("MemAvailable:"):
            yield int(line.split()[1]) * 1024
    for line in _lines(Path("/proc/self/cgroup")):
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            yield from _limits(Path("/sys/fs/cgroup"), path, "memory.max")
        elif "memory" in controllers.split(","):
            yield from _limits(Path("/sys/fs/cgroup/memory"), path, "memory.limit_in_bytes")
    if os.name == "posix":
        import resource

        for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
            limit = resource.getrlimit(kind)[0]
            if limit != resource.RLIM_INFINITY:
                yield limit


def _limits(mount: Path, path: str, name: str) -> Iterator[int]:
    """What a control group and those around it allow; inside a container its own may be mounted as the outermost."""
    group = mount / path.lstrip("/")
    for folder in (group, *group.parents):
        for line in _lines(folder / name):
            if line.strip().isdecimal():  # else "max"
                yield int(line)
        if folder == mount:
            break


def _lines(path: Path) -> list[str]:
    """The lines of a file of the kernel's, none where it is not there."""
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
