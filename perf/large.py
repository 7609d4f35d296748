"""A warm `nearid score -o` of 100,000 pictures of 1,000 subjects by the three default metrics: time and memory.

The embeddings, 1.2 GB of them, are in the cache, as in `warm`.
"""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

from perf.filled import CHECKPOINTS, write_checkpoints, write_pictures
from perf.growth import run
from perf.measure import Row, process

SUBJECTS, REFERENCES, GENERATIONS = 1_000, 4, 96
ROUNDS = 3
SECONDS, MIB = 6.0, 600.0  # what is aimed at


def measure(folder: Path) -> list[Row]:
    home = {"HF_HOME": str(folder / "hf"), "HF_HUB_OFFLINE": "1"}
    write_pictures(folder / "refs", SUBJECTS, REFERENCES, seed=0)
    write_pictures(folder / "gens", SUBJECTS, GENERATIONS, seed=1)
    write_checkpoints(folder)
    process(sys.executable, "-m", "perf.filled", folder, folder / "cache", ",".join(CHECKPOINTS), **home)
    command: list[str | Path] = [shutil.which("env") or "env", *(f"{key}={home[key]}" for key in home)]
    command += [sys.executable, "-m", "nearid_cli", "score", folder / "refs", folder / "gens"]
    command += ["--device", "cpu", "--cache", folder / "cache", "-o", folder / "result.json"]
    found = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        seconds, peak = run(command)
        found.append((time.perf_counter() - start, seconds, peak))
    wall, processor, peak = min(found)
    what = "warm score of 100,000 pictures"
    print(f"{what}: {processor:.1f} s of the processor")
    return [
        Row(f"{what} / {SECONDS:g} s", wall, SECONDS, "s", limit=1),
        Row(f"peak memory of that / {MIB:g} MiB", peak, MIB, "MiB", limit=1),
    ]
