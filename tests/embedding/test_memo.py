"""The memo from files to digests: it forgets a file that changed, in any way that can be seen."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import BinaryIO

import blake3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nearid_cli.embedding import stamps
from nearid_cli.embedding.cache import digest_bytes
from nearid_cli.embedding.memo import FileMemo
from nearid_cli.embedding.stamps import FileState, Stamps, read_steadily
from nearid_cli.opening import is_transient


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a picture\n\udcff.png"
    path.write_bytes(b"bytes")
    time.sleep(0.02)  # a tick of the kernel's clock
    return path


def state(path: Path) -> FileState:
    return FileState.of(path, path.stat())


def remember(folder: Path, file: FileState, content: bytes) -> FileMemo:
    memo = FileMemo(folder)
    memo.remember(file, digest_bytes(content), Stamps())
    memo.flush()
    return memo


def known(memo: FileMemo, path: Path) -> bytes | None:
    return memo.known([state(path)], Stamps()).get(state(path))


def test_a_file_is_remembered_by_the_next_process(tmp_path: Path, file: Path) -> None:
    remember(tmp_path / "memo", state(file), b"bytes")
    assert known(FileMemo(tmp_path / "memo"), file) == digest_bytes(b"bytes")


@pytest.mark.parametrize("field", FileState._fields)
def test_a_file_of_another_state_is_not_known(tmp_path: Path, file: Path, field: str) -> None:
    now = state(file)
    value = b"/other" if field == "path" else getattr(now, field) - 1
    remember(tmp_path / "memo", now._replace(**{field: value}), b"other")
    assert known(FileMemo(tmp_path / "memo"), file) is None


def test_a_file_younger_than_the_clock_of_its_disk_is_not_trusted(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stamps, "SETTLED", 2 * 10**9)
    assert known(remember(tmp_path / "memo", state(file), b"bytes"), file) is None
    os.utime(file, (1, 1))  # its mtime is anybody's
    assert known(remember(tmp_path / "memo", state(file), b"bytes"), file) is None
    settled = state(file)._replace(ctime_ns=state(file).ctime_ns - 3 * 10**9)
    memo = remember(tmp_path / "memo", settled, b"bytes")
    assert memo.known([settled], Stamps()) == {settled: digest_bytes(b"bytes")}


@pytest.mark.parametrize("ahead", [3, 3600])
def test_a_process_whose_clock_is_ahead_trusts_no_young_file(tmp_path: Path, file: Path, ahead: int) -> None:
    program = f"""
import sys, time
from pathlib import Path
real, real_ns = time.time, time.time_ns
time.time, time.time_ns = (lambda: real() + {ahead}), (lambda: real_ns() + {ahead} * 10**9)
from nearid_cli.embedding.memo import FileMemo
FileMemo(Path({str(tmp_path / "memo")!r})).digest_file(Path(sys.argv[1]))
"""
    subprocess.run([sys.executable, "-c", program, os.fsencode(file)], check=True)
    assert not list((tmp_path / "memo").rglob("*.parquet"))


def test_a_file_of_a_server_is_trusted_when_one_that_is_younger_was_seen_there(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stamps, "_clock_of", lambda _: stamps._Clock.SERVER)
    seen = Stamps()
    older = FileState.of(file, seen.look(file))
    assert not seen.settled(older)  # though it is older than our clock says
    (tmp_path / "younger").touch()
    seen.look(tmp_path / "younger")
    assert seen.settled(older)
    assert not seen.settled(FileState.of(tmp_path / "younger", (tmp_path / "younger").stat()))


def test_whose_clock_stamps_files_is_asked_of_the_file_system(tmp_path: Path) -> None:
    assert stamps._clock_of(b"/proc/self/status") is stamps._Clock.UNKNOWN
    assert stamps._clock_of(os.fsencode(tmp_path / "nothing")) is stamps._Clock.UNKNOWN
    shown = subprocess.run(["stat", "-f", "-c", "%T", tmp_path], capture_output=True, text=True, check=True)
    if shown.stdout.strip() in ("ext2/ext3", "tmpfs", "xfs", "btrfs", "overlayfs"):
        assert stamps._clock_of(os.fsencode(tmp_path)) is stamps._Clock.KERNEL


def test_files_of_a_file_system_that_is_not_known_are_always_read(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember(tmp_path / "memo", state(file), b"bytes")
    monkeypatch.setattr(stamps, "_clock_of", lambda _: stamps._Clock.UNKNOWN)
    assert known(FileMemo(tmp_path / "memo"), file) is None
    assert known(remember(tmp_path / "other", state(file), b"bytes"), file) is None


@pytest.mark.parametrize("year", [-3_000, 1_600, 2_300, 9_000])
def test_times_that_64_bits_do_not_hold(tmp_path: Path, file: Path, year: int) -> None:
    when = (year - 1970) * 31_556_952 * 10**9
    odd = state(file)._replace(mtime_ns=when)
    memo = remember(tmp_path / "memo", odd, b"bytes")
    assert memo.known([odd, state(file)], Stamps()) == {}


def test_the_newest_of_two_notes_counts(tmp_path: Path, file: Path) -> None:
    for content in (b"first", b"second!"):
        memo = remember(tmp_path / "memo", state(file), content)
        time.sleep(0.03)
    memo.compact(above=1)
    assert known(FileMemo(tmp_path / "memo"), file) == digest_bytes(b"second!")


def test_parts_of_older_versions_are_not_read_and_go(tmp_path: Path, file: Path) -> None:
    old = tmp_path / "memo" / f"{'0' * 64}.parquet"
    old.parent.mkdir()
    pq.write_table(pa.table({"path": [os.fsencode(file)], "size": [5]}), old)
    memo = remember(tmp_path / "memo", state(file), b"bytes")
    assert known(FileMemo(tmp_path / "memo"), file) == digest_bytes(b"bytes")
    memo.compact()
    assert not old.exists()


def test_digest_file_is_blake3_and_is_remembered(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = blake3.blake3(b"bytes").hexdigest()
    assert FileMemo(tmp_path / "memo").digest_file(file) == expected
    monkeypatch.setattr("nearid_cli.embedding.memo.digest_stream", None)
    assert FileMemo(tmp_path / "memo").digest_file(file) == expected


def test_a_file_that_changes_while_it_is_read_is_read_again(tmp_path: Path, file: Path) -> None:
    writes = iter((b"BYTES", b"bytes"))  # the second is to undo the first

    def disturbed(opened: BinaryIO) -> bytes:
        found = b""
        for content in writes:
            file.write_bytes(content)
            found = found or opened.read()
        return found or opened.read()

    assert read_steadily(file, disturbed) == (state(file), b"bytes")


def test_a_file_that_keeps_changing_is_an_error(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stamps, "_WAITS", (0, 0))

    def disturbed(opened: BinaryIO) -> bytes:
        file.write_bytes(opened.read() + b"more")
        return b""

    with pytest.raises(
        OSError, match="keeps changing: it was read 2 times, and was changed each time"
    ) as caught:
        read_steadily(file, disturbed)
    assert not is_transient(caught.value)


def test_what_is_remembered_wrongly_is_corrected_where_all_is_read(
    tmp_path: Path, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    remember(tmp_path / "memo", state(file), b"other")
    assert FileMemo(tmp_path / "memo").digest_file(file) == digest_bytes(b"other").hex()
    right = digest_bytes(b"bytes")
    assert FileMemo(tmp_path / "memo", verify=True).digest_file(file) == right.hex()
    assert [record.message.partition(";")[0] for record in caplog.records] == [
        "1 file changed in a way that size and times do not show"
    ]
    caplog.clear()
    assert known(FileMemo(tmp_path / "memo"), file) == right
    assert FileMemo(tmp_path / "memo", verify=True).digest_file(file) == right.hex()
    assert not caplog.records
    assert len(list((tmp_path / "memo").rglob("*.parquet"))) == 2
