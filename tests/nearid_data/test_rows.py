from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearid_cli.errors import InputError
from nearid_cli.nearid_data import read_rows


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
