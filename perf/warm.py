"""A warm `nearid score` as a whole process against a bare script that reads the same files.

5,000 pictures of 125 subjects and the three default metrics, with embeddings as wide as theirs.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from perf.filled import CHECKPOINTS, home_of, write_checkpoints, write_pictures
from perf.measure import Row, alternate, process

SUBJECTS, REFERENCES, GENERATIONS = 125, 8, 32


def measure(folder: Path) -> list[Row]:
    home = home_of(folder)
    hub, folders = folder / "cache of hub", folder / "cache of folders"
    write_pictures(folder / "refs", SUBJECTS, REFERENCES, seed=0)
    write_pictures(folder / "gens", SUBJECTS, GENERATIONS, seed=1)
    by_folder = [f"{name}={path}" for name, path in write_checkpoints(folder).items()]
    for cache, metrics in ((hub, [*CHECKPOINTS]), (folders, by_folder)):
        process(sys.executable, "-m", "perf.filled", folder, cache, ",".join(metrics), **home)
    score: list[str | Path] = [sys.executable, "-m", "nearid_cli", "score", folder / "refs", folder / "gens"]
    score += ["--device", "cpu"]
    from_hub = [*score, "--cache", hub]
    from_folders = [*score, "--cache", folders, "--metric", ",".join(by_folder)]
    bare: list[str | Path] = [sys.executable, "-m", "perf.bare", folder / "refs", folder / "gens", hub]
    modules = process(sys.executable, "-X", "importtime", *from_hub[1:], **home)
    loaded = [
        name for name in ("torch", "transformers", "pandas") if f"| {name}\n" in modules.replace("  ", "")
    ]
    assert not loaded, f"a warm run imports {loaded}"
    times = alternate(
        {
            "hub": partial(process, *from_hub, **home),
            "folders": partial(process, *from_folders, **home),
            "json": partial(process, *from_hub, "-o", folder / "result.json", **home),
            "bare": partial(process, *bare, str(SUBJECTS)),
        },
        rounds=7,
    )
    rows = []
    for name, what in (
        ("hub", "warm score, checkpoints in the Hub cache"),
        ("folders", "warm score, checkpoints in folders"),
        ("json", "warm score -o result.json"),
    ):
        rows.append(Row(f"{what} / bare", times[name], times["bare"], "s", limit=2))
        rows.append(Row(f"{what} / 1 s", times[name], 1.0, "s", limit=1))
    return rows
