"""A method that lacks a subject is measured against the same strangers as the others: by a plain NumPy oracle."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nearid_cli.evaluate.embed import embed_pictures
from nearid_cli.options import Options
from tests.commandline import Finished, Nearid

SUBJECTS = ("cat", "cup", "ship")


@pytest.fixture
def methods(data: Path) -> Path:
    """`methods/whole` with all subjects, and `methods/picky` with the same generations but none of the ship."""
    shutil.copytree(data / "gens", data / "methods/whole")
    shutil.copytree(data / "gens", data / "methods/picky")
    shutil.rmtree(data / "methods/picky/ship")
    return data


def oracle(data: Path, generated: tuple[str, ...]) -> dict[str, dict[str, float]]:
    """Floor and identification of each generated subject against the references of all subjects, pair by pair."""
    embedded = embed_pictures([data / "refs", data / "gens"], Options(metrics=["hog"], use_cache=False))
    rows: dict[str, dict[str, list[Any]]] = {"refs": {}, "gens": {}}
    for path, row in zip(embedded.paths, np.asarray(embedded.embeddings["hog"], np.float64), strict=True):
        rows[path.parts[-3]].setdefault(path.parent.name, []).append(row)
    references = {subject: np.array(own) for subject, own in rows["refs"].items()}
    found = {}
    for subject in generated:
        generations = np.array(rows["gens"][subject])
        strangers = np.concatenate([references[other] for other in SUBJECTS if other != subject])
        nearest = [max(SUBJECTS, key=lambda other: (references[other] @ row).mean()) for row in generations]
        found[subject] = {
            "floor": float((generations @ strangers.T).mean()),
            "identification": nearest.count(subject) / len(nearest),
        }
    return found


def read(finished: Finished) -> Any:
    """The JSON of a run. Its numbers lose their last digits: how a product rounds hangs on its number of rows."""
    assert finished.code == 0, finished.err
    return json.loads(finished.out, parse_float=lambda digits: round(float(digits), 12))


def compared(nearid: Nearid) -> tuple[dict[str, Any], str]:
    finished = nearid("compare", "methods", "--refs", "refs", "-m", "hog", "--format", "json")
    return {one["name"]: one["result"] for one in read(finished)["methods"]}, finished.err


def test_a_lacking_method_has_the_floor_and_the_identification_of_a_whole_one(
    nearid: Nearid, methods: Path
) -> None:
    found, spoken = compared(nearid)
    for method, generated in (("whole", SUBJECTS), ("picky", SUBJECTS[:2])):
        scores = {one["subject"]: one["scores"]["hog"] for one in found[method]["subjects"]}
        truth = oracle(methods, generated)
        assert list(scores) == list(generated)
        for subject, numbers in truth.items():
            for number, value in numbers.items():
                assert scores[subject][number] == pytest.approx(value, abs=1e-6), (method, subject, number)
            assert found["whole"]["subjects"][SUBJECTS.index(subject)]["scores"]["hog"] == scores[subject]
        assert found[method]["aggregate"]["hog"]["floor"] == pytest.approx(
            np.mean([numbers["floor"] for numbers in truth.values()]), abs=1e-6
        )
    assert found["picky"]["inputs"]["strangers"] == ["ship"]
    assert found["picky"]["inputs"]["subjects"] == 2
    assert found["picky"]["inputs"]["reference_images"] == 4
    assert "strangers" not in found["whole"]["inputs"]
    assert "picky: no generations of 1 subject; its references count as those of strangers: ship" in spoken


def test_score_alone_leaves_an_unmatched_subject_out_of_everything(nearid: Nearid, methods: Path) -> None:
    def scores(*arguments: str) -> Any:
        finished = nearid("score", *arguments, "-m", "hog", "--format", "json", "--allow-unmatched")
        return read(finished)

    with_it = scores("refs", "methods/picky")
    shutil.rmtree(methods / "refs/ship")
    without = scores("refs", "methods/picky")
    assert with_it["subjects"] == without["subjects"]
    assert with_it["aggregate"] == without["aggregate"]
    assert "strangers" not in with_it["inputs"]


def test_a_subject_whose_generations_cannot_be_read_is_a_stranger_too(nearid: Nearid, methods: Path) -> None:
    shutil.copytree(methods / "gens/ship", methods / "methods/picky/ship")
    for file in (methods / "methods/picky/ship").iterdir():
        file.write_bytes(b"no picture")
    finished = nearid("compare", "methods", "--refs", "refs", "-m", "hog", "--format", "json", "--skip-bad")
    picky, whole = (one["result"] for one in read(finished)["methods"])
    assert picky["inputs"]["strangers"] == ["ship"]
    assert picky["subjects"] == whole["subjects"][:2]


def test_references_of_strangers_that_cannot_be_read_are_said(nearid: Nearid, methods: Path) -> None:
    (methods / "refs/house").mkdir()
    (methods / "refs/house/1.jpg").write_bytes(b"no picture")
    finished = nearid("compare", "methods", "--refs", "refs", "-m", "hog")
    assert finished.code == 2
    assert "refs/house/1.jpg" in finished.err
    finished = nearid("compare", "methods", "--refs", "refs", "-m", "hog", "--format", "json", "--skip-bad")
    picky, whole = (one["result"] for one in read(finished)["methods"])
    assert picky["inputs"]["strangers"] == ["ship"]
    assert "strangers" not in whole["inputs"]
    assert [one["path"] for one in whole["inputs"]["skipped"]] == ["refs/house/1.jpg"]
