"""Tables that somebody made to read what is none of theirs, or to fill the memory: one line each, and no more read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nearid_cli.errors import InputError
from nearid_cli.layouts.find import find
from nearid_cli.layouts.methods import find_methods
from nearid_cli.layouts.tables.manifest import read_manifest
from nearid_cli.options import LayoutOptions

SECRET = "root:$6$salt$hash:19000:0:99999:7:::"
HEADER = "path,subject,role"
OUTSIDE = "lies outside of the table's folder and of the current folder"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two pictures and, beside it, what is none of its business; the current folder is a third."""
    for name in ("data/0.png", "data/1.png", "elsewhere/2.png", "here/3.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "elsewhere" / "secret.txt").write_text(SECRET)
    (tmp_path / "elsewhere" / "secret.csv").write_text(SECRET)
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "data"


def manifest(place: Path, *generations: object) -> Path:
    rows = ["0.png,cat,reference", *(f"{one},cat,generation" for one in generations)]
    (place / "m.csv").write_text("\n".join([HEADER, *rows]))
    return place / "m.csv"


def test_paths_lead_below_the_manifest_and_the_current_folder(place: Path) -> None:
    (place / "link.png").symlink_to("../elsewhere/2.png")
    (place / "folder").symlink_to("../elsewhere")
    (place / "inner.png").symlink_to("1.png")
    paths = [
        "../elsewhere/2.png",
        place.parent / "elsewhere/secret.txt",
        "link.png",
        "folder/2.png",
        "folder/none.png",
    ]
    good = [
        "1.png",
        place / "1.png",
        "../here/3.png",
        place.parent / "here/3.png",
        "folder/../data/1.png",
        "inner.png",
    ]
    with pytest.raises(InputError) as caught:
        find(manifest(place, *paths, *good), None)
    assert "has 5 wrong rows; correct or remove them; --allow-outside takes paths that lie elsewhere" in str(
        caught.value
    )
    where = f"{place.parent}/elsewhere"
    assert list(caught.value.details) == [
        f"line 3: ../elsewhere/2.png {OUTSIDE}",
        f"line 4: {where}/secret.txt {OUTSIDE}",
        f"line 5: link.png leads to {where}/2.png, which {OUTSIDE}",
        f"line 6: folder/2.png leads to {where}/2.png, which {OUTSIDE}",
        f"line 7: folder/none.png leads to {where}/none.png, which {OUTSIDE}",
    ]
    found = find(manifest(place, *paths[:4], *good), None, LayoutOptions(allow_outside=True))
    assert len(found.subjects[0].generations) == 6
    # What was given besides is no foreign place.
    found = find(manifest(place, "../elsewhere/2.png"), place.parent / "elsewhere", "manifest")
    assert found.subjects[0].references[0].name == "0.png"


@pytest.mark.parametrize(
    ("written", "line"),
    [
        ('"a\\u0000b.png"', r"a\x00b.png holds a zero byte, as no path does"),
        ('"' + "x" * 5000 + '"', "x" * 300 + "... (5,000 characters) cannot be read (File name too long)"),
        ('"~nobodyknows/x.png"', "~nobodyknows/x.png does not exist"),
        (r'"C:\\x\\y.png"', r"C:\x\y.png does not exist"),
        (
            '"' + "../" * 2000 + 'etc/passwd"',
            "../" * 100 + "... (6,010 characters) " + OUTSIDE,
        ),
        ('"/proc/version"', "/proc/version " + OUTSIDE),
        ('"pipe.png"', "pipe.png is not a regular file"),
    ],
)
def test_paths_that_lead_nowhere(place: Path, written: str, line: str) -> None:
    os.mkfifo(place / "pipe.png")
    rows = ['{"path": "0.png", "subject": "cat", "role": "reference"}']
    rows += [f'{{"path": {written}, "subject": "cat", "role": "generation"}}']
    (place / "m.jsonl").write_text("\n".join(rows))
    with pytest.raises(InputError) as caught:
        find(place / "m.jsonl", None)
    assert list(caught.value.details) == [f"line 2: {line}"]


@pytest.mark.parametrize("name", ["m.csv", "m.jsonl", "m.parquet", "m.tsv"])
def test_nothing_is_told_of_files_that_are_no_tables(place: Path, name: str) -> None:
    (place / name).symlink_to("../elsewhere/secret.csv")
    with pytest.raises(InputError) as caught:
        find(place / name, None)
    assert "root" not in str(caught.value).replace(str(place), "")
    assert "$6$" not in str(caught.value)


def test_nothing_is_told_of_a_file_that_a_link_in_a_folder_passes_for_a_table(place: Path) -> None:
    (place / "metadata.csv").symlink_to("../elsewhere/secret.csv")
    with pytest.raises(
        InputError, match=r"^1 link leads out of .*\(metadata.csv -> .*secret.csv\); --follow-symlinks"
    ):
        find(place, place.parent / "here")


def test_texts_that_are_links_to_elsewhere_are_no_prompts(place: Path, tmp_path: Path) -> None:
    (place / "0.txt").symlink_to("../elsewhere/secret.txt")
    (place / "1.txt").write_text("a cat on a beach")
    found = find(tmp_path / "here", place)
    assert {one.prompt for one in found.subjects[0].generations} == {None, "a cat on a beach"}
    assert (
        "1 .txt file beside generations without a prompt in it: 0.txt (a link that leads elsewhere)"
        in found.notes
    )
    found = find(tmp_path / "here", place, LayoutOptions(follow_symlinks=True))
    assert {one.prompt for one in found.subjects[0].generations} == {SECRET, "a cat on a beach"}


def test_concepts_lie_below_their_file(place: Path, tmp_path: Path) -> None:
    refs = tmp_path / "refs"
    (refs / "cat").mkdir(parents=True)
    (refs / "cat" / "0.png").touch()
    outside = ["/usr", "../elsewhere", "cat/../../data", "/"]
    content = [{"instance_data_dir": one} for one in ["cat", *outside, "a\0b"]]
    (refs / "dataset.json").write_text(json.dumps(content))
    with pytest.raises(
        InputError, match=r"names 3 folders of concepts outside of .*refs and of the current folder"
    ):
        find(refs, place)
    (refs / "dataset.json").write_text(json.dumps([{"instance_data_dir": "../elsewhere"}]))
    assert find(refs, place, LayoutOptions(allow_outside=True)).subjects[0].name == "elsewhere"


@pytest.mark.parametrize("content", ["[" * 100_000, "[" + "1" * 5000 + "]", "\xff", ""])
def test_markers_that_python_cannot_hold(place: Path, tmp_path: Path, content: str) -> None:
    (place / "dataset.json").write_text(content, "latin-1")
    with pytest.raises(InputError, match=r"dataset.json cannot be read: it is n"):
        find(place, tmp_path / "here")


def test_a_caption_that_is_a_link_to_elsewhere_names_no_subject(place: Path, tmp_path: Path) -> None:
    data = tmp_path / "plus"
    for name in ("images/object/00.jpg", "captions/object/x"):
        (data / name).parent.mkdir(parents=True)
        (data / name).touch()
    (data / "captions/object/00.txt").symlink_to(tmp_path / "elsewhere" / "secret.txt")
    with pytest.raises(InputError, match=r"1 link leads out of .*plus \(captions/object/00.txt -> "):
        find(data, place)


def test_methods_that_are_links_to_elsewhere(place: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    for name in ("refs/cat/0.png", "common/cat/0.png"):
        (runs / name).parent.mkdir(parents=True)
        (runs / name).touch()
    (runs / "lora").mkdir()
    (runs / "lora" / "cat").symlink_to("../common/cat")  # below what was given
    assert set(find_methods([runs], None, {})) == {"common", "lora"}
    (runs / "ip").symlink_to("../elsewhere")
    with pytest.raises(
        InputError, match=r"1 link leads out of .*runs \(ip -> .*elsewhere\); --follow-symlinks"
    ):
        find_methods([runs], None, {})


LIMITED = """
import resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
from nearid_cli.errors import NearIDError
from nearid_cli.layouts.tables.manifest import read_manifest
try:
    read_manifest(Path(sys.argv[1]))
except NearIDError as error:
    print(error.message)
"""


def refused(path: Path) -> str:
    """What is said of a manifest, by a process that may use 4 GiB and two minutes."""
    return subprocess.run(
        [sys.executable, "-c", LIMITED, path], check=True, capture_output=True, text=True, timeout=120
    ).stdout


def test_a_few_kilobytes_that_hold_millions_of_rows(tmp_path: Path) -> None:
    path = tmp_path / "m.parquet"
    texts = pa.DictionaryArray.from_arrays(pa.array(bytes(2_000_001), pa.uint8()), ["x"])
    pq.write_table(pa.table({"path": texts, "subject": texts, "role": texts}), path)
    assert path.stat().st_size < 20_000
    assert "has more rows than are read, which is 2,000,000 of 3 columns; make several of it" in refused(path)


@pytest.mark.parametrize(
    ("length", "said"),
    [(1_000_000, "has 20,000 wrong rows"), (100_000, "holds more text than is read, which is")],
)
def test_long_texts_that_are_one_stay_one(tmp_path: Path, length: int, said: str) -> None:
    path = tmp_path / "m.parquet"
    texts = pa.DictionaryArray.from_arrays(pa.array(bytes(20_000), pa.uint8()), ["x" * length])  # gigabytes
    pq.write_table(pa.table({"path": texts, "subject": texts, "role": texts}), path)
    assert said in refused(path)


def test_lists_that_hold_millions_of_values(tmp_path: Path) -> None:
    path = tmp_path / "m.parquet"
    label = pa.ListArray.from_arrays([0, 20_000_000], pa.nulls(20_000_000, pa.int8()))
    pq.write_table(pa.table({"path": ["a"], "subject": ["a"], "role": ["reference"], "label": label}), path)
    assert "holds 20,000,003 values, and no more than 20,000,000 are read" in refused(path)


def test_columns_cells_and_bytes_are_bounded(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text(HEADER + "".join(f",c{number}" for number in range(100_000)))
    assert "has 100,003 columns, and no more than 1,000 are read" in refused(path)
    with path.open("wb") as file:
        file.truncate(2**30)
    assert "has 1.1 GB, and no more than 268.4 MB are read" in refused(path)
    path = tmp_path / "m.jsonl"
    path.write_text('{"path": "' + "x" * 2**20 + '"}\n')
    with pytest.raises(InputError) as caught:
        read_manifest(path)
    assert list(caught.value.details) == [
        "line 1: has 1,048,589 characters, and no more than 1,048,576 are read"
    ]


@pytest.mark.parametrize("quote", ['a,"b""', '"' + '""' * 1_000_000, 'a, "' + '""' * 1_000_000])
def test_quotes_that_never_close(tmp_path: Path, quote: str) -> None:
    path = tmp_path / "m.csv"
    path.write_text(f"{HEADER}\n{quote}")
    assert "is not valid CSV: " in refused(path)


def test_of_many_wrong_rows_the_first_are_listed(tmp_path: Path) -> None:
    rows = "".join(f"gone/{number}.png,cat,generation\n" for number in range(5_000))
    (tmp_path / "m.csv").write_text("path,subject,role\n" + rows)
    with pytest.raises(InputError, match="has 5,000 wrong rows") as caught:
        find(tmp_path / "m.csv", None)
    assert len(caught.value.details) == 21
    assert "gone/0.png" in caught.value.details[0]
    assert caught.value.details[-1] == "and 4,980 more"
