"""Files of numbers, as people have them: which column, which direction, and what is no number."""

import codecs
import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nearid_cli.errors import InputError, UsageError
from nearid_cli.measures.given import NO_NUMBER, ScoresFile

ROWS = [
    {"path": "cat/0.png", "score": 0.25},
    {"path": "cat/1.png", "score": None},
    {"path": "dog/0.png", "score": 1},
]
CSV = "path,score\ncat/0.png,0.25\ncat/1.png,\ndog/0.png,1\n"
NUMBERS = {"cat/0.png": 0.25, "cat/1.png": NO_NUMBER, "dog/0.png": 1.0}


def numbers(scores, name="m", **settings):
    return {row["path"]: row["score"] for row in ScoresFile(name, scores, **settings).rows()}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("s.csv", CSV),
        ("s.csv", codecs.BOM_UTF8 + CSV.encode()),
        ("s.csv", CSV.encode("utf-16")),
        ("s.csv", CSV.replace(",", ";")),
        ("s.csv", CSV.replace(",", ";").replace("0.25", "0,25")),
        ("s.csv", " Path , SCORE \n\ncat/0.png,0.25\n,\ncat/1.png,NaN\ndog/0.png,1e0\n"),
        ("s.csv", CSV.replace("path", "image_path")),
        ("s.csv", ",path,score\n0,cat/0.png,.25\n1,cat/1.png,-inf\n2,dog/0.png,+1.\n"),
        ("s.tsv", CSV.replace(",", "\t")),
        ("s.json", json.dumps(ROWS)),
        ("s.json", json.dumps({row["path"]: row["score"] for row in ROWS})),
        ("s.json", json.dumps([ROWS[0], ROWS[1] | {"score": float("nan")}, ROWS[2] | {"score": "1"}])),
        ("s.jsonl", "\n".join(map(json.dumps, ROWS))),
        ("s.ndjson", "\n\n".join(map(json.dumps, ROWS))),
    ],
)
def test_a_file_in_every_form(tmp_path, name, content):
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert numbers(file) == NUMBERS
    assert numbers(str(file)) == NUMBERS


@pytest.mark.parametrize("kind", [pa.float64(), pa.float32(), pa.float16()])
def test_parquet(tmp_path, kind):
    table = pa.table({"path": list(NUMBERS), "score": pa.array([0.25, None, 1.0], pa.float64()).cast(kind)})
    pq.write_table(table, tmp_path / "s.parquet")
    assert numbers(tmp_path / "s.parquet") == NUMBERS


def test_what_a_program_holds():
    import numpy as np

    frame = pd.DataFrame(ROWS)
    assert numbers(ROWS) == numbers(iter(ROWS)) == NUMBERS
    assert numbers(frame) == numbers(frame.set_index("path")) == numbers(frame.convert_dtypes()) == NUMBERS
    assert numbers(pa.Table.from_pylist(ROWS)) == NUMBERS
    assert numbers({row["path"]: row["score"] for row in ROWS}) == NUMBERS
    assert numbers([{"path": "a", "score": np.float32(0.1)}]) == {"a": float(np.float32(0.1))}
    torch = pytest.importorskip("torch")
    assert numbers([{"path": "a", "score": torch.tensor(0.5)}]) == {"a": 0.5}


def test_a_row_says_where_it_stands_and_from_where_its_path_counts(tmp_path):
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("subject,path,seed,lpips\ncat,0.png,7,0.5\n")
    metric = ScoresFile("lpips", [tmp_path / "a.csv", tmp_path / "b.csv"], higher_is_better=False)
    first, second = metric.rows()
    assert first == {
        "where": f"{tmp_path / 'a.csv'}, line 2",
        "path": "0.png",
        "folder": str(tmp_path),
        "subject": "cat",
        "seed": "7",
        "score": 0.5,
    }
    assert second["where"] == f"{tmp_path / 'b.csv'}, line 2"
    assert metric.checkpoint == f"{tmp_path / 'a.csv'}, {tmp_path / 'b.csv'}"
    a, b = metric.revision.split(", ")
    assert a == b
    assert len(a) == 64


WIDE = "path,step,lpips_vgg,CLIP T,words\ncat/0.png,100,0.5,0.3,good\n"


@pytest.mark.parametrize(
    ("name", "content", "settings", "expected", "note"),
    [
        ("clip-t", WIDE, {}, 0.3, ""),
        ("quality", WIDE, {"column": "LPIPS_VGG"}, 0.5, ""),
        ("m", "path,step,value\ncat/0.png,100,0.7\n", {}, 0.7, "the numbers are those of the column value"),
        (
            "m",
            "path,prompt,seed,note,x\ncat/0.png,1,2,,-3\n",
            {},
            -3.0,
            "the numbers are those of the column x",
        ),
    ],
)
def test_the_column_of_the_numbers(tmp_path, caplog, name, content, settings, expected, note):
    (tmp_path / "s.csv").write_text(content)
    with caplog.at_level("INFO"):
        metric = ScoresFile(name, tmp_path / "s.csv", **settings)
    assert [row["score"] for row in metric.rows()] == [expected]
    assert [one.getMessage() for one in caplog.records] == ([f"{tmp_path}/s.csv: {note}"] if note else [])


def test_path_is_the_path_whatever_other_files_a_row_names(tmp_path):
    (tmp_path / "s.csv").write_text("file,image,path,score\nx,y,a,1\n")
    assert numbers(tmp_path / "s.csv") == {"a": 1}


def test_a_file_for_each_method(tmp_path):
    for name, content in {
        "lora": "path,score\na,1\n",
        "full": "path,score,method\na,2,\na,3,other\n",
        "none": "path,score\na,4\n",
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.csv").write_text(content)
    (tmp_path / "full" / "lora.csv").write_text("no table")
    rows = ScoresFile("m", f"{tmp_path}/{{method}}/{{method}}.csv").rows()
    said = [(row["method"], row["score"]) for row in rows]
    assert sorted(said) == [("full", 2), ("lora", 1), ("none", 4), ("other", 3)]
    with pytest.raises(InputError, match=r"no file is called .*/\{method\}\.csv, with any method's name"):
        ScoresFile("m", f"{tmp_path}/{{method}}.csv")


def test_a_column_is_named_behind_the_file(tmp_path):
    (tmp_path / "s.csv").write_text(WIDE)
    assert numbers(f"{tmp_path}/s.csv::lpips_vgg") == {"cat/0.png": 0.5}
    (tmp_path / "s.csv::x.csv").write_text("path,score\na,1\n")
    assert numbers(f"{tmp_path}/s.csv::x.csv") == {"a": 1}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "m",
            "path,a,b\nx,1,2\n",
            r"has 2 columns of numbers \(a, b\); say which with --scores m=.*::COLUMN",
        ),
        ("m", "path,score,M\nx,1,2\n", "has the columns score and M; say which"),
        ("m", "path,step,words\nx,1,good\n", "has no column of numbers: found path, step, words; say which"),
        ("m", "name,score\nx,1\n", "needs one of the columns path, file_name, .*: found name, score"),
        ("m", "file,image,score\nx,y,1\n", "several columns that may be the path: file, image; rename"),
        ("m", "path,score,Score\nx,1,1\n", "has columns of one name"),
        ("m", "", "needs one of the columns .*: found none"),
    ],
)
def test_tables_that_leave_open_what_is_meant(tmp_path, name, content, message):
    (tmp_path / "s.csv").write_text(content)
    with pytest.raises(InputError, match=message):
        ScoresFile(name, tmp_path / "s.csv")


def test_a_column_that_is_not_there(tmp_path):
    (tmp_path / "s.csv").write_text(WIDE)
    with pytest.raises(InputError, match=r"has no column lpips_vg beside .*: did you mean lpips_vgg"):
        ScoresFile("m", f"{tmp_path}/s.csv::lpips_vg")


def test_every_wrong_row_is_named(tmp_path):
    (tmp_path / "s.csv").write_text("path,score\na,0.5\nb,good\nc,53%\nd,1,2\ne,1_0\nf,true\n")
    with pytest.raises(InputError, match="has 5 wrong rows; correct or remove them") as raised:
        ScoresFile("m", tmp_path / "s.csv")
    assert raised.value.details == (
        "line 5: 3 cells in 2 columns; quote cells that hold commas",
        "line 3: score good is no number",
        "line 4: score 53% is no number",
        "line 6: score 1_0 is no number",
        "line 7: score true is no number",
    )


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (("0,5", "1,234"), [0.5, 1.234]),
        (("-0,25", ",5", "3"), [-0.25, 0.5, 3]),
        (("1,234", "2,345"), None),  # a thousand and some, or one and some
        (("0,5", "0.7"), None),
    ],
)
def test_a_decimal_comma_is_read_where_it_can_be_nothing_else(tmp_path, cells, expected):
    rows = "".join(f"{place};{cell}\n" for place, cell in enumerate(cells))
    (tmp_path / "s.csv").write_text(f"path;score\n{rows}")
    if expected is None:
        with pytest.raises(InputError, match="wrong row") as raised:
            ScoresFile("m", tmp_path / "s.csv")
        assert "is one number or another; write it with a point" in raised.value.details[0]
    else:
        assert list(numbers(tmp_path / "s.csv").values()) == expected


@pytest.mark.parametrize("name", ["lpips", "LPIPS-vgg", "my_dreamsim", "color.distance"])
def test_a_distance_without_a_direction_is_asked_for_it(name):
    with pytest.raises(UsageError, match=f"which is better.*--direction {name}=lower, or =higher"):
        ScoresFile(name, ROWS)
    for better, word in ((True, "higher"), (False, "lower")):
        metric = ScoresFile(name, ROWS, higher_is_better=better)
        assert metric.higher_is_better is better
        assert metric.protocol == f"numbers that something else computed; {word} is better"


def test_elsewhere_higher_is_better_and_said():
    metric = ScoresFile("aesthetic", ROWS)
    assert metric.higher_is_better
    assert metric.protocol == "numbers that something else computed; higher is better"


@pytest.mark.parametrize(
    ("given", "expected"),
    [([0, 1], (0, 1)), ((None, 5), (None, 5)), ([0, float("inf")], (0, None)), ((None, None), (None, None))],
)
def test_ranges(given, expected):
    assert ScoresFile("m", ROWS, range=given).range == expected


@pytest.mark.parametrize("given", [[1, 0], [0], "01", [0, "1"], [float("nan"), 1], [False, True], None])
def test_ranges_that_are_none(given):
    with pytest.raises(UsageError, match='metric "m": range must'):
        ScoresFile("m", ROWS, range=given)


@pytest.mark.parametrize(
    ("settings", "kind", "message"),
    [
        ({"scores": None}, UsageError, "has no numbers yet: say where they are with --scores m=FILE"),
        (
            {"scores": "s.xlsx"},
            UsageError,
            r"expected a file that ends in \.csv, .* found s\.xlsx; save the spreadsheet as CSV UTF-8",
        ),
        ({"scores": "none.csv"}, InputError, r"cannot read none\.csv: No such file or directory$"),
        ({"scores": 7}, UsageError, "expected scores to be a file, .*found int"),
        ({"scores": [ROWS[0], 7]}, UsageError, "found int"),
        (
            {"scores": ROWS, "higher_is_better": "no"},
            UsageError,
            "higher_is_better must be true or false, found 'no'",
        ),
    ],
)
def test_wrong_settings(tmp_path, monkeypatch, settings, kind, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.xlsx").touch()
    with pytest.raises(kind, match=message):
        ScoresFile("m", **settings)


def test_broken_json(tmp_path):
    for content, message in (
        ('{"a": 1, "a": 2}', "the key a is there twice"),
        ("[1", "is not valid JSON"),
        ("7", "expected a list of rows"),
        ('{"a": [1]}', "expected a list of rows"),
        ('[{"path": "x", "score": [1]}]', "wrong row"),
        ('[{"path": "x", "score": 1}, 5]', "1 wrong row"),
    ):
        (tmp_path / "s.json").write_text(content)
        with pytest.raises(InputError, match=message):
            ScoresFile("m", tmp_path / "s.json")
