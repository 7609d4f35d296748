"""How time and memory grow with generations, subjects, references, metrics and methods.

Small pictures of noise whose embeddings are in the cache, made up: `nearid score` by `hog` with all of its outputs, by
one to six checkpoints without weights, and `nearid compare` of several methods. What is measured is whole processes, by
themselves: seconds of the processor, threads added up, and the peak of memory, as the kernel tells it. The pictures'
files are hashed in the lines by `hog`, and known in the others. All lines together take ten minutes of one core.

What it finds is drawn into docs/images/growth.svg.
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from perf.filled import CHECKPOINTS, SIX, home_of, write_checkpoints, write_pictures
from perf.loglog import Panel, drawn
from perf.measure import ROOT, Row, process

SIZES = {10: (1_000, 10_000, 100_000), 1_000: (10_000, 100_000), 10_000: (10_000, 100_000)}
"""Generations of all subjects together, by the number of these."""

OF_ONE = (1_000, 5_000, 50_000)
"""Generations of one subject with so many references:"""
MANY_REFERENCES = 2_000

METRICS = (1, 3, 6)
OF_METRICS = (1_000, 10_000)
"""Generations of 100 subjects."""

METHODS = (2, 10, 50)

PLOT = ROOT / "docs" / "images" / "growth.svg"
COLOURS = {
    "10 subjects": "#58a6ff",
    "1,000 subjects": "#2f7fe0",
    "10,000 subjects": "#1f5fbf",
    "1 subject, 2,000 references": "#a371f7",
    "1 metric": "#e8a33d",
    "3 metrics": "#d97706",
    "6 metrics": "#b4530a",
    "compare, 2 to 50 methods": "#2da06b",
}

OUTPUTS = ("r.json", "r.html", "r.parquet", "r.csv")
REFERENCES = 4
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}  # threads that wait for each other would be counted
_NEARID = (sys.executable, "-m", "nearid_cli")
_AT_ONCE = 2_048
_LEVELS = 33  # of the brightness of a cell in a perceptual hash


# A process begins with the peak of the one that it was forked from, and so from a small one.
_LAUNCH = """
import os, resource, sys
limit, command = int(sys.argv[1]), sys.argv[2:]
child = os.fork()
if child == 0:
    if limit:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    os.execv(command[0], command)
_, status, used = os.wait4(child, 0)
print(status, used.ru_utime + used.ru_stime, used.ru_maxrss)
"""


@dataclass(frozen=True)
class Point:
    """What one process took."""

    pictures: int
    seconds: float
    peak: float


def measure(folder: Path) -> list[Row]:
    lines: dict[str, list[Point]] = {}
    rows = []
    for name, subjects, generations, references in _worlds():
        world = write_world(folder / f"{name} {generations}", subjects, generations, references)
        point = _taken(lines, name, generations + subjects * references, score_command(world))
        limit = 1 if generations <= 100_000 and subjects <= 1_000 else 2
        rows.append(Row(f"{generations:,} generations, {name} / 1 GiB", point.peak, 1024, "MiB", limit))
        shutil.rmtree(world)
    _metrics(folder / "metrics", lines)
    _methods(folder / "compared", lines)
    PLOT.write_text(_drawn(lines))
    print(f"wrote {PLOT.relative_to(ROOT)}", flush=True)
    return rows


def _worlds() -> Iterator[tuple[str, int, int, int]]:
    """The lines by `hog`: name, subjects, generations, references of each."""
    for subjects, sizes in SIZES.items():
        yield from ((f"{subjects:,} subjects", subjects, size, REFERENCES) for size in sizes)
    yield from ((f"1 subject, {MANY_REFERENCES:,} references", 1, size, MANY_REFERENCES) for size in OF_ONE)


def _metrics(folder: Path, lines: dict[str, list[Point]]) -> None:
    """The lines of one to six metrics."""
    home = home_of(folder)
    write_checkpoints(folder, SIX)
    for size in OF_METRICS:
        world = folder / f"{size}"
        write_pictures(world / "refs", 100, 8, seed=0)
        write_pictures(world / "gens", 100, size // 100, seed=1)
        process(sys.executable, "-m", "perf.filled", world, world / "cache", ",".join(SIX), **home)
        for number in METRICS:
            command: list[str | Path] = [*_NEARID, "score", world / "refs", world / "gens", "--device", "cpu"]
            command += ["--cache", world / "cache", "--metric", ",".join([*SIX][:number])]
            name = "1 metric" if number == 1 else f"{number} metrics"
            _taken(lines, name, size + 800, [*command, "-o", world / "r.json"], home)
        shutil.rmtree(world)


def _methods(folder: Path, lines: dict[str, list[Point]]) -> None:
    """The line of comparisons; each has a cache of its own pictures alone."""
    home = home_of(folder)
    write_checkpoints(folder)
    references, methods = (
        folder / "world" / "refs",
        [folder / "world" / f"method {i:02}" for i in range(max(METHODS))],
    )
    write_pictures(references, 150, 5, seed=0)
    written = 0
    for number in METHODS:
        for place in range(written, number):
            write_pictures(methods[place], 150, 9, seed=1 + place)
        written = number
        cache = folder / f"cache {number}"
        process(sys.executable, "-m", "perf.filled", folder / "world", cache, ",".join(CHECKPOINTS), **home)
        command: list[str | Path] = [*_NEARID, "compare", *methods[:number], "--refs", references]
        command += ["--device", "cpu", "--cache", cache]
        _taken(lines, "compare, 2 to 50 methods", 750 + 1_350 * number, command, home)
        shutil.rmtree(cache)


def _taken(
    lines: dict[str, list[Point]],
    name: str,
    pictures: int,
    command: Sequence[str | Path],
    home: Mapping[str, str] = MappingProxyType({}),
) -> Point:
    """A further point of a line."""
    point = Point(pictures, *run(command, environment={**home, **_ONE_THREAD}))
    lines.setdefault(name, []).append(point)
    what = f"{name}: {pictures:,} pictures"
    print(f"{what:50} {point.seconds:9.1f} s {point.peak:9.0f} MiB", flush=True)
    return point


def _drawn(lines: Mapping[str, Sequence[Point]]) -> str:
    of_time = {
        name: [(one.pictures, 1e3 * one.seconds / one.pictures) for one in own] for name, own in lines.items()
    }
    of_memory = {
        name: [(one.pictures, 1024 * one.peak / one.pictures) for one in own] for name, own in lines.items()
    }
    last = "; ".join(
        f"{name}: {own[-1].pictures:,} pictures, {own[-1].seconds:.0f} s, {own[-1].peak:.0f} MiB"
        for name, own in lines.items()
    )
    return drawn(
        [
            Panel("Milliseconds of the processor for a picture", of_time),
            Panel("KiB of memory for a picture, at the peak of the process", of_memory),
        ],
        COLOURS,
        "What a picture costs, over the number of pictures",
        f"A level line is a cost that grows as the pictures do. The largest of each line: {last}.",
    )


def score_command(world: Path, outputs: Sequence[str] = OUTPUTS) -> list[str | Path]:
    """What scores a world, with outputs into its folder."""
    command: list[str | Path] = [*_NEARID, "score", world / "refs", world / "gens"]
    command += ["--metric", "hog", "--cache", world / "cache"]
    return command + [part for name in outputs for part in ("-o", world / name)]


def run(
    command: Sequence[str | Path],
    limit: int | None = None,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> tuple[float, float]:
    """Run a whole process; its seconds of the processor, and the peak of its memory in MiB. Not on Windows.

    Args:
        command: with its arguments.
        limit: bytes of memory that it may have of its own (RLIMIT_DATA); None for any.
        environment: variables besides those of this process.

    Raises:
        RuntimeError: it failed.
    """
    words = [os.fspath(part) for part in command]
    done = subprocess.run(
        [sys.executable, "-S", "-c", _LAUNCH, str(limit or 0), *words],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    status, seconds, peak = done.stdout.split()
    if int(status):
        raise RuntimeError(f"{command} failed with {os.waitstatus_to_exitcode(int(status))}")
    return float(seconds), int(peak) / 1024


def write_world(folder: Path, subjects: int, generations: int, references: int = REFERENCES) -> Path:
    """Pictures of subjects, each with as many references and generations, and a cache of their embeddings by `hog`."""
    from nearid_cli.embedding.cache import Cache, digest_bytes
    from nearid_cli.encoders.descriptors import HOG, PERCEPTUAL_HASH

    random = np.random.default_rng(0)
    cache = Cache(folder / "cache")
    owners, digests = [], []
    for side, each in (("refs", references), ("gens", generations // subjects)):
        for subject in range(subjects):
            place = folder / side / f"subject {subject:05}"
            place.mkdir(parents=True)
            for index in range(each):
                content = _png(random.bytes(3 * 8 * 8))
                (place / f"{index:05}.png").write_bytes(content)
                owners.append(subject)
                digests.append(digest_bytes(content))
    dimension = 2_532  # of hog
    centres = random.standard_normal((subjects, dimension), dtype=np.float32)
    for start in range(0, len(digests), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        own = centres[owners[some]]
        rows = own + random.standard_normal(own.shape, dtype=np.float32)
        cache.add(HOG, digests[some], rows / np.linalg.norm(rows, axis=1, keepdims=True))
        cache.add(PERCEPTUAL_HASH, digests[some], _hashes(random, len(own)))
    return folder


def _hashes(random: np.random.Generator, number: int) -> np.ndarray:
    """Perceptual hashes of pictures that have nothing in common."""
    pattern = random.random((number, 255)) < 0.5
    levels = random.integers(_LEVELS, size=(number, 16))
    brightness = np.arange(_LEVELS - 1) < levels[:, :, None]
    bits = np.concatenate([pattern, brightness.reshape(number, -1)], axis=1)
    hashes: np.ndarray = (np.where(bits, 1, -1) / np.sqrt(bits.shape[1])).astype(np.float32)
    return hashes


def _png(pixels: bytes) -> bytes:
    """A picture of 8 x 8 RGB pixels, thirty times as fast as by Pillow."""
    lines = b"".join(b"\0" + pixels[start : start + 24] for start in range(0, len(pixels), 24))
    chunks = {
        b"IHDR": struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0),
        b"IDAT": zlib.compress(lines, 1),
        b"IEND": b"",
    }
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks.items()
    )
