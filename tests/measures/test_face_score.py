"""`nearid score -m face`: pictures without a face have no number, are counted and named, and change no other number."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nearid_cli.encoders.load import load_encoder
from nearid_cli.encoders.plugged import spec_of
from nearid_cli.images.decode import decode
from nearid_cli.measures.face import Face
from tests.commandline import Nearid, warnings_of_work
from tests.faces import picture, write_face_models

SUBJECTS = {"ann": 11, "bob": 23, "cat": 37, "dan": 51, "eve": 5}
NO_FACE = {
    *("refs/bob/1.png", "gens/ann/2.png"),
    *(f"refs/dan/{n}.png" for n in range(3)),
    *(f"gens/eve/{n}.png" for n in range(4)),
}
"""dan has no reference with a face, eve no generation."""

SCORE = ("score", "refs", "gens", "-m", "face=faces", "--cache", "cache")


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """`refs/` and `gens/` of five people, `faces/` with the networks; in `tmp_path`, which is returned."""
    write_face_models(tmp_path / "faces")
    for subject, tint in SUBJECTS.items():
        for side, number in (("refs", 3), ("gens", 4)):
            for n in range(number):
                name = f"{side}/{subject}/{n}.png"
                face = None if name in NO_FACE else (2 + n, 4 + len(side + subject) % 2)
                (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
                picture((512, 448 + 16 * n), red=face, tint=tint + 3 * n + 2 * (side == "gens")).save(
                    tmp_path / name
                )
    return tmp_path


def result(nearid: Nearid, *arguments: str) -> dict[str, Any]:
    finished = nearid(*SCORE, *arguments, "--format", "json")
    assert finished.code == 0, finished.err
    found: dict[str, Any] = json.loads(finished.out)
    return found


def test_what_has_no_face_has_no_number_and_a_reason(nearid: Nearid, people: Path) -> None:
    found = result(nearid)
    images = {image["path"]: image for image in found["images"]}
    for path, image in images.items():
        subject = image["subject"]
        if subject == "dan":
            expected = {"face": "no face in any of its references"}
        elif f"gens/{path}" in NO_FACE:
            expected = {"face": "no face"}
        else:
            expected = None
        assert (image["scores"]["face"] is None, image.get("reasons")) == (expected is not None, expected)
    subjects = {one["subject"]: one for one in found["subjects"]}
    missing = {name: one["scores"]["face"].get("missing", 0) for name, one in subjects.items()}
    assert missing == {"ann": 1, "bob": 0, "cat": 0, "dan": 4, "eve": 4}
    assert found["aggregate"]["face"]["missing"] == 9
    for name in ("dan", "eve"):
        numbers = subjects[name]["scores"]["face"]
        assert {
            key: numbers[key] for key in ("score", "std", "ci95", "min", "max", "retention")
        } == dict.fromkeys(("score", "std", "ci95", "min", "max", "retention"))
    assert subjects["bob"]["reasons"] == {"face": {"bob/1.png": "no face"}}
    assert subjects["dan"]["reasons"] == {"face": {f"dan/{n}.png": "no face" for n in range(3)}}
    assert "reasons" not in subjects["ann"]


def test_numbers_are_those_of_the_pictures_that_have_a_face(nearid: Nearid, people: Path) -> None:
    """Computed from the embeddings, plainly."""
    found = result(nearid)
    encoder = load_encoder(spec_of("face", Face("faces")))

    def rows(side: str, subject: str) -> np.ndarray:
        files = sorted((people / side / subject).iterdir())
        prepared = [encoder.prepare(decode(file)) for file in files]
        return encoder.embed([pixels for pixels in prepared if pixels is not None])

    scores = {}
    for subject in found["subjects"]:
        name, numbers = subject["subject"], subject["scores"]["face"]
        if name in ("dan", "eve"):
            continue
        own = rows("refs", name).astype(float)
        pairs = rows("gens", name) @ own.T
        scores[name] = pairs.mean()
        assert numbers["score"] == pytest.approx(pairs.mean(), abs=1e-6)
        assert numbers["min"] == pytest.approx(pairs.mean(axis=1).min(), abs=1e-6)
        upper = np.triu_indices(len(own), 1)
        assert numbers["ceiling"] == pytest.approx((own @ own.T)[upper].mean(), abs=1e-6)
        strangers = [rows("refs", other) for other in SUBJECTS if other not in (name, "dan")]
        floor = (rows("gens", name) @ np.concatenate(strangers).T).mean()
        assert numbers["floor"] == pytest.approx(floor, abs=1e-6)
    assert list(scores) == ["ann", "bob", "cat"]
    assert found["aggregate"]["face"]["score"] == pytest.approx(np.mean(list(scores.values())), abs=1e-6)


def test_they_change_no_number_of_the_others(nearid: Nearid, people: Path) -> None:
    with_them = result(nearid)
    for name in ("refs/bob/1.png", "gens/ann/2.png"):
        (people / name).unlink()
    for side in ("refs", "gens"):
        shutil.rmtree(people / side / "dan")
    without = result(nearid)
    expected, found = with_them["aggregate"]["face"], without["aggregate"]["face"]
    assert (expected.pop("missing"), found.pop("missing")) == (9, 4)  # eve's, who is a stranger to the others
    assert expected.keys() == found.keys()
    for name, number in expected.items():
        assert found[name] == (number if number is None else pytest.approx(number, abs=1e-12)), name


def test_the_terminal_names_them(nearid: Nearid, people: Path) -> None:
    finished = nearid(*SCORE)
    lines = finished.out.splitlines() + finished.err.splitlines()
    assert (
        "face: 5 of 20 generations without a score: no face: ann/2.png, eve/0.png, eve/1.png and 2 more"
        in lines
    )
    assert any(
        line.startswith("face: 4 of 20 generations without a score: no face in any of its ref")
        for line in lines
    )
    assert (
        "face: 4 of 15 references do not count: no face: bob/1.png, dan/0.png, dan/1.png and 1 more" in lines
    )
    assert warnings_of_work(finished.err) == []


def test_another_metric_beside_it_scores_them_all(nearid: Nearid, people: Path) -> None:
    both = result(nearid, "-m", "hog")
    assert {name: one.get("missing", 0) for name, one in both["aggregate"].items()} == {"face": 9, "hog": 0}
    assert both["aggregate"]["face"] == result(nearid)["aggregate"]["face"]


def test_nobody_has_a_face(nearid: Nearid, people: Path) -> None:
    for file in (people / "gens").rglob("*.png"):
        picture((100, 100), tint=len(file.name)).save(file)
    found = result(nearid, "--images", "images.csv")
    assert found["aggregate"]["face"]["score"] is None
    assert found["aggregate"]["face"]["missing"] == 20
    with (people / "images.csv").open() as file:
        assert {(row["face"], row["face_reason"]) for row in csv.DictReader(file)} == {("", "no face")}
    assert "20 of 20 generations without a score: no face" in "".join(nearid(*SCORE).out)


def test_another_face_is_another_metric(nearid: Nearid, people: Path) -> None:
    both = picture(red=(3, 3), green=(50, 40), tint=9)
    for name in ("refs/ann/0.png", "refs/ann/1.png", "gens/ann/0.png", "refs/cat/0.png"):
        both.rotate(0).save(people / name)
    first, second = result(nearid), result(nearid, "--face-index", "1")
    assert first["metrics"][0]["fingerprint"] != second["metrics"][0]["fingerprint"]
    scores = {image["path"]: image["scores"]["face"] for image in second["images"]}
    assert scores["ann/0.png"] == pytest.approx(1, abs=1e-6)
    reasons = {image["path"]: image.get("reasons") for image in second["images"]}
    assert reasons["ann/1.png"] == {"face": "fewer than 2 faces"}
    assert second["metrics"][0]["protocol"].startswith("face 1 by size of a picture")


def test_a_warm_run_imports_neither_opencv_nor_torch(nearid: Nearid, people: Path) -> None:
    result(nearid)
    code = (
        "import sys; from nearid_cli.cli.app import main; "
        f"code = main({[*SCORE]!r}); "
        "print(code, [name for name in ('cv2', 'torch', 'transformers', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=people)
    assert done.stdout.splitlines()[-1] == "0 []", done.stderr
