"""What the server gives away, to whom, and what it keeps to itself."""

from __future__ import annotations

import http.client
import io
import logging
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nearid_cli.errors import UsageError
from nearid_cli.view.server import Server

PAGE = "<!doctype html><title>pâge</title>"


@pytest.fixture
def start() -> Iterator[Callable[..., Server]]:
    """Serve files from a thread."""
    servers: list[Server] = []

    def _start(*files: Path) -> Server:
        servers.append(Server(PAGE, files))
        threading.Thread(target=servers[-1].serve_forever, args=[0.01], daemon=True).start()
        return servers[-1]

    yield _start
    for server in servers:
        server.shutdown()
        server.server_close()


def fetch(
    server: Server, address: str, method: str = "GET", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=120)
    connection.request(method, address, headers=headers)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, dict(response.headers), body


def raw(server: Server, request: bytes) -> bytes:
    """What comes back for these very bytes, until the server closes the connection."""
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=120) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return answer


def test_the_page(start: Callable[..., Server]) -> None:
    server = start()
    for address in ("/", "/?sort=nearid"):
        status, headers, body = fetch(server, address)
        assert (status, body.decode()) == (200, PAGE)
        assert headers["Content-Type"] == "text/html; charset=utf-8"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["Cache-Control"] == "no-store"
    assert server.url == f"http://127.0.0.1:{server.server_port}/"


@pytest.mark.parametrize(
    ("extension", "media_type"),
    [("jpg", "jpeg"), ("png", "png"), ("webp", "webp"), ("gif", "gif"), ("bmp", "bmp"), ("avif", "avif")],
)
def test_what_browsers_show_is_sent_as_it_is(
    extension: str, media_type: str, start: Callable[..., Server], tmp_path: Path, photographs
) -> None:
    path = tmp_path / "misnamed.txt"
    photographs["coffee"].save(tmp_path / f"x.{extension}")
    (tmp_path / f"x.{extension}").rename(path)
    status, headers, body = fetch(start(path), "/picture/0")
    assert (status, headers["Content-Type"]) == (200, f"image/{media_type}")
    assert body == path.read_bytes()
    assert headers["Cache-Control"].startswith("private")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


@pytest.mark.parametrize("extension", ["tiff", "heic"])
def test_what_browsers_do_not_show_is_sent_as_png(
    extension: str, start: Callable[..., Server], tmp_path: Path, photographs
) -> None:
    path = tmp_path / f"x.{extension}"
    if extension == "heic":
        heif = pytest.importorskip("pillow_heif")
        heif.from_pillow(photographs["coffee"]).save(path)
    else:
        photographs["coffee"].save(path)
    status, headers, body = fetch(start(path), "/picture/0")
    assert (status, headers["Content-Type"]) == (200, "image/png")
    picture = Image.open(io.BytesIO(body))
    assert (picture.format, picture.size) == ("PNG", photographs["coffee"].size)
    if extension == "tiff":
        assert np.array_equal(np.asarray(picture), np.asarray(photographs["coffee"]))


def test_thumbnails(start: Callable[..., Server], save: Callable[..., Path]) -> None:
    server = start(save("small.png", size=50), save("large.jpg", size=700))
    for number, side in ((0, 50), (1, 256)):
        status, headers, body = fetch(server, f"/thumbnail/{number}")
        assert (status, headers["Content-Type"]) == (200, "image/webp")
        assert Image.open(io.BytesIO(body)).size == (side, side)


def test_head_sends_all_but_the_body(start: Callable[..., Server], save: Callable[..., Path]) -> None:
    path = save("a.png")
    server = start(path)
    status, headers, body = fetch(server, "/picture/0", "HEAD")
    assert (status, headers["Content-Length"], body) == (200, str(path.stat().st_size), b"")
    assert fetch(server, "/", "HEAD")[::2] == (200, b"")
    assert fetch(server, "/picture/1", "HEAD")[::2] == (404, b"")


def test_several_requests_go_over_one_connection(
    start: Callable[..., Server], save: Callable[..., Path]
) -> None:
    server = start(save("a.png"))
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=120)
    for address in ("/", "/picture/0", "/thumbnail/0", "/favicon.ico", "/"):
        connection.request("GET", address)
        assert connection.getresponse().read() is not None
        assert connection.sock is not None  # still open
    connection.close()


def test_files_that_are_no_pictures_never_leave(
    start: Callable[..., Server], save: Callable[..., Path], tmp_path: Path
) -> None:
    svg = tmp_path / "drawing.svg"
    svg.write_text('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>')
    disguised = tmp_path / "page.png"
    disguised.write_bytes(b"\x89PNG\r\n\x1a\n<script>alert(1)</script>")
    truncated = tmp_path / "truncated.png"
    truncated.write_bytes(save("a.png").read_bytes()[:-300])
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    files = [
        Path("/etc/passwd"),
        svg,
        disguised,
        truncated,
        pipe,
        tmp_path,
        tmp_path / "gone.png",
        Path("/dev/zero"),
    ]
    server = start(*files)
    for number, path in enumerate(files):
        for kind in ("picture", "thumbnail"):
            status, headers, body = fetch(server, f"/{kind}/{number}")
            assert (status, headers["Content-Type"]) == (404, "text/plain; charset=utf-8"), path
            assert body == b"this file is missing or is not a picture\n", path


def test_a_file_that_stops_being_a_picture_stops_being_served(
    start: Callable[..., Server], save: Callable[..., Path]
) -> None:
    path = save("a.png")
    server = start(path)
    assert fetch(server, "/picture/0")[0] == 200
    path.write_text("secret")
    assert fetch(server, "/picture/0")[0] == 404


@pytest.mark.parametrize(
    "address",
    [
        "/picture/1", "/picture/-1", "/picture/00", "/picture/", "/picture/0/", "/picture/0.png", "/picture/ 0",
        "/picture/999999999", "/picture/99999999999999999999999999999999", "/picture/" + "9" * 5000,
        "/picture/٠", "/picture/%30", "/picture/0%00", "/picture/../../../../etc/passwd",
        "/../../../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd", "/etc/passwd", "/index.html",
        "/thumbnail", "http://127.0.0.1/picture/0", "file:///etc/passwd", "*", "/a.png", "\\..\\..\\etc\\passwd",
    ],
)  # fmt: skip
def test_no_other_address_leads_anywhere(
    address: str, start: Callable[..., Server], save: Callable[..., Path]
) -> None:
    server = start(save("a.png"))
    answer = raw(server, f"GET {address} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    assert answer.split(b" ", 2)[1] in (b"404", b"400"), answer[:200]
    assert b"root:" not in answer
    assert b"PNG" not in answer


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"])
def test_only_reading(method: str, start: Callable[..., Server]) -> None:
    server = start()
    status, headers, body = fetch(server, "/", method)
    assert (status, headers["Allow"], body) == (405, "GET, HEAD", b"only GET and HEAD\n")
    assert headers["Connection"] == "close"


def test_the_body_of_a_refused_request_is_no_request(start: Callable[..., Server]) -> None:
    inner = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    answer = raw(start(), b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n" + inner)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b" 405 " in answer


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "evil.example:80", "127.0.0.1@evil.example", "", "0.0.0.0",
     "127.0.0.1:80:80", "localhost.evil.example", "127.0.0.1 evil.example", "notlocalhost", "[::1]"],
)  # fmt: skip
def test_other_hosts_are_refused(host: str, start: Callable[..., Server], save: Callable[..., Path]) -> None:
    server = start(save("a.png"))
    for address in ("/", "/picture/0", "/nowhere"):
        status, _, body = fetch(server, address, Host=host)
        assert status == 403
        assert body.decode() == f"this server answers only to {server.url}\n"


def test_a_request_without_one_host_is_refused(start: Callable[..., Server]) -> None:
    server = start()
    for hosts in (b"", b"Host: 127.0.0.1\r\nHost: evil.example\r\n"):
        assert b" 403 " in raw(server, b"GET / HTTP/1.1\r\n" + hosts + b"\r\n")
    assert PAGE.encode() not in raw(server, b"GET /\r\n\r\n")  # HTTP/0.9


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST:9000", "127.0.0.1:9000"])
def test_its_own_names_are_answered_at_any_port(host: str, start: Callable[..., Server]) -> None:
    assert fetch(start(), "/", Host=host)[0] == 200


def test_nobody_outside_this_machine_is_listened_to(start: Callable[..., Server]) -> None:
    assert start().server_address[0] == "127.0.0.1"


@pytest.mark.parametrize(
    "request_",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"G" * 70_000 + b"\r\n",
    ],
)
def test_what_is_no_http_is_refused(request_: bytes, start: Callable[..., Server]) -> None:
    server = start()
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=120) as connection:
        connection.sendall(request_)
    assert fetch(server, "/")[0] == 200


def test_a_browser_that_goes_away_is_nothing_to_talk_about(
    start: Callable[..., Server], tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd
) -> None:
    path = tmp_path / "large.bmp"
    Image.new("RGB", (2000, 2000)).save(path)  # 12 MB: more than a socket's buffers take
    server = start(path)
    with caplog.at_level(logging.DEBUG):
        for _ in range(3):
            connection = socket.create_connection(("127.0.0.1", server.server_port), timeout=120)
            connection.sendall(b"GET /picture/0 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert connection.recv(100)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()  # with a reset
        assert fetch(server, "/")[0] == 200
    assert [record for record in caplog.records if record.name.startswith("nearid_cli")] == []
    assert capfd.readouterr() == ("", "")


def test_a_failure_of_ours_is_said(
    start: Callable[..., Server], save: Callable[..., Path], caplog: pytest.LogCaptureFixture, monkeypatch
) -> None:
    def fail(path: Path) -> None:
        raise RuntimeError("not planned")

    monkeypatch.setattr("nearid_cli.view.server.full_size", fail)
    server = start(save("a.png"))
    with pytest.raises(http.client.RemoteDisconnected):
        fetch(server, "/picture/0")
    assert fetch(server, "/")[0] == 200
    assert "could not answer a request: RuntimeError: not planned" in caplog.text


def test_a_port_that_is_taken(start: Callable[..., Server]) -> None:
    with pytest.raises(
        UsageError, match=r"cannot serve on port \d+: address already in use; choose another --port"
    ):
        Server(PAGE, [], start().server_port)
