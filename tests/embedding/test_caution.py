"""A cache that others can write to is no authority, and what a machine refuses is no damage."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nearid_cli.embedding import disk, parts
from nearid_cli.embedding.cache import Cache, open_cache

from .conftest import make_spec

SPEC = make_spec()
DIGESTS = [index.to_bytes(32, "big") for index in range(4)]
ROWS = np.eye(4, 8, dtype=np.float32)

needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files to other users"
)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """Two parts of two rows."""
    made = Cache(tmp_path / "cache")
    made.add(SPEC, DIGESTS[:2], ROWS[:2])
    made.add(SPEC, DIGESTS[2:], ROWS[2:])
    return made


def files(cache: Cache) -> list[Path]:
    return sorted(cache.folder.rglob("*.parquet"))


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    caplog.clear()
    return found


@needs_root
def test_a_part_of_another_user_is_used_by_who_trusts_only(
    cache: Cache, caplog: pytest.LogCaptureFixture
) -> None:
    os.chown(files(cache)[0], 4321, 4321)
    careful, trusting = Cache(cache.folder), Cache(cache.folder, trusted=True)
    assert len(careful.load(SPEC, DIGESTS)) == 2
    assert len(careful.load(SPEC, DIGESTS)) == 2
    (line,) = said(caplog)
    assert line.startswith(f"1 part of the cache {cache.folder} is passed over: embeddings/")
    assert "belongs to another user (4321), and whoever writes a part decides about numbers" in line
    assert "use them with --trust-cache, or choose another cache with --cache DIR" in line
    assert len(trusting.load(SPEC, DIGESTS)) == 4
    assert said(caplog) == []
    assert careful.verify().sound == 1
    assert [row.numbers for row in careful.info()] == [2]
    # What others wrote does not become the user's own by merging.
    careful.compact(above=1)
    assert len(files(cache)) == 2
    trusting.compact(above=1)
    assert len(files(cache)) == 1


@pytest.mark.parametrize("place", [".", "embeddings", f"embeddings/{SPEC.fingerprint}"])
@pytest.mark.parametrize("change", ["owner", "everybody", "group"])
def test_a_folder_that_others_can_write_to_is_neither_used_nor_filled(
    cache: Cache, caplog: pytest.LogCaptureFixture, place: str, change: str
) -> None:
    folder = cache.folder / place
    if change != "everybody" and os.geteuid() != 0:
        pytest.skip("only root gives files to other users")
    if change == "owner":
        os.chown(folder, 4321, 4321)
    else:
        os.chown(folder, -1, 4321 if change == "group" else -1)
        folder.chmod(0o777 if change == "everybody" else 0o775)
    careful = Cache(cache.folder)
    assert careful.load(SPEC, DIGESTS) == {}
    careful.add(SPEC, [b"x" * 32], ROWS[:1])
    (line,) = said(caplog)
    assert line.startswith(f"2 parts of the cache {cache.folder} are passed over: ")
    assert len(files(cache)) == 2
    trusting = Cache(cache.folder, trusted=True)
    trusting.add(SPEC, [b"x" * 32], ROWS[:1])
    assert len(trusting.load(SPEC, [*DIGESTS, b"x" * 32])) == 5


@needs_root
def test_another_users_part_that_replaces_a_listed_one_is_not_read(cache: Cache) -> None:
    careful = Cache(cache.folder)
    listed = careful.parts("embeddings", SPEC.fingerprint)
    first, second = listed.listing()
    os.chown(cache.folder / first.key, 4321, 4321)
    assert [listed.read(part) is None for part in (first, second)] == [True, False]


@pytest.mark.parametrize("trusted", [False, True])
def test_whatever_the_umask_nobody_else_can_write_unless_trusted(tmp_path: Path, trusted: bool) -> None:
    before = os.umask(0)
    try:
        made = Cache(tmp_path / "deep/cache", trusted=trusted)
        made.add(SPEC, DIGESTS, ROWS)
    finally:
        os.umask(before)
    places = [made.folder, *made.folder.rglob("*")]
    assert len(places) == 6
    for place in places:
        assert bool(place.stat().st_mode & 0o022) == trusted, place
    assert len(Cache(made.folder, trusted=trusted).load(SPEC, DIGESTS)) == 4


def test_where_there_are_no_users_everything_is_ones_own(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.folder.chmod(0o777)
    monkeypatch.delattr(os, "geteuid")
    assert len(Cache(cache.folder).load(SPEC, DIGESTS)) == 4


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.EIO, "Input/output error"),
        OSError(errno.EMFILE, "Too many open files"),
        OSError(errno.ESTALE, "Stale file handle"),
        PermissionError(errno.EACCES, "Permission denied"),
    ],
    ids=str,
)
def test_what_the_machine_refuses_is_no_damage(
    cache: Cache, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    first, second = (
        cache.folder / part.key for part in cache.parts("embeddings", SPEC.fingerprint).listing()
    )
    opened = disk.open_regular

    def refuse(path: Path, limit: int) -> object:
        if path == first:
            raise error
        return opened(path, limit)

    monkeypatch.setattr(disk, "open_regular", refuse)
    reader = Cache(cache.folder)
    assert len(reader.load(SPEC, DIGESTS)) == 2
    assert len(reader.load(SPEC, DIGESTS)) == 2
    (line,) = said(caplog)
    reason = str(getattr(error, "strerror", "out of memory"))
    reason = reason[0].lower() + reason[1:]
    assert f"({first.relative_to(cache.folder)}: {reason}): these results are right" in line
    assert "choose another cache with --cache DIR" in line
    found = reader.verify()
    assert (found.sound, found.damaged, found.unread) == (1, [], [f"{first}: {reason}"])
    reader.compact(above=1)
    assert files(cache) == sorted([first, second])
    monkeypatch.undo()
    assert len(reader.load(SPEC, DIGESTS)) == 4


# Parts of 32 MB, so that one is too much for what memory is left.
STARVED = """
import logging, resource, sys
from pathlib import Path
import numpy as np
import pyarrow, pyarrow.parquet
from nearid_cli.embedding.cache import Cache
from tests.embedding.test_caution import SPEC
logging.basicConfig(format="%(message)s")
mark, left = Path(sys.argv[1]), int(sys.argv[2])
cache = Cache(mark)
cache.load(SPEC, [b"\\0" * 32])
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + left, used + left))
found = cache.load(SPEC, [index.to_bytes(32, "big") for index in range(8192)])
print(len(found))
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
@pytest.mark.parametrize("left", [2, 8, 16])
def test_out_of_memory_is_no_damage(tmp_path: Path, left: int) -> None:
    cache = Cache(tmp_path / "cache")
    rows = np.zeros((4096, 2048), np.float32)
    rows[:, 0] = 1
    for start in (0, 4096):
        cache.add(SPEC, [index.to_bytes(32, "big") for index in range(start, start + 4096)], rows)
    before = sorted(cache.folder.rglob("*"))
    done = subprocess.run(
        [sys.executable, "-c", STARVED, str(cache.folder), str(left * 2**20)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 8192
    assert "out of memory): these results are right" in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(cache.folder.rglob("*")) == before


def test_the_folder_deleted_in_the_middle(cache: Cache, caplog: pytest.LogCaptureFixture) -> None:
    reading = cache.parts("embeddings", SPEC.fingerprint).tables()
    next(reading)
    shutil.rmtree(cache.folder)
    assert list(reading) == []
    cache.add(SPEC, DIGESTS, ROWS)
    assert len(cache.load(SPEC, DIGESTS)) == 4
    assert cache.verify().sound == 1
    assert said(caplog) == []


def test_a_table_of_any_size_is_written_in_parts_of_bounded_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "FULL_BYTES", 4096)
    made = Cache(tmp_path / "cache")
    digests = [index.to_bytes(32, "big") for index in range(400)]
    made.add(SPEC, digests, np.tile(ROWS[:1], (400, 1)))
    assert len(files(made)) > 5
    assert max(path.stat().st_size for path in files(made)) < 2 * 4096
    assert set(made.load(SPEC, digests)) == set(digests)


def test_more_than_a_part_may_be_is_not_read(
    cache: Cache, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(disk, "LARGEST_BYTES", 100)
    assert Cache(cache.folder).load(SPEC, DIGESTS) == {}
    (line,) = said(caplog)
    assert "no more than 100 B are read" in line
    assert len(files(cache)) == 2


def test_a_cache_whose_format_cannot_be_read_is_done_without(
    cache: Cache, caplog: pytest.LogCaptureFixture
) -> None:
    (cache.folder / "format").unlink()
    (cache.folder / "format").mkdir()
    assert open_cache(cache.folder) is None
    (line,) = said(caplog)
    assert line.endswith("choose another with --cache DIR; this run goes on without it")
