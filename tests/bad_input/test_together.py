"""Several processes on one cache at once: all right and identical, and the cache sound afterwards."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from nearid_cli.embedding.cache import Cache
from nearid_cli.encoders.descriptors import HOG
from tests.commandline import Nearid, cached_digests, warnings_of_work

SCORE = ("score", "refs", "gens", "-m", "hog", "--format", "json")

# Every picture its own part, so that parts are many and merge while others read them.
CHOPPED = """
import sys
from nearid_cli.embedding import ledger, parts
ledger.FLUSH_ROWS, parts.PartFolder.compact.__defaults__ = 1, (3,)
from nearid_cli.cli.app import main
sys.exit(main([*sys.argv[1:], "--batch-size", "1"]))
"""


def numbers(text: str) -> dict[str, Any]:
    found = json.loads(text)
    return {key: found[key] for key in ("subjects", "aggregate", "images", "metrics")}


def start(data: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CHOPPED, *arguments],
        cwd=data,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.parametrize("attempt", range(2))
def test_the_same_pictures_at_once(nearid: Nearid, data: Path, attempt: int) -> None:
    expected = numbers(nearid(*SCORE, "--no-cache").out)
    processes = [start(data, *SCORE) for _ in range(3)]
    for process in processes:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        assert not warnings_of_work(err)
        assert numbers(out) == expected
    check(nearid, 15)
    warm = nearid(*SCORE)
    assert numbers(warm.out) == expected


def test_overlapping_pictures_while_the_cache_is_compacted(nearid: Nearid, data: Path) -> None:
    shutil.copytree(data / "refs", data / "refs2")
    shutil.rmtree(data / "refs2/cat")
    arguments = [SCORE, ("score", "refs2", "gens", "-m", "hog", "--format", "json", "--allow-unmatched")]
    expected = [numbers(nearid(*one, "--no-cache").out) for one in arguments]
    processes = [start(data, *one) for one in (*arguments, SCORE)]
    stop = threading.Event()

    def compact() -> None:
        while not stop.wait(0.02):
            Cache(Path(os.environ["NEARID_CACHE"])).compact(above=1)

    compacting = threading.Thread(target=compact)
    compacting.start()
    try:
        for process, right in zip(processes, [*expected, expected[0]], strict=True):
            out, err = process.communicate(timeout=120)
            assert process.returncode == 0, err
            assert not warnings_of_work(err)
            assert numbers(out) == right
    finally:
        stop.set()
        compacting.join()
    check(nearid, 15)


def test_listing_while_parts_merge(tmp_path: Path) -> None:
    """A reader never takes a cache whose parts move under it for an empty one."""
    import numpy as np

    folder = tmp_path / "cache"
    row = np.eye(1, 8, dtype=np.float32)
    writer = Cache(folder)
    digests = [index.to_bytes(32, "big") for index in range(120)]
    writer.add(HOG, digests[:1], row)
    stop = threading.Event()
    lost: list[int] = []
    errors: list[Exception] = []

    def read() -> None:
        while not stop.is_set():
            try:
                reader = Cache(folder)
                if digests[0] not in reader.load(HOG, digests):
                    lost.append(1)
                if not reader.info():
                    lost.append(2)
            except Exception as error:  # a thread's exception would be lost
                errors.append(error)

    reading = threading.Thread(target=read)
    reading.start()
    for digest in digests[1:]:
        writer.add(HOG, [digest], row)
        writer.compact(above=1)
    stop.set()
    reading.join()
    assert (lost, errors) == ([], [])
    assert set(writer.load(HOG, digests)) == set(digests)


def check(nearid: Nearid, number: int) -> None:
    finished = nearid("cache", "verify")
    assert finished.code == 0, finished.err
    folder = Path(os.environ["NEARID_CACHE"])
    assert len(cached_digests(Cache(folder), HOG)) == number
    assert not list(folder.rglob("*.tmp"))
    assert not list(folder.rglob("*.damaged"))
