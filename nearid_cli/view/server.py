"""The server of `nearid view`: one page and the pictures that its result names, for browsers on this machine.

What keeps it from serving anything else: it listens on 127.0.0.1; an address holds a number, never a path; a
picture leaves only after its bytes decoded as one (`full_size`); and a request that names another host is refused,
because a foreign page whose name suddenly leads to 127.0.0.1 (DNS rebinding) could read the answer.
"""

from __future__ import annotations

import logging
import os
import re
import socketserver
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

from nearid_cli.errors import UsageError
from nearid_cli.images.decode import UnreadableImage, decode, picture_format, read_picture_file
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

# A browser asks for many pictures at once, and each that is being decoded takes memory.
_turns = threading.BoundedSemaphore(os.cpu_count() or 1)


@dataclass(frozen=True)
class Payload:
    """The body of an answer."""

    media_type: str
    body: bytes


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
        self.page = Payload("text/html; charset=utf-8", page.encode())
        self.files = tuple(files)
        self.masks = masks
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
    timeout = 60  # seconds until an idle connection gives its thread back

    def do_GET(self) -> None:
        """Send the page or a picture; to `HEAD` all but the body."""
        hosts = self.headers.get_all("Host", [])
        if len(hosts) != 1 or not _OWN_HOST.fullmatch(hosts[0]):
            return self._refuse(HTTPStatus.FORBIDDEN, f"this server answers only to {self.server.url}")
        address = self.path.partition("?")[0]
        if address == "/":
            return self._send(HTTPStatus.OK, self.server.page, "no-store")
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
        return self._send(HTTPStatus.OK, content, "private, max-age=3600")

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
        content = Payload("text/plain; charset=utf-8", f"{why}\n".encode())
        self._send(status, content, "no-store", Connection="close", **headers)

    def _send(self, status: HTTPStatus, content: Payload | None, caching: str, **headers: str) -> None:
        self.send_response(status)
        if content is not None:
            headers |= {"Content-Type": content.media_type, "Content-Length": str(len(content.body))}
        for name, value in {**headers, "Cache-Control": caching, **_SECURITY}.items():
            self.send_header(name, value)
        self.end_headers()
        if content is not None and self.command != "HEAD":
            self.wfile.write(content.body)

    def log_message(self, *arguments: Any) -> None:
        """Say nothing: requests are no news, and a line a picture would bury what is."""


def full_size(path: Path) -> Payload:
    """A picture file as it is, or as PNG where browsers do not show its format.

    The very bytes that are returned have been decoded as a picture, so no other file ever leaves under the name
    of one, whatever becomes of the path meanwhile.

    Raises:
        UnreadableImage: it is not there or cannot be decoded. The reason may quote the file: keep it here.
    """
    with _turns:
        content = read_picture_file(path)
        picture = decode(content)
        media_type = _MEDIA_TYPES.get(picture_format(content[:256]))
        if media_type is not None:
            return Payload(media_type, content)
        encoded = BytesIO()
        picture.save(encoded, "PNG", compress_level=1)
        return Payload("image/png", encoded.getvalue())


def small(path: Path) -> Payload:
    """A thumbnail of a picture file.

    Raises:
        UnreadableImage: as for `full_size`.
    """
    with _turns:
        return Payload("image/webp", thumbnail(path, LARGEST_SIDE))


def mask_of(path: Path, masks: Mapping[Path, Masked]) -> Payload:
    """What covers the part of a picture that counts.

    Raises:
        UnreadableImage: it has no mask, or one that cannot be used.
    """
    with _turns:
        content = cutout(path, masks[path]) if path in masks else None
    if content is None:
        raise UnreadableImage("no mask")
    return Payload("image/png", content)
