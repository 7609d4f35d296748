"""Downloads from a small HTTP server that answers as the Hub does, asked by a process of its own."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

Checkpoint = Callable[[str], Path]
COMMIT = "f" * 40


@dataclass
class Repository:
    """One repository of the server: its files, or the answer that refuses them."""

    files: dict[str, bytes] = field(default_factory=dict)
    refusal: tuple[int, str] | None = None
    gated: bool = False


@dataclass
class FakeHub:
    endpoint: str
    repositories: dict[str, Repository] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)

    def add(self, repo_id: str, folder: Path, **options: Any) -> None:
        files = {file.name: file.read_bytes() for file in folder.iterdir()}
        self.repositories[repo_id] = Repository(files, **options)


class Handler(BaseHTTPRequestHandler):
    hub: FakeHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.hub.requests.append(f"{self.command} {self.path}")
        parts = self.path.partition("?")[0].strip("/").split("/")
        is_api = parts[:2] == ["api", "models"]
        repo_id = "/".join(parts[2:4] if is_api else parts[:2])
        rest = parts[4:] if is_api else parts[2:]
        repository = self.hub.repositories.get(repo_id)
        if repository is None:
            return self.refuse(404, "RepoNotFound")
        if repository.refusal:
            return self.refuse(*repository.refusal)
        if is_api and rest[:1] == ["revision"]:
            if rest[1] not in ("main", COMMIT):
                return self.refuse(404, "RevisionNotFound")
            return self.reply_json(self.info(repo_id, repository))
        if is_api and (not rest or rest[:1] == ["tree"]):
            return self.reply_json(self.tree(repository) if rest else self.info(repo_id, repository))
        if repository.gated:
            return self.refuse(403, "GatedRepo")
        content = repository.files[rest[2]]
        headers = {"ETag": f'"{etag(rest[2], content)}"', "X-Repo-Commit": COMMIT}
        return self.reply(content, headers)

    def info(self, repo_id: str, repository: Repository) -> object:
        siblings = [{"rfilename": name, "size": len(content)} for name, content in repository.files.items()]
        return {"id": repo_id, "sha": COMMIT, "siblings": siblings, "tags": []}

    def tree(self, repository: Repository) -> object:
        return [
            {"type": "file", "path": name, "size": len(content), "oid": etag(name, content)}
            for name, content in repository.files.items()
        ]

    def refuse(self, status: int, code: str) -> None:
        self.reply(b"{}", {"X-Error-Code": code, "X-Error-Message": code}, status)

    def reply_json(self, content: object) -> None:
        self.reply(json.dumps(content).encode(), {"Content-Type": "application/json"})

    def reply(self, content: bytes, headers: dict[str, str], status: int = 200) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(content))}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)


def etag(name: str, content: bytes) -> str:
    if name.endswith(".safetensors"):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub = FakeHub(f"http://127.0.0.1:{server.server_address[1]}")
    server.RequestHandlerClass = type("BoundHandler", (Handler,), {"hub": hub})
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield hub
    server.shutdown()
    server.server_close()
    thread.join()


@dataclass
class Outcome:
    lines: list[str]
    stderr: str
    seconds: float


def ask(endpoint: str, home: Path, code: str, **environment: str) -> Outcome:
    """Run `code` in a process whose Hub is `endpoint`; what it says comes back line by line."""
    program = (
        "import sys\n"
        "from nearid_cli.encoders import models\n"
        "from nearid_cli.encoders.checkpoints import resolve\n"
        "from nearid_cli.encoders.registry import parse_metrics\n"
        "from nearid_cli.errors import NearIDError\n"
        "try:\n" + "".join(f"    {line}\n" for line in code.splitlines()) + "except NearIDError as error:\n"
        "    print(type(error).__name__, error.message, *error.details, sep='\\n')\n"
    )
    inherited = {
        key: value for key, value in os.environ.items() if not key.startswith(("HF_", "TRANSFORMERS_"))
    }
    inherited = {key: value for key, value in inherited.items() if "proxy" not in key.lower()}
    start = time.monotonic()
    result = subprocess.run(
        [sys.executable, "-c", program],
        env=inherited
        | {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1"}
        | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return Outcome(result.stdout.splitlines(), result.stderr, time.monotonic() - start)


def reasons(hub: FakeHub, tmp_path: Path, *metrics: str, **environment: str) -> list[str]:
    outcome = ask(
        hub.endpoint,
        tmp_path / "home",
        f"resolve(parse_metrics({list(metrics)!r}), 'float32')",
        **environment,
    )
    assert outcome.stderr == ""
    return outcome.lines


def test_download_fetches_what_is_needed_and_nothing_else(
    hub: FakeHub, tmp_path: Path, checkpoint: Checkpoint
) -> None:
    folder = checkpoint("nearid")
    for name in (
        "README.md",
        "pytorch_model.bin",
        "modeling_nearid.py",
        "model.fp16.safetensors",
        "tokenizer.json",
    ):
        (folder / name).write_text("not wanted")
    hub.add("Aleksandar/nearid-siglip2", folder)
    code = "print(*resolve(parse_metrics(['nearid']), 'float32', notify=lambda line: print(line)), sep='\\n')"
    first = ask(hub.endpoint, tmp_path / "home", code)
    assert first.stderr == ""
    assert first.lines[0].startswith("downloading Aleksandar/nearid-siglip2 (")
    assert COMMIT in first.lines[1]
    snapshot = tmp_path / "home/hub/models--Aleksandar--nearid-siglip2/snapshots" / COMMIT
    assert sorted(file.name for file in snapshot.iterdir()) == [
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
    ]

    # From now on the network is not asked, and a spec is the same without it.
    hub.requests.clear()
    again = ask(hub.endpoint, tmp_path / "home", code)
    offline = ask(hub.endpoint, tmp_path / "home", code, HF_HUB_OFFLINE="1")
    assert again.lines == offline.lines == first.lines[1:]
    assert hub.requests == []

    verified = ask(hub.endpoint, tmp_path / "home", "print(models.verify('nearid').damaged)")
    assert (verified.lines, verified.stderr) == (["()"], "")


def test_pull_completes_what_an_interrupted_download_left(
    hub: FakeHub, tmp_path: Path, checkpoint: Checkpoint
) -> None:
    hub.add("org/model", checkpoint("vit"))
    code = "print(*[row.is_here for row in models.pull(['org/model'])])"
    assert ask(hub.endpoint, tmp_path / "home", code).lines == ["True"]
    snapshot = tmp_path / "home/hub/models--org--model/snapshots" / COMMIT
    (snapshot / "preprocessor_config.json").unlink()
    found = reasons(hub, tmp_path, "org/model")
    assert found == []
    assert (snapshot / "preprocessor_config.json").is_file()


def test_every_refusal_has_its_own_reason(hub: FakeHub, tmp_path: Path, checkpoint: Checkpoint) -> None:
    hub.add("org/gated", checkpoint("vit"), gated=True)
    hub.add("org/fine", checkpoint("dinov2"))
    hub.repositories["org/private"] = Repository(refusal=(401, ""))
    hub.repositories["org/forbidden"] = Repository(refusal=(403, ""))
    hub.repositories["org/broken"] = Repository(refusal=(500, ""))
    metrics = [
        "org/gated",
        "org/typo",
        "org/fine@v9",
        "org/private",
        "org/forbidden",
        "org/broken",
    ]
    lines = reasons(hub, tmp_path, *metrics, HF_HUB_ETAG_TIMEOUT="1")  # for which the 500 is asked again
    assert lines[:2] == ["MissingCheckpointError", f"6 checkpoints are not here: {', '.join(metrics)}"]
    found = dict(line.split(": ", 1) for line in lines[2:8])
    for metric, part in {
        "org/gated": "it is gated: accept its terms on https://huggingface.co/org/gated",
        "org/typo": "the Hub has no such model: check the spelling",
        "org/fine@v9": "no revision v9 of it",
        "org/private": "hf auth login",
        "org/forbidden": "the Hub refused access (403)",
        "org/broken": "the Hub answered with an error (500)",
    }.items():
        assert part in found[metric], found[metric]


def test_what_is_no_checkpoint_is_refused_before_its_weights_are_fetched(
    hub: FakeHub, tmp_path: Path, checkpoint: Checkpoint
) -> None:
    other = checkpoint("vit")
    config = json.loads((other / "config.json").read_bytes())
    (other / "config.json").write_text(json.dumps(config | {"model_type": "siglip2"}))
    hub.add("org/naflex", other)
    (other / "config.json").unlink()
    (other / "open_clip_config.json").write_text("{}")
    hub.add("org/open-clip", other)
    lines = reasons(hub, tmp_path, "org/naflex", "org/open-clip")
    assert lines[1] == "2 checkpoints are not usable: org/naflex, org/open-clip"
    assert 'found "siglip2", a NaFlex model' in lines[2]
    assert "in org/open-clip, found an open_clip model" in lines[3]
    assert not [request for request in hub.requests if "safetensors" in str(request)]


def test_no_network_fails_fast_and_for_all_at_once(tmp_path: Path) -> None:
    # A port where nothing listens.
    outcome = ask(
        "http://127.0.0.1:9", tmp_path / "home", "resolve(parse_metrics(['nearid,clip-i,dino']), 'float32')"
    )
    assert outcome.lines[1] == "3 checkpoints are not here: nearid, clip-i, dino"
    assert all("the Hub cannot be reached at http://127.0.0.1:9" in line for line in outcome.lines[2:5])
    assert outcome.lines[5].endswith("nearid models pull nearid clip-i dino")
    assert outcome.stderr == ""
    assert outcome.seconds < 120


def test_a_silent_network_is_asked_once(tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:  # accepts, and never answers
        endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
        code = "resolve(parse_metrics(['nearid,clip-i,dino']), 'float32')"
        outcome = ask(endpoint, tmp_path / "home", code, HF_HUB_ETAG_TIMEOUT="1")
    assert outcome.lines[1] == "3 checkpoints are not here: nearid, clip-i, dino"
    assert outcome.seconds < 120


def test_a_full_disk_is_told(hub: FakeHub, tmp_path: Path, checkpoint: Checkpoint) -> None:
    hub.add("org/model", checkpoint("vit"))
    home = tmp_path / "home"
    home.write_text("a file where the cache should be")
    lines = reasons(hub, tmp_path, "org/model")
    assert f"it cannot be written to {home}/hub" in lines[2]
