from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.remote.s3_server import S3, s3_server


@pytest.fixture(scope="session")
def _server() -> Iterator[S3]:
    with s3_server() as server:
        yield server


@pytest.fixture
def s3(_server: S3) -> S3:
    """The server of this process, with nothing asked of it yet."""
    _server.requests.clear()
    _server.answer = None
    return _server
