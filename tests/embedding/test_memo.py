"""The memo from files to digests: it forgets a file that changed, in any way that can be seen."""

from __future__ import annotations

import os
import time
from pathlib import Path

import blake3
import pytest

from nearid_cli.embedding.cache import digest_bytes
from nearid_cli.embedding.memo import FileMemo, FileState


@pytest.fixture
def old_file(tmp_path: Path) -> Path:
    path = tmp_path / "a picture\n\udcff.png"
    path.write_bytes(b"bytes")
    os.utime(path, (time.time() - 60,) * 2)
    return path


def state(path: Path) -> FileState:
    return FileState.of(path, path.stat())


def test_a_file_is_remembered_by_the_next_process(tmp_path: Path, old_file: Path) -> None:
    memo = FileMemo(tmp_path / "memo")
    memo.remember(state(old_file), digest_bytes(b"bytes"))
    memo.flush()
    assert FileMemo(tmp_path / "memo").known([state(old_file)]) == {state(old_file): digest_bytes(b"bytes")}


@pytest.mark.parametrize("change", ["size", "mtime", "inode", "path"])
def test_a_changed_file_is_not_known(tmp_path: Path, old_file: Path, change: str) -> None:
    memo = FileMemo(tmp_path / "memo")
    before = old_file.stat()
    memo.remember(state(old_file), digest_bytes(b"bytes"))
    memo.flush()
    if change == "size":
        old_file.write_bytes(b"more bytes")
        os.utime(old_file, ns=(before.st_atime_ns, before.st_mtime_ns))
    elif change == "mtime":
        os.utime(old_file, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    elif change == "inode":
        other = tmp_path / "other"
        other.write_bytes(b"BYTES")
        os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
        other.replace(old_file)
    else:
        old_file = old_file.rename(tmp_path / "renamed.png")
    assert FileMemo(tmp_path / "memo").known([state(old_file)]) == {}


def test_a_file_younger_than_the_clock_of_its_disk_is_not_trusted(tmp_path: Path) -> None:
    path = tmp_path / "young"
    path.write_bytes(b"bytes")
    memo = FileMemo(tmp_path / "memo")
    memo.remember(state(path), digest_bytes(b"bytes"))
    memo.flush()
    assert memo.known([state(path)]) == {}


def test_the_newest_of_two_notes_counts(tmp_path: Path, old_file: Path) -> None:
    for content in (b"first", b"second!"):
        old_file.write_bytes(content)
        os.utime(old_file, (time.time() - 30,) * 2)
        memo = FileMemo(tmp_path / "memo")
        memo.remember(state(old_file), digest_bytes(content))
        memo.flush()
        time.sleep(0.01)
    memo.parts.compact(above=1)
    assert FileMemo(tmp_path / "memo").known([state(old_file)]) == {state(old_file): digest_bytes(b"second!")}


def test_digest_file_is_blake3_and_is_remembered(tmp_path: Path, old_file: Path) -> None:
    expected = blake3.blake3(b"bytes").hexdigest()
    assert FileMemo(tmp_path / "memo").digest_file(old_file) == expected
    before = old_file.stat()
    old_file.write_bytes(b"BYTES")  # unseen by size, time and inode: what --verify-content is for
    os.utime(old_file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert FileMemo(tmp_path / "memo").digest_file(old_file) == expected
