import csv
import json
import os

import pandas as pd
import pytest

from nearid_cli.errors import InputError
from nearid_cli.layouts.find import find
from nearid_cli.layouts.tables.manifest import read_manifest
from nearid_cli.options import LayoutOptions

ROWS = [
    {"path": "r/cat1.jpg", "subject": "cat", "role": "reference"},
    {
        "path": "g/10.png",
        "subject": "cat",
        "role": "generation",
        "method": "ours",
        "prompt": "a, b",
        "seed": "10",
    },
    {"path": "g/2.png", "subject": "cat", "role": "Generation", "method": "ours", "prompt": "", "seed": "2"},
    {"path": "d/x.png", "subject": "cat", "role": "distractor"},
]
COLUMNS = ["path", "subject", "role", "method", "prompt", "seed", "remark"]


def write(path, rows, columns=COLUMNS):
    if path.suffix == ".csv":
        with path.open("w", encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        pd.DataFrame(rows).to_parquet(path)
    return path


@pytest.fixture
def root(plant):
    return plant("data", "r/cat1.jpg g/10.png g/2.png d/x.png")


@pytest.mark.parametrize("extension", ["csv", "jsonl", "parquet", "CSV"])
def test_each_format_says_the_same(root, extension):
    manifest = write(root / f"m.{extension}", ROWS) if extension != "CSV" else root / "m.CSV"
    if extension == "CSV":
        write(root / "m.csv", ROWS).rename(manifest)
    dataset = find(manifest, None)
    assert (dataset.layout, dataset.references, dataset.generations) == (
        "manifest",
        str(manifest),
        str(manifest),
    )
    (subject,) = dataset.subjects
    assert subject.name == "cat"
    assert [one.name for one in subject.references] == ["r/cat1.jpg"]
    assert [(one.name, one.method, one.prompt, one.seed) for one in subject.generations] == [
        ("g/2.png", "ours", None, "2"),
        ("g/10.png", "ours", "a, b", "10"),
    ]
    assert [one.name for one in subject.distractors] == ["d/x.png"]
    assert subject.references[0].path == root / "r/cat1.jpg"
    assert find(manifest, manifest) == dataset


def test_numbers_and_gaps_as_data_frames_write_them(root):
    frame = pd.DataFrame(ROWS[:3]).assign(seed=[None, 7.0, 8.5], subject=[1, 1, 1])
    frame.to_parquet(root / "m.parquet")
    (subject,) = find(root / "m.parquet", None).subjects
    assert subject.name == "1"
    assert [one.seed for one in subject.generations] == ["8.5", "7"]
    assert subject.references[0].seed is None


def test_a_manifest_and_a_folder(root, plant):
    manifest = write(root / "m.csv", ROWS)
    gens = plant("gens", "cat/0.png cat/1.png")
    dataset = find(manifest, gens)
    assert dataset.layout == "manifest + folders"
    assert [one.name for one in dataset.subjects[0].generations] == ["cat/0.png", "cat/1.png"]
    assert dataset.left_out.counts() == {"generation rows of the references manifest": 2}
    dataset = find(plant("refs", "CAT/0.jpg"), manifest, "manifest")
    assert dataset.layout == "folders + manifest"
    subject = dataset.subjects[0]
    assert [len(subject.references), len(subject.generations), len(subject.distractors)] == [1, 2, 1]


def test_two_manifests(root):
    references, generations = write(root / "r.csv", ROWS[:1]), write(root / "g.jsonl", ROWS[1:])
    dataset = find(references, generations)
    assert len(dataset.subjects[0].generations) == 2
    assert len(dataset.subjects[0].distractors) == 1
    assert dataset.left_out.counts() == {}


def test_unmatched_rows_are_listed(root):
    (root / "g/3.png").touch()
    strangers = [{**row, "subject": "dog"} for row in (ROWS[2], {**ROWS[2], "path": "g/3.png"}, ROWS[3])]
    dataset = find(write(root / "m.csv", [*ROWS[:2], *strangers]), None)
    assert dataset.unmatched == ("dog: 2 generations, no references", "dog: 1 distractor, no references")


def test_all_wrong_rows_at_once(root):
    os.mkfifo(root / "pipe.png")
    rows = [
        *ROWS,
        {"path": "g/none.png", "subject": "", "role": "generatoin"},
        {"path": "", "subject": "cat", "role": ""},
        {"path": "g", "subject": "cat", "role": "generation"},
        {"path": "pipe.png", "subject": "cat", "role": "generation"},
    ]
    expected = (
        'g/none.png does not exist; the subject is empty; unknown role "generatoin": did you mean generation?',
        'the path is empty; unknown role "": known: reference, generation, distractor',
        "g is a folder",
        "pipe.png is not a regular file",
    )
    for extension, first, word in [("csv", 6, "line"), ("jsonl", 5, "line"), ("parquet", 5, "row")]:
        with pytest.raises(InputError, match="has 4 wrong rows") as caught:
            find(write(root / f"m.{extension}", rows), None)
        assert caught.value.details == tuple(
            f"{word} {first + i}: {wrong}" for i, wrong in enumerate(expected)
        )


@pytest.mark.parametrize("extension", ["csv", "jsonl", "parquet"])
def test_missing_columns(root, extension):
    rows = [{"path": "r/cat1.jpg", "label": "cat"}]
    with pytest.raises(InputError, match=r"missing subject, role, found path, label"):
        find(write(root / f"m.{extension}", rows, ["path", "label"]), None)


def test_lines_that_are_no_rows(root):
    path = root / "m.jsonl"
    path.write_text("".join(json.dumps(row) + "\n\n" for row in ROWS) + "{oops\n[1]\n")
    with pytest.raises(InputError) as caught:
        find(path, None)
    assert caught.value.details[0].startswith("line 9: not valid JSON: ")
    assert caught.value.details[1] == "line 10: expected a JSON object"


def test_commas_that_were_not_quoted(root):
    path = root / "m.csv"
    path.write_text(
        "path,subject,role,prompt\nr/cat1.jpg,cat,reference\n\ng/2.png,cat,generation,a cat, sitting\n"
    )
    with pytest.raises(InputError) as caught:
        find(path, None)
    assert caught.value.details == ("line 4: 5 cells in 4 columns; quote cells that hold commas",)


@pytest.mark.parametrize("content", [b"", b"\n", b"path|subject|role\n", "path,subject\n".encode("utf-16")])
def test_csv_that_is_not_ours(root, content):
    (root / "m.csv").write_bytes(content)
    with pytest.raises(InputError, match="needs the columns path, subject, role"):
        find(root / "m.csv", None)


def test_parquet_that_is_none(root):
    (root / "m.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(InputError, match="not valid Parquet"):
        find(root / "m.parquet", None)


@pytest.mark.parametrize(
    ("rows", "role"), [(ROWS[:1], "generation"), (ROWS[1:], "reference"), ([], "reference")]
)
def test_a_role_without_rows(root, rows, role):
    with pytest.raises(InputError, match=f"no rows with role {role} in manifest"):
        find(write(root / "m.csv", rows), None)


def test_several_methods(root):
    rows = [*ROWS, {**ROWS[1], "method": "theirs"}, {**ROWS[1], "method": ""}]
    with pytest.raises(InputError, match=r"several methods: \(none\), ours, theirs;"):
        find(write(root / "m.csv", rows), None)


def test_rows_that_say_the_same_count_once(root):
    dataset = find(write(root / "m.csv", [*ROWS, *ROWS]), None)
    assert len(dataset.subjects[0].generations) == 2
    assert dataset.left_out.counts() == {"repeated manifest rows": 4}


def test_odd_paths(plant):
    odd = os.fsdecode(b"sp ace/\xff\nq\"'.png")
    root = plant("data", [odd])
    (root / "gone.png").symlink_to("nowhere")
    absolute = str(plant("elsewhere", "a.dat") / "a.dat")
    rows = [
        {"path": odd, "subject": "cat", "role": "reference"},
        {"path": "gone.png", "subject": "cat", "role": "generation"},  # who reads it reports it
        {"path": absolute, "subject": "cat", "role": "generation"},
    ]
    for extension in ("csv", "jsonl"):
        manifest = write(root / f"m.{extension}", rows)
        (subject,) = find(manifest, None, LayoutOptions(allow_outside=True)).subjects
        assert subject.references[0].name == odd
        assert subject.references[0].path.exists()
        assert {str(one.path) for one in subject.generations} == {absolute, str(root / "gone.png")}


def test_other_layouts_need_folders(root):
    with pytest.raises(InputError, match="--layout flat needs folders"):
        find(write(root / "m.csv", ROWS), None, "flat")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        (
            "my list.json",
            r"; a list in JSON becomes one with jq -c '\.\[\]' '.*/my list\.json' > '.*/my list\.jsonl'$",
        ),
        ("m.XLSX", "; save the spreadsheet as CSV UTF-8$"),
        ("cat.png", r"\(\.csv, \.tsv, \.jsonl, \.ndjson, \.parquet\)$"),
    ],
)
def test_files_that_are_no_manifest(root, name, hint):
    (root / name).touch()
    with pytest.raises(InputError, match=f"is a file: expected a folder or a manifest .*{hint}"):
        find(root / name, root)


def test_one_picture_may_be_chosen_by_several_methods_and_oppose_another_subject(root):
    rows = [
        {**ROWS[0], "remark": "x"},
        {"path": "r/cat1.jpg", "subject": "dog", "role": "distractor", "context": "beach"},
        ROWS[1],
        {**ROWS[1], "method": "theirs", "prompt": "another", "seed": "11"},
    ]
    manifest = read_manifest(write(root / "m.csv", rows, [*COLUMNS, "context"]))
    assert [(one.method, one.prompt) for one in manifest.roles["generation"]["cat"]] == [
        ("ours", "a, b"),
        ("theirs", "another"),
    ]
    assert list(manifest.roles["distractor"]) == ["dog"]
