"""Embeddings read back by pandas."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from nearid_cli.errors import UsageError
from nearid_cli.reports import embeddings
from nearid_cli.reports.embeddings import write_embeddings
from nearid_cli.reports.files import check_outputs
from nearid_cli.results import Skipped
from tests.documents import problems


def test_embeddings_of_several_metrics(result, tmp_path):
    random = np.random.default_rng(0)
    found = {
        metric.name: random.standard_normal((2, size)).astype(np.float32)
        for metric, size in zip(result.metrics, (5, 3, 4), strict=True)
    }
    paths = (Path("a\n.png"), Path("\udcff.png"))
    made = SimpleNamespace(
        paths=paths,
        digests=(b"\x00" * 32, b"\xff" * 32),
        metrics=result.metrics,
        embeddings=found,
        skipped=(Skipped("b.png", "truncated"),),
        absent={},
    )
    write_embeddings(made, tmp_path / "e.parquet")
    frame = pd.read_parquet(tmp_path / "e.parquet")
    assert list(frame.columns) == ["path", "digest", "metric", "embedding"]
    for name, expected in found.items():
        rows = frame[frame["metric"] == name]
        assert rows["path"].tolist() == ["a\n.png", "\\xff.png"]
        assert rows["digest"].tolist() == ["00" * 32, "ff" * 32]
        stacked = np.stack(rows["embedding"])
        assert stacked.dtype == np.float32
        np.testing.assert_array_equal(stacked, expected)
    metadata = pq.read_schema(tmp_path / "e.parquet").metadata
    assert json.loads(metadata[b"nearid.skipped"]) == [{"path": "b.png", "reason": "truncated"}]
    facts = json.loads(metadata[b"nearid"])
    assert problems(facts) == []
    assert [metric["name"] for metric in facts["metrics"]] == ["nearid", "clip-i", "dino"]


def test_blocks_are_one_table(result, tmp_path, monkeypatch):
    monkeypatch.setattr(embeddings, "_AT_ONCE", 2)
    metric, rows = result.metrics[0], np.arange(10, dtype=np.float32).reshape(5, 2)
    made = SimpleNamespace(
        paths=tuple(Path(name) for name in "abcdef"),
        digests=tuple(bytes([place]) * 32 for place in range(6)),
        metrics=(metric,),
        embeddings={metric.name: rows},
        skipped=(),
        absent={metric.name: {2: "no face"}},
    )
    write_embeddings(made, tmp_path / "e.parquet")
    frame = pd.read_parquet(tmp_path / "e.parquet")
    assert "".join(frame["path"]) == "abdef"
    np.testing.assert_array_equal(np.stack(frame["embedding"]), rows)


def test_no_other_extension(tmp_path):
    with pytest.raises(UsageError, match=r"extension \.csv; known: \.parquet"):
        check_outputs([tmp_path / "e.csv"], known=(".parquet",))
