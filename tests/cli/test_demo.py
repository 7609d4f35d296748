"""`nearid demo`: its pictures, its figures, and what it refuses."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nearid_cli.demo import GENERATIONS, METHODS, REFERENCES, SIZE, SUBJECTS, write_demo
from tests.commandline import Finished, Nearid


@pytest.fixture(scope="module")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "demo"
    write_demo(folder)
    return folder


@pytest.fixture
def made(_made: Path, tmp_path: Path) -> Path:
    """The demo's data set, as a copy that the test may change."""
    return Path(shutil.copytree(_made, tmp_path / "demo"))


@pytest.fixture
def finished(nearid: Nearid, made: Path, monkeypatch: pytest.MonkeyPatch) -> Finished:
    """The command, on pictures that are there already."""
    monkeypatch.setattr("nearid_cli.demo.write_demo", lambda folder: None)
    return nearid("demo", "demo")


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"), np.int16)


def test_every_method_has_pictures_of_every_subject(made: Path) -> None:
    counts = {"references": REFERENCES} | {f"methods/{method}": GENERATIONS for method in METHODS}
    for part, count in counts.items():
        assert {folder.name for folder in (made / part).iterdir()} == set(SUBJECTS)
        for folder in (made / part).iterdir():
            assert len(list(folder.iterdir())) == count
            assert {pixels(file).shape for file in folder.iterdir()} == {(SIZE, SIZE, 3)}


def test_swapped_pictures_have_the_contexts_of_references_and_faithful_ones_do_not(made: Path) -> None:
    for reference in (made / "references").glob("*/*.png"):
        place = reference.relative_to(made / "references")
        shares = {
            method: float((pixels(made / "methods" / method / place) == pixels(reference)).all(-1).mean())
            for method in ("faithful", "swapped")
        }
        assert shares["swapped"] > 0.3 > 0.05 > shares["faithful"], place


def test_half_of_the_copies_are_the_very_file(made: Path) -> None:
    for reference in (made / "references").glob("*/*.png"):
        copy = made / "methods" / "copied" / reference.relative_to(made / "references")
        if copy.exists():
            assert copy.read_bytes() == reference.read_bytes()
        else:
            assert np.abs(pixels(copy.with_suffix(".jpg")) - pixels(reference)).mean() < 10
    assert len(list((made / "methods" / "copied").glob("*/*.jpg"))) == len(SUBJECTS) * REFERENCES // 2


def test_the_same_again_and_another_seed(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nearid_cli.demo.SUBJECTS", SUBJECTS[:1])
    (place,) = [f"references/{SUBJECTS[0]}/01.png"]
    before = (made / place).read_bytes()
    write_demo(made)  # over an earlier demo
    assert (made / place).read_bytes() == before
    write_demo(tmp_path / "other", seed=1)
    assert (tmp_path / "other" / place).read_bytes() != before


def test_it_shows_what_it_says(finished: Finished, made: Path) -> None:
    assert finished.code == 0
    for method in METHODS:
        assert f"nearid score demo/references demo/methods/{method} --metric nearid-mini,hog" in finished.out
    assert "for demos, tests and smoke checks, not for papers" in finished.out
    assert "nearid compare demo/results/faithful.json" in finished.out
    assert "By nearid-mini: faithful keeps identity best" in " ".join(finished.out.split())
    assert "copied (copies references)" in finished.out
    assert (made / "results/report.html").read_text().startswith("<!doctype html>")
    runs = {
        method: json.loads((made / "results" / f"{method}.json").read_text())["aggregate"]
        for method in METHODS
    }
    hog, mini = ({method: run[name] for method, run in runs.items()} for name in ("hog", "nearid-mini"))
    assert hog["faithful"]["score"] < hog["swapped"]["score"] < hog["copied"]["score"]
    assert hog["faithful"]["score"] == pytest.approx(0.501, abs=0.02)  # as the README says
    assert hog["swapped"]["score"] > hog["swapped"]["ceiling"]
    assert mini["swapped"]["score"] < mini["faithful"]["score"] - 0.1
    assert mini["swapped"]["retention"] < 0.7 * mini["faithful"]["retention"]
    assert mini["faithful"]["identification"] > 0.9
    assert [len(run["images"]) for run in map(json.loads, _texts(made))] == [32, 32, 32]
    copies = [
        sum(image["copy_of"] is not None for image in json.loads(text)["images"]) for text in _texts(made)
    ]
    assert copies == [0, 0, len(SUBJECTS) * GENERATIONS]


def test_it_ends_in_five_lines_with_commands_for_ones_own_folders(
    finished: Finished, nearid: Nearid, data: Path
) -> None:
    *_, blank, one, two, three, score, compare = finished.out.splitlines()
    assert blank == ""
    assert all(0 < len(line) <= 80 for line in (one, two, three, score, compare))
    assert "demo/results/report.html" in two
    shutil.copytree(data / "gens", data / "methods" / "ours")
    shutil.copytree(data / "gens", data / "methods" / "theirs")
    for command in (score, compare):
        assert command.startswith("  nearid ")
        (data / "report.html").unlink(missing_ok=True)
        assert nearid(*shlex.split(command)[1:]).code == 0
        assert (data / "report.html").exists()


def _texts(made: Path) -> list[str]:
    return [(made / "results" / f"{method}.json").read_text() for method in METHODS]


def test_a_folder_that_holds_something_else_is_left_alone(nearid: Nearid, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "references").write_text("mine")
    assert nearid("demo", "mine").error == "mine is not empty and no earlier demo; give a new folder"
    assert (tmp_path / "mine" / "references").read_text() == "mine"
    assert nearid("demo", "mine/references").error.startswith("mine/references is a file")


def test_a_folder_that_cannot_be_made_is_told_in_one_line(nearid: Nearid, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert nearid("demo", "file/a\x1b[31mb").error == "cannot write file/a\\x1b[31mb: not a directory"
