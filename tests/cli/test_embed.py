"""`nearid embed` end to end: what it takes, what it leaves out, what it skips, and that it says so."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from tests.commandline import Nearid

EMBED = ("embed", "refs", "-m", "hog", "-o", "e.parquet")


def skipped(data: Path) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(pq.read_schema(data / "e.parquet").metadata[b"nearid.skipped"])
    return found


def test_what_is_bad_or_left_out_has_a_name(nearid: Nearid, data: Path) -> None:
    whole = (data / "refs/cat/0.jpg").read_bytes()
    (data / "refs/cat/cut.jpg").write_bytes(whole[: len(whole) // 2])
    (data / "refs/cat/photo.jfif").write_bytes(whole)
    (data / "refs/cat/notes.txt").write_text("a cat")
    (data / "refs/cup/x.jxl").write_bytes(b"\xff\x0a" + bytes(100))
    finished = nearid(*EMBED)
    assert [line.split(":")[0] for line in finished.details] == ["refs/cat/cut.jpg", "refs/cup/x.jxl"]
    assert not (data / "e.parquet").exists()

    finished = nearid(*EMBED, "--skip-bad")
    lines = finished.err.splitlines()
    assert "found 9 pictures; left out: other files (1: refs/cat/notes.txt)" in lines
    (line,) = [line for line in lines if "skipped" in line]
    assert line.startswith("2 pictures skipped: refs/cat/cut.jpg (truncated JPEG")
    assert "refs/cup/x.jxl (" in line
    assert (finished.code, finished.out) == (0, "")
    assert [picture["path"] for picture in skipped(data)] == ["refs/cat/cut.jpg", "refs/cup/x.jxl"]
    assert all(picture["reason"] for picture in skipped(data))
    paths = pd.read_parquet(data / "e.parquet")["path"].tolist()
    assert len(paths) == 7
    assert "refs/cat/photo.jfif" in paths


def test_all_names_to_those_who_ask(nearid: Nearid, data: Path) -> None:
    for i in range(5):
        (data / f"refs/cat/bad{i}.png").touch()
        (data / f"refs/cat/note{i}.txt").touch()
    few = nearid(*EMBED, "--skip-bad").err.splitlines()
    assert len(few) == 3
    assert few[1].endswith("refs/cat/bad2.png (empty file) and 2 more")
    lines = nearid(*EMBED, "--skip-bad", "--verbose").err.splitlines()
    for i in range(5):
        assert f"skipped: refs/cat/bad{i}.png (empty file)" in lines
        assert f"left out: refs/cat/note{i}.txt (other files)" in lines
    assert set(few) <= set(lines)


def test_nothing_bad_and_nothing_left_out_is_one_line(nearid: Nearid, data: Path) -> None:
    assert nearid(*EMBED, "--skip-bad").err == "6 pictures by hog in e.parquet\n"
    assert skipped(data) == []
