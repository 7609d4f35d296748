"""`nearid layout`, and what `score` says of what it left out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from nearid_cli.layouts.registry import NAMES
from tests.commandline import Nearid


def test_both_sides(nearid: Nearid, data: Path) -> None:
    (data / "gens/cat/grid.png").touch()
    finished = nearid("layout", "refs", "gens")
    assert finished.code == 0
    assert finished.out.splitlines()[:7] == [
        "layout folders: 3 subjects",
        "references: the subject is the 1st folder",
        "generations: the subject is the 1st folder",
        "subject   references   generations",
        "──────────────────────────────────",
        "cat                2             3",
        "cup                2             3",
    ]
    assert "left out: grids (1: cat/grid.png)" in finished.out


def test_references_alone_and_how_else_they_could_be_read(nearid: Nearid, data: Path) -> None:
    (data / "refs").rename(data / "photos")
    (data / "deep/refs").mkdir(parents=True)
    (data / "photos").rename(data / "deep/refs/animal")
    finished = nearid("layout", "deep/refs")
    assert finished.code == 0
    assert finished.out.startswith("references, layout folders: 1 subject (the subject is the 1st folder)\n")
    assert (
        "or 3 subjects (cat, cup, ship), if the subject is the 2nd folder: --refs-pattern '*/{subject}/**'"
        in finished.out
    )
    again = nearid("layout", "deep/refs", "--refs-pattern", "*/{subject}/**")
    assert "references, layout pattern: 3 subjects" in again.out


def test_no_picture_is_opened(nearid: Nearid, data: Path) -> None:
    for path in data.rglob("*.png"):
        path.write_bytes(b"")
    assert nearid("layout", "refs", "gens").code == 0


def test_a_manifest_elsewhere_says_that_its_paths_lead_out(
    nearid: Nearid, data: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    finished = nearid("layout", "refs", "gens", "-o", elsewhere / "m.csv")
    assert finished.err.endswith(
        "m.csv: 15 rows\nits paths lead out of its folder: reading it may take --allow-outside\n"
    )
    beside = nearid("layout", "refs", "gens", "-o", data / "m.csv")
    assert beside.err.endswith("m.csv: 15 rows\n")


@pytest.mark.parametrize("extension", ["csv", "jsonl", "parquet"])
def test_its_manifest_scores_alike(nearid: Nearid, data: Path, extension: str) -> None:
    manifest = f"out/m.{extension}"
    (data / "out").mkdir()
    finished = nearid("layout", "refs", "gens", "-o", manifest)
    assert (finished.code, finished.err) == (0, f"wrote {manifest}: 15 rows\n")
    by_manifest = json.loads(nearid("score", manifest, "-m", "hog", "--format", "json").out)
    by_folders = json.loads(nearid("score", "refs", "gens", "-m", "hog", "--format", "json").out)
    assert by_manifest["aggregate"] == by_folders["aggregate"]
    assert [one["scores"] for one in by_manifest["subjects"]] == [
        one["scores"] for one in by_folders["subjects"]
    ]


def test_how_distractors_are_paired(nearid: Nearid, data: Path) -> None:
    shutil.copytree(data / "refs", data / "alike")
    finished = nearid("layout", "refs", "gens", "--distractors", "alike", "-o", "m.csv")
    assert finished.code == 0, finished.err
    assert "distractors are paired with references by name (" in finished.out
    header, first, *_ = (data / "m.csv").read_text().splitlines()
    assert header.split(",") == ["path", "subject", "role", "context"]
    assert first.split(",")[-1] == "0"
    assert nearid("layout", "refs", "--distractors", "alike").error.startswith(
        "--distractors needs generations"
    )


def test_what_is_refused(nearid: Nearid, data: Path) -> None:
    assert "cannot write a manifest to m.json" in nearid("layout", "refs", "gens", "-o", "m.json").error
    assert nearid("layout", "refs", "-o", "m.csv").error.startswith("a manifest needs generations")
    assert nearid("layout", "nope").error == "no such folder: nope (looked for references)"
    shutil.rmtree(data / "gens/cat")
    finished = nearid("layout", "refs", "gens")
    assert finished.code == 0
    assert "unmatched: cat: 2 references, no generations\n" in finished.out


def test_everything_left_out_is_named_on_demand(nearid: Nearid, data: Path) -> None:
    for number in range(5):
        (data / f"gens/cat/{number}.txt").touch()
    finished = nearid("score", "refs", "gens", "-m", "hog")
    assert "left out: other files (5: cat/" in finished.err
    assert ".txt and 2 more)" in finished.err
    finished = nearid("score", "refs", "gens", "-m", "hog", "--verbose")
    assert sum(line.startswith("left out: cat/") for line in finished.err.splitlines()) == 5


def test_references_unlike_themselves_are_warned_of(nearid: Nearid, data: Path) -> None:
    """Two subjects in one folder: its references are no more alike than strangers."""
    shutil.copy(data / "refs/cup/0.jpg", data / "refs/cat/1.jpg")
    for number in range(3):
        shutil.copy(data / f"gens/cup/{number}.png", data / f"gens/cat/{number}.png")
    finished = nearid("score", "refs", "gens", "-m", "hog", "--format", "json")
    scores = {one["subject"]: one["scores"]["hog"] for one in json.loads(finished.out)["subjects"]}
    unlike = [name for name, one in scores.items() if one["ceiling"] <= one["floor"]]
    assert ("are no more alike than those of strangers" in finished.err) == bool(unlike)
    assert "cat" in unlike


def test_equal_references_count_once(nearid: Nearid, data: Path) -> None:
    before = json.loads(nearid("score", "refs", "gens", "-m", "hog", "--format", "json").out)
    for name in ("0 (1).jpg", "0 - Copy.jpg"):
        shutil.copy(data / "refs/cat/0.jpg", data / "refs/cat" / name)
    finished = nearid("score", "refs", "gens", "-m", "hog", "--format", "json")
    found = json.loads(finished.out)
    assert found["aggregate"] == before["aggregate"]
    assert found["subjects"][0]["references"] == 2
    assert found["subjects"][0]["reference_paths"] == ["cat/0.jpg", "cat/1.jpg"]
    assert (
        "2 references look like another of the same subject (saved again?), and count once: "
        "cat/0 (1).jpg, cat/0 - Copy.jpg" in finished.err
    )


def test_help_names_every_layout(nearid: Nearid) -> None:
    words = " ".join(nearid("score", "--help").out.split())
    for layout in NAMES:
        assert layout in words
