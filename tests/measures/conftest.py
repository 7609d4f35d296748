"""A judge's endpoint for tests."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from .endpoint import Behaviour, JudgeServer, Serve


@pytest.fixture
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a key nor a proxy of the machine's."""
    for name in ("NEARID_JUDGE_KEY", "OPENAI_API_KEY", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def serve(no_key: None) -> Iterator[Serve]:
    """Start a server with a behaviour."""
    servers: list[JudgeServer] = []

    def start(behaviour: Behaviour) -> JudgeServer:
        server = JudgeServer(behaviour)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
