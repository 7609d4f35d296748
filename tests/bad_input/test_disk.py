"""A cache that is damaged, newer, read-only or full: a warning or exit 2, and never a wrong number."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

from tests.commandline import Finished, Nearid, warnings_of_work

from .conftest import COMMAND

SCORE = ("score", "refs", "gens", "-m", "hog", "--format", "json")
NEARID = shlex.join(COMMAND)

# Several runs of the command line in one process, and a file of what came of each.
RUNNING = """
import json, os, sys
from pathlib import Path
from nearid_cli.cli.app import main

def run(name, *arguments):
    for number, kind in ((1, "out"), (2, "err")):
        os.dup2(os.open(f"{name}.{kind}", os.O_CREAT | os.O_WRONLY | os.O_TRUNC), number)
    code = main(arguments)
    sys.stdout.flush()
    sys.stderr.flush()
    said = [code, *(Path(f"{name}.{kind}").read_text() for kind in ("out", "err"))]
    files = sorted(str(path) for path in Path("disk").rglob("*") if path.is_file())
    Path(f"{name}.json").write_text(json.dumps([said, files]))
"""
SEVERAL = RUNNING + "for name, arguments in json.loads(sys.argv[1]).items(): run(name, *arguments)"


def left(data: Path, name: str) -> tuple[Finished, list[str]]:
    """What came of a run, and the files of the disk after it."""
    said, files = json.loads((data / f"{name}.json").read_text())
    return Finished(*said), files


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
    cold = numbers(nearid(*SCORE))
    (cache() / "format").write_bytes(b"2\n")
    before = sorted(cache().rglob("*"))
    finished = nearid(*SCORE)
    assert numbers(finished) == cold
    (warning,) = warnings(finished)
    assert "this nearid knows format 1; upgrade nearid or choose another cache with --cache DIR" in warning
    assert sorted(cache().rglob("*")) == before
    for arguments in LOOKS:
        assert "this nearid knows format 1" in nearid(*arguments).error


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
        for place in (of_hog, cache() / "files"):
            folder, pipe, memory, dead = (place / f"{digit * 64}.parquet" for digit in "0123")
            folder.mkdir()
            os.mkfifo(pipe)
            memory.symlink_to("/proc/self/mem")
            dead.symlink_to("nowhere")
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
        ("a file for the memo", 1),
        ("a file for all", 1),
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
    cleared = nearid("cache", "clear", "--yes")
    assert cleared.code == 0
    assert not list(cache().rglob("*.parquet"))
    if what.startswith("a file"):  # which may be somebody's
        assert "names that nearid does not give" in cleared.err
        for path in (cache() / "files", cache() / "embeddings", *cache().glob("embeddings/*")):
            if path.is_file():
                path.unlink()
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
    expected = numbers(nearid(*SCORE, "--no-cache"))
    (data / "file").touch()
    for place in ("file", "file/below"):
        finished = nearid(*SCORE, "--cache", place)
        assert numbers(finished) == expected
        (warning,) = warnings(finished)
        reason = f"the cache {place} would have to be a folder, and there is a file in its place; "
        assert reason in warning
        assert "choose another with --cache DIR; this run goes on without it" in warning
        assert nearid("cache", "info", "--cache", place).error.startswith(reason)
    assert (data / "file").read_bytes() == b""


def test_a_cache_in_more_folders_than_functions_may_call_themselves(nearid: Nearid, data: Path) -> None:
    try:
        assert warnings(nearid(*SCORE, "--cache", "x/" * 1200 + "cache")) == []
    finally:  # Python, and so pytest, cannot delete it
        subprocess.run(["rm", "-rf", "x"], cwd=data, check=True)


def test_a_cache_that_can_be_neither_read_nor_written_is_one_warning(nearid: Nearid, data: Path) -> None:
    expected = numbers(nearid(*SCORE))
    shutil.rmtree(cache() / "embeddings")
    (cache() / "embeddings").touch()
    finished = nearid(*SCORE)
    assert numbers(finished) == expected
    (warning,) = warnings(finished)
    assert "/nearid cannot be read (embeddings/" in warning


def test_a_folder_that_others_may_change_has_no_parts_to_count_yet(nearid: Nearid, data: Path) -> None:
    (data / "open").mkdir()
    (data / "open").chmod(0o1777)
    (warning,) = warnings(nearid(*SCORE, "--cache", "open"))
    assert "the cache open is passed over: it can be changed by other users (mode 1777)" in warning
    assert "part" not in warning.split(":")[0]


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
        new = ("--cache", str(cache() / "new"))  # a first run into a place that takes nothing
        jobs = {"compact": ("cache", "compact"), "clear": ("cache", "clear", "--yes")}
        several = {"warm": SCORE, "new": (*SCORE, *new), **jobs}
        finished = run([*powerless, sys.executable, "-c", SEVERAL, json.dumps(several)])
        assert finished.code == 0, finished.err
        for name in ("warm", "new"):
            scored, _ = left(data, name)
            assert numbers(scored) == expected
            (warning,) = warnings(scored)
            assert re.search(r"the cache \S+/(nearid|new) cannot be written \(.*permission denied\)", warning)
        for name in jobs:
            refused, _ = left(data, name)
            assert refused.error == f"the cache {cache()} cannot be changed: permission denied"
        assert sorted(cache().rglob("*")) == before
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


FULL = (
    RUNNING
    + """
score, cache = sys.argv[1:], ("--cache", "disk/cache")
run("first", "score", "refs/cat", "gens/cat", "-m", "hog", *cache)
with open("disk/filler", "wb", buffering=0) as file:
    try:
        while file.write(bytes(4096)):
            pass
    except OSError:
        pass
run("full", *score, *cache)
run("verified", "cache", "verify", *cache)
run("unwritten", *score, "-o", "disk/out.json", *cache)
os.unlink("disk/filler")
run("mended", *score, *cache)
run("verified again", "cache", "verify", *cache)
"""
)


def test_a_full_disk(nearid: Nearid, data: Path, mounting: list[str], run: Callable[..., Finished]) -> None:
    """Room for the first parts only: the good ones stay, the rest costs a warning."""
    expected = numbers(nearid(*SCORE, "--no-cache"))
    program = shlex.join([sys.executable, "-c", FULL, *SCORE])
    finished = run(
        [*mounting, f"mkdir disk; mount -t tmpfs -o size=256k,nr_inodes=64 tmpfs disk; exec {program}"]
    )
    assert finished.code == 0, finished.err

    first, before = left(data, "first")
    assert first.code == 0, first.err
    # Of hog and the perceptual hash, and of the memo if the pictures are old enough by then.
    assert sum(name.endswith(".parquet") for name in before) in (2, 3)
    full, after = left(data, "full")
    assert numbers(full) == expected
    (warning,) = warnings(full)
    assert re.search(r"the cache disk/cache cannot be written \(.*no space left on device\)", warning)
    assert after == sorted([*before, "disk/filler"])  # no part lost, nothing half-written
    unwritten, files = left(data, "unwritten")
    assert unwritten.code == 2
    assert unwritten.err.splitlines()[-1] == "error: cannot write disk/out.json: No space left on device"
    assert files == after
    assert numbers(left(data, "mended")[0]) == expected
    for name in ("verified", "verified again"):
        verified, _ = left(data, name)
        assert verified.code == 0, verified.err
        assert "all sound" in verified.out


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
