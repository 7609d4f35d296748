"""A warm `nearid compare` as a whole process: 7 methods, 150 subjects, 9 prompts, the three default metrics."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from perf.filled import CHECKPOINTS, home_of, write_checkpoints, write_pictures
from perf.measure import Row, alternate, process

METHODS, SUBJECTS, REFERENCES, PROMPTS = 7, 150, 5, 9
LIMIT = 1.0  # seconds, what is aimed at


def measure(folder: Path) -> list[Row]:
    home = home_of(folder)
    write_checkpoints(folder)
    write_pictures(folder / "methods" / "refs", SUBJECTS, REFERENCES, seed=0)
    for method in range(METHODS):
        write_pictures(folder / "methods" / f"method {method}", SUBJECTS, PROMPTS, seed=1 + method)
    process(sys.executable, "-m", "perf.filled", folder, folder / "cache", ",".join(CHECKPOINTS), **home)
    compare: list[str | Path] = [sys.executable, "-m", "nearid_cli", "compare", folder / "methods"]
    compare += ["--device", "cpu", "--cache", folder / "cache"]
    modules = process(sys.executable, "-X", "importtime", *compare[1:], **home)
    loaded = [name for name in ("torch", "pandas", "scipy") if f"| {name}\n" in modules.replace("  ", "")]
    assert not loaded, f"a warm run imports {loaded}"
    times = alternate(
        {
            "table": partial(process, *compare, **home),
            "json": partial(process, *compare, "-o", folder / "result.json", **home),
            "from json": partial(
                process, sys.executable, "-m", "nearid_cli", "compare", *_scored(folder, home), **home
            ),
        },
        rounds=5,
    )
    return [
        Row(f"warm compare, {what} / {LIMIT:g} s", times[name], LIMIT, "s", limit=1)
        for name, what in (
            ("table", "table"),
            ("json", "-o result.json"),
            ("from json", "of finished results"),
        )
    ]


def _scored(folder: Path, home: dict[str, str]) -> list[Path]:
    """A finished result of each method."""
    results = []
    for method in sorted((folder / "methods").glob("method *")):
        results.append(folder / f"{method.name}.json")
        score: list[str | Path] = [
            sys.executable,
            "-m",
            "nearid_cli",
            "score",
            folder / "methods" / "refs",
            method,
        ]
        process(*score, "--device", "cpu", "--cache", folder / "cache", "-o", results[-1], **home)
    return results
