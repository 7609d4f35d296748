"""Folders that are missing, empty or swapped, and subjects that lack a counterpart."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.commandline import Nearid


def test_no_such_folder(nearid: Nearid, data: Path) -> None:
    assert (
        nearid("score", "nope", "gens", "-m", "hog").error == "no such folder: nope (looked for references)"
    )
    assert (
        nearid("score", "refs", "nope", "-m", "hog").error == "no such folder: nope (looked for generations)"
    )
    finished = nearid("embed", "nope", "gens", "nope2", "-m", "hog", "-o", "e.parquet")
    assert (finished.error, finished.details) == ("no such file or folder", ["nope", "nope2"])


@pytest.mark.parametrize("side", ["refs", "gens"])
def test_no_pictures_says_what_was_looked_for_and_what_was_found(
    nearid: Nearid, data: Path, side: str
) -> None:
    for path in (data / side).rglob("*.*"):
        path.rename(path.with_suffix(".txt"))
    (data / side / "cat/.hidden.png").touch()
    name, number = {"refs": ("references", 6), "gens": ("generations", 9)}[side]
    error = nearid("score", "refs", "gens", "-m", "hog").error
    assert error.startswith(
        f"no pictures in {name} folder {side}: found {number} other files, 1 hidden files"
    )
    assert "jpg, png" in error


def test_an_empty_folder(nearid: Nearid, data: Path) -> None:
    (data / "empty").mkdir()
    assert (
        "no pictures in references folder empty: found nothing"
        in nearid(*("score", "empty", "gens", "-m", "hog")).error
    )
    assert (
        "no pictures in empty: found nothing"
        in nearid(*("embed", "empty", "-m", "hog", "-o", "e.parquet")).error
    )


def test_references_alone(nearid: Nearid, data: Path) -> None:
    error = nearid("score", "refs", "-m", "hog").error
    assert error.startswith("references refs is a folder, so generations are needed too")
    assert nearid("score").error == "missing argument 'REFS' (see nearid score --help)"


def test_a_manifest_of_one_side_only(nearid: Nearid, data: Path) -> None:
    (data / "refs.csv").write_text("path,subject,role\nrefs/cat/0.jpg,cat,reference\n")
    error = nearid("score", "refs.csv", "-m", "hog").error
    assert error == "no rows with role generation in manifest refs.csv: found 1 reference"


def test_a_file_in_place_of_a_folder(nearid: Nearid, data: Path) -> None:
    assert nearid("score", "refs/cat/0.jpg", "gens", "-m", "hog").error == (
        "references refs/cat/0.jpg is a file: expected a folder or a manifest (.csv, .tsv, .jsonl, .ndjson, .parquet)"
    )
    assert (
        "generations gens/cat/0.png is a file"
        in nearid(*("score", "refs", "gens/cat/0.png", "-m", "hog")).error
    )


@pytest.mark.parametrize("again", ["refs", "refs/../refs", "link"])
def test_the_same_folder_twice(nearid: Nearid, data: Path, again: str) -> None:
    (data / "link").symlink_to("refs")
    assert (
        "references and generations are the same folder" in nearid("score", "refs", again, "-m", "hog").error
    )


def test_unmatched_subjects_in_both_directions(nearid: Nearid, data: Path) -> None:
    shutil.rmtree(data / "refs/cat")
    shutil.rmtree(data / "gens/ship")
    arguments = ("score", "refs", "gens", "-m", "hog", "--format", "json")
    finished = nearid(*arguments)
    assert finished.error.startswith("2 without a counterpart; ")
    assert finished.error.endswith("--allow-unmatched")
    assert finished.details == ["cat: 3 generations, no references", "ship: 2 references, no generations"]
    finished = nearid(*arguments, "--allow-unmatched")
    assert finished.code == 0
    found = json.loads(finished.out)
    assert found["inputs"]["unmatched"] == [
        "cat: 3 generations, no references",
        "ship: 2 references, no generations",
    ]
    assert [subject["subject"] for subject in found["subjects"]] == ["cup"]
    assert "warning: 2 unmatched" in finished.err


def test_not_one_subject_matches(nearid: Nearid, data: Path) -> None:
    for subject in ("cat", "cup", "ship"):
        (data / "gens" / subject).rename(data / "gens" / f"other {subject}")
    finished = nearid("score", "refs", "gens", "-m", "hog", "--allow-unmatched")
    assert finished.error.startswith(
        "not one subject of the references refs matches one of the generations gens"
    )
    assert finished.details == [
        "references (folders): cat, cup, ship",
        "generations (folders): other cat, other cup, other ship",
        "if names of generations mention the subject: --pattern '**/*{subject}*/**'",
        "nearid layout refs gens shows how both are read",
    ]
