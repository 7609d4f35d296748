"""Imagefolders as the datasets library writes and reads them."""

import json
import os
import unicodedata

import pandas as pd
import pytest

from nearid_cli.errors import InputError
from nearid_cli.layouts.dataset import Picture
from nearid_cli.layouts.find import find
from nearid_cli.layouts.kinds.tables import IMAGEFOLDER
from nearid_cli.layouts.methods import find_methods
from nearid_cli.layouts.tables.metadata import Meaning, find_described, meanings, read_metadata, subjects_of
from nearid_cli.layouts.walk import Look

ROWS = [
    {"file_name": "0.png", "subject": "cat", "text": "a cat, sitting", "step": 500, "score": 0.25},
    {"file_name": "1.png", "subject": "cat", "text": None, "step": 1000, "score": None},
]
CELLS = {
    "0.png": {"subject": "cat", "text": "a cat, sitting", "step": "500", "score": "0.25"},
    "1.png": {"subject": "cat", "step": "1000"},
}


def write(path, rows):
    if path.suffix == ".csv":
        pd.DataFrame(rows).to_csv(path, index=False)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        pd.DataFrame(rows).to_parquet(path)


def read(root, *names):
    files = sorted(
        path.relative_to(root).as_posix() for path in root.rglob("metadata.*") if path.name != "metadata.txt"
    )
    return read_metadata(Look(root), names, files)


@pytest.mark.parametrize("extension", ["csv", "jsonl", "parquet"])
def test_each_format_says_the_same(plant, extension):
    root = plant("data", "0.png 1.png")
    write(root / f"metadata.{extension}", ROWS)
    assert read(root, "0.png", "1.png") == CELLS


def test_nested_values_are_kept_as_json(plant):
    root = plant("data", "0.png")
    write(root / "metadata.jsonl", [{"file_name": "0.png", "objects": {"bbox": [[1.5, 2]]}}])
    assert read(root, "0.png") == {"0.png": {"objects": '{"bbox": [[1.5, 2]]}'}}


def test_metadata_of_splits_and_of_subfolders(plant):
    root = plant("data", "train/a/0.png train/1.png test/b/0.png")
    write(
        root / "train/metadata.csv", [{"file_name": "a/0.png", "x": "1"}, {"file_name": "./1.png", "x": "2"}]
    )
    write(root / "test/b/metadata.csv", [{"file_name": "0.png", "x": "3"}])
    found = read(root, "train/a/0.png", "train/1.png", "test/b/0.png")
    assert found == {"train/a/0.png": {"x": "1"}, "train/1.png": {"x": "2"}, "test/b/0.png": {"x": "3"}}


def test_only_these_files_are_metadata(plant):
    root = plant("data", "0.png train/0.png a/b/0.png")
    for file in ("metadata.csv", "train/metadata.jsonl", "a/b/metadata.parquet", "x_metadata.csv"):
        write(root / file, [{"file_name": "0.png", "subject": file}])
    (root / "metadata.tsv").touch()
    found = find_described(Look(root), IMAGEFOLDER)
    assert sorted(found.subjects) == ["a/b/metadata.parquet", "metadata.csv", "train/metadata.jsonl"]
    assert found.left_out.by_reason == {"other files": ["metadata.tsv", "x_metadata.csv"]}


def test_rows_and_pictures_that_do_not_fit_are_all_listed(plant):
    root = plant("data", "a/0.png a/1.png a/2.png b/0.png")
    rows = [
        {"file_name": "0.png", "x": "1"},
        {"file_name": "gone.png", "x": "2"},
        {"file_name": "", "x": "3"},
    ]
    write(root / "a/metadata.csv", [*rows, {"file_name": "a/../1.png", "x": "4"}])
    write(root / "b/metadata.csv", [{"file_name": "0.png", "x": "5"}, {"file_name": "./0.png", "x": "6"}])
    with pytest.raises(
        InputError, match=r"imagefolder .*/data and its pictures do not fit: 6 problems"
    ) as caught:
        read(root, "a/0.png", "a/1.png", "a/2.png", "b/0.png")
    assert caught.value.details == (
        "a/metadata.csv line 3: gone.png does not exist",
        "a/metadata.csv line 4: the file_name is empty",
        "a/metadata.csv line 5: a/../1.png does not exist",
        "b/metadata.csv line 3: says of b/0.png something else than b/metadata.csv line 2",
        "a/1.png: no row of a/metadata.csv names it",
        "a/2.png: no row of a/metadata.csv names it",
    )


def test_rows_that_say_the_same_again_and_rows_of_what_is_no_picture_pass(plant):
    root = plant("data", "0.png 0_mask.png")
    write(
        root / "metadata.csv", [{"file_name": name, "x": "1"} for name in ("0.png", "./0.png", "0_mask.png")]
    )
    assert read(root, "0.png") == {"0.png": {"x": "1"}}


def test_names_in_another_unicode_form(plant):
    composed, apart = (unicodedata.normalize(form, "café/é.png") for form in ("NFC", "NFD"))
    root = plant("data", [apart])
    write(root / "metadata.csv", [{"file_name": composed, "x": "1"}])
    assert read(root, apart) == {apart: {"x": "1"}}


def test_an_absolute_name(plant):
    root = plant("data", "a/0.png")
    write(root / "metadata.csv", [{"file_name": str(root / "a/0.png"), "x": "1"}])
    assert read(root, "a/0.png") == {"a/0.png": {"x": "1"}}
    os.chdir(root)
    assert read(root.relative_to(root), "a/0.png") == {"a/0.png": {"x": "1"}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "name,text\n0.png,x\n",
            "metadata .*metadata.csv needs the columns file_name: missing file_name, found name",
        ),
        ("a_file_name,b_file_name\n0.png,0.png\n", "rows of several pictures are not read"),
        ("file_name,Text,text\n", "columns of one name: Text .column 2. and text .column 3."),
        (
            b"file_name,text\n0.png,caf\xe9\n",
            "is not UTF-8: line 2 holds caf.xe9, which may be café in Windows-1252",
        ),
        (b"file_name,text\ncaf\xe9.png,x\n", "is not UTF-8: line 2 holds caf.xe9.png"),
    ],
)
def test_metadata_that_cannot_be_read(plant, content, message):
    root = plant("data", "0.png")
    (root / "metadata.csv").write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(InputError, match=message):
        read(root, "0.png")


def test_the_nearest_metadata_lacks_a_row(plant):
    root = plant("data", "0.png a/b/0.png c/0.png")
    write(root / "metadata.csv", [{"file_name": "x.png", "x": "1"}])
    write(root / "a/metadata.csv", [{"file_name": "x.png", "x": "1"}])
    with pytest.raises(InputError) as caught:
        read(root, "0.png", "a/b/0.png", "c/0.png")
    assert caught.value.details[2:] == (
        "0.png: no row of metadata.csv names it",
        "a/b/0.png: no row of a/metadata.csv names it",
        "c/0.png: no row of metadata.csv names it",
    )


def test_two_metadata_files_in_one_folder(plant):
    root = plant("data", "a/0.png")
    write(root / "a/metadata.csv", ROWS)
    write(root / "a/metadata.jsonl", ROWS)
    with pytest.raises(InputError, match=r"in one folder: a/metadata.csv and a/metadata.jsonl; keep one"):
        read(root, "a/0.png")


@pytest.mark.parametrize(
    ("columns", "meaning"),
    [
        (["text"], Meaning(prompt="text")),  # a caption does not say whose picture it is
        (["Subject", "class", "caption", "Seed"], Meaning("Subject", "caption", "Seed")),
        (["label", "prompt", "text", "step"], Meaning("label", "prompt")),
        (["identity", "label", "name"], Meaning("identity")),
        (["name", "model"], Meaning("name", method="model")),
        ([], Meaning()),
    ],
)
def test_what_columns_mean(columns, meaning):
    assert meanings({"0.png": dict.fromkeys(columns, "x")}) == meaning


@pytest.mark.parametrize(
    ("columns", "what"),
    [("label name", "subject: label, name; "), ("identity instance", "subject"), ("text caption", "prompt")],
)
def test_columns_that_may_mean_the_same(columns, what):
    with pytest.raises(InputError, match=f"several columns that may be the {what}"):
        meanings({"0.png": dict.fromkeys(columns.split(), "x")})


def test_a_picture_with_what_its_row_says(tmp_path):
    one = Picture(tmp_path / "0.png", "0.png", seed="7", labels={"category": "pet"})
    found = meanings(CELLS).described(one, CELLS["0.png"])
    labels = {"category": "pet", "step": "500", "score": "0.25"}
    assert found == Picture(
        one.path, one.name, prompt="a cat, sitting", seed="7", labels=labels, prompt_from="metadata"
    )


def test_subjects_of_rows():
    rows = {"0.png": {"label": "café"}, "1.png": {"label": unicodedata.normalize("NFD", "café")}}
    assert subjects_of(rows, meanings(rows)) == {"0.png": "café", "1.png": "café"}
    assert subjects_of(rows, Meaning(prompt="label")) is None
    rows |= {"2.png": {"text": "x"}, "3.png": {"label": "Café"}}
    with pytest.raises(InputError, match=r"does not say whose each picture is \(column label\)") as caught:
        subjects_of(rows, Meaning("label"))
    assert caught.value.details == (
        "the subjects café (0.png, 1.png) and Café (3.png) differ only in case",
        "2.png: its label is empty",
    )


def lay_out(root, rows, extension="csv", folder="."):
    for row in rows:
        path = root / folder / row["file_name"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    write(root / folder / f"metadata.{extension}", rows)
    return root


def test_references_and_generations_by_their_metadata(tmp_path):
    refs = [{"file_name": f"{i}.jpg", "subject": "cat" if i < 2 else "dog"} for i in range(3)]
    gens = [
        {
            "file_name": f"{i}.png",
            "label": "cat",
            "text": "a cat",
            "seed": i,
            "step": 500,
            "objects": {"box": [1]},
        }
        for i in range(2)
    ]
    dataset = find(lay_out(tmp_path / "r", refs), lay_out(tmp_path / "g", gens, "jsonl", "data/train"))
    assert dataset.layout == "imagefolder"
    (cat,) = dataset.subjects
    assert [one.name for one in cat.references] == ["0.jpg", "1.jpg"]
    assert [(one.name, one.prompt, one.seed, dict(one.labels)) for one in cat.generations] == [
        (f"data/train/{i}.png", "a cat", str(i), {"step": "500", "objects": '{"box": [1]}'}) for i in range(2)
    ]
    assert dataset.unmatched == ("dog: 1 reference, no generations",)
    assert not dataset.left_out


def test_captions_do_not_say_whose_a_picture_is(tmp_path, plant, caplog):
    caplog.set_level("INFO")
    refs = plant("refs", "cat/0.jpg dog/0.jpg")
    flat = [{"file_name": f"{i}.png", "text": "a cat" if i else "a dog"} for i in range(2)]
    with pytest.raises(InputError, match="not one subject"):
        find(refs, lay_out(tmp_path / "flat", flat))
    assert "flat/metadata.csv says whose a picture is: that is read from folders and names" in caplog.text
    in_folders = [{"file_name": f"{s}/0.png", "text": f"one {s}"} for s in ("cat", "dog")]
    dataset = find(refs, lay_out(tmp_path / "gens", in_folders))
    assert [(s.name, one.prompt) for s in dataset.subjects for one in s.generations] == [
        ("cat", "one cat"),
        ("dog", "one dog"),
    ]


def test_metadata_of_several_methods_is_no_score_but_a_comparison(tmp_path, plant):
    rows = [{"file_name": f"{i}.png", "subject": "cat", "method": f"m{i}"} for i in range(2)]
    refs, gens = plant("refs", "cat/0.jpg dog/0.jpg"), lay_out(tmp_path / "gens", rows)
    with pytest.raises(InputError, match="generations of several methods: m0, m1"):
        find(refs, gens)
    found = find_methods([gens], refs, {})
    assert {m: [one.name for s in d.subjects for one in s.generations] for m, d in found.items()} == {
        "m0": ["0.png"],
        "m1": ["1.png"],
    }
    with pytest.raises(InputError, match=r"^no references in .*/gens: expected a folder refs"):
        find_methods([gens], None, {})
    lay_out(gens, [*rows, {"file_name": "2.png", "subject": "cat"}])
    with pytest.raises(InputError, match=r"imagefolder .*gens has 1 generation without a method; fill in"):
        find_methods([gens], refs, {})
