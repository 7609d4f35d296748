"""The server of `nearid view`: one page and the pictures that its result names, for browsers on this machine.

What keeps it from serving anything else: it listens on 127.0.0.1; an address holds a number, never a path; a
picture leaves only after its bytes decoded as one (`full_size`); and a request that names another host, or comes from
a page of another, is refused, because a foreign page whose name suddenly leads to 127.0.0.1 (DNS rebinding) could read
the answer. What keeps it from taking the machine's memory: pictures are decoded a few at a time, within the budget for
decoding, and sent block by block; connections are counted, and end when they say nothing for a minute.
"""

from __future__ import annotations

import logging
import os
import re
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, cast

from blake3 import blake3

from nearid_cli.errors import UsageError
from nearid_cli.images.decode import UnreadableImage, decode
from nearid_cli.images.files import content_of, open_picture, picture_format
from nearid_cli.images.memory import BUDGET
from nearid_cli.layouts.dataset import Masked
from nearid_cli.reports.html.pictures import LARGEST_SIDE, cutout, thumbnail

logger = logging.getLogger(__name__)

ADDRESS = "127.0.0.1"

# Any port: a tunnel (`ssh -L 9000:127.0.0.1:8000`) has one of its own.
_OWN_HOST = re.compile(r"(127\.0\.0\.1|localhost)(:[0-9]+)?", re.IGNORECASE)
_PICTURE = re.compile(r"/(thumbnail|picture|mask)/(0|[1-9][0-9]{0,8})")
_SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    # The page brings its own styles and scripts, and needs nobody else for anything.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "img-src 'self' data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}
# The formats that every browser shows, by Pillow's names. TIFF and HEIC are not among them.
_MEDIA_TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "AVIF": "image/avif",
    "BMP": "image/bmp",
}

# A browser asks for many pictures at once, and each that is being decoded takes a core.
_turns = threading.BoundedSemaphore(os.cpu_count() or 1)

CONNECTIONS = 256
"""So many at once; a browser opens six. Further ones are closed at once."""

PATIENCE = 60.0
"""Seconds in which a request must have come, from when it is waited for, and each block of the answer be taken."""

_BLOCK = 2**20
"""Bytes of a file that are in memory at once while it is sent."""


@dataclass(frozen=True)
class Payload:
    """The body of an answer.

    Attributes:
        media_type: what it is.
        size: bytes.
        file: has it, from its start.
        digests: of each block of it as it must be; None where nobody else can change it.
    """

    media_type: str
    size: int
    file: BinaryIO
    digests: Sequence[bytes] | None = None

    @classmethod
    def of(cls, media_type: str, body: bytes) -> Payload:
        """A body that is in memory."""
        return cls(media_type, len(body), BytesIO(body))

    def blocks(self) -> Iterator[bytes]:
        """What is to be sent, block by block.

        Raises:
            ConnectionAbortedError: the file has changed meanwhile.
        """
        for number in range(-(-self.size // _BLOCK)):
            block = self.file.read(_BLOCK)
            if self.digests is not None and blake3(block).digest() != self.digests[number]:
                raise ConnectionAbortedError("a picture changed while it was sent")
            yield block


class Server(ThreadingHTTPServer):
    """Serves a page at `/`, and of each file `/thumbnail/{i}`, `/picture/{i}` and `/mask/{i}`.

    These are a small version, all of it, and what covers the part of it that counts.
    Listens as soon as it is made; `serve_forever` answers.

    Args:
        page: HTML.
        files: i counts from 0 in this order.
        port: 0 for a free one.
        masks: by file, which part of it counts.

    Raises:
        UsageError: the port cannot be had.
    """

    request_queue_size = 64  # a browser with many pictures to fetch opens its connections at once

    def __init__(
        self, page: str, files: Sequence[Path], port: int = 0, masks: Mapping[Path, Masked] = {}
    ) -> None:
        self.page = page.encode()
        self.files = tuple(files)
        self.masks = masks
        self._room = threading.BoundedSemaphore(CONNECTIONS)
        self._waiting: dict[socket.socket, float] = {}
        try:
            super().__init__((ADDRESS, port), _Handler)
        except OSError as error:
            raise UsageError(
                f"cannot serve on port {port}: {(error.strerror or str(error)).lower()}; "
                "choose another --port, or none for a free one"
            ) from error

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{ADDRESS}:{self.server_address[1]}/"

    def server_bind(self) -> None:
        """Bind without asking the network for this machine's name, as `HTTPServer` would."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = ADDRESS, self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread, or close the connection where there are too many."""
        if self._room.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def waits_for_request(self, connection: socket.socket, waits: bool) -> None:
        """Note that a connection begins to wait for a request, or has got it."""
        if waits:
            self._waiting[connection] = time.monotonic() + PATIENCE
        else:
            self._waiting.pop(connection, None)

    def service_actions(self) -> None:
        """Close connections whose request does not come: byte by byte, it never exceeds the timeout of a socket."""
        now = time.monotonic()
        for connection, end in list(self._waiting.items()):
            if now > end:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say what went wrong while answering. That the browser has gone is nothing wrong."""
        error = sys.exc_info()[1]
        if not isinstance(error, (ConnectionError, TimeoutError)):
            logger.error("could not answer a request: %s: %s", type(error).__name__, error)


def serve(server: Server, started: Callable[[str], None]) -> None:
    """Serve until Ctrl-C, which is how this job ends well.

    Args:
        server: closed in the end.
        started: called with the page's address when it can be opened.
    """
    with server:
        try:
            started(server.url)
            server.serve_forever()
        except KeyboardInterrupt:
            pass


class _Handler(BaseHTTPRequestHandler):
    """Answers the requests of one connection."""

    server: Server
    protocol_version = "HTTP/1.1"  # keeps connections open: a page asks for thousands of pictures
    server_version, sys_version = "nearid", ""
    timeout = PATIENCE

    def handle_one_request(self) -> None:
        """Wait for a request, and answer it."""
        self.server.waits_for_request(self.connection, True)
        try:
            super().handle_one_request()
        finally:
            self.server.waits_for_request(self.connection, False)

    def parse_request(self) -> bool:
        """Read what a request's head says."""
        understood = super().parse_request()
        self.server.waits_for_request(self.connection, False)
        return understood

    def do_GET(self) -> None:
        """Send the page or a picture; to `HEAD` all but the body."""
        if not self._comes_from_here():
            return self._refuse(HTTPStatus.FORBIDDEN, f"this server answers only to {self.server.url}")
        address = self.path.partition("?")[0]
        if address == "/":
            page = Payload.of("text/html; charset=utf-8", self.server.page)
            return self._send(HTTPStatus.OK, page, "no-store")
        if address == "/favicon.ico":  # browsers ask by themselves, and would report its lack as an error
            return self._send(HTTPStatus.NO_CONTENT, None, "max-age=3600")
        match = _PICTURE.fullmatch(address)
        if not match or int(match[2]) >= len(self.server.files):
            return self._refuse(HTTPStatus.NOT_FOUND, "there is nothing here")
        path = self.server.files[int(match[2])]
        try:
            content = self._content(match[1], path)
        except UnreadableImage:
            return self._refuse(HTTPStatus.NOT_FOUND, "this file is missing or is not a picture")
        except (MemoryError, OSError):
            return self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "this picture cannot be read now")
        with content.file:
            return self._send(HTTPStatus.OK, content, "private, max-age=3600")

    def _comes_from_here(self) -> bool:
        """Whether a request names this server, and if it says which page it comes from, one of this server."""
        hosts, origins = self.headers.get_all("Host", []), self.headers.get_all("Origin", [])
        return (
            len(hosts) == 1
            and _OWN_HOST.fullmatch(hosts[0]) is not None
            and all(origin == f"http://{hosts[0]}" for origin in origins)
        )

    def _content(self, kind: str, path: Path) -> Payload:
        if kind == "mask":
            return mask_of(path, self.server.masks)
        return small(path) if kind == "thumbnail" else full_size(path)

    do_HEAD = do_GET  # noqa: N815 - the name that http.server looks for

    def _only_reading(self) -> None:
        self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, "only GET and HEAD", Allow="GET, HEAD")

    do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_TRACE = do_CONNECT = _only_reading  # noqa: N815

    def _refuse(self, status: HTTPStatus, why: str, **headers: str) -> None:
        # The body of a request that is refused is not read, so nothing more can be on this connection.
        self.close_connection = True
        content = Payload.of("text/plain; charset=utf-8", f"{why}\n".encode())
        self._send(status, content, "no-store", Connection="close", **headers)

    def _send(self, status: HTTPStatus, content: Payload | None, caching: str, **headers: str) -> None:
        self.send_response(status)
        if content is not None:
            headers |= {"Content-Type": content.media_type, "Content-Length": str(content.size)}
        for name, value in {**headers, "Cache-Control": caching, **_SECURITY}.items():
            self.send_header(name, value)
        self.end_headers()
        if content is not None and self.command != "HEAD":
            for block in content.blocks():
                self.wfile.write(block)

    def log_message(self, *arguments: Any) -> None:
        """Say nothing: requests are no news, and a line a picture would bury what is."""


def full_size(path: Path) -> Payload:
    """A picture file as it is, or as PNG where browsers do not show its format.

    The very bytes that are sent have been decoded as a picture, so no other file ever leaves under the name of one,
    whatever becomes of the path or of the file meanwhile.

    Raises:
        UnreadableImage: it is not there or cannot be decoded.
        OSError, MemoryError: the machine is at fault.
    """
    with _turns, BUDGET.kept(), ExitStack() as until_sent:
        file = until_sent.enter_context(open_picture(path))
        content = content_of(file)
        picture = decode(content)
        media_type = _MEDIA_TYPES.get(picture_format(content))
        if media_type is None:
            encoded = cast("BinaryIO", SpooledTemporaryFile(8 * _BLOCK))  # noqa: SIM115 - closed when it is sent
            picture.save(encoded, "PNG", compress_level=1)
            payload = Payload("image/png", encoded.tell(), encoded)
            encoded.seek(0)
            return payload
        view = memoryview(content)
        digests = [blake3(view[at : at + _BLOCK]).digest() for at in range(0, len(view), _BLOCK)]
        file.seek(0)
        until_sent.pop_all()
        return Payload(media_type, len(view), file, digests)


def small(path: Path) -> Payload:
    """A thumbnail of a picture file.

    Raises:
        UnreadableImage, OSError, MemoryError: as for `full_size`.
    """
    with _turns:
        return Payload.of("image/webp", thumbnail(path, LARGEST_SIDE))


def mask_of(path: Path, masks: Mapping[Path, Masked]) -> Payload:
    """What covers the part of a picture that counts.

    Raises:
        UnreadableImage: it has no mask, or one that cannot be used.
        OSError, MemoryError: as for `full_size`.
    """
    with _turns:
        content = cutout(path, masks[path]) if path in masks else None
    if content is None:
        raise UnreadableImage("no mask")
    return Payload.of("image/png", content)
