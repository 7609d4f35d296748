from __future__ import annotations

import os
from pathlib import Path

import pytest
from huggingface_hub import constants

from nearid_cli.benchmarks.resume import Record, data_identity, recorded, settled, write_record
from nearid_cli.errors import BadImage, InputError


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "sims_image_trainall_full_hog.csv"
    path.write_text("sample_id\n1\n")
    path.with_suffix(".parquet").write_bytes(b"twin")
    return path


def test_a_folder_is_known_by_the_content_of_its_files_and_their_names(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    (folder / "data").mkdir(parents=True)
    file = folder / "data" / "one.arrow"
    file.write_bytes(b"one")
    first = data_identity(str(folder))
    assert first is not None
    assert first.startswith(f"{folder}: ")
    assert data_identity(f"{folder}/") == first
    os.utime(file, (1, 1))
    assert data_identity(str(folder)) == first
    file.write_bytes(b"two")
    os.utime(file, (1, 1))
    second = data_identity(str(folder))
    file.rename(folder / "data" / "two.arrow")
    third = data_identity(str(folder))
    (folder / "more").write_bytes(b"")
    assert len({first, second, third, data_identity(str(folder))}) == 4


def test_a_data_set_that_changed_during_the_work_is_an_error() -> None:
    before: dict[str, object] = {"data": ["/data/set: 1", None]}
    after = {"data": ["/data/set: 1", "org/set@abc"]}
    assert settled(before, after) == after
    with pytest.raises(InputError, match=r"^/data/set changed while it was read"):
        settled(before, {"data": ["/data/set: 2", None]})


def test_a_data_set_of_the_hub_is_known_by_its_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    assert data_identity("Aleksandar/NearID") is None
    refs = tmp_path / "datasets--Aleksandar--NearID" / "refs"
    refs.mkdir(parents=True)
    (refs / "main").write_text("c" * 40)
    assert data_identity("Aleksandar/NearID") == f"Aleksandar/NearID@{'c' * 40}"


def test_a_record_serves_its_own_request_and_file(table: Path) -> None:
    request = {"version": 1, "data": ["a: 1", "b: 2"]}
    record = Record(request, 5, ())
    assert recorded(table, request, skip_bad=False) is None
    write_record(table, record)
    assert recorded(table, request, skip_bad=False) == record
    assert recorded(table, {**request, "version": 2}, skip_bad=False) is None
    table.write_text("sample_id\n2\n")
    assert recorded(table, request, skip_bad=False) is None


def test_bad_pictures_are_reason_enough_only_where_they_are_skipped(table: Path) -> None:
    record = Record({"data": ["a: 1"]}, 5, (BadImage("a, row 1, column images1", "truncated PNG"),))
    write_record(table, record)
    assert recorded(table, record.request, skip_bad=True) == record
    assert recorded(table, record.request, skip_bad=False) is None


def test_data_that_nobody_can_name_are_never_the_same(table: Path) -> None:
    request = {"data": ["a: 1", None]}
    write_record(table, Record(request, 5, ()))
    assert recorded(table, request, skip_bad=False) is None


@pytest.mark.parametrize(
    "content", ["", "[", "[]", "3", '{"schema": "other"}', '{"schema": null, "request": {}}']
)
def test_what_is_no_record(table: Path, content: str) -> None:
    table.with_name(f"{table.name}.made.json").write_text(content)
    assert recorded(table, {"data": []}, skip_bad=False) is None


def test_a_file_without_its_twin_is_made_again(table: Path) -> None:
    request = {"version": 1, "data": ["a: 1"]}
    write_record(table, Record(request, 5, ()))
    assert recorded(table, request, skip_bad=False) is not None
    table.with_suffix(".parquet").unlink()
    assert recorded(table, request, skip_bad=False) is None
