"""A cache that is damaged, newer, read-only or full: a warning or exit 2, and never a wrong number."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.commandline import Finished, Nearid, warnings_of_work

from .conftest import COMMAND

SCORE = ("score", "refs", "gens", "-m", "hog", "--format", "json")
NEARID = shlex.join(COMMAND)


def numbers(finished: Finished) -> dict[str, Any]:
    assert finished.code == 0, finished.err
    return {**json.loads(finished.out), "created": None}


def cache() -> Path:
    return Path(os.environ["NEARID_CACHE"])


def warnings(finished: Finished) -> list[str]:
    return warnings_of_work(finished.err)


@pytest.mark.parametrize("place", ["start", "middle", "end", "half", "empty"])
@pytest.mark.parametrize("folder", ["embeddings", "files"])
def test_damaged_parts_between_two_runs(nearid: Nearid, data: Path, folder: str, place: str) -> None:
    cold = numbers(nearid(*SCORE))
    damaged = list((cache() / folder).rglob("*.parquet"))
    for part in damaged:
        content = bytearray(part.read_bytes())
        if place in ("half", "empty"):
            content = content[: len(content) // 2 if place == "half" else 0]
        else:
            content[{"start": 5, "middle": len(content) // 2, "end": -1}[place]] ^= 16
        part.write_bytes(content)
    verify = nearid("cache", "verify")
    assert verify.error.startswith(f"{len(damaged)} damaged part")
    assert len(verify.details) == len(damaged)
    finished = nearid(*SCORE)
    assert numbers(finished) == cold
    assert len(warnings(finished)) == len(damaged)
    assert all("damaged part of the cache is set aside" in line for line in warnings(finished))
    assert nearid("cache", "verify").code == 0
    finished = nearid(*SCORE)
    assert (numbers(finished), warnings(finished)) == (cold, [])


def test_a_part_that_is_a_folder_or_has_a_wrong_name(nearid: Nearid, data: Path) -> None:
    cold = numbers(nearid(*SCORE))
    (part, *_) = (cache() / "embeddings").rglob("*.parquet")
    part.rename(part.with_name(f"{'0' * 64}.parquet"))
    finished = nearid(*SCORE)
    assert numbers(finished) == cold
    assert len(warnings(finished)) == 1


@pytest.mark.parametrize("found", [b"2\n", b"\xff\x1b[31m", b""])
def test_a_cache_of_another_format(nearid: Nearid, data: Path, found: bytes) -> None:
    numbers(nearid(*SCORE))
    (cache() / "format").write_bytes(found)
    for arguments in (SCORE, ("cache", "info"), ("cache", "verify"), ("cache", "clear", "--yes")):
        error = nearid(*arguments).error
        assert "this nearid knows format 1" in error
        assert "--cache DIR" in error
        assert "\x1b" not in error


def test_a_file_in_place_of_the_cache(nearid: Nearid, data: Path) -> None:
    (data / "file").touch()
    assert "cannot read the cache file: " in nearid(*SCORE, "--cache", "file").error


def test_a_read_only_cache(
    nearid: Nearid, data: Path, powerless: list[str], run: Callable[..., Finished]
) -> None:
    cold = numbers(nearid(*SCORE))
    (data / "gens/cat/9.png").write_bytes((data / "gens/cat/1.png").read_bytes() + b"another digest")
    expected = numbers(nearid(*SCORE, "--no-cache"))
    assert expected != cold
    (data / "one more.png").write_bytes((data / "gens/cat/1.png").read_bytes() + b"a second part")
    assert nearid("embed", "one more.png", "-m", "hog", "-o", "e.parquet").code == 0
    folders = [cache(), *(path for path in cache().rglob("*") if path.is_dir())]
    before = sorted(cache().rglob("*"))
    for folder in folders:
        folder.chmod(0o555)
    try:
        finished = run([*powerless, *COMMAND, *SCORE])
        assert numbers(finished) == expected
        assert len(warnings(finished)) == 1
        assert f"the cache {cache()} cannot be written (permission denied)" in finished.err
        assert sorted(cache().rglob("*")) == before
        # A first run into a place that takes nothing.
        finished = run([*powerless, *COMMAND, *SCORE, "--cache", cache() / "new"])
        assert numbers(finished) == expected
        assert len(warnings(finished)) == 1
        for job in (["compact"], ["clear", "--yes"]):
            refused = run([*powerless, *COMMAND, "cache", *job])
            assert refused.error == f"the cache {cache()} cannot be changed: permission denied"
        # A damaged part cannot be set aside here, and is not used either.
        (part, *_) = (cache() / "embeddings").rglob("*.parquet")
        part.chmod(0o644)
        part.write_bytes(part.read_bytes()[:-1])
        assert numbers(run([*powerless, *COMMAND, *SCORE])) == expected
    finally:
        for folder in folders:
            folder.chmod(0o755)


def test_a_cache_that_may_not_be_read(data: Path, powerless: list[str], run: Callable[..., Finished]) -> None:
    (data / "locked").mkdir(mode=0)
    error = run([*powerless, *COMMAND, *SCORE, "--cache", "locked"]).error
    assert "'locked' is not readable" in error


def test_a_read_only_file_system(
    nearid: Nearid, data: Path, mounting: list[str], run: Callable[..., Finished]
) -> None:
    expected = numbers(nearid(*SCORE, "--no-cache"))
    finished = run(
        [
            *mounting,
            f"mkdir disk; mount -t tmpfs -o ro tmpfs disk; {NEARID} {shlex.join(SCORE)} --cache disk/cache",
        ]
    )
    assert numbers(finished) == expected
    assert len(warnings(finished)) == 1
    assert "the cache disk/cache cannot be written (read-only file system)" in finished.err


def test_a_full_disk(nearid: Nearid, data: Path, mounting: list[str], run: Callable[..., Finished]) -> None:
    """Room for the first parts only: the good ones stay, the rest costs a warning."""
    expected = numbers(nearid(*SCORE, "--no-cache"))
    half = "score refs/cat gens/cat -m hog --cache disk/cache"
    script = f"""
        mkdir disk; mount -t tmpfs -o size=256k,nr_inodes=64 tmpfs disk
        {NEARID} {half} >first.txt
        (cd disk && find cache -type f | sort) >before.txt
        head -c 1M /dev/zero >disk/filler 2>/dev/null || true
        {NEARID} {shlex.join(SCORE)} --cache disk/cache >full.json 2>full.err || echo failed
        (cd disk && find cache -type f | sort) >after.txt
        {NEARID} cache verify --cache disk/cache >verify.txt
        {NEARID} {shlex.join(SCORE)} --cache disk/cache -o disk/out.json >/dev/null 2>output.err && echo wrote
        ls -A disk >left.txt
        rm disk/filler
        {NEARID} {shlex.join(SCORE)} --cache disk/cache >mended.json
        {NEARID} cache verify --cache disk/cache >verify.txt
    """.replace("&& echo wrote", "|| echo $? >output.code")
    finished = run([*mounting, script])
    assert (finished.code, finished.out) == (0, ""), finished.err
    full = Finished(0, (data / "full.json").read_text(), (data / "full.err").read_text())
    assert numbers(full) == expected
    assert len(warnings(full)) == 1
    assert "the cache disk/cache cannot be written (no space left on device)" in full.err
    assert (data / "before.txt").read_text().count(".parquet") == 3  # hog, the perceptual hash, the memo
    assert (data / "after.txt").read_text() == (
        data / "before.txt"
    ).read_text()  # no part lost, nothing half-written
    assert (data / "output.code").read_text() == "2\n"
    assert (data / "output.err").read_text().splitlines()[-1] == (
        "error: cannot write disk/out.json: No space left on device"
    )
    assert (data / "left.txt").read_text().split() == ["cache", "filler"]
    assert numbers(Finished(0, (data / "mended.json").read_text(), "")) == expected
    assert "all sound" in (data / "verify.txt").read_text()


def test_a_disk_that_was_full_from_the_start(
    nearid: Nearid, data: Path, mounting: list[str], run: Callable[..., Finished]
) -> None:
    expected = numbers(nearid(*SCORE, "--no-cache"))
    script = f"""
        mkdir disk; mount -t tmpfs -o size=16k tmpfs disk
        head -c 1M /dev/zero >disk/filler 2>/dev/null || true
        {NEARID} {shlex.join(SCORE)} --cache disk/cache
        find disk -type f >left.txt
    """
    finished = run([*mounting, script])
    assert numbers(finished) == expected
    assert len(warnings(finished)) == 1
    assert (data / "left.txt").read_text() == "disk/filler\n"
