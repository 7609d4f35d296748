"""A cache that is damaged, newer, read-only or full: a warning or exit 2, and never a wrong number."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

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


LOOKS = (("cache", "info"), ("cache", "verify"), ("cache", "compact"), ("cache", "clear", "--yes"))


def test_a_cache_of_another_format(nearid: Nearid, data: Path) -> None:
    numbers(nearid(*SCORE))
    (cache() / "format").write_bytes(b"2\n")
    for arguments in (SCORE, *LOOKS):
        error = nearid(*arguments).error
        assert "this nearid knows format 1" in error
        assert "--cache DIR" in error


@pytest.mark.parametrize("found", [b"\xff\x1b[31m", b"", "a pipe", "a folder", "a link"])
def test_a_cache_of_a_format_that_nobody_can_tell(nearid: Nearid, data: Path, found: bytes | str) -> None:
    cold = numbers(nearid(*SCORE))
    marker = cache() / "format"
    marker.unlink()
    if isinstance(found, bytes):
        marker.write_bytes(found)
    elif found == "a pipe":
        os.mkfifo(marker)
    elif found == "a folder":
        marker.mkdir()
    else:
        marker.symlink_to("/proc/self/environ")
    before = sorted(cache().rglob("*"))
    finished = nearid(*SCORE)
    assert numbers(finished) == cold
    (warning,) = warnings(finished)
    assert "cannot be read (format: " in warning
    assert "\x1b" not in warning
    assert sorted(cache().rglob("*")) == before
    for arguments in LOOKS:
        assert "cannot be read (format: " in nearid(*arguments).error


def stray(what: str) -> None:
    """Put into the cache what is none of it, or is in the way."""
    embeddings = cache() / "embeddings"
    of_hog = next(folder for folder in sorted(embeddings.iterdir()) if folder.is_dir())
    if what == "what file browsers leave":
        for folder in (cache(), embeddings, of_hog, cache() / "files"):
            (folder / ".DS_Store").write_bytes(b"x")
            (folder / "Thumbs.db").write_bytes(b"x")
    elif what == "folders, pipes and links called parts":
        for folder in (of_hog, cache() / "files"):
            (folder / "X.parquet").mkdir()
            os.mkfifo(folder / "Y.parquet")
            (folder / "Z.parquet").symlink_to("/proc/self/mem")
            (folder / "dead.parquet").symlink_to("nowhere")
    elif what == "a link to /proc":
        (embeddings / "proc").symlink_to("/proc/self")
    elif what == "an odd format of Parquet":
        content = b"PAR1 and nothing else"
        (of_hog / f"{blake3(content).hexdigest()}.parquet").write_bytes(content)
    else:
        place = {"a file for the memo": cache() / "files", "a file for all": embeddings}.get(what, of_hog)
        shutil.rmtree(place)
        place.write_text("x")


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("what file browsers leave", 0),
        ("folders, pipes and links called parts", 3),
        ("a link to /proc", 0),
        ("an odd format of Parquet", 1),
        ("a file for the memo", 2),
        ("a file for all", 2),
        ("a file for one metric", 2),
    ],
)
def test_what_is_none_of_the_cache_ends_no_run(nearid: Nearid, data: Path, what: str, said: int) -> None:
    cold = numbers(nearid(*SCORE))
    stray(what)
    (data / "gens/cat/9.png").write_bytes((data / "gens/cat/1.png").read_bytes() + b"another digest")
    expected = numbers(nearid(*SCORE, "--no-cache"))
    assert expected != cold
    finished = nearid(*SCORE)
    assert numbers(finished) == expected
    assert len(warnings(finished)) == said, warnings(finished)
    for line in warnings(finished):
        assert "cache" in line
        assert "--cache DIR" in line or "passed over" in line
    assert nearid("cache", "info").code == 0
    for arguments in LOOKS[1:3]:
        finished = nearid(*arguments)
        assert finished.code == 0 or finished.error
    assert nearid("cache", "clear", "--yes").code == 0
    assert not list(cache().rglob("*.parquet"))
    assert (numbers(nearid(*SCORE)), warnings(nearid(*SCORE))) == (expected, [])


def test_a_part_that_may_not_be_read_is_left_alone(
    nearid: Nearid, data: Path, powerless: list[str], run: Callable[..., Finished]
) -> None:
    cold = numbers(nearid(*SCORE))
    locked = list(cache().rglob("*.parquet"))
    for part in locked:
        part.chmod(0)
    verify = run([*powerless, *COMMAND, "cache", "verify"])
    assert f"{len(locked)} unreadable parts in " in verify.error
    assert len(verify.details) == len(locked)
    finished = run([*powerless, *COMMAND, *SCORE])
    assert numbers(finished) == cold
    (warning,) = warnings(finished)
    assert "cannot be read (" in warning
    assert "permission denied): these results are right" in warning
    assert not list(cache().rglob("*.damaged"))
    for part in locked:
        if part.exists():
            part.chmod(0o644)
    assert (numbers(nearid(*SCORE)), nearid("cache", "verify").code) == (cold, 0)


def test_a_file_in_place_of_the_cache(nearid: Nearid, data: Path) -> None:
    (data / "file").touch()
    for place in ("file", "file/below"):
        error = nearid(*SCORE, "--cache", place).error
        assert error.startswith(
            f"the cache {place} would have to be a folder, and there is a file in its place"
        )


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
        assert re.search(r"the cache \S+/nearid cannot be written \(.*permission denied\)", finished.err)
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
    expected = numbers(run([*COMMAND, *SCORE, "--no-cache"]))
    finished = run([*powerless, *COMMAND, *SCORE, "--cache", "locked"])
    assert numbers(finished) == expected
    (warning,) = warnings(finished)
    assert "the cache locked cannot be read (format: permission denied)" in warning


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
    assert re.search(r"the cache disk/cache cannot be written \(.*read-only file system\)", finished.err)


def test_a_full_disk(nearid: Nearid, data: Path, mounting: list[str], run: Callable[..., Finished]) -> None:
    """Room for the first parts only: the good ones stay, the rest costs a warning."""
    expected = numbers(nearid(*SCORE, "--no-cache"))
    half = "score refs/cat gens/cat -m hog --cache disk/cache"
    script = f"""
        mkdir disk; mount -t tmpfs -o size=256k,nr_inodes=64 tmpfs disk
        sleep 2.1  # the memo takes no younger pictures
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
    assert re.search(r"the cache disk/cache cannot be written \(.*no space left on device\)", full.err)
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
