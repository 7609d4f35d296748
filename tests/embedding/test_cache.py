"""The cache: what goes in comes out to the last bit, and no damage gives a wrong number."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nearid_cli.embedding import parts
from nearid_cli.embedding.cache import Cache
from nearid_cli.embedding.disk import Disk
from nearid_cli.embedding.parts import COMPACT_ABOVE
from nearid_cli.embedding.storage import StoredPart
from nearid_cli.errors import CacheError
from nearid_cli.files import in_use, name_aside

from .conftest import make_spec

SPEC = make_spec()


def digests(start: int, number: int) -> list[bytes]:
    return [index.to_bytes(32, "big") for index in range(start, start + number)]


def unit_rows(number: int, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).standard_normal((number, 8)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def test_rows_come_back_to_the_last_bit(cache: Cache) -> None:
    rows = unit_rows(5)
    cache.add(SPEC, digests(0, 5), rows)
    found = Cache(cache.folder).load(SPEC, digests(3, 4))
    assert set(found) == set(digests(3, 2))
    np.testing.assert_array_equal(np.stack([found[d] for d in digests(3, 2)]), rows[3:])


def test_encoders_do_not_see_each_others_rows(cache: Cache) -> None:
    cache.add(SPEC, digests(0, 2), unit_rows(2))
    other = make_spec("other", "e" * 64)
    assert cache.load(other, digests(0, 2)) == {}
    assert set(cache.load(SPEC, digests(0, 9))) == set(digests(0, 2))


def test_any_parquet_tool_reads_a_part(cache: Cache) -> None:
    rows = unit_rows(3)
    cache.add(SPEC, digests(0, 3), rows)
    (part,) = (cache.folder / "embeddings" / SPEC.fingerprint).glob("*.parquet")
    frame = pd.read_parquet(part)
    assert list(frame.columns) == ["digest", "embedding"]
    np.testing.assert_array_equal(np.stack(frame["embedding"].to_list()), rows)


@pytest.mark.parametrize("position", ["start", "middle", "end", "truncate", "empty"])
def test_a_damaged_part_is_set_aside_and_the_others_stay(
    cache: Cache, caplog: pytest.LogCaptureFixture, position: str
) -> None:
    cache.add(SPEC, digests(0, 3), unit_rows(3))
    (part,) = (cache.folder / "embeddings" / SPEC.fingerprint).glob("*.parquet")
    cache.add(SPEC, digests(3, 3), unit_rows(3, seed=1))
    content = bytearray(part.read_bytes())
    if position == "truncate":
        content = content[:-10]
    elif position == "empty":
        content = bytearray()
    else:
        content[{"start": 0, "middle": len(content) // 2, "end": len(content) - 1}[position]] ^= 1
    part.write_bytes(content)
    assert cache.verify()[1] == [f"{part}: the content does not match the checksum in its name"]
    with caplog.at_level(logging.WARNING):
        found = cache.load(SPEC, digests(0, 6))
    assert set(found) == set(digests(3, 3))
    assert "set aside" in caplog.text
    assert not part.exists()
    assert part.with_name(part.name + ".damaged").exists()
    assert cache.verify() == (1, [], [])


def test_a_part_of_wrong_numbers_is_found_by_verify(cache: Cache) -> None:
    cache.add(SPEC, digests(0, 1), np.full((1, 8), np.nan, np.float32))
    cache.add(SPEC, digests(1, 1), np.full((1, 8), 2, np.float32))
    sound, problems, _ = cache.verify()
    assert sound == 0
    assert sorted(problem.split(": ")[1] for problem in problems) == [
        "holds embeddings that are not finite",
        "holds embeddings that are not of unit length",
    ]


def test_compaction_keeps_every_row_and_sweeps_what_a_crash_left(cache: Cache) -> None:
    number = COMPACT_ABOVE + 5
    rows = unit_rows(number)
    for index in range(number):
        cache.add(SPEC, digests(index, 1), rows[index : index + 1])
    cache.add(SPEC, digests(0, 1), rows[:1])  # the same rows again are the same part
    folder = cache.folder / "embeddings" / SPEC.fingerprint
    left, written = name_aside(folder / "part"), name_aside(folder / "part")
    for path in (left, written):
        path.write_bytes(b"half a part")
        os.utime(path, (1, 1))
    with in_use(written):
        cache.compact()
    assert len(list(folder.glob("*.parquet"))) == 1
    assert not left.exists()
    assert written.exists()
    found = cache.load(SPEC, digests(0, number))
    np.testing.assert_array_equal(np.stack([found[d] for d in digests(0, number)]), rows)
    assert cache.verify() == (1, [], [])


def test_few_parts_are_left_alone_unless_asked(cache: Cache) -> None:
    for index in range(3):
        cache.add(SPEC, digests(index, 1), unit_rows(1, seed=index))
    folder = cache.folder / "embeddings" / SPEC.fingerprint
    cache.compact()
    assert len(list(folder.glob("*.parquet"))) == 3
    cache.compact(above=1)
    assert len(list(folder.glob("*.parquet"))) == 1


def test_a_reader_finds_rows_that_are_merged_away_under_it(cache: Cache) -> None:
    for index in range(4):
        cache.add(SPEC, digests(index, 1), unit_rows(1, seed=index))
    tables = cache.parts("embeddings", SPEC.fingerprint).tables()
    seen = next(tables).column("digest").to_pylist()
    Cache(cache.folder).compact(above=1)
    for table in tables:
        seen += table.column("digest").to_pylist()
    assert set(seen) == set(digests(0, 4))


class MergedMeanwhile(Disk):
    """A cache of which another process merges the parts just after this one has listed them for the first time."""

    merged = False

    def listing(self, inside: str) -> list[StoredPart]:
        found = super().listing(inside)
        if len(found) > 1 and not self.merged:
            self.merged = True
            Cache(self.folder).compact(above=1)
        return found


@pytest.fixture
def moved(cache: Cache) -> Cache:
    for index in range(4):
        cache.add(SPEC, digests(index, 1), unit_rows(1, seed=index))
    found = Cache(cache.folder)
    found.storage = MergedMeanwhile(cache.folder)
    return found


def test_what_is_told_of_parts_that_are_merged_away_is_told_of_the_merged_one(moved: Cache) -> None:
    assert [(row.metric, row.numbers, row.parts) for row in moved.info()] == [(SPEC.name, 4, 1)]


def test_keys_of_parts_that_are_merged_away(moved: Cache) -> None:
    assert moved.keys() == {SPEC.fingerprint: digests(0, 4)}


def test_what_embeddings_say_of_their_encoder_when_their_part_is_merged_away(moved: Cache) -> None:
    assert moved.about(SPEC.fingerprint)["metric"] == SPEC.name


def test_the_length_of_embeddings_whose_part_is_merged_away(moved: Cache) -> None:
    assert moved.dimension(SPEC) == 8


def test_a_merged_part_is_verified_in_place_of_its_sources(moved: Cache) -> None:
    assert moved.verify() == (1, [], [])


def test_a_part_that_is_merged_while_a_metric_is_cleared_goes_too(moved: Cache) -> None:
    other = make_spec("other", "e" * 64)
    moved.add(other, digests(0, 1), unit_rows(1))
    moved.clear(SPEC.name)
    assert [row.metric for row in Cache(moved.folder).info()] == ["other"]


def test_a_foreign_length_is_set_aside_in_the_part_that_it_was_merged_into(moved: Cache) -> None:
    moved.set_aside(SPEC, 16)
    assert Cache(moved.folder).info() == []


def test_a_newer_format_is_refused(cache: Cache) -> None:
    cache.add(SPEC, digests(0, 1), unit_rows(1))
    (cache.folder / "format").write_text("2\n")
    with pytest.raises(CacheError, match="has format 2, and this nearid knows format 1; upgrade"):
        Cache(cache.folder)


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(CacheError, match="a file in its place"):
        Cache(tmp_path / "file")


def test_info_and_clear(cache: Cache) -> None:
    other = make_spec("other", "e" * 64)
    cache.add(SPEC, digests(0, 3), unit_rows(3))
    cache.add(other, digests(0, 2), unit_rows(2))
    assert [(row.metric, row.numbers, row.parts) for row in cache.info()] == [
        ("mean-colour", 3, 1),
        ("other", 2, 1),
    ]
    old = time.time() - 10 * 86400
    for part in (cache.folder / "embeddings" / other.fingerprint).iterdir():
        os.utime(part, (old, old))
    assert cache.clear(metric="mean-colour", older_than=5 * 86400) == 0
    assert cache.clear(older_than=5 * 86400) > 0
    assert [row.metric for row in cache.info()] == ["mean-colour"]
    assert cache.clear() > 0
    assert cache.info() == []


def test_nothing_but_what_is_ours_is_read_renamed_or_cleared(
    cache: Cache, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As `--cache .` in a project that has folders of the same names."""
    digest, far = "5" * 64, tmp_path / "far"
    far.mkdir()
    theirs = [
        cache.folder / name
        for name in (
            "files/table.parquet",
            "files/deep/data.csv",
            "pairs/all.parquet",
            "features/train/table.parquet",
            f"embeddings/{SPEC.fingerprint}/notes.txt",
            "embeddings/.DS_Store",
            "weights/model.safetensors",
            "openvino/ir/model.xml",
            f"openvino/k-{digest}/readme",
            "copies/data",
            "pyproject.toml",
        )
    ] + [far / "table.parquet"]
    for path in theirs:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"of a project")
    (cache.folder / "features" / "link").symlink_to(far)
    (cache.folder / "pairs" / "empty").mkdir()
    for index in range(3):
        cache.add(SPEC, digests(index, 1), unit_rows(1))
    cache.add_absent(SPEC, digests(9, 1))
    ours = [
        cache.folder / name
        for name in (
            f"files/2/{digest}.parquet",
            f"embeddings/{SPEC.fingerprint}/{digest}.parquet.damaged",
            f"features/{digest}/{digest}.parquet",
            f"weights/{digest}-{digest}.safetensors",
            f"openvino/{digest}-{digest}/model.xml",
            f"openvino/{digest}-{digest}/model.bin",
            f"openvino/{digest}-2026.1.failed",
            f"copies/{digest}.parquet",
        )
    ]
    for path in ours:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    assert not (cache.folder / "CACHEDIR.TAG").exists()  # or backups would pass the project by
    cache.compact(above=1)
    cache.verify()
    assert all(path.exists() for path in theirs)
    caplog.clear()
    assert cache.clear() > 0
    assert all(path.read_bytes() == b"of a project" for path in theirs)
    left = {
        path.relative_to(cache.folder).as_posix() for path in cache.folder.rglob("*") if not path.is_dir()
    }
    assert left == {"format"} | {str(path.relative_to(cache.folder)) for path in theirs[:-1]}
    assert not list(cache.folder.glob("*/*/absent"))
    assert not (cache.folder / "files" / "2").exists()
    assert (cache.folder / "pairs" / "empty").is_dir()
    assert (cache.folder / "features" / "link").is_symlink()
    said = caplog.records[-1].message
    assert said.startswith("left alone in the cache: 11 files of names that nearid does not give (")


def test_parts_that_hold_nothing_wanted_are_not_read_whole(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    for index in range(4):
        cache.add(SPEC, digests(index, 1), unit_rows(1, seed=index))
    monkeypatch.setattr(parts, "PEEK_ABOVE", 0)
    read: list[StoredPart] = []
    whole = Disk.read
    monkeypatch.setattr(Disk, "read", lambda disk, part, **how: read.append(part) or whole(disk, part))
    assert set(cache.load(SPEC, digests(2, 1))) == set(digests(2, 1))
    assert len(read) == 1
    assert set(cache.load(SPEC, digests(2, 9))) == set(digests(2, 2))
    assert len(read) == 3


@pytest.mark.parametrize("peek_above", [0, parts.PEEK_ABOVE])
def test_no_flipped_bit_anywhere_gives_a_row(
    cache: Cache, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, peek_above: int
) -> None:
    monkeypatch.setattr(parts, "PEEK_ABOVE", peek_above)
    cache.add(SPEC, digests(0, 3), unit_rows(3))
    (part,) = (cache.folder / "embeddings" / SPEC.fingerprint).iterdir()
    content = part.read_bytes()
    for place in range(0, len(content), 7):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        part.write_bytes(damaged)
        assert cache.load(SPEC, digests(0, 3)) == {}, place
        part.with_name(part.name + ".damaged").unlink()
