"""`face` and the Hub: its two files are fetched from two repositories, and nothing but these files is ever used."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from nearid_cli.measures.face_files import DETECTOR, FILES, RECOGNISER
from tests.commandline import Nearid
from tests.faces import picture, write_face_models
from tests.hub.conftest import Here
from tests.hub.simulated import SimulatedHub

SCORE = ("score", "refs", "gens", "-m", "face")


@pytest.fixture
def zoo(hub: SimulatedHub, here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The zoo on the Hub, with tiny networks for which it is known, and pictures in `refs/` and `gens/`."""
    folder = write_face_models(tmp_path / "zoo")
    for file in FILES:
        content = (folder / file.name).read_bytes()
        hub.add(file.repository, {file.name: content, "README.md": b"# a network", "other.onnx": b"x" * 100})
        monkeypatch.setitem(vars(file), "sha256", hashlib.sha256(content).hexdigest())
    for side in ("refs", "gens"):
        for subject in ("ann", "bob"):
            (tmp_path / side / subject).mkdir(parents=True)
            for number in range(2):
                tint = 11 * len(side + subject) + 5 * number
                picture(red=(3, 3), tint=tint).save(tmp_path / side / subject / f"{number}.png")
    return folder


def info(nearid: Nearid) -> dict[str, str]:
    lines = nearid("models", "info", "face").out.splitlines()
    return dict(line.split(maxsplit=1) for line in lines if not line.startswith(" "))


def test_pull_fetches_both_files_and_nothing_else(
    nearid: Nearid, zoo: Path, hub: SimulatedHub, here: Here
) -> None:
    assert dict(line.split(maxsplit=1) for line in nearid("models", "info", "face").out.splitlines())[
        "here"
    ] == ("no; fetch it: nearid models pull face")
    finished = nearid("models", "pull", "face")
    assert finished.code == 0
    size = sum((zoo / file.name).stat().st_size for file in FILES)
    assert finished.out == f"face: {here.cache} ({size / 1000:.1f} kB)\n"
    assert len(hub.asked("storage GET")) == 2
    assert {path.name for path in here.cache.rglob("*.*") if path.is_symlink()} == {
        file.name for file in FILES
    }

    hub.requests.clear()
    here.offline()
    (line,) = [line for line in nearid("models", "list").out.splitlines() if line.startswith("face ")]
    assert f"{size / 1000:.1f} kB" in line
    shown = info(nearid)
    assert shown["checkpoint"] == "opencv/face_recognition_sface"
    assert shown["revision"] == f"{DETECTOR.sha256[:16]}+{RECOGNISER.sha256[:16]}"
    assert nearid(*SCORE).code == 0
    assert hub.requests == []


def test_score_fetches_what_is_missing_and_a_warm_run_needs_no_file(
    nearid: Nearid, zoo: Path, hub: SimulatedHub, here: Here
) -> None:
    cold = nearid(*SCORE)
    assert cold.code == 0
    assert len(hub.asked("storage GET")) == 2
    hub.requests.clear()
    for blob in here.cache.rglob("blobs/*"):
        blob.unlink()
    warm = nearid(*SCORE)
    assert (warm.code, warm.out) == (0, cold.out)
    assert hub.requests == []


def test_a_folder_with_the_zoos_files_has_the_zoos_embeddings(
    nearid: Nearid, zoo: Path, hub: SimulatedHub, here: Here
) -> None:
    local = nearid(*SCORE[:-1], "face=./zoo")
    assert local.code == 0
    assert nearid(*SCORE).out == local.out
    assert hub.requests == []


def test_verify_hashes_both_and_names_a_damaged_one(nearid: Nearid, zoo: Path, here: Here) -> None:
    assert nearid("models", "verify", "face").error == (
        "the files of face are not here; fetch them: nearid models pull face"
    )
    nearid("models", "pull", "face")
    sound = nearid("models", "verify", "face")
    assert sound.code == 0
    for file in FILES:
        (line,) = [line for line in sound.out.splitlines() if file.name in line]
        assert (f"sha256:{file.sha256}" in line, line.endswith("ok")) == (True, True)
    assert "face: complete and finite; fingerprint " in sound.out

    (link,) = here.cache.rglob(RECOGNISER.name)
    blob = link.resolve()
    content = bytearray(blob.read_bytes())
    content[100] ^= 1
    blob.write_bytes(content)
    damaged = nearid("models", "verify", "face")
    assert damaged.code == 2
    assert f"1 damaged: {RECOGNISER.name}; delete {link.parents[2]} and fetch it again" in damaged.err

    refused = nearid(*SCORE)
    assert refused.error.startswith(f"{link} is not the file that is known by this name: expected SHA-256 ")


def test_another_file_under_the_name_is_refused(nearid: Nearid, zoo: Path, hub: SimulatedHub) -> None:
    hub.add(RECOGNISER.repository, {RECOGNISER.name: b"a newer network"})
    finished = nearid("models", "pull", "face")
    assert finished.error == "1 of 1 checkpoint could not be fetched"
    assert "is not the file that is known by this name: expected SHA-256 " in finished.details[0]
    assert nearid(*SCORE).code == 2


def test_without_network_it_says_what_to_do(nearid: Nearid, zoo: Path, here: Here) -> None:
    here.offline()
    finished = nearid(*SCORE)
    assert finished.error.startswith(
        f"metric face: {DETECTOR.name} of opencv/face_detection_yunet is not in the Hub cache and cannot be fetched: "
    )
    assert finished.details == [
        "to fetch it, where there is network: nearid models pull face",
        f"to use local copies of {DETECTOR.name} and {RECOGNISER.name}: --metric face=FOLDER",
    ]


def test_a_repository_without_the_file_is_named(nearid: Nearid, zoo: Path, hub: SimulatedHub) -> None:
    hub.add(RECOGNISER.repository, {"README.md": b"moved"})
    finished = nearid("models", "pull", "face")
    assert f"{RECOGNISER.repository} has no {RECOGNISER.name}" in finished.details[0]
