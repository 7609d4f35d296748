"""`nearid --help` against importing what draws a command line."""

from __future__ import annotations

import statistics
import sys
from functools import partial
from pathlib import Path

from perf.measure import Row, alternate, process


def measure(folder: Path) -> list[Row]:
    times = alternate(
        {
            "help": partial(process, sys.executable, "-m", "nearid_cli", "--help"),
            "imports": partial(process, sys.executable, "-c", "import typer, rich"),
        },
        rounds=20,
        summary=statistics.median,
    )
    return [
        Row("nearid --help / python -c 'import typer, rich'", times["help"], times["imports"], "s", limit=1.2)
    ]
