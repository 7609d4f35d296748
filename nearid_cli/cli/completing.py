"""What a shell may offer for the value of an option. It asks at every TAB, so nothing heavy is imported."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import typer

from nearid_cli.errors import NearIDError


def metrics(incomplete: str) -> list[str]:
    """Metrics that have a name, also behind the comma of a list."""
    from nearid_cli.configuration import load_configuration
    from nearid_cli.encoders.registry import known_metrics

    known = known_metrics()
    with suppress(NearIDError):  # a broken configuration is told when a command runs
        known = known_metrics(load_configuration(Path.cwd()).metrics)
    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in _starting(known, last)]


def layouts(incomplete: str) -> list[str]:
    """Layouts of folders."""
    from nearid_cli.layouts import LAYOUTS

    return _starting(LAYOUTS, incomplete)


def devices(incomplete: str) -> list[str]:
    """Devices to embed on."""
    from nearid_cli.embedding.devices import DEVICES

    return _starting(DEVICES, incomplete)


def dtypes(incomplete: str) -> list[str]:
    """Types of numbers to embed with."""
    from nearid_cli.embedding.devices import DTYPES

    return _starting(DTYPES, incomplete)


def formats(incomplete: str) -> list[str]:
    """Forms of what is printed."""
    from nearid_cli.cli.show import FORMATS

    return _starting(FORMATS, incomplete)


def commands(context: typer.Context, incomplete: str) -> list[str]:
    """Commands, for `nearid help`."""
    root = context.find_root()
    group: object = root.command
    for name in context.params.get("names") or []:
        group = group.get_command(root, name) if hasattr(group, "get_command") else None
    return _starting(group.list_commands(root) if hasattr(group, "list_commands") else [], incomplete)


def _starting(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
