from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import datasets
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearid_cli.errors import InputError
from nearid_cli.nearid_data import choose_rows, column_rule, open_source, read_rows, rows_name
from tests.nearid_data.making import png, saved, slots, table


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "rows.json"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    "content", ["[4, 0, 2]", '{"indices": [4, 0, 2], "seed": 1}', b"\xef\xbb\xbf[4, 0, 2]"]
)
def test_both_forms_in_their_order(tmp_path: Path, content: str | bytes) -> None:
    assert read_rows(written(tmp_path, content), 5) == [4, 0, 2]


@pytest.mark.parametrize(
    ("content", "message", "details"),
    [
        ("[]", "lists no rows", ()),
        ("3", "expected a JSON list of row positions, or", ()),
        ('{"rows": [1]}', 'found an object without "indices"', ()),
        ('{"indices": "1"}', 'found "1"', ()),
        ("[1, 2", "found no JSON", ()),
        (b"\xff\xfe", "found no JSON", ()),
        ("[" * 100_000, "found no JSON", ()),
        (
            '[1, true, 2.0, "3", null]',
            "expected integers, found 4 entries",
            ("entry 2: true", "entry 3: 2.0", 'entry 4: "3"', "entry 5: null"),
        ),
        ("[0, 5, -1]", "lists 2 rows that the data set does not have: it has 5 rows", ("row 5", "row -1")),
        ("[0, 1, 0, 0]", "lists 1 row more than once", ("row 0: 3 times",)),
        (f"[{10**50}]", "lists 1 row that", ("row a very large integer",)),
    ],
)
def test_what_is_no_list_of_rows(
    tmp_path: Path, content: str | bytes, message: str, details: tuple[str, ...]
) -> None:
    with pytest.raises(InputError) as caught:
        read_rows(written(tmp_path, content), 5)
    assert message in caught.value.message
    assert "rows.json" in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.details == details


def test_of_many_findings_the_first_few(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_rows(written(tmp_path, json.dumps(list(range(100, 120)))), 5)
    assert caught.value.details == (*(f"row {row}" for row in range(100, 105)), "and 15 more")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.json cannot be read: No such file"):
        read_rows(tmp_path / "none.json", 5)


@given(st.sets(st.integers(0, 999), min_size=1).flatmap(lambda rows: st.permutations(sorted(rows))))
def test_every_list_of_unique_rows_is_read_as_it_is(
    tmp_path_factory: pytest.TempPathFactory, rows: list[int]
) -> None:
    path = written(tmp_path_factory.getbasetemp(), json.dumps(rows))
    assert read_rows(path, 1000) == rows


def data(folder: Path, **columns: list[Any]) -> datasets.Dataset:
    """A data set in Parquet with these columns."""
    rows = len(next(iter(columns.values())))
    table(slots("images", [[png(row)] * 3 for row in range(rows)]), **columns).to_parquet(
        folder / "d.parquet"
    )
    return open_source(str(folder / "d.parquet"))


def chosen(rows: str, dataset: datasets.Dataset) -> list[int]:
    return choose_rows(rows, "d.parquet", dataset)


def test_rows_by_a_column(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    dataset = data(
        tmp_path, split=["test", "train", "test", "val"], fold=[1, 2, 2, 10], safe=[True, False, True, True]
    )
    assert chosen("split=test", dataset) == [0, 2]
    assert chosen("fold=2", dataset) == [1, 2]  # and not 10, or 12
    assert chosen("safe=false", dataset) == [1]
    assert not caplog.records


def test_a_label_that_stands_for_a_word(tmp_path: Path) -> None:
    labels = datasets.ClassLabel(names=["train", "test"])
    dataset = datasets.Dataset.from_dict({"split": [1, 0, -1, 1]}).cast_column("split", labels)
    assert chosen("split=test", open_source(saved(dataset, tmp_path / "d"))) == [0, 3]


def test_rows_with_nothing_in_the_column_are_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dataset = data(tmp_path, split=["test", None, None, "train"])
    with caplog.at_level(logging.WARNING):
        assert chosen("split=test", dataset) == [0]
    assert caplog.messages == ["2 rows of d.parquet with nothing in the column split left out"]


@pytest.mark.parametrize(
    ("rows", "message", "details"),
    [
        (
            "split=tests",
            "no row of d.parquet has split=tests; the column holds",
            ("train: 2 rows", "test: 1 row", "nothing: 1 row"),
        ),
        (
            "split=Test",
            "no row of d.parquet has split=Test",
            ("train: 2 rows", "test: 1 row", "nothing: 1 row"),
        ),
        (
            "split=",
            "no row of d.parquet has split=; the column",
            ("train: 2 rows", "test: 1 row", "nothing: 1 row"),
        ),
        ("empty=x", "no row of d.parquet has empty=x; the column holds", ("nothing: 4 rows",)),
        ("spilt=test", "d.parquet has no column spilt; it has split, empty, score, images1,", ()),
        ("splits=1/test.json", "d.parquet has no column splits", ()),
        ("score=0.5", "words, whole numbers or truth values, and score holds double", ()),
        ("images1=a.png", "and images1 holds struct<", ()),
    ],
)
def test_what_no_column_says(tmp_path: Path, rows: str, message: str, details: tuple[str, ...]) -> None:
    dataset = data(tmp_path, split=["train", "test", None, "train"], empty=[None] * 4, score=[0.5] * 4)
    with pytest.raises(InputError) as caught:
        chosen(rows, dataset)
    assert message in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.details == details


def test_of_many_values_the_commonest(tmp_path: Path) -> None:
    dataset = data(tmp_path, split=[*map(str, range(12)), "7"])
    with pytest.raises(InputError) as caught:
        chosen("split=x\ny", dataset)
    assert caught.value.message.endswith(r"has split=x\ny; the column holds")
    assert caught.value.details[0] == "7: 2 rows"
    assert caught.value.details[-1] == "and 7 more"


def test_a_file_whose_name_reads_like_a_column(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    dataset = data(tmp_path, split=["test", "train"])
    assert chosen("split=test", dataset) == [0]
    (tmp_path / "split=test").write_text("[1]")
    assert column_rule("split=test") is None
    assert chosen("split=test", dataset) == [1]


def test_a_value_that_is_no_name_of_a_file(tmp_path: Path) -> None:
    long = "a description " * 40
    assert chosen(f"about={long}", data(tmp_path, about=["short", long])) == [1]


@pytest.mark.parametrize(
    ("rows", "name"),
    [
        ("split=test", "test"),
        ("a/test.json", "test"),
        ("=test", "=test"),
        ("a=b=c/d", "b=c~d"),
        ("a=" + "é" * 99, "é" * 40),
    ],
)
def test_names_of_rows(rows: str, name: str) -> None:
    assert rows_name(rows) == name
