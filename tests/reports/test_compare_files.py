"""Comparisons in every format for programs, read back by pandas, Arrow and our own reader."""

import json

import pandas as pd
import pyarrow.parquet as pq
import pytest
from junitparser import JUnitXml

from nearid_cli.errors import UsageError
from nearid_cli.reports.files import write, write_images
from nearid_cli.reports.formats.data import to_json
from nearid_cli.results.reading import read_result


def test_json_round_trip(compared, tmp_path):
    write(compared, tmp_path / "c.json", sort="dino")
    assert read_result(tmp_path / "c.json") == compared


def test_json_round_trip_with_everything_that_is_optional(compared, make, replace, tmp_path):
    method = compared.methods[0]
    result = method.result
    aggregate = {
        m: replace(a, margin=0.1, ssr=0.5, all_pairs_pa_ci95=(0.4, 0.6)) for m, a in result.aggregate.items()
    }
    subjects = tuple(replace(s, reference_paths=("1.jpg", "\x1b.jpg")) for s in result.subjects)
    images = tuple(replace(image, margins={"nearid": -0.1}) for image in result.images)
    inputs = replace(result.inputs, distractors="d", distractor_images=3)
    result = replace(result, aggregate=aggregate, subjects=subjects, images=images, inputs=inputs)
    compared = replace(compared, methods=(replace(method, result=result), *compared.methods[1:]))
    write(compared, tmp_path / "c.json")
    assert read_result(tmp_path / "c.json") == compared


@pytest.mark.parametrize("extension", ["csv", "parquet"])
def test_one_row_a_method(compared, tmp_path, extension):
    path = tmp_path / f"c.{extension}"
    write(compared, path)
    frame = pd.read_csv(path) if extension == "csv" else pd.read_parquet(path)
    numbers = (
        "rank", "score", "ci95_low", "ci95_high", "pair_mean", "floor", "ceiling", "retention", "identification",
        "delta", "delta_low", "delta_high", "p", "p_studentised", "p_holm", "p_adjusted", "verdict", "wins", "ties",
        "losses", "prompts", "pairs", "unpaired",
    )  # fmt: skip
    assert list(frame.columns) == [
        *("method", "subjects", "generations", "copies", "copying"),
        *(f"{metric}_{number}" for metric in ("nearid", "dino") for number in numbers),
    ]
    assert frame["method"].tolist() == ["lora", "dreambooth", "copy/cat"]
    assert frame["copying"].tolist() == [False, False, True]
    assert frame["copies"].tolist() == [0, 0, 4]
    assert frame["nearid_rank"].tolist()[:2] == [1, 2]
    assert frame.loc[2, ["nearid_rank", "dino_rank"]].isna().all()
    assert frame.loc[0, "nearid_delta":"nearid_unpaired"].isna().all()  # the baseline
    for row, comparison in enumerate(compared.comparisons[:2], 1):
        found = frame.loc[row]
        assert (found["nearid_delta_low"], found["nearid_delta_high"]) == comparison.ci95
        for number in (
            "delta",
            "p",
            "p_studentised",
            "p_holm",
            "p_adjusted",
            "losses",
            "prompts",
            "pairs",
            "unpaired",
        ):
            assert found[f"nearid_{number}"] == getattr(comparison, number)


def test_the_same_numbers_as_in_pandas(compared, tmp_path):
    write(compared, tmp_path / "c.parquet")
    flat = pd.read_parquet(tmp_path / "c.parquet")
    pd.testing.assert_frame_equal(flat, compared.to_pandas(), check_exact=True, check_dtype=False)


def test_intervals_of_ssr_are_two_columns(compared, replace, tmp_path):
    first, *others = compared.methods
    aggregate = {m: replace(a, ssr=0.5, ssr_ci95=(0.4, 0.6)) for m, a in first.result.aggregate.items()}
    first = replace(first, result=replace(first.result, aggregate=aggregate))
    write(replace(compared, methods=(first, *others)), tmp_path / "c.csv")
    frame = pd.read_csv(tmp_path / "c.csv")
    assert frame.loc[0, ["nearid_ssr", "nearid_ssr_ci95_low", "nearid_ssr_ci95_high"]].tolist() == [
        0.5,
        0.4,
        0.6,
    ]
    assert frame.loc[1:, "nearid_ssr"].isna().all()


def test_order_of_methods(compared, replace, tmp_path):
    for sort, expected in (
        ("-method", ["copy/cat", "dreambooth", "lora"]),
        ("nearid", ["lora", "dreambooth", "copy/cat"]),
        ("-nearid", ["copy/cat", "dreambooth", "lora"]),
    ):
        write(replace(compared, methods=compared.methods), tmp_path / "c.csv", sort=sort)
        assert pd.read_csv(tmp_path / "c.csv")["method"].tolist() == expected, sort
    shuffled = replace(compared, methods=compared.methods[::-1])
    write(shuffled, tmp_path / "c.csv", sort="dino")
    assert pd.read_csv(tmp_path / "c.csv")["method"].tolist() == ["lora", "dreambooth", "copy/cat"]
    with pytest.raises(UsageError, match=r"cannot sort by 'methd': did you mean method\?"):
        write(compared, tmp_path / "c.csv", sort="methd")


def test_provenance_in_parquet(compared, tmp_path):
    write(compared, tmp_path / "c.parquet")
    write_images(compared, tmp_path / "i.parquet")
    document = json.loads(to_json(compared))
    for method in document["methods"]:
        del method["result"]["subjects"], method["result"]["images"]
    for name in ("c", "i"):
        assert json.loads(pq.read_schema(tmp_path / f"{name}.parquet").metadata[b"nearid"]) == document


@pytest.mark.parametrize("extension", ["csv", "parquet", "jsonl"])
def test_images_of_every_method(compared, tmp_path, extension):
    path = tmp_path / f"i.{extension}"
    write_images(compared, path)
    images = [image for method in compared.methods for image in method.result.images]
    if extension == "jsonl":
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        assert list(rows[0]) == ["method", "path", "subject", "copy_of", "scores", "prompt", "seed"]
        frame = pd.DataFrame(rows)
    else:
        frame = pd.read_csv(path) if extension == "csv" else pd.read_parquet(path)
        assert list(frame.columns) == [
            "method",
            "path",
            "subject",
            "copy_of",
            "prompt",
            "seed",
            "nearid",
            "dino",
        ]
    assert frame["method"].tolist() == [m.name for m in compared.methods for _ in m.result.images]
    assert frame["path"].tolist() == [image.path for image in images]


def test_hostile_names(compare, tmp_path):
    compared = compare(methods=("=1+1", "\udcff\n", "@x"), metrics=("nearid", "-m"))
    for extension in ("json", "csv", "parquet", "md", "tex"):
        write(compared, tmp_path / f"c.{extension}")
    for extension in ("jsonl", "csv", "parquet"):
        write_images(compared, tmp_path / f"i.{extension}")
    assert pd.read_csv(tmp_path / "c.csv")["method"].tolist() == ["'=1+1", r"\xff\n", "'@x"]
    assert pd.read_csv(tmp_path / "i.csv")["method"].unique().tolist() == ["'=1+1", r"\xff\n", "'@x"]
    assert pd.read_parquet(tmp_path / "c.parquet")["method"].tolist() == ["=1+1", "\\xff\n", "@x"]


def test_what_a_result_has_no_form_for(compared, result, gate, tmp_path):
    for one in (compared, result):
        with pytest.raises(UsageError, match=r"\.xml: JUnit XML holds the verdicts of a gate: add --gate"):
            write(one, tmp_path / "r.xml")
    known = r"\.json, \.csv, \.parquet, \.md, \.tex, \.html, \.xml"
    with pytest.raises(UsageError, match=rf"extension \.jsonl; known: {known}"):
        write(gate(()), tmp_path / "g.jsonl")
    with pytest.raises(UsageError, match=r"extension \.txt; known: "):
        write(compared, tmp_path / "c.txt", gate=gate(()))
    assert list(tmp_path.iterdir()) == []


def test_verdicts(compared, result, gate, tmp_path):
    failed = gate(("cat", "dog"))
    write(failed, tmp_path / "g.json")
    assert json.loads((tmp_path / "g.json").read_text()) == json.loads(json.dumps(failed.to_dict()))
    write(failed, tmp_path / "g.md")
    assert "nearid gate failed" in (tmp_path / "g.md").read_text("utf-8")
    write(failed, tmp_path / "g.xml")
    write(compared, tmp_path / "c.xml", gate=failed)
    write(result, tmp_path / "r.xml", gate=failed)
    for name in ("g", "c", "r"):
        assert JUnitXml.fromfile(str(tmp_path / f"{name}.xml")).failures == 2
    write(result, tmp_path / "r.json", gate=failed)
    assert read_result(tmp_path / "r.json") == result


@pytest.mark.parametrize("thumbnails", [2, None])
def test_the_report(result, compared, gate, tmp_path, save, replace, thumbnails):
    for image in result.images:
        save(f"gens/{image.path}")
    inputs = replace(result.inputs, references=str(tmp_path / "refs"), generations=str(tmp_path / "gens"))
    result = replace(result, inputs=inputs)
    method = replace(compared.methods[0], result=replace(compared.methods[0].result, inputs=inputs))
    for name, one in (("r", result), ("c", replace(compared, methods=(method, *compared.methods[1:])))):
        write(one, tmp_path / f"{name}.html", gate=gate(()), thumbnails=thumbnails)
        page = (tmp_path / f"{name}.html").read_text("utf-8")
        assert page.startswith("<!doctype html>")
        assert ("data:image/webp" in page) == (name == "r" and thumbnails == 2)
