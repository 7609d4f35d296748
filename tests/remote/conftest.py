from __future__ import annotations

from collections.abc import Iterator

import pytest

from nearid_cli.remote.stores import file_system
from tests.remote.s3_server import S3, s3_server


@pytest.fixture(scope="session")
def _server() -> Iterator[S3]:
    with s3_server() as server:
        yield server


@pytest.fixture
def s3(_server: S3, monkeypatch: pytest.MonkeyPatch) -> S3:
    """The server of this process, as the environment names it, with nothing asked of it yet."""
    for name, value in _server.environment.items():
        monkeypatch.setenv(name, value)
    file_system.cache_clear()
    _server.requests.clear()
    _server.sent = 0
    _server.answer = None
    return _server
