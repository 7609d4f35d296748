"""A mapped file: what was read of it is given back, and is the same when it is read again."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from nearid_cli.encoders.mapped import MappedFile

_SIZE = 64 * 2**20


def mapped_here() -> int:
    """Bytes of files that are in the memory of this process."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("RssFile:")[1].split()[0]) * 1024


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="only Linux tells what of files is in memory"
)
def test_what_was_read_is_given_back(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    content = np.random.default_rng(0).integers(256, size=_SIZE, dtype=np.uint8)
    content.tofile(path)
    file = MappedFile(path)
    before = mapped_here()
    assert np.array_equal(file.bytes, content)
    assert mapped_here() - before > _SIZE // 2
    with file.read_once():
        end = time.monotonic() + 120
        while mapped_here() - before > _SIZE // 4:
            assert time.monotonic() < end
            time.sleep(0.01)
        assert np.array_equal(file.bytes, content)
    assert mapped_here() - before < _SIZE // 4
    assert np.array_equal(file.bytes, content)


def test_what_cannot_be_mapped(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for name, says in (("empty", "empty"), ("nowhere", "No such file"), (".", ".")):
        with pytest.raises(OSError, match=says):
            MappedFile(tmp_path / name)
