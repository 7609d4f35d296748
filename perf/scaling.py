"""The scoring half at 10 million pictures: embeddings made up, in the cache, found there and scored.

What one machine does with pictures that a cluster embedded. Each size is a process of its own: it finds all
embeddings in the cache, as a warm run does, and computes every number of one metric. Names of files, tables and
reports of a result are not in it (`growth` has these). Needs 12 GB of disk for a while. Linux only, as the peak of
memory is the kernel's.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from perf.measure import Row, process

SIZES = (100_000, 1_000_000, 10_000_000)
SUBJECTS, REFERENCES, DIMENSION = 1_000, 8, 128
_PART = 65_536  # pictures in a part of the cache
_STEPS = ("find", "score")


def measure(folder: Path) -> list[Row]:
    if not Path("/proc/self/status").exists():
        print("scaling: not measured, only Linux tells a process's peak")
        return []
    cost: dict[str, list[float]] = {}
    for size in SIZES:
        process(sys.executable, "-m", "perf.scaling", "fill", folder / str(size), str(size))
        said = process(sys.executable, "-m", "perf.scaling", "score", folder / str(size), str(size)).split()
        seconds, peak = [float(value) for value in said[-3:-1]], float(said[-1])
        print(
            f"{size:12,} pictures: {seconds[0]:.1f} CPU s to find, {seconds[1]:.1f} to score; {peak:,.0f} MiB",
            flush=True,
        )
        for what, value in zip((*_STEPS, "memory"), (*seconds, peak), strict=True):
            cost.setdefault(what, []).append(value / size)
    first, last = SIZES[0], SIZES[-1]
    return [
        Row(
            f"{what}, a picture of {last:,} / of {first:,}",
            values[-1] * 1e6,
            values[0] * 1e6,
            "B" if what == "memory" else "us",
            1.2,
        )
        for what, values in cost.items()
    ]


def _digests(first: int, stop: int) -> list[bytes]:
    """As random as those of files."""
    from nearid_cli.embedding.cache import digest_bytes

    return [digest_bytes(number.to_bytes(8, "little")) for number in range(first, stop)]


def _owners(size: int) -> np.ndarray:
    """The subject of each picture: of references, and after them of generations, one subject after the other."""
    sides = SUBJECTS * REFERENCES
    return np.concatenate(
        [np.repeat(np.arange(SUBJECTS), REFERENCES), np.arange(size - sides) * SUBJECTS // (size - sides)]
    )


def _fill(folder: Path, size: int) -> None:
    """A cache of embeddings: of a subject's pictures around one direction."""
    from nearid_cli.embedding.cache import Cache
    from nearid_cli.encoders.descriptors import HOG

    random, cache, owners = np.random.default_rng(0), Cache(folder), _owners(size)
    centres = random.standard_normal((SUBJECTS, DIMENSION), dtype=np.float32)
    for start in range(0, size, _PART):
        own = centres[owners[start : start + _PART]]
        rows = own + random.standard_normal(own.shape, dtype=np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        cache.add(HOG, _digests(start, start + len(own)), rows)


def _score(folder: Path, size: int) -> None:
    """Find and score them, then say seconds of the processor for both, and the peak in MiB."""
    from nearid_cli.embedding.cache import Cache
    from nearid_cli.embedding.rows import Rows
    from nearid_cli.encoders.descriptors import HOG
    from nearid_cli.metrics.identity import identity_scores

    digests, owners, sides = _digests(0, size), _owners(size), SUBJECTS * REFERENCES
    start = time.process_time()
    rows = Rows(size, folder)
    for here, found in Cache(folder).found(HOG, digests):
        rows.add(here, found)
    between = time.process_time()
    scores = identity_scores(
        rows.matrix(digests[:sides]), owners[:sides], rows.matrix(digests[sides:]), owners[sides:]
    )
    end = time.process_time()
    if len(scores.generations) != size - sides:
        raise RuntimeError(f"expected {size - sides:,} scores, got {len(scores.generations):,}")
    status = Path("/proc/self/status").read_text().split()
    peak = int(status[status.index("VmHWM:") + 1]) / 1024
    print(between - start, end - between, peak, file=sys.stderr)


if __name__ == "__main__":
    {"fill": _fill, "score": _score}[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3]))
