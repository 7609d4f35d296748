"""Files that anybody may have made: what is not a regular file is not opened, and none is read past its limit."""

import errno
import os
import socket
import tracemalloc
from pathlib import Path

import pytest

from nearid_cli.opening import (
    MalformedError,
    UnfitFileError,
    expanded,
    open_regular,
    parse_json,
    parse_toml,
    read_json,
    read_regular,
    real_path,
)


def test_the_bytes_of_a_file_come_back(tmp_path: Path) -> None:
    for content in (b"", b"a", os.urandom(2**24 + 7)):
        (tmp_path / "a").write_bytes(content)
        assert read_regular(tmp_path / "a") == content


def test_a_large_file_is_in_memory_once(tmp_path: Path) -> None:
    with (tmp_path / "a").open("wb") as file:
        file.truncate(40 * 2**20)
    tracemalloc.start()
    try:
        assert len(read_regular(tmp_path / "a")) == 40 * 2**20
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 60 * 2**20


def test_a_link_to_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"here")
    (tmp_path / "b").symlink_to("a")
    assert read_regular(tmp_path / "b") == b"here"


def test_a_limit_holds_to_the_byte(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    assert read_regular(tmp_path / "a", limit=5) == b"12345"
    with pytest.raises(UnfitFileError) as caught:
        read_regular(tmp_path / "a", limit=4)
    assert caught.value.errno == errno.EFBIG


def test_a_file_that_grows_while_it_is_read_is_not_read_past_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    fstat = os.fstat

    def growing(descriptor: int) -> os.stat_result:
        status = fstat(descriptor)
        (tmp_path / "a").write_bytes(b"x" * 1000)
        return status

    monkeypatch.setattr(os, "fstat", growing)
    with pytest.raises(UnfitFileError):
        read_regular(tmp_path / "a", limit=10)


def test_an_enormous_file_is_refused_by_its_size(tmp_path: Path) -> None:
    with (tmp_path / "a").open("wb") as file:
        file.truncate(2**40)  # sparse
    with pytest.raises(UnfitFileError, match=r"has 1099\.5 GB"):
        read_regular(tmp_path / "a")


def test_a_pipe_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnfitFileError) as caught:
        open_regular(tmp_path / "pipe")
    assert caught.value.strerror == "is not a regular file"


def test_neither_are_sockets_devices_and_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path may be no longer than 107 bytes
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        for path in (tmp_path / "socket", "/dev/null", "/dev/zero", tmp_path):
            with pytest.raises(UnfitFileError):
                open_regular(path)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
def test_files_of_the_kernel_are_not_read_through_a_link_either(tmp_path: Path) -> None:
    (tmp_path / "config.json").symlink_to("/proc/self/environ")
    with pytest.raises(UnfitFileError, match="kernel"):
        read_regular(tmp_path / "config.json")


def test_what_is_not_there_is_said_by_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_regular(tmp_path / "a")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"{", "is not JSON: Expecting property name"),
        (b"", "is not JSON"),
        (b'"\xff"', "not UTF-8"),
        (b"[" * 200_000, "nested too deeply"),
        (b"9" * 10_000, "a number in it is too long"),
    ],
)
def test_json_that_cannot_be_read_says_why_and_quotes_nothing(
    tmp_path: Path, content: bytes, why: str
) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(MalformedError, match=why) as caught:
        read_json(tmp_path / "a.json")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"a = ", "is not TOML"),
        (b"\xff = 1", "not UTF-8"),
        (b"a = " + b"[" * 100_000, "nested too deeply"),
        (b"a = " + b"9" * 10_000, "too long"),
        (b"a" + b".a" * 100_000 + b" = 1", "nested too deeply"),  # for which the parser takes minutes
        (b"[" + b'"a" . ' * 100_000 + b"b]", "nested too deeply"),
        (b"a = 1\n" * 200_000, "no more than 1.0 MB of TOML are read"),
    ],
)
def test_toml_that_cannot_be_read_says_why(content: bytes, why: str) -> None:
    with pytest.raises(MalformedError, match=why) as caught:
        parse_toml(content)
    assert "\n" not in str(caught.value)


def test_json_and_toml_that_can_be_read_are() -> None:
    assert parse_json('{"a": [1, 2.5, null]}') == {"a": [1, 2.5, None]}
    assert parse_toml(b'a = "b"') == {"a": "b"}


def test_names_that_no_file_has_are_said_to_be_none(tmp_path: Path) -> None:
    for name in ("a\0b", "\ud800"):
        with pytest.raises(UnfitFileError, match="no name that a file can have"):
            read_regular(tmp_path / name)
        assert str(real_path(name)).endswith(name)
    assert expanded("~\0/x") == Path("~\0/x")


def test_a_link_in_a_circle_is_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("a")
    assert real_path(tmp_path / "a") == tmp_path / "a"
