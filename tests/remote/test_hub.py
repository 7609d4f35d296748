"""`hf://datasets/OWNER/NAME` from a Hub on this machine."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.commandline import Nearid
from tests.remote.test_archives import in_short, written, zipped
from tests.remote.test_inputs import numbers, scored


class SmallHub(ThreadingHTTPServer):
    """The repositories of data sets, as far as a file system asks for them: what is there, and files."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, dict[str, bytes]] = {}
        self.read: list[str] = []
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def add(self, repository: str, folder: Path) -> None:
        self.files[repository] = {
            file.relative_to(folder).as_posix(): file.read_bytes()
            for file in sorted(folder.rglob("*"))
            if file.is_file()
        }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: SmallHub

    def log_message(self, *_: object) -> None: ...

    def do_GET(self) -> None:
        split = urllib.parse.urlsplit(self.path)
        parts = [
            urllib.parse.unquote(part) for part in split.path.strip("/").split("/")
        ]  # revisions have `/`
        if parts[:2] == ["api", "datasets"]:
            self._api("/".join(parts[2:4]), parts[4:])
        elif parts[:1] == ["datasets"] and parts[3:4] == ["resolve"]:
            self._file("/".join(parts[1:3]), "/".join(parts[5:]))
        else:
            self._send(404, b"")

    do_HEAD = do_GET  # noqa: N815

    def do_POST(self) -> None:
        body = urllib.parse.parse_qs(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())
        parts = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path).strip("/").split("/")
        files = self.server.files.get("/".join(parts[2:4]), {})
        asked = body.get("paths", [])
        self._send(200, json.dumps([_entry(path, files[path]) for path in asked if path in files]).encode())

    def _api(self, repository: str, rest: list[str]) -> None:
        files = self.server.files.get(repository)
        if files is None:
            return self._send(404, b"{}", **{"X-Error-Code": "RepoNotFound"})
        if rest[:1] == ["tree"]:
            below = "/".join(rest[2:])
            inside = {
                path: content
                for path, content in files.items()
                if path.startswith(f"{below}/" if below else "")
            }
            if not inside:
                return self._send(404, b"{}", **{"X-Error-Code": "EntryNotFound"})
            folders = {
                "/".join(path.split("/")[:depth])
                for path in inside
                for depth in range(1, path.count("/") + 1)
            }
            entries: list[dict[str, Any]] = [
                {"type": "directory", "path": one, "size": 0, "oid": "0" * 40} for one in sorted(folders)
            ]
            self._send(200, json.dumps(entries + [_entry(*one) for one in inside.items()]).encode())
        else:
            known = {
                "id": repository,
                "sha": "1" * 40,
                "siblings": [],
                "private": False,
                "downloads": 0,
                "likes": 0,
                "tags": [],
            }
            self._send(200, json.dumps(known).encode())
        return None

    def _file(self, repository: str, path: str) -> None:
        content = self.server.files[repository][path]
        if self.command == "GET":
            self.server.read.append(path)
        whole = len(content)
        headers = {"ETag": f'"{_oid(content)}"', "X-Repo-Commit": "1" * 40, "Accept-Ranges": "bytes"}
        asked = self.headers.get("Range", "")
        if asked.startswith("bytes="):
            start, _, end = asked.removeprefix("bytes=").partition("-")
            last = min(int(end or whole - 1), whole - 1)
            headers["Content-Range"] = f"bytes {start}-{last}/{whole}"
            self._send(206, content[int(start) : last + 1], **headers)
        else:
            self._send(200, content, **headers)

    def _send(self, status: int, content: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(content)),
            **headers,
        }.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _oid(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _entry(path: str, content: bytes) -> dict[str, Any]:
    return {"type": "file", "path": path, "size": len(content), "oid": _oid(content)}


@pytest.fixture
def hub() -> Iterator[SmallHub]:
    with SmallHub() as server:
        yield server
        server.shutdown()


def run(hub: SmallHub, *arguments: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own, since the address of the Hub is read when its library is imported."""
    import os

    environment = {
        **os.environ,
        "HF_ENDPOINT": hub.endpoint,
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
    }
    return subprocess.run(
        [sys.executable, "-m", "nearid_cli", *arguments],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )


def test_folders_and_data_sets_of_a_hub(nearid: Nearid, data: Path, hub: SmallHub) -> None:
    hub.add("org/folders", data)
    written(data, "refs", Path("set/data/train-00000-of-00001.parquet"), label=lambda file: file.parent.name)
    hub.add("org/set", Path("set"))
    local = scored(nearid, data / "refs", data / "gens", "--no-cache")
    gens = "hf://datasets/org/folders/gens"
    for refs in ("hf://datasets/org/folders/refs", "hf://datasets/org/set"):
        for warm in (False, True):
            hub.read.clear()
            ended = run(hub, "score", refs, gens, "--metric", "hog", "--format", "json")
            assert ended.returncode == 0, ended.stderr
            found = json.loads(ended.stdout)
            assert in_short(found) == in_short(local)
            assert found["inputs"]["references"] == refs
            if refs.endswith("refs"):
                assert numbers(found) == numbers(local)
                assert bool(hub.read) is not warm


def test_files_and_versions_of_a_hub(data: Path, hub: SmallHub, tmp_path: Path) -> None:
    """A file by itself, an archive, and the version that the Hub makes of all data sets."""
    hub.add("org/folders", data)
    zipped(data / "gens", tmp_path / "gens.zip")
    hub.files["org/folders"]["gens.zip"] = (tmp_path / "gens.zip").read_bytes()
    url = "hf://datasets/org/folders"
    ended = run(hub, "layout", f"{url}@refs/convert/parquet/refs", f"{url}/gens.zip")
    assert (ended.returncode, "3 subjects" in ended.stdout) == (0, True), ended.stderr
    pair = run(hub, "pair", f"{url}/refs/cat/0.jpg", f"{url}@main/gens/cat/0.png", "--metric", "hog")
    assert pair.returncode == 0, pair.stderr


@pytest.mark.parametrize("output", ["-o", "--images", "--cache"])
def test_a_hub_is_only_read(nearid: Nearid, data: Path, output: str) -> None:
    url = "hf://datasets/org/name/run.csv"
    ended = nearid("score", data / "refs", data / "gens", "--metric", "hog", output, url)
    assert ended.code == 2
    assert ended.err.splitlines()[-1] == (
        f"error: {url}: hf:// is only read; write to a path on this machine, and send that with hf upload, or to a "
        "store of another kind"
    )


def test_what_a_hub_has_not(hub: SmallHub) -> None:
    ended = run(hub, "layout", "hf://datasets/org")
    assert (
        ended.returncode,
        "hf://datasets/org: no bucket or object can have this name" in ended.stderr,
    ) == (2, True)
    ended = run(hub, "layout", "hf://datasets/org/nothing")
    assert (ended.returncode, ended.stderr) == (2, "error: nothing there: hf://datasets/org/nothing\n")
