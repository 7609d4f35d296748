"""Parts whose checksums are right, and which hold what this nearid does not write: passed over, and never an error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from blake3 import blake3

from nearid_cli.embedding.cache import Cache, digest_bytes
from nearid_cli.embedding.memo import FileMemo
from nearid_cli.embedding.pipeline import embed
from nearid_cli.embedding.settings import Settings
from nearid_cli.embedding.stamps import FileState, Stamps
from tests.embedding.conftest import GridEncoder, make_spec

SPEC = make_spec()
DIGEST = b"d" * 32
TABLES = {
    "embeddings": pa.table(
        {"digest": pa.array([DIGEST], pa.binary(32)), "embedding": pa.array([[0.6, 0.8]], pa.list_(pa.float32(), 2))}
    ),
    "pairs": pa.table(
        {
            "key": pa.array([DIGEST * 2], pa.binary(64)),
            "number": pa.array([0.5], pa.float64()),
            "reason": pa.array([None], pa.string()),
        }
    ),
    "features": pa.table(
        {
            "digest": pa.array([DIGEST], pa.binary(32)),
            "shape": pa.array([[1, 2]], pa.list_(pa.int32())),
            "values": pa.array([np.zeros(2, np.float32).tobytes()], pa.large_binary()),
        }
    ),
    "files": pa.table(
        {
            "path": pa.array([b"/x"], pa.binary()),
            **{name: pa.array([1], pa.int64()) for name in ("size", "mtime_ns", "ctime_ns")},
            **{name: pa.array([1], pa.uint64()) for name in ("device", "inode")},
            "digest": pa.array([DIGEST], pa.binary(32)),
        }
    ),
}  # fmt: skip
NUMBERS = {"embeddings": "embedding", "pairs": "number", "features": "values", "files": "inode"}
"""The column that means something."""


def replaced(table: pa.Table, what: str, column: pa.Array) -> pa.Table:
    name = NUMBERS[what]
    return table.set_column(table.schema.names.index(name), name, column)


def beyond(table: pa.Table, what: str) -> pa.Table:
    """NaN, or whatever else cannot be of what there is."""
    odd = {
        "embeddings": pa.array([[np.nan, 1]], pa.list_(pa.float32(), 2)),
        "pairs": pa.array([np.nan], pa.float64()),
        "features": pa.array([b"12345"], pa.large_binary()),
        "files": pa.array([-1], pa.int64()),
    }
    return replaced(table, what, odd[what])


def key_of_lists(table: pa.Table, what: str) -> pa.Table:
    name = table.schema.names[0]
    return table.set_column(0, name, pa.array([[1.0]], pa.list_(pa.float32())))


KINDS: dict[str, Callable[[pa.Table, str], pa.Table]] = {
    "a column is missing": lambda table, what: table.drop_columns([NUMBERS[what]]),
    "no column at all": lambda table, what: table.select([]),
    "another type": lambda table, what: replaced(table, what, pa.array(["text"])),
    "another dimension": lambda table, what: replaced(table, what, pa.array([[[1.0]]])),
    "a key that is a list": key_of_lists,
    "gaps": lambda table, what: pa.concat_tables([table, table.schema.empty_table()]).set_column(
        0, table.schema.field(0), pa.array([None], table.schema.field(0).type)
    ),
    "beyond": beyond,
    "no rows": lambda table, what: table.schema.empty_table(),
}


def put(cache: Cache, what: str, table: pa.Table) -> Path:
    """Write a part as any tool can, under its checksum."""
    folder = cache.folder / what / ("2" if what == "files" else SPEC.fingerprint)
    folder.mkdir(parents=True, exist_ok=True)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    part = folder / f"{blake3(sink.getvalue()).hexdigest()}.parquet"
    part.write_bytes(sink.getvalue())
    return part


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    cache = Cache(tmp_path / "cache")
    cache.mark()
    return cache


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("what", TABLES)
def test_what_this_nearid_does_not_write_is_passed_over(
    cache: Cache, caplog: pytest.LogCaptureFixture, what: str, kind: str
) -> None:
    part = put(cache, what, KINDS[kind](TABLES[what], what))
    put(cache, what, TABLES[what])
    store = FileMemo(cache.folder / "files").parts if what == "files" else cache.parts(what, SPEC.fingerprint)
    assert [table.num_rows for table in store.tables()] == [1]
    assert [table.num_rows for table in store.tables({DIGEST, DIGEST * 2})] == [1]
    assert "this nearid did not write is passed over" in caplog.text
    assert cache.verify()[0] == 1
    assert [line.partition(": ")[0] for line in cache.verify()[1]] == [str(part)]
    assert cache.dimension(SPEC) == (2 if what == "embeddings" else None)
    assert set(cache.load(SPEC, [DIGEST])) == ({DIGEST} if what == "embeddings" else set())
    FileMemo(cache.folder / "files").known([FileState(b"/x", 1, 1, 1, 1, 1)], Stamps())
    cache.info()
    cache.keys()
    cache.compact(above=1)
    assert part.exists()


def test_of_two_dimensions_that_of_most_counts(cache: Cache, caplog: pytest.LogCaptureFixture) -> None:
    cache.add(SPEC, [b"e" * 32], np.array([[1]], np.float32))
    cache.add(SPEC, [DIGEST, b"f" * 32], np.array([[0.6, 0.8], [0.8, 0.6]], np.float32))
    assert set(cache.load(SPEC, [DIGEST, b"e" * 32])) == {DIGEST}
    assert "embeddings are of 1 numbers, most of 2" in caplog.text


@pytest.mark.parametrize("foreign", [1, 10])
def test_parts_of_another_dimension_cost_no_run(
    cache: Cache,
    encoder: GridEncoder,
    save: Callable[..., Path],
    foreign: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Older than ours, and fewer or more."""
    paths = [save(f"{index}.png", crop=index) for index in range(3)]
    keys = [digest_bytes(paths[0].read_bytes()), *(bytes([index]) * 32 for index in range(foreign - 1))]
    cache.add(encoder.spec, keys, np.full((foreign, 1), 1, np.float32))

    def run(cache: Cache | None, number: int) -> npt.NDArray[np.float32]:
        found = embed(paths[:number], [encoder.spec], lambda _: encoder, cache, Settings())
        return found.matrix(encoder.spec.name, [one for one in found.digests if one])[:]

    assert np.array_equal(run(cache, 3), run(None, 3))
    assert caplog.text.count("a part of the cache is set aside") == 1
    caplog.clear()
    again = Cache(cache.folder)
    assert np.array_equal(run(again, 3), run(None, 3))
    assert set(again.load(encoder.spec, keys)) == {keys[0]}
    assert caplog.text == ""
