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
    return [f"{before}{comma}{name}" for name in starting(known, last)]


def layouts(incomplete: str) -> list[str]:
    """Layouts of folders."""
    from nearid_cli.layouts.registry import NAMES

    return starting(NAMES, incomplete)


def commands(context: typer.Context, incomplete: str) -> list[str]:
    """Commands, for `nearid help`."""
    from nearid_cli.cli.groups import names_below

    return starting(names_below(context, "names"), incomplete)


def starting(names: Iterable[str], incomplete: str) -> list[str]:
    """Those that begin like what was typed."""
    return [name for name in names if name.startswith(incomplete)]


BY_FLAG = {"metric": metrics, "layout": layouts}
"""Flags whose words are found when a shell asks; others have them in their declaration."""
