"""A pretend Hub on 127.0.0.1, with a second port that keeps large files, and what can go wrong with both by name.

    with SimulatedHub() as hub:
        hub.add("org/model", folder)
        hub.fail("storage-cut", times=1)
        ...  # a process with HF_ENDPOINT=hub.endpoint

It answers as huggingface.co does: `api/models` with commits, sizes and digests, `resolve` with a redirect for large
files, `Range`, `X-Error-Code` for refusals. Everything that was asked is in `requests`.
"""

from __future__ import annotations

import hashlib
import json
import re
import socket
import ssl
import threading
import time
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

LARGE = (".safetensors", ".bin", ".pt", ".h5", ".msgpack", ".onnx")
NOWHERE = "127.0.0.1:9"
"""A port where nothing listens."""

FAULTS = {
    # Every request to the Hub.
    "portal": "a web page in place of any answer, as the log-in of a guest network",
    "blocked-page": "403 with a web page, as a company's proxy for an address that it does not allow",
    "silent": "the connection is taken, and nothing comes",
    "token": "401 for any request with a token",
    # `api`.
    "api-busy": "503",
    "api-limited": "429 with Retry-After: 1",
    "api-limited-long": "429 with Retry-After: 3600",
    "api-error": "500",
    "api-dropped": "the connection is closed in place of an answer",
    "api-not-a-hub": "JSON, but no Hub's",
    # `resolve`.
    "file-busy": "503",
    "file-limited": "429 with Retry-After: 1",
    "file-gone": "404 for a file that is listed",
    # The storage of large files.
    "storage-expired": "403: the link has run out",
    "storage-blocked-page": "403 with a web page",
    "storage-busy": "503",
    "storage-cut": "the connection ends after half of what was asked for",
    "storage-stall": "nothing more comes after half of what was asked for",
    "storage-held": "nothing more comes after half of it until `released` is set",
    "storage-drip": "a thirtieth every 0.1 s",
    "storage-corrupt": "the last bytes are others",
    "storage-no-ranges": "the whole file, whatever range was asked for",
}


@dataclass
class Repository:
    """One repository: its commits, and whom it refuses."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    gated: bool = False
    private: bool = False
    disabled: bool = False
    forbidden: bool = False
    renamed_to: str = ""


class SimulatedHub:
    """See the module.

    Args:
        prefix: a path below which the Hub lies, as with some mirrors.
        certificate: a PEM file with key and certificate, for https.
        lists_digests: whether `api` tells digests; some mirrors do not.
        xet: the address of a Xet storage that is advertised for large files; none is there.
    """

    def __init__(
        self, prefix: str = "", certificate: Path | None = None, lists_digests: bool = True, xet: str = ""
    ) -> None:
        self.prefix, self.lists_digests, self.xet = prefix, lists_digests, xet
        self.repositories: dict[str, Repository] = {}
        self.requests: list[str] = []
        self.released = threading.Event()
        self._faults: dict[str, int | None] = {}
        self._lock = threading.Lock()
        self._api, self._storage = (
            self._server(handler, certificate) for handler in (_HubHandler, _StorageHandler)
        )
        scheme = "https" if certificate else "http"
        self.endpoint = f"{scheme}://127.0.0.1:{self._api.server_port}{prefix}"
        self.storage = f"127.0.0.1:{self._storage.server_port}"
        self.scheme = scheme

    def __enter__(self) -> Self:
        for server in (self._api, self._storage):
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in (self._api, self._storage):
            server.shutdown()
            server.server_close()

    def add(
        self, repo_id: str, source: Path | Mapping[str, bytes], revision: str = "main", **options: Any
    ) -> str:
        """Commit files to a branch of a repository, which is made if need be, and return the commit."""
        if isinstance(source, Path):
            files = {
                file.relative_to(source).as_posix(): file.read_bytes()
                for file in source.rglob("*")
                if file.is_file()
            }
        else:
            files = dict(source)
        repository = self.repositories.setdefault(repo_id, Repository(**options))
        names = [f"{name} {_digest(name, content)}" for name, content in sorted(files.items())]
        commit = hashlib.sha1("\n".join([repo_id, *names]).encode(), usedforsecurity=False).hexdigest()
        repository.commits[commit] = files
        repository.branches[revision] = commit
        return commit

    def fail(self, fault: str, times: int | None = None) -> None:
        """Let a fault happen the next `times` times, or always; 0 ends it."""
        assert fault in FAULTS, fault
        self._faults[fault] = times

    def happens(self, fault: str) -> bool:
        """Whether a fault happens now, which uses it up once."""
        assert fault in FAULTS, fault
        with self._lock:
            left = self._faults.get(fault, 0)
            if left:
                self._faults[fault] = left - 1
            return left is None or left > 0

    def asked(self, part: str) -> list[str]:
        """The requests that hold `part`."""
        return [request for request in self.requests if part in request]

    def _server(self, handler: type[_Handler], certificate: Path | None) -> ThreadingHTTPServer:
        server = _Server(("127.0.0.1", 0), type("Bound", (handler,), {"hub": self}))
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        return server


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_: object) -> None:
        """Say nothing: clients that give up are what is tested."""


class _Handler(BaseHTTPRequestHandler):
    hub: ClassVar[SimulatedHub]
    role: ClassVar[str]
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        marks = "".join(
            f" {name}={self.headers[name]}" for name in ("Range", "Authorization") if self.headers[name]
        )
        self.hub.requests.append(f"{self.role} {self.command} {self.path}{marks}")
        self.answer(urllib.parse.unquote(self.path.partition("?")[0]))

    def answer(self, path: str) -> None:
        raise NotImplementedError

    def reply(self, status: int, content: bytes = b"", **headers: object) -> None:
        self.start(status, {"Content-Length": len(content)} | headers)
        if self.command == "GET":
            self.wfile.write(content)

    def start(self, status: int, headers: Mapping[str, object]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def page(self, status: int) -> None:
        self.reply(status, b"<!doctype html><title>Welcome</title>", Content_Type="text/html; charset=utf-8")

    def hang(self) -> None:
        self.wfile.flush()
        time.sleep(30)

    def drop(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


class _HubHandler(_Handler):
    role = "hub"

    def answer(self, path: str) -> None:
        hub = self.hub
        if hub.happens("silent"):
            return self.hang()
        if hub.happens("portal"):
            return self.page(200)
        if hub.happens("blocked-page"):
            return self.page(403)
        if not path.startswith(f"{hub.prefix}/"):
            return self.page(404)
        if self.headers["Authorization"] and hub.happens("token"):
            return self.refuse(401, message="Invalid credentials in Authorization header")
        parts = path.removeprefix(f"{hub.prefix}/").split("/")
        is_api = parts[:2] == ["api", "models"]
        parts = parts[2:] if is_api else parts
        repo_id, rest = "/".join(parts[:2]), parts[2:]
        repository = hub.repositories.get(repo_id)
        if repository is None or repository.private:
            # Who has no token cannot tell one from the other.
            return self.refuse(404 if self.headers["Authorization"] else 401, "RepoNotFound")
        if repository.renamed_to:
            return self.reply(307, Location=self.path.replace(repo_id, repository.renamed_to))
        if repository.disabled:
            return self.refuse(403, message="Access to this resource is disabled.")
        if repository.forbidden:
            return self.refuse(403)
        if is_api:
            return self.describe(repo_id, repository, rest)
        return self.resolve(repo_id, repository, rest)

    def describe(self, repo_id: str, repository: Repository, rest: list[str]) -> None:
        if self.hub.happens("api-busy"):
            return self.reply(503, b"Service Unavailable")
        if self.hub.happens("api-error"):
            return self.reply(500, b"Internal Error")
        if self.hub.happens("api-limited"):
            return self.refuse(429, Retry_After=1)
        if self.hub.happens("api-limited-long"):
            return self.refuse(429, Retry_After=3600)
        if self.hub.happens("api-dropped"):
            return self.drop()
        if self.hub.happens("api-not-a-hub"):
            return self.json({"status": "fine"})
        revision = "/".join(rest[1:]) or "main"
        commit = repository.branches.get(revision, revision)
        files = repository.commits.get(commit)
        if files is None:
            return self.refuse(404, "RevisionNotFound")
        if rest[:1] == ["tree"]:
            return self.json([self.entry(name, content) for name, content in files.items()])
        siblings = [self.sibling(name, content) for name, content in files.items()]
        return self.json({"id": repo_id, "modelId": repo_id, "sha": commit, "siblings": siblings})

    def sibling(self, name: str, content: bytes) -> dict[str, object]:
        described: dict[str, object] = {"rfilename": name}
        if "blobs=true" in self.path and self.hub.lists_digests:
            size = len(content)
            described |= {"size": size, "blobId": _git_digest(content)}
            if name.endswith(LARGE):
                described["lfs"] = {"sha256": _digest(name, content), "size": size, "pointerSize": 134}
        return described

    def entry(self, name: str, content: bytes) -> dict[str, object]:
        size = len(content)
        entry: dict[str, object] = {
            "type": "file",
            "path": name,
            "size": size,
            "oid": _git_digest(content),
        }
        if name.endswith(LARGE):
            entry["lfs"] = {"oid": _digest(name, content), "size": size, "pointerSize": 134}
        return entry

    def resolve(self, repo_id: str, repository: Repository, rest: list[str]) -> None:
        hub = self.hub
        assert rest[0] == "resolve", rest
        if repository.gated:
            return self.refuse(403 if self.headers["Authorization"] else 401, "GatedRepo")
        commit, name = rest[1], "/".join(rest[2:])
        commit = repository.branches.get(commit, commit)
        content = repository.commits.get(commit, {}).get(name)
        if content is None or hub.happens("file-gone"):
            return self.refuse(404, "EntryNotFound", X_Repo_Commit=commit)
        if hub.happens("file-busy"):
            return self.reply(503, b"Service Unavailable")
        if hub.happens("file-limited"):
            return self.refuse(429, Retry_After=1)
        etag = f'"{_digest(name, content)}"'
        headers: dict[str, object] = {"X-Repo-Commit": commit}
        if not name.endswith(LARGE):
            return self.reply(200, content, ETag=etag, **headers)
        if hub.xet:
            headers |= {
                "X-Xet-Hash": _digest(name, content),
                "Link": f'<{hub.endpoint}/api/models/{repo_id}/xet-read-token/{commit}>; rel="xet-auth"',
            }
        query = urllib.parse.urlencode({"repo": repo_id, "commit": commit, "name": name, "Signature": "x"})
        return self.reply(
            302,
            b"Found. Redirecting",
            Location=f"{hub.scheme}://{hub.storage}/blob?{query}",
            X_Linked_ETag=etag,
            X_Linked_Size=len(content),
            **headers,
        )

    def refuse(self, status: int, code: str = "", message: str = "", **headers: object) -> None:
        if code:
            headers["X-Error-Code"] = code
        if message or code:
            headers["X-Error-Message"] = message or code
        self.json({"error": message or code or "no"}, status, **headers)

    def json(self, content: object, status: int = 200, **headers: object) -> None:
        self.reply(status, json.dumps(content).encode(), Content_Type="application/json", **headers)


class _StorageHandler(_Handler):
    role = "storage"

    def answer(self, path: str) -> None:
        hub = self.hub
        query = dict(urllib.parse.parse_qsl(self.path.partition("?")[2]))
        content = hub.repositories[query["repo"]].commits[query["commit"]][query["name"]]
        if hub.happens("storage-busy"):
            return self.reply(503, b"Slow Down")
        if hub.happens("storage-blocked-page"):
            return self.page(403)
        if hub.happens("storage-expired"):
            return self.reply(
                403, b"<Error><Code>AccessDenied</Code></Error>", Content_Type="application/xml"
            )
        if hub.happens("storage-corrupt"):
            content = content[:-8] + bytes(byte ^ 255 for byte in content[-8:])
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        start = int(wanted[1]) if wanted and not hub.happens("storage-no-ranges") else 0
        if start >= len(content):
            return self.reply(416, Content_Range=f"bytes */{len(content)}")
        body = content[start:]
        headers: dict[str, object] = {"Content-Length": len(body), "ETag": '"storage"'}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self.start(206 if start else 200, headers)
        return self.send(body) if self.command == "GET" else None

    def send(self, body: bytes) -> None:
        if self.hub.happens("storage-cut"):
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            self.drop()
        elif self.hub.happens("storage-stall"):
            self.wfile.write(body[: len(body) // 2])
            self.hang()
        elif self.hub.happens("storage-held"):
            self.wfile.write(body[: len(body) // 2])
            self.hub.released.wait(600)
            self.wfile.write(body[len(body) // 2 :])
        elif self.hub.happens("storage-drip"):
            step = max(1, len(body) // 30)
            for start in range(0, len(body), step):
                self.wfile.write(body[start : start + step])
                self.wfile.flush()
                time.sleep(1)
        else:
            self.wfile.write(body)


def _digest(name: str, content: bytes) -> str:
    return hashlib.sha256(content).hexdigest() if name.endswith(LARGE) else _git_digest(content)


def _git_digest(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
