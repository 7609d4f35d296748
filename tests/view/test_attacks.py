"""Attacks on the server of `nearid view`, and on reports of crafted results: nothing but pictures leaves."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import socket
import threading
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageFile

from nearid_cli.images import memory
from nearid_cli.images.decode import decode
from nearid_cli.reports.html.pictures import embed, served
from nearid_cli.view import server as serving
from nearid_cli.view.server import Server, full_size
from tests.commandline import Nearid

KEY = b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ==\n"
LONG = 60
"""Seconds: what takes so long hangs."""


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """What a crafted result may name; the first is a picture."""
    picture, key, pipe, link, huge = (
        tmp_path / name for name in ("a.bmp", "id_rsa", "pipe.png", "link.png", "huge.jpg")
    )
    Image.new("RGB", (1200, 1000), "teal").save(picture)  # of several blocks
    key.write_bytes(KEY)
    os.mkfifo(pipe)
    link.symlink_to(key)
    with huge.open("wb") as file:
        file.write(b"\xff\xd8\xff")
        file.truncate(5 * 2**30)
    outside = [
        Path("/etc/passwd"),
        Path("/dev/zero"),
        Path("/proc/self/environ"),
        tmp_path / "../../../etc/passwd",
    ]
    return [picture, key, pipe, link, huge, tmp_path, *outside, tmp_path / "a\0.png", tmp_path / "\udcff.png"]


@pytest.fixture
def running(files: list[Path]) -> Iterator[Server]:
    server = Server("<!doctype html>", files)
    thread = threading.Thread(target=server.serve_forever, args=[0.01], daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def get(server: Server, address: str, **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=LONG)
    try:
        connection.request("GET", address, headers=headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def connected(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.server_port), timeout=LONG)


def test_nothing_but_pictures_leaves(running: Server, files: list[Path]) -> None:
    assert get(running, "/picture/0") == (200, files[0].read_bytes())
    for number in range(1, len(files)):
        for kind in ("picture", "thumbnail", "mask"):
            status, body = get(running, f"/{kind}/{number}")
            assert (status, body) == (404, b"this file is missing or is not a picture\n"), files[number]


@pytest.mark.parametrize(
    "address",
    ["/picture/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2fetc/passwd", "//etc/passwd", "/etc/passwd",
     "file:///etc/passwd", "http://127.0.0.1/picture/0", "/picture/-1", "/picture/00", "/picture/0%00", "/picture/0\0",
     "/picture/0/../1", "/picture/\u0661", "/picture/999999999999", "/picture/1e1", "/Picture/0", "/picture/0/"],
)  # fmt: skip
def test_no_address_leads_elsewhere(running: Server, address: str) -> None:
    with connected(running) as connection, connection.makefile("rb") as answer:
        connection.sendall(f"GET {address} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        content = answer.read()
    assert content.split()[1] in {b"404", b"400"}
    assert b"root:" not in content


@pytest.mark.parametrize(
    "headers",
    [{"Host": "evil.example"}, {"Host": "127.0.0.1.evil.example"}, {"Host": ""}, {"Host": "0x7f000001"},
     {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": "http://localhost:1"}],
)  # fmt: skip
def test_a_foreign_page_gets_nothing(running: Server, headers: dict[str, str]) -> None:
    for address in ("/", "/picture/0", "/thumbnail/0"):
        assert get(running, address, **headers)[0] == 403


@pytest.mark.parametrize("hosts", ["", "Host: localhost\r\nHost: evil.example\r\n"])
def test_a_request_names_one_host(running: Server, hosts: str) -> None:
    with connected(running) as connection, connection.makefile("rb") as answer:
        connection.sendall(f"GET / HTTP/1.1\r\n{hosts}\r\n".encode())
        assert answer.readline().split()[1] == b"403"


def test_a_file_that_is_replaced_or_changed_while_it_is_sent(files: list[Path]) -> None:
    sent = full_size(files[0])
    content = files[0].read_bytes()
    with sent.file:
        files[0].unlink()
        files[0].write_bytes(KEY * 100_000)  # another file in its place: what was opened is what is sent
        assert b"".join(sent.blocks()) == content
    files[0].write_bytes(content)
    changed = full_size(files[0])
    with changed.file, files[0].open("r+b") as file:
        file.write(KEY * 100_000)  # the very file
        file.flush()
        with pytest.raises(ConnectionAbortedError):
            list(changed.blocks())


def test_a_picture_that_becomes_a_link_to_another_file_no_longer_leaves(
    running: Server, files: list[Path]
) -> None:
    assert get(running, "/picture/0")[0] == 200
    files[0].unlink()
    files[0].symlink_to(files[1])
    assert get(running, "/picture/0")[0] == 404


def test_half_requests_block_nobody_and_end(running: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "PATIENCE", 3.0)
    halves = [connected(running) for _ in range(100)]
    for connection in halves:
        with contextlib.suppress(ConnectionError):  # of what was cut off already, on a busy machine
            connection.sendall(b"GET / HTTP/1.1\r\nHost: local")
    assert get(running, "/picture/0")[0] == 200
    for connection in halves:
        with contextlib.suppress(ConnectionError):
            assert connection.recv(1) == b""
        connection.close()


def test_a_request_byte_by_byte_is_cut_off(running: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "PATIENCE", 0.3)
    with connected(running) as connection:
        end = time.monotonic() + LONG
        with pytest.raises(ConnectionError):  # noqa: PT012 - some sending fails
            while time.monotonic() < end:
                connection.sendall(b"G")
                time.sleep(0.02)


def test_too_many_connections_are_closed_and_later_ones_answered(
    running: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "_room", threading.BoundedSemaphore(2))
    idle = [connected(running) for _ in range(3)]
    assert idle[2].recv(1) == b""
    for connection in idle:
        connection.close()
    end = time.monotonic() + LONG
    while True:
        try:
            assert get(running, "/")[0] == 200
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.05)
        else:
            break


class Decoding:
    """How many pictures were being decoded at once."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self._lock = threading.Lock()

    def around(self, function: Callable[[Any], object]) -> Callable[[Any], object]:
        def counted(picture: Any) -> object:
            with self._lock:
                self.now += 1
                self.most = max(self.most, self.now)
            try:
                return function(picture)
            finally:
                with self._lock:
                    self.now -= 1

        return counted


def test_a_hundred_requests_for_large_pictures_stay_within_the_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each takes 16 MB to decode; some go away before the answer."""
    Image.new("RGB", (2000, 2000)).save(tmp_path / "a.png", compress_level=1)
    monkeypatch.setattr(serving, "_turns", threading.BoundedSemaphore(100))
    budget = memory.Budget(40_000_000)
    for module in ("nearid_cli.images.decode", "nearid_cli.images.files", "nearid_cli.view.server"):
        monkeypatch.setattr(f"{module}.BUDGET", budget)
    decoding = Decoding()
    monkeypatch.setattr(ImageFile.ImageFile, "load", decoding.around(ImageFile.ImageFile.load))
    server = Server("", [tmp_path / "a.png"])
    thread = threading.Thread(target=server.serve_forever, args=[0.01], daemon=True)
    thread.start()
    with server:
        for _ in range(10):
            with connected(server) as gone:
                gone.sendall(b"GET /picture/0 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with ThreadPoolExecutor(90) as pool:
            answers = list(pool.map(lambda _: get(server, "/picture/0"), range(90)))
        server.shutdown()
        thread.join()
    assert set(answers) == {(200, (tmp_path / "a.png").read_bytes())}
    assert 1 <= decoding.most <= 2


def test_a_page_of_a_crafted_result_offers_pictures_only(files: list[Path]) -> None:
    for gallery in (served(files), embed(files)):
        assert list(gallery.index) == [files[0]]
        assert f"{len(files) - 1} could not be read" in gallery.note


def test_a_report_of_a_crafted_result_embeds_pictures_only(
    run_json: Path, nearid: Nearid, files: list[Path]
) -> None:
    document = json.loads(run_json.read_text())
    for image, path in zip(document["images"], files, strict=False):
        image["path"] = str(path)
    references = sum(len(subject["reference_paths"]) for subject in document["subjects"])
    run_json.write_text(json.dumps(document))
    finished = nearid("compare", "--method", "a=run.json", "--method", "b=run.json", "-o", "page.html")
    assert finished.code == 0, finished.err
    page = (run_json.parent / "page.html").read_text()
    embedded = re.findall(r"data:([a-z/]*);base64,([A-Za-z0-9+/=]*)", page)
    assert len(embedded) == references + 1
    for kind, content in embedded:
        assert kind == "image/webp"
        decode(b64decode(content))
