"""How time and memory grow with generations and with subjects: `nearid score` by `hog` with all of its outputs.

Small pictures of noise whose embeddings are in the cache, made up, 4 references a subject. What is measured is the
first run, which reads every file: seconds of the processor (its threads added up) and the peak of memory, as the kernel
tells it. All sizes together take six minutes of one core.
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from perf.measure import ROOT, Row

SIZES = ((10, 1_000), (10, 10_000), (1_000, 10_000), (1_000, 100_000), (10_000, 100_000))
"""Subjects and generations of all of them together."""

OUTPUTS = ("r.json", "r.html", "r.parquet", "r.csv")
REFERENCES = 4
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


def measure(folder: Path) -> list[Row]:
    rows = []
    for subjects, generations in SIZES:
        world = write_world(folder / f"{subjects} {generations}", subjects, generations)
        seconds, peak = run(score_command(world))
        what = f"{generations:,} generations of {subjects:,} subjects"
        print(f"{what:50} {seconds:9.1f} s {peak:9.0f} MiB", flush=True)
        limit = 1 if generations <= 100_000 and subjects <= 1_000 else 2
        rows.append(Row(f"{what} / 1 GiB", peak, 1024, "MiB", limit))
        shutil.rmtree(world)
    return rows


def score_command(world: Path, outputs: Sequence[str] = OUTPUTS) -> list[str | Path]:
    """What scores a world, with outputs into its folder."""
    command: list[str | Path] = [sys.executable, "-m", "nearid_cli", "score", world / "refs", world / "gens"]
    command += ["--metric", "hog", "--cache", world / "cache"]
    return command + [part for name in outputs for part in ("-o", world / name)]


def run(command: Sequence[str | Path], limit: int | None = None) -> tuple[float, float]:
    """Run a whole process; its seconds of the processor, and the peak of its memory in MiB. Not on Windows.

    Args:
        command: with its arguments.
        limit: bytes of memory that it may have of its own (RLIMIT_DATA); None for any.

    Raises:
        RuntimeError: it failed.
    """
    words = [os.fspath(part) for part in command]
    done = subprocess.run(
        [sys.executable, "-S", "-c", _LAUNCH, str(limit or 0), *words],
        cwd=ROOT,
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
