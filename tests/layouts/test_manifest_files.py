"""Manifests as programs write them: encodings, separators, quotes, types of columns."""

import csv
import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nearid_cli.errors import InputError
from nearid_cli.layouts.tables.manifest import read_manifest

TEXT = (
    "path,subject,role,method,prompt\n"
    "r/0.jpg,café,reference,,\n"
    'g/0.png,café,generation,ours,"a cat, on a ""beach"""\n'
)
# subject, path, method and prompt of every picture
READ = [("café", "r/0.jpg", None, None), ("café", "g/0.png", "ours", 'a cat, on a "beach"')]


@pytest.fixture
def root(plant):
    return plant("data", "r/0.jpg g/0.png")


def read(path):
    return [
        (subject, one.name, one.method, one.prompt)
        for subjects in read_manifest(path).roles.values()
        for subject, pictures in subjects.items()
        for one in pictures
    ]


def labels(path):
    return {
        one.name: dict(one.labels)
        for subjects in read_manifest(path).roles.values()
        for pictures in subjects.values()
        for one in pictures
    }


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"],
)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("extension", ["csv", "jsonl"])
def test_unicode_in_every_encoding(root, encoding, mark, extension):
    text = TEXT
    if extension == "jsonl":
        rows = csv.DictReader(TEXT.splitlines())
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    if encoding not in ("utf-8-sig", "utf-16", "utf-32"):  # these write a mark of their own
        text = mark + text
    (root / f"m.{extension}").write_bytes(text.encode(encoding))
    assert read(root / f"m.{extension}") == READ


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (TEXT.encode("cp1252"), "is not UTF-8: line 2 holds caf.xe9, which may be café in Windows-1252"),
        (TEXT.replace("path", "café,path").encode("latin-1"), "is not UTF-8: a column's name holds caf.xe9"),
        (TEXT.replace("r/0", "r/é").encode("cp1252"), r"is not UTF-8: line 2 holds r/.xe9.jpg"),
        (TEXT.encode("utf-16")[:-1], "is broken UTF-16: truncated data at byte"),
        (TEXT.encode().replace(b"ours", b"ou\0rs"), "is no text file: line 3 holds a zero byte"),
        (b"PK\x03\x04\x14\0\0\0", "is no text file: line 1 holds a zero byte"),
        (TEXT.encode()[:-2], "is not valid CSV: a quote is not closed, in the row that begins at line 3"),
        (
            TEXT.replace('""beach""', '"beach"').encode(),
            "is not valid CSV: .*in the row that begins at line 3",
        ),
    ],
)
def test_files_that_cannot_be_read_are_named(root, content, message):
    (root / "m.csv").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_manifest(root / "m.csv")


@pytest.mark.parametrize("line_end", ["\r\n", "\r"])
def test_line_ends(root, line_end):
    (root / "m.csv").write_text(TEXT.replace("\n", line_end), newline="")
    assert read(root / "m.csv") == READ
    (root / "m.csv").write_text(TEXT.replace("g/0", "g/1").replace("\n", line_end), newline="")
    with pytest.raises(InputError) as caught:
        read_manifest(root / "m.csv")
    assert caught.value.details == ("line 3: g/1.png does not exist",)


def test_a_row_of_several_lines_is_named_by_its_first(root):
    text = TEXT.replace("a cat", "a\n\ncat") + "g/1.png,café,generation,ours,\n"
    (root / "m.csv").write_text(text)
    with pytest.raises(InputError) as caught:
        read_manifest(root / "m.csv")
    assert caught.value.details == ("line 6: g/1.png does not exist",)


@pytest.mark.parametrize(
    ("separator", "name", "first"),
    [(";", "semicolons", ""), ("\t", "tabs", ""), (";", "semicolons", "sep=;\n"), ("|", "|", '"sep=|"\r\n')],
)
def test_other_separators_are_read_and_said(root, caplog, separator, name, first):
    caplog.set_level("INFO")
    with (root / "m.csv").open("w", newline="") as file:
        file.write(first)
        csv.writer(file, delimiter=separator).writerows(csv.reader(TEXT.splitlines()))
    assert read(root / "m.csv") == READ
    assert f"m.csv: cells are separated by {name}" in caplog.text


def test_a_file_of_tabs_by_its_name(root, caplog):
    caplog.set_level("INFO")
    (root / "m.tsv").write_text(TEXT.replace(",", "\t"))
    assert read(root / "m.tsv") == [*READ[:1], ("café", "g/0.png", "ours", 'a cat\t on a "beach"')]
    assert not caplog.text


def test_semicolons_and_tabs_in_a_file_with_commas_are_text(root):
    (root / "m.csv").write_text(TEXT.replace("prompt", "prompt;x").replace("café", "ca;fé"))
    assert labels(root / "m.csv")["g/0.png"] == {"prompt;x": 'a cat, on a "beach"'}


def test_empty_rows_and_cells_beyond_the_header_that_are_empty_pass(root):
    rows = TEXT.splitlines()
    text = "\n,,\n".join([rows[0] + ",,", rows[1] + ",,,,", " , ,\t", rows[2]]) + "\n,,,,,,,,\n  \n"
    (root / "m.csv").write_text(text)
    assert read(root / "m.csv") == READ


def test_cells_and_names_of_columns_are_trimmed(root):
    (root / "m.csv").write_text(
        " Path ,SUBJECT, role\t,Method,prompt ,\u00a0Step , My note \n"
        " r/0.jpg , café,reference ,,,,\n"
        'g/0.png,café , "generation","ours" ," a cat, on a ""beach"" ", 500 , \n'.replace('"ours" ', "ours ")
    )
    assert read(root / "m.csv") == READ
    assert labels(root / "m.csv") == {"r/0.jpg": {}, "g/0.png": {"step": "500"}}


def test_further_columns_are_labels(root):
    (root / "m.csv").write_text(
        "CATEGORY,path,subject,role,Guidance,,x\n"
        "pet,r/0.jpg,cat,reference,7.5,,\n"
        "pet,g/0.png,cat,generation,\t7.50,0,\u00a0\n"
    )
    assert labels(root / "m.csv") == {
        "r/0.jpg": {"category": "pet", "Guidance": "7.5"},
        "g/0.png": {"category": "pet", "Guidance": "7.50"},
    }


def test_a_column_without_a_name_is_passed_over_and_said(root, caplog):
    caplog.set_level("INFO")
    pd.DataFrame(csv.DictReader(TEXT.splitlines())).to_csv(root / "m.csv")  # with row numbers in front
    assert read(root / "m.csv") == READ
    assert labels(root / "m.csv")["g/0.png"] == {}
    assert "a column without a name is passed over" in caplog.text


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (
            "path,subject,role,Subject",
            r"columns of one name: subject \(column 2\) and Subject \(column 4\); keep one",
        ),
        ("path,subject,role,note,path ", r"columns of one name: path \(column 1\) and path \(column 5\)"),
        (
            "path,subject,role,x,y,X,Y",
            r"x \(column 4\) and X \(column 6\); y \(column 5\) and Y \(column 7\)",
        ),
        (
            "file_name,subject,role",
            r"missing path, found file_name, .*metadata of an imagefolder, give its folder",
        ),
    ],
)
@pytest.mark.parametrize("extension", ["csv", "jsonl", "parquet"])
def test_columns_that_are_refused(root, header, message, extension):
    path = root / f"m.{extension}"
    names = header.split(",")
    if extension == "csv":
        path.write_text(f"{header}\nr/0.jpg,cat,reference{',' * (len(names) - 3)}\n")
    elif extension == "jsonl":
        path.write_text("".join(f'{{"{name}": "x"}}\n' for name in dict.fromkeys(names)))
    else:
        pq.write_table(pa.Table.from_arrays([pa.array(["x"])] * len(names), names=names), path)
    with pytest.raises(InputError, match=message):
        read_manifest(path)


def test_json_values_as_text(root):
    rows = [
        {"path": "r/0.jpg", "subject": 7, "role": "reference", "x": None, "y": ""},
        {
            "path": "g/0.png",
            "subject": 7.0,
            "role": "generation",
            "seed": 10**30,
            "x": True,
            "y": 1e-7,
            "z": [1, "é"],
        },
    ]
    (root / "m.ndjson").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (reference,), (generation,) = (
        read_manifest(root / "m.ndjson").roles[r]["7"] for r in ("reference", "generation")
    )
    assert reference.labels == {}
    assert generation.seed == str(10**30)
    assert generation.labels == {"x": "true", "y": "1e-07", "z": '[1, "é"]'}


def test_json_that_is_no_row(root):
    good = '{"path": "r/0.jpg", "subject": "cat", "role": "reference"}'
    bad = [
        '{"path": "r/0.jpg", "subject": "cat", "subject": "dog", "role": "reference"}',
        '{"path": ["r/0.jpg"], "subject": "cat", "role": "reference"}',
        "[" * 100_000,
        '{"path": "r/\\ud800.jpg", "subject": "cat", "role": "reference"}',
    ]
    (root / "m.jsonl").write_text("\n".join([good, "", *bad]))
    with pytest.raises(InputError, match="4 wrong rows") as caught:
        read_manifest(root / "m.jsonl")
    details = caught.value.details
    assert details[:2] == (
        "line 3: the key subject is there twice",
        'line 4: expected path to be text but got ["r/0.jpg"]',
    )
    assert details[2].startswith("line 5: not valid JSON: ")
    assert details[3] == r"line 6: path holds half a character: r/\ud800.jpg"


def test_half_a_character_in_the_name_of_a_column(root):
    (root / "m.jsonl").write_text(
        '{"path": "r/0.jpg", "subject": "cat", "role": "reference", "x\\udfff": "1"}'
    )
    with pytest.raises(InputError, match=r"a column whose name holds half a character: x.udfff"):
        read_manifest(root / "m.jsonl")


@pytest.mark.parametrize("indent", [None, 1])
def test_a_json_list_is_named(root, indent):
    (root / "m.jsonl").write_text(json.dumps([{"path": "r/0.jpg"}], indent=indent))
    with pytest.raises(InputError, match="is one JSON list: expected one object a line"):
        read_manifest(root / "m.jsonl")


def test_parquet_types(root):
    columns = {
        "path": pa.array([b"r/0.jpg", b"g/0.png"]),
        "subject": pa.array(["cat", "cat"]).dictionary_encode(),
        "role": pa.array(["reference", "generation"], pa.large_string()),
        "method": pa.array([None, None], pa.null()),
        "seed": pa.array([None, 3.0], pa.float32()),
        "cfg": pa.array([0.1, 7.0], pa.float32()),
        "half": pa.array([None, 0.1], pa.float16()),
        "when": pa.array([None, 0], pa.timestamp("s")),
        "size": pa.array([None, [1, 2]]),
        "ok": pa.array([True, None]),
        "vector": pa.array([[0.5, 1.0], [0.5, 1.0]], pa.list_(pa.float32(), 2)),
        "raw": pa.array([b"\xff\xd8", b"\xff\xd8"]),
        "image": pa.array([{"bytes": b"\xff", "path": "0.png"}] * 2),
        "__index_level_0__": pa.array([0, 1]),
    }
    pq.write_table(pa.table(columns), root / "m.parquet")
    manifest = read_manifest(root / "m.parquet")
    (reference,), (generation,) = manifest.roles["reference"]["cat"], manifest.roles["generation"]["cat"]
    assert (reference.name, reference.method, reference.seed) == ("r/0.jpg", None, None)
    assert reference.labels == {"cfg": "0.1", "ok": "true"}
    assert generation.seed == "3"
    assert generation.labels == {"cfg": "7", "half": "0.1", "when": "1970-01-01 00:00:00", "size": "[1, 2]"}


def test_columns_of_parquet_that_are_no_text_are_said(root, caplog):
    caplog.set_level("INFO")
    frame = pd.DataFrame(csv.DictReader(TEXT.splitlines())).assign(raw=b"x")
    frame.to_parquet(root / "m.parquet")
    assert "passed over" not in caplog.text
    assert read(root / "m.parquet") == READ
    assert "m.parquet: passed over, as no text: raw" in caplog.text


def test_parquet_of_text_that_is_not_utf8(root):
    path = pa.Array.from_buffers(
        pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\4\0\0\0"), pa.py_buffer(b"a\xe9b.")]
    )
    columns = {"path": path, "subject": pa.array(["cat"]), "role": pa.array(["reference"])}
    pq.write_table(pa.table(columns), root / "m.parquet")
    with pytest.raises(InputError, match=r"m.parquet holds text that is not UTF-8: b'a.xe9b\.'"):
        read_manifest(root / "m.parquet")


def test_a_name_of_a_column_in_parquet_that_is_not_utf8(root):
    pq.write_table(pa.table({"path": ["r/0.jpg"], "XXXX": ["1"]}), root / "m.parquet", store_schema=False)
    (root / "m.parquet").write_bytes((root / "m.parquet").read_bytes().replace(b"XXXX", b"a\xe9b."))
    with pytest.raises(InputError, match=r"holds text that is not UTF-8: b'a.xe9b"):
        read_manifest(root / "m.parquet")


def test_a_date_beyond_all_years(root):
    columns = {
        "path": ["r/0.jpg"],
        "subject": ["cat"],
        "role": ["reference"],
        "x": pa.array([2**60], pa.timestamp("ms")),
    }
    pq.write_table(pa.table(columns), root / "m.parquet")
    with pytest.raises(InputError, match="is not valid Parquet: "):
        read_manifest(root / "m.parquet")


def test_parquet_that_holds_the_pictures_is_named(root):
    pq.write_table(pa.table({"image": pa.array([{"bytes": b"\xff", "path": "0.png"}])}), root / "m.parquet")
    with pytest.raises(
        InputError, match="holds pictures in its column image, and no path or subject or role"
    ):
        read_manifest(root / "m.parquet")
