"""`nearid embed` end to end: what it takes, what it leaves out, what it skips, and that it says so."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow.parquet as pq
import pytest
from PIL import Image

from nearid_cli.plugins import EmbeddingMetric
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


class Bright(EmbeddingMetric):
    """The mean colour of pictures that are not dark."""

    version = "bright/1"
    protocol = "cosine of mean colours"
    absent = "too dark"

    def prepare(self, image: Image.Image) -> npt.NDArray[np.generic] | None:
        pixels = np.asarray(image)
        return pixels if pixels.any() else None

    def embed(self, batch: Sequence[npt.NDArray[np.generic]]) -> npt.ArrayLike:
        return [pixels.mean(axis=(0, 1)) for pixels in batch]


@pytest.fixture
def bright(data: Path) -> None:
    """The metric `bright`."""
    (data / "nearid.toml").write_text('[metrics.bright]\nplugin = "tests.cli.test_embed:Bright"\n')


@pytest.mark.usefixtures("bright")
def test_what_a_metric_has_no_embedding_of_has_no_row_of_it_and_is_named(nearid: Nearid, data: Path) -> None:
    Image.new("RGB", (50, 50)).save(data / "refs/cat/0.jpg", quality=100)
    for _ in range(2):
        finished = nearid(*EMBED, "-m", "bright")
        assert finished.err.splitlines()[-2:] == [
            "1 picture without an embedding by bright: refs/cat/0.jpg (too dark)",
            "6 pictures by hog, bright in e.parquet",
        ]
        frame = pd.read_parquet(data / "e.parquet")
        assert frame.groupby("metric")["path"].nunique().to_dict() == {"hog": 6, "bright": 5}
        assert "refs/cat/0.jpg" not in set(frame.loc[frame.metric == "bright", "path"])
        vectors = np.stack(frame.loc[frame.metric == "bright", "embedding"].to_list())
        assert vectors.shape == (5, 3)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)
        assert json.loads(pq.read_schema(data / "e.parquet").metadata[b"nearid.absent"]) == [
            {"metric": "bright", "path": "refs/cat/0.jpg", "reason": "too dark"}
        ]
        assert skipped(data) == []


@pytest.mark.usefixtures("bright")
def test_a_metric_that_embeds_nothing_still_leaves_the_others(nearid: Nearid, data: Path) -> None:
    for path in data.glob("refs/*/*"):
        Image.new("RGB", (50, 50 + len(path.name))).save(path)
    finished = nearid(*EMBED, "-m", "bright")
    assert finished.code == 0
    assert "6 pictures without an embedding by bright: " in finished.err
    assert set(pd.read_parquet(data / "e.parquet")["metric"]) == {"hog"}


@pytest.mark.usefixtures("bright")
def test_a_pair_needs_both_embeddings(nearid: Nearid, data: Path) -> None:
    Image.new("RGB", (50, 50)).save(data / "refs/cat/0.jpg", quality=100)
    finished = nearid("pair", "refs/cat/1.jpg", "refs/cat/0.jpg", "-m", "hog,bright")
    assert finished.error == "no number of refs/cat/1.jpg and refs/cat/0.jpg by every metric"
    assert finished.details == ["bright: too dark"]
