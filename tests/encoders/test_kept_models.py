"""Converted models on the disk: only what is whole and the user's own is used."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from nearid_cli.encoders.kept_models import GRAPH, WEIGHTS, KeptModels

_KEY = "0" * 64


def writes(content: bytes = b"weights") -> Callable[[Path], None]:
    def write(graph: Path) -> None:
        graph.write_bytes(b"<net/>")
        graph.with_name(WEIGHTS).write_bytes(content)

    return write


@pytest.fixture
def kept(tmp_path: Path) -> KeptModels:
    return KeptModels(tmp_path / "cache")


def test_what_is_kept_is_found(kept: KeptModels) -> None:
    assert kept.find(_KEY) is None
    assert not kept.has(_KEY)
    place = kept.keep(_KEY, writes())
    assert kept.has(_KEY)
    assert kept.find(_KEY) == place
    assert kept.find("1" * 64) is None
    assert [path.name for path in kept.folder.iterdir()] == [place.parent.name]
    # Another process that converted it meanwhile finds the same.
    assert kept.keep(_KEY, writes()) == place


@pytest.mark.parametrize("name", [GRAPH, WEIGHTS])
@pytest.mark.parametrize("harm", ["cut", "changed", "gone"])
def test_what_is_damaged_is_said_and_deleted(
    kept: KeptModels, caplog: pytest.LogCaptureFixture, name: str, harm: str
) -> None:
    file = kept.keep(_KEY, writes()).with_name(name)
    if harm == "gone":
        file.unlink()
    else:
        content = file.read_bytes()
        file.write_bytes(content[:-1] if harm == "cut" else content[:-1] + b"!")
    assert kept.find(_KEY) is None
    assert len(caplog.records) == 1
    assert "is converted anew" in caplog.text
    assert not file.parent.exists()
    assert kept.keep(_KEY, writes()).is_file()


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files to other users"
)
@pytest.mark.parametrize("whose", [".", GRAPH, WEIGHTS, ".."])
def test_what_is_another_users_is_passed_over(
    kept: KeptModels, caplog: pytest.LogCaptureFixture, whose: str
) -> None:
    place = kept.keep(_KEY, writes()).parent
    os.chown(place / whose, 4321, 4321)
    assert kept.find(_KEY) is None
    assert "is passed over: it belongs to another user (4321)" in caplog.text
    assert (place / GRAPH).is_file()
    # Nor is it taken for what another process was faster to write.
    with pytest.raises(OSError, match=r"not empty|exists"):
        kept.keep(_KEY, writes())
    assert kept.keep(_KEY, writes(b"others")).parent != place or whose == ".."


def test_a_disk_that_is_full_leaves_nothing(kept: KeptModels) -> None:
    def full(graph: Path) -> None:
        graph.write_bytes(b"<net")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        kept.keep(_KEY, full)
    assert list(kept.folder.iterdir()) == []


def test_failures_are_remembered_for_a_version(kept: KeptModels, monkeypatch: pytest.MonkeyPatch) -> None:
    assert kept.failed(_KEY) is None
    kept.note_failure(_KEY, "no such operation")
    assert kept.failed(_KEY) == "no such operation"
    monkeypatch.setattr("nearid_cli.encoders.kept_models.openvino_version", lambda: "2027.0")
    assert kept.failed(_KEY) is None
