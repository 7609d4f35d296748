"""An S3 server on this machine: moto's in a process of its own, behind a gate that counts, holds up and breaks.

    with s3_server() as s3:
        s3.put("bucket", "refs/cat/0.png", content)
        ...  # a process with **s3.environment

The gate is what clients talk to. It knows every request, and does to the next ones whatever a test asks for.
"""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import threading
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_MOTO = """
import sys
from moto.moto_server.threaded_moto_server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
for line in sys.stdin:  # until whoever started this is gone
    bucket, prefix, number = line.split()
    from moto.s3.models import s3_backends
    store = s3_backends["123456789012"]["aws"]
    for one in range(int(number)):
        store.put_object(bucket, f"{prefix}{one}.png", b"x")
    print("filled", flush=True)
"""


# moto tells accounts by a signature's form, and checks none.
_SIGNED = {"Authorization": "AWS4-HMAC-SHA256 Credential=x/1/us-east-1/s3/aws4_request"}


@dataclass(frozen=True)
class Request:
    """What a client asked for."""

    method: str
    path: str  # with the bucket, decoded
    query: dict[str, str]
    headers: dict[str, str]

    @property
    def lists(self) -> bool:
        return self.method == "GET" and "list-type" in self.query

    @property
    def reads(self) -> bool:
        return self.method == "GET" and not self.lists and self.path.count("/") > 1


@dataclass(frozen=True)
class Reply:
    """What the gate answers in the server's place; of the server's own, `cut` leaves out the end of the body.

    `whole` asks the server for all of an object where a part was asked for, as stores do that know no parts. `content`
    is the answer in the place of the server's.
    """

    status: int = 200
    code: str = ""
    cut: int = 0
    whole: bool = False
    content: bytes = b""


@dataclass
class S3:
    """A server, and what a test does with it.

    Attributes:
        endpoint: the gate.
        direct: the server behind it.
        requests: all that came through the gate.
        sent: bytes of objects that were sent through it.
        answer: what the gate does to a request; None to let it through.
    """

    endpoint: str
    direct: str
    requests: list[Request] = field(default_factory=list)
    sent: int = 0
    answer: Callable[[Request], Reply | None] | None = None
    process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """How a process finds the server."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "key-of-tests",
            "AWS_SECRET_ACCESS_KEY": "secret-of-tests",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_SESSION_TOKEN": "",
            "no_proxy": "127.0.0.1",
        }

    def make(self, bucket: str) -> None:
        self._send("PUT", f"/{bucket}")

    def put(self, bucket: str, key: str, content: bytes) -> None:
        self._send("PUT", f"/{bucket}/{urllib.parse.quote(key)}", content)

    def put_folder(self, bucket: str, prefix: str, folder: Path) -> None:
        """All files of a folder, below a prefix."""
        files = (file for file in sorted(folder.rglob("*")) if file.is_file())
        self.put_all(
            bucket, {f"{prefix}/{file.relative_to(folder).as_posix()}": file.read_bytes() for file in files}
        )

    def put_all(self, bucket: str, contents: Mapping[str, bytes]) -> None:
        """Many objects by one connection."""
        with closing(
            http.client.HTTPConnection(urllib.parse.urlsplit(self.direct).netloc, timeout=60)
        ) as connection:
            for key, content in contents.items():
                connection.request("PUT", f"/{bucket}/{urllib.parse.quote(key)}", content, _SIGNED)
                response = connection.getresponse()
                assert response.status == 200, response.read()
                response.read()

    def fill(self, bucket: str, prefix: str, number: int) -> None:
        """Thousands of objects that are no pictures, `0.png` and so on, without asking for each."""
        assert self.process is not None
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{bucket} {prefix} {number}\n".encode())
        self.process.stdin.flush()
        assert self.process.stdout.readline() == b"filled\n"

    def delete(self, bucket: str, key: str) -> None:
        self._send("DELETE", f"/{bucket}/{urllib.parse.quote(key)}")

    def get(self, bucket: str, key: str) -> bytes:
        return self._send("GET", f"/{bucket}/{urllib.parse.quote(key)}")

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        """The keys below a prefix, up to a thousand."""
        import xml.etree.ElementTree as ET

        asked = urllib.parse.urlencode({"list-type": "2", "prefix": prefix})
        found = ET.fromstring(self._send("GET", f"/{bucket}?{asked}"))
        return [one.text or "" for one in found.iter() if one.tag.endswith("}Key")]

    def _send(self, method: str, path: str, content: bytes | None = None) -> bytes:
        host = urllib.parse.urlsplit(self.direct).netloc
        connection = http.client.HTTPConnection(host, timeout=60)
        try:
            connection.request(method, path, content, _SIGNED)
            response = connection.getresponse()
            body = response.read()
            assert response.status < 300, (method, path, response.status, body)
            return body
        finally:
            connection.close()


@contextmanager
def s3_server() -> Iterator[S3]:
    """A server with no bucket in it."""
    moto = subprocess.Popen(
        [sys.executable, "-c", _MOTO],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert moto.stdin is not None
    assert moto.stdout is not None
    try:
        port = int(moto.stdout.readline())
        gate = _Gate(("127.0.0.1", 0), _Handler)
        gate.s3 = S3(f"http://127.0.0.1:{gate.server_port}", f"http://127.0.0.1:{port}", process=moto)
        thread = threading.Thread(target=gate.serve_forever, daemon=True)
        thread.start()
        try:
            yield gate.s3
        finally:
            gate.shutdown()
            gate.server_close()
            thread.join()
    finally:
        moto.stdin.close()
        moto.stdout.close()
        moto.kill()
        moto.wait()


class _Gate(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    s3: S3

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that is gone, killed by a test."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Gate

    def log_message(self, format: str, *args: object) -> None: ...

    def _pass(self) -> None:
        body = self._body()
        split = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(split.query, keep_blank_values=True))
        asked = Request(self.command, urllib.parse.unquote(split.path), query, dict(self.headers.items()))
        s3 = self.server.s3
        s3.requests.append(asked)
        reply = s3.answer(asked) if s3.answer else None
        if reply is not None and (reply.content or reply.status != 200):
            content = reply.content or _error(reply.code)
            return self._send(reply.status, {"Content-Type": "application/xml"}, content)
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(s3.direct).netloc, timeout=60)
        try:
            left_out = _HOP | {"range"} if reply and reply.whole else _HOP
            headers = {name: value for name, value in self.headers.items() if name.lower() not in left_out}
            connection.request(self.command, self.path, body, headers)
            response = connection.getresponse()
            content = response.read()
            s3.sent += len(content) if asked.reads else 0
            kept = {
                name: value
                for name, value in response.getheaders()
                if name.lower() not in ("connection", "transfer-encoding", "date", "server")
            }
        finally:
            connection.close()
        return self._send(response.status, kept, content, reply.cut if reply else 0)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _pass  # noqa: N815

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _send(self, status: int, headers: dict[str, str], content: bytes, cut: int = 0) -> None:
        self.send_response_only(status)
        told = {name.lower(): value for name, value in headers.items()}
        if self.command != "HEAD":
            told["content-length"] = str(len(content))
        for name, value in told.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[: len(content) - cut] if cut else content)
        if cut:
            self.close_connection = True


_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "upgrade", "expect", "content-length"}


def _error(code: str) -> bytes:
    return (
        f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>secret-of-tests</Message></Error>'.encode()
    )
