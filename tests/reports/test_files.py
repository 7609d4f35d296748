"""Every format read back by its own ecosystem; files that cannot be written; what is imported for what."""

import dataclasses
import io
import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nearid_cli.errors import InputError, UsageError
from nearid_cli.reports import formats
from nearid_cli.reports.files import check_outputs, write, write_images
from nearid_cli.reports.formats.data import to_json, to_parquet
from nearid_cli.results import Image, PairResult
from nearid_cli.results.reading import read_score

FORMULAS = ["=1+1", "+1", "-1", "@x", "\tx", "\rx"]


def plain(value):
    return json.loads(json.dumps(value))


def test_json_is_the_whole_result(result):
    document = json.loads(to_json(result))
    assert document == plain(result.to_dict())
    assert list(document) == [
        "schema",
        "tool",
        "created",
        "inputs",
        "metrics",
        "subjects",
        "aggregate",
        "images",
    ]
    assert list(document["subjects"][0]["scores"]["nearid"]) == [
        "score", "std", "ci95", "min", "max", "ceiling", "floor", "retention", "identification",
    ]  # fmt: skip
    assert document["images"][1]["copy_of"] == "cat/1.jpg"
    assert document["images"][0]["copy_of"] is None


def test_json_of_a_pair(result):
    pair = PairResult("a", "b", result.metrics, {"nearid": 1.0})
    assert json.loads(to_json(pair))["schema"] == "nearid.pair/1"


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_is_none_raises_instead_of_being_written(make, tmp_path, number):
    broken = make({"cat": number})
    with pytest.raises(ValueError, match="Out of range"):
        to_json(broken)
    with pytest.raises(ValueError, match="Out of range"):
        write(broken, tmp_path / "r.json")
    assert list(tmp_path.iterdir()) == []


def test_json_round_trip(result, tmp_path):
    write(result, tmp_path / "r.json")
    assert read_score(tmp_path / "r.json") == result


def test_round_trip_without_optional_numbers(make, tmp_path):
    result = make({"é\n": 0.5}, full=False)
    write(result, tmp_path / "r.json")
    assert read_score(tmp_path / "r.json") == result


def test_csv_in_pandas(result, tmp_path):
    write(result, tmp_path / "r.csv", sort="nearid")
    frame = pd.read_csv(tmp_path / "r.csv")
    assert frame["subject"].tolist() == ["red mug", "cat"]  # no aggregate row
    assert frame["copies"].tolist() == [0, 1]
    numbers = (
        "score",
        "ci95_low",
        "ci95_high",
        "std",
        "min",
        "max",
        "floor",
        "ceiling",
        "retention",
        "identification",
    )
    assert list(frame.columns) == [
        *("subject", "references", "generations", "copies"),
        *(f"{metric}_{number}" for metric in ("nearid", "clip-i", "dino") for number in numbers),
    ]
    cat = result.subjects[0].scores["dino"]
    assert frame.loc[1, "dino_score"] == cat.score
    assert (frame.loc[1, "dino_ci95_low"], frame.loc[1, "dino_ci95_high"]) == cat.ci95


def test_parquet_in_pandas(result, tmp_path):
    write(result, tmp_path / "r.parquet")
    write(result, tmp_path / "r.csv")
    frame = pd.read_parquet(tmp_path / "r.parquet")
    table = pd.read_csv(tmp_path / "r.csv")
    pd.testing.assert_frame_equal(frame, table, check_dtype=False, check_exact=True)
    made = json.loads(pq.read_schema(tmp_path / "r.parquet").metadata[b"nearid"])
    document = plain(result.to_dict())
    del document["subjects"], document["images"]
    assert made == document


def test_within_noise_is_a_column_of_truth_values(make, tmp_path):
    result = make({"cat": 0.5, "dog": 0.6}, metrics=("hog",))
    cat, dog = result.subjects
    marked = dataclasses.replace(
        dog.scores["hog"], retention=None, within_noise=True, identification_ci95=(0.7, 1.0)
    )
    subjects = (cat, dataclasses.replace(dog, scores={"hog": marked}))
    write(dataclasses.replace(result, subjects=subjects), tmp_path / "r.parquet")
    frame = pd.read_parquet(tmp_path / "r.parquet")
    assert frame["hog_within_noise"].tolist() == [False, True]
    assert frame["hog_within_noise"].dtype == "bool"
    assert frame["hog_identification_ci95_high"].tolist()[1] == 1.0


def test_missing_numbers_are_empty_and_typed(make, tmp_path):
    result = make({"cat": 0.5}, metrics=("hog",), full=False)
    write(result, tmp_path / "r.csv")
    write(result, tmp_path / "r.parquet")
    assert (tmp_path / "r.csv").read_text().splitlines()[1] == "cat,4,600,0,0.5,,,,0.5,0.5,,,,"
    frame = pd.read_parquet(tmp_path / "r.parquet")
    assert frame["hog_retention"].dtype == "float64"
    assert frame["hog_retention"].isna().all()


@pytest.mark.parametrize("extension", ["csv", "parquet", "jsonl"])
def test_images(result, tmp_path, extension):
    path = tmp_path / f"images.{extension}"
    write_images(result, path)
    if extension == "jsonl":
        assert [json.loads(line) for line in path.read_text().splitlines()] == plain(result.to_dict())[
            "images"
        ]
        return
    frame = pd.read_csv(path) if extension == "csv" else pd.read_parquet(path)
    assert list(frame.columns) == ["path", "subject", "copy_of", "nearid", "clip-i", "dino"]
    assert frame["nearid"].tolist() == [0.9, 1.0, 0.1234567890123]
    assert frame["copy_of"].isna().tolist() == [True, False, True]


def test_labels_in_every_format(make, replace, tmp_path):
    scores = {"nearid": 0.5, "dino": 0.25}
    labels = (
        {"step": "0500", "Nearid": "x", "note": "a, b"},
        {},
        {"step": "7", "path": "/", "label_path": "-"},
    )
    images = tuple(
        Image(f"{i}.png", "cat", None, scores, seed="1", labels=one) for i, one in enumerate(labels)
    )
    result = make({"cat": 0.5}, metrics=("nearid", "dino"), images=images)
    write(result, tmp_path / "r.json")
    assert read_score(tmp_path / "r.json") == result
    rows = json.loads((tmp_path / "r.json").read_text())["images"]
    assert [row.get("labels") for row in rows] == [labels[0], None, labels[2]]
    for extension in ("csv", "parquet"):
        path = tmp_path / f"i.{extension}"
        write_images(result, path)
        frame = pd.read_csv(path, dtype=str) if extension == "csv" else pd.read_parquet(path)
        columns = ["path", "subject", "copy_of", "seed", "step", "label_Nearid", "note", "label_path"]
        assert list(frame.columns) == [*columns, "label_label_path", "nearid", "dino"]
        cells = frame.astype(object).where(frame.notna(), None)
        assert cells["step"].tolist() == ["0500", None, "7"]
        assert cells["label_Nearid"].tolist() == ["x", None, None]
        assert cells["note"].tolist() == ["a, b", None, None]
        assert cells["label_path"].tolist() == [None, None, "/"]
        assert cells["label_label_path"].tolist() == [None, None, "-" if extension == "parquet" else "'-"]
        assert cells["path"].tolist() == ["0.png", "1.png", "2.png"]


def test_results_from_before_there_were_labels_read(result, tmp_path):
    write(result, tmp_path / "r.json")
    assert "labels" not in (tmp_path / "r.json").read_text()
    assert all(image.labels == {} for image in read_score(tmp_path / "r.json").images)


def test_formulas_are_defused_and_negative_numbers_are_not(make, tmp_path):
    images = tuple(Image(name, name, None, {"=m": -0.5}) for name in FORMULAS)
    result = make(dict.fromkeys(FORMULAS, -0.5), metrics=("=m",), images=images)
    write(result, tmp_path / "r.csv")
    write_images(result, tmp_path / "i.csv")
    for file in ("r.csv", "i.csv"):
        frame = pd.read_csv(tmp_path / file)
        assert frame["subject"].tolist() == ["'=1+1", "'+1", "'-1", "'@x", r"\tx", r"\rx"]
    assert frame["'=m"].tolist() == [-0.5] * 6
    assert pd.read_csv(tmp_path / "r.csv")["'=m_score"].tolist() == [-0.5] * 6


def test_names_with_commas_quotes_and_newlines_in_csv(make, tmp_path):
    names = ['a,"b"', "c\nd", "é"]
    write(make(dict.fromkeys(names, 0.5)), tmp_path / "r.csv")
    assert pd.read_csv(tmp_path / "r.csv")["subject"].tolist() == ['a,"b"', r"c\nd", "é"]


def test_names_that_are_not_utf8_are_written_as_text(make, tmp_path):
    image = Image("\udcff.png", "\udcff", None, {"nearid": 0.5, "clip-i": 0.5, "dino": 0.5})
    result = make({"\udcff": 0.5}, images=(image,))
    for extension in ("json", "csv", "parquet", "md", "tex"):
        write(result, tmp_path / f"r.{extension}")
    for extension in ("jsonl", "csv", "parquet"):
        write_images(result, tmp_path / f"i.{extension}")
    assert json.loads((tmp_path / "r.json").read_bytes().decode())["subjects"][0]["subject"] == "\\xff"
    assert pd.read_csv(tmp_path / "r.csv")["subject"].tolist() == ["\\xff"]
    assert pd.read_parquet(tmp_path / "i.parquet")["path"].tolist() == ["\\xff.png"]


def test_outputs_are_checked_before_the_job(tmp_path):
    check_outputs([tmp_path / "a.json", tmp_path / "a.CSV", tmp_path / "a.md"], [tmp_path / "images.jsonl"])
    with pytest.raises(UsageError, match=r"extension \.txt; known: \.json, .*, \.md, \.tex, \.html"):
        check_outputs([tmp_path / "a.txt"])
    with pytest.raises(UsageError, match=r"a\.xml: JUnit XML holds the verdicts of a gate: add --gate"):
        check_outputs([tmp_path / "a.xml"])
    check_outputs([tmp_path / "a.xml"], known=formats.known("score", judged=True))
    check_outputs([tmp_path / "a.tex"], known=formats.known("compare"))
    with pytest.raises(UsageError, match="no extension"):
        check_outputs([tmp_path / "json"])
    with pytest.raises(UsageError, match="cannot write s3://bucket/out: it has no extension"):
        check_outputs([Path("s3://bucket/out/")])
    with pytest.raises(UsageError, match=r"extension \.md; known: \.csv, \.parquet, \.jsonl"):
        check_outputs([], [tmp_path / "a.md"])
    with pytest.raises(UsageError, match="named twice"):
        check_outputs([tmp_path / "a.csv"], [tmp_path / "." / "a.csv"])
    (tmp_path / "d.md").mkdir()
    with pytest.raises(InputError, match=r"2 outputs: .*does not exist; make it first") as caught:
        check_outputs([tmp_path / "no" / "a.json", tmp_path / "d.md"])
    assert "d.md is a folder" in caught.value.details[0]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_found_before_the_job(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="no permission"):
        check_outputs([tmp_path / "a.json"])
    tmp_path.chmod(0o700)


def test_a_write_that_fails_half_way_leaves_the_old_file_and_nothing_else(make, tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("old")
    large = make({f"subject {i}": 0.5 for i in range(1000)})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))  # the system call fails, as on a full disk
    try:
        with pytest.raises(InputError, match=r"cannot write .*r\.csv: File too large"):
            write(large, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["r.csv"]


def test_writing_through_a_symlink_and_with_the_usual_permissions(result, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "r.json"
    link.symlink_to(tmp_path / "elsewhere" / "r.json")
    write(result, link)
    assert link.is_symlink()
    (tmp_path / "touched").touch()
    assert (tmp_path / "elsewhere" / "r.json").stat().st_mode == (tmp_path / "touched").stat().st_mode


def test_a_name_at_the_length_limit_can_be_written(result, tmp_path):
    write(result, tmp_path / ("x" * 250 + ".json"))


def test_json_needs_neither_rich_nor_arrow(tmp_path):
    code = """
import sys
from nearid_cli.reports.files import check_outputs, write
from nearid_cli.reports.formats.data import to_json
heavy = {"numpy", "pandas", "pyarrow", "rich", "torch"}
assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()
from pathlib import Path
from nearid_cli.results import *
inputs = Inputs("a", "b", "c", 1, 1, 1, (), ())
result = ScoreResult(Tool("t", "1"), "now", inputs, (), (), {}, ())
to_json(result)
check_outputs([Path(sys.argv[1])])
write(result, Path(sys.argv[1]))
assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()
"""
    subprocess.run([sys.executable, "-c", code, tmp_path / "r.json"], check=True)
    assert json.loads((tmp_path / "r.json").read_text())["created"] == "now"


@pytest.mark.parametrize("rows", [0, 1, 9])
def test_parquet_is_to_the_byte_what_arrow_makes_of_the_cells(rows):
    cells = {
        "text": (str, pa.string(), ["", "\xfc", None, "long " * 9, "x", "y", None, "z", "\u20ac"]),
        "flag": (bool, pa.bool_(), [True, False, None, True, None, True, False, False, True]),
        "count": (int, pa.int64(), [0, -1, None, 2**62, 5, 6, 7, 8, 9]),
        "number": (float, pa.float64(), [0.5, -0.0, None, float("inf"), 1, None, 2.0, 3.0, 4.0]),
        "none": (float, pa.float64(), [None] * 9),
    }
    stored = [(name, kind, own[:rows]) for name, (kind, _, own) in cells.items()]
    table = pa.Table.from_arrays(
        [pa.array(own[:rows], arrow) for _, arrow, own in cells.values()], names=[*cells]
    )
    wanted = io.BytesIO()
    pq.write_table(table.replace_schema_metadata({"k": "v"}), wanted)
    assert to_parquet(SimpleNamespace(stored=lambda: iter(stored)), {"k": "v"}) == wanted.getvalue()


READ_CASES = [
    (None, "cannot read .*No such file"),
    ("", "it is not JSON: "),
    ("{", "it is not JSON: "),
    ("\udcff", "it is not UTF-8 text"),
    ("[1]", "expected schema nearid.score/2 but it has no schema"),
    ('{"schema": "nearid.pair/1"}', "expected schema nearid.score/2 but its schema is nearid.pair/1"),
    (
        '{"schema": "nearid.score/2"}',
        "the document lacks tool, created, inputs, metrics, subjects, aggregate, images",
    ),
]


@pytest.mark.parametrize(("text", "message"), READ_CASES)
def test_what_is_no_result_is_said(tmp_path, text, message):
    path = tmp_path / "r.json"
    if text is not None:
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=message):
        read_score(path)


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (("subjects", 0, "scores", "dino", "min"), "", r'\[0\]\.scores\.dino\.min to be a number but got ""'),
        (("subjects", 1, "references"), 1.5, r"subjects\[1\]\.references to be a whole number but got 1\.5"),
        (("subjects", 1, "references"), True, "a whole number but got true"),
        (("aggregate", "nearid", "ci95"), [1], r"aggregate\.nearid\.ci95 to be 2 values but got \[1\]"),
        (("aggregate", "nearid", "score"), None, r"aggregate\.nearid\.score to be a number but got null"),
        (("metrics", 0), {}, r"metrics\[0\] lacks name, checkpoint"),
        (("metrics",), [], "metrics is empty"),
        (("aggregate", "nearid", "score"), 10**400, r"score to be a number of no more than 1e\+60 but got 1000"),
        (("subjects", 1, "subject"), "cat", "subjects has the subject cat twice"),
        (("metrics", 2, "name"), "nearid", "metrics has the metric nearid twice"),
        (("images",), {}, "images to be a list"),
        (("tool",), 3, "tool to be an object but got 3"),
        (("created",), 3, "created to be a text but got 3"),
        (("images", 2, "scores"), {"nearid": 1}, r"images\[2\] has no scores of the metric clip-i"),
        (("images", 2, "scores", "nearid"), float("nan"), "NaN is no number of JSON"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_by_its_place(result, tmp_path, keys, value, message):
    document = plain(result.to_dict())
    *way, last = keys
    inner = document
    for key in way:
        inner = inner[key]
    inner[last] = value
    (tmp_path / "r.json").write_text(json.dumps(document))
    with pytest.raises(InputError, match=message):
        read_score(tmp_path / "r.json")


def test_a_number_beyond_all_floats_is_no_score(result, tmp_path):
    written = json.dumps(plain(result.to_dict())).replace("0.1234567890123", "1e999")
    (tmp_path / "r.json").write_text(written)
    message = r"images\[2\]\.scores\.nearid to be a number of no more than 1e\+60 but got Infinity"
    with pytest.raises(InputError, match=message):
        read_score(tmp_path / "r.json")


def test_unknown_keys_of_newer_releases_are_passed_over(result, tmp_path):
    document = {**plain(result.to_dict()), "new": 1}
    document["subjects"][0]["new"] = 1
    (tmp_path / "r.json").write_text(json.dumps(document))
    assert read_score(tmp_path / "r.json") == result
