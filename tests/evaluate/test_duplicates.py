"""Pictures that are there twice, as real files: what counts, what is said, and what no longer moves."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nearid_cli.results.reading import read_score
from tests.commandline import Nearid

SCORE = ("score", "refs", "gens", "-m", "hog", "--format", "json")


def scored(nearid: Nearid, *more: str) -> tuple[dict[str, Any], str]:
    finished = nearid(*SCORE, *more)
    assert finished.code == 0, finished.err
    return json.loads(finished.out), finished.err


@pytest.fixture
def large(data: Path) -> Path:
    """`data` with the cat's references in 480x360, of which smaller ones can be made."""
    for index in range(2):
        path = data / f"refs/cat/{index}.jpg"
        with Image.open(path) as picture:
            picture.resize((480, 360)).save(path, quality=95)
    return data


def rotated(picture: Image.Image, path: Path) -> None:
    """Saved lying on its side, with the EXIF entry that sets it upright."""
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.transpose(Image.Transpose.ROTATE_90).save(path, quality=95, exif=exif)


AGAIN = {
    "PNG": lambda picture, path: picture.save(path.with_suffix(".png")),
    "JPEG": lambda picture, path: picture.save(path.with_suffix(".jpeg"), quality=80),
    "WebP": lambda picture, path: picture.save(path.with_suffix(".webp"), quality=80),
    "half": lambda picture, path: picture.resize((240, 180)).save(path.with_suffix(".png")),
    "double": lambda picture, path: picture.resize((960, 720)).save(path.with_suffix(".jpg"), quality=90),
    "EXIF": lambda picture, path: rotated(picture, path.with_suffix(".jpg")),
}


@pytest.mark.parametrize("kind", AGAIN)
def test_a_reference_that_is_saved_again_counts_once(nearid: Nearid, large: Path, kind: str) -> None:
    before, quiet = scored(nearid)
    AGAIN[kind](Image.open(large / "refs/cat/0.jpg"), large / "refs/cat/0 saved again")
    after, spoken = scored(nearid)
    assert after["aggregate"] == before["aggregate"]
    assert after["subjects"] == before["subjects"]
    (name,) = after["inputs"]["repeated"]
    assert name.startswith("cat/0 saved again.")
    assert (
        "1 reference looks like another of the same subject (saved again?), and counts once: cat/0 saved again."
        in spoken
    )
    assert "saved again" not in quiet
    assert "repeated" not in before["inputs"]


@pytest.mark.parametrize("share", [0.03, 0.05, 0.1])
def test_a_crop_of_a_reference_is_another_picture(nearid: Nearid, large: Path, share: float) -> None:
    picture = Image.open(large / "refs/cat/0.jpg")
    picture.crop((round(share * picture.width), 0, picture.width, picture.height)).save(
        large / "refs/cat/2.png"
    )
    after, spoken = scored(nearid)
    assert after["subjects"][0]["references"] == 3
    assert "repeated" not in after["inputs"]
    assert "saved again" not in spoken


def test_the_ceiling_stays_where_the_files_are_in_another_order(nearid: Nearid, large: Path) -> None:
    """One picture in five files, among them pairs that are less alike than either is to a third: one reference."""
    before, _ = scored(nearid)
    picture = Image.open(large / "refs/cat/0.jpg")
    for number, name in enumerate(("z", "b", "00", "a long name")):
        side = (480 >> number % 3, 360 >> number % 3)
        picture.resize(side).save(large / f"refs/cat/{name}.jpg", quality=70 + 5 * number)
    after, _ = scored(nearid)
    for path in (large / "refs/cat").iterdir():  # the order in which they are found changes
        path.rename(
            path.with_stem({"z": "y", "b": "x", "00": "w", "a long name": "v"}.get(path.stem, path.stem))
        )
    again, _ = scored(nearid)
    # Of names of one length the first is kept, so another file may be: its numbers are those of a JPEG saved again.
    for found in (after, again):
        assert found["subjects"][0]["references"] == 2
        for number in ("ceiling", "score", "floor"):
            assert found["subjects"][0]["scores"]["hog"][number] == pytest.approx(
                before["subjects"][0]["scores"]["hog"][number], abs=0.02
            )


def test_a_generation_that_copies_a_reference_which_counts_once_is_still_found(
    nearid: Nearid, large: Path
) -> None:
    again = large / "refs/cat/0 saved again.jpg"
    Image.open(large / "refs/cat/0.jpg").resize((300, 225)).save(again, quality=60)
    shutil.copy(again, large / "gens/cat/7.jpg")
    Image.open(again).save(large / "gens/cat/8.webp", quality=90)
    found, spoken = scored(nearid)
    assert found["inputs"]["repeated"] == ["cat/0 saved again.jpg"]
    copies = {image["path"]: image["copy_of"] for image in found["images"] if image["copy_of"]}
    assert copies == {"cat/7.jpg": "cat/0.jpg", "cat/8.webp": "cat/0.jpg"}
    assert "2 copied references among the generations" in spoken


def test_a_distractor_that_is_saved_again_counts_once(nearid: Nearid, large: Path) -> None:
    (large / "distractors/cat").mkdir(parents=True)
    shutil.copy(large / "refs/cup/0.jpg", large / "distractors/cat/0.jpg")
    before, _ = scored(nearid, "--distractors", "distractors")
    Image.open(large / "refs/cup/0.jpg").save(large / "distractors/cat/again.png")
    after, spoken = scored(nearid, "--distractors", "distractors")
    assert after["aggregate"] == before["aggregate"]
    assert after["inputs"]["distractor_images"] == 1
    assert after["inputs"]["repeated_distractors"] == ["cat/again.png"]
    assert "1 distractor looks like another of the same subject" in spoken


def test_a_reference_of_two_subjects_is_said_and_kept(nearid: Nearid, data: Path) -> None:
    Image.open(data / "refs/cat/1.jpg").save(data / "refs/cup/2.png")
    found, spoken = scored(nearid)
    assert [one["references"] for one in found["subjects"]] == [2, 3, 2]
    assert found["inputs"]["shared_references"] == ["cat/1.jpg of cat is also cup/2.png of cup"]
    assert (
        "1 reference is of several subjects, hardly to be told apart: cat/1.jpg of cat is also cup/2.png of cup"
        in spoken
    )


@pytest.mark.parametrize("kind", ["bytes", "formats"])
def test_generations_that_are_one_picture_are_said_and_have_no_interval(
    nearid: Nearid, data: Path, kind: str
) -> None:
    before, quiet = scored(nearid)
    first = data / "gens/cat/0.png"
    for index in range(1, 6):
        (data / f"gens/cat/{index}.png").unlink(missing_ok=True)
        if kind == "bytes":
            shutil.copy(first, data / f"gens/cat/{index}.png")
        else:
            with Image.open(first) as picture:
                picture.save(data / f"gens/cat/{index}.webp", lossless=True, quality=10 * index)
    found, spoken = scored(nearid)
    assert "one picture" not in quiet
    assert "same_generations" not in before["inputs"]
    cat, ship = found["subjects"][0]["scores"]["hog"], found["subjects"][2]["scores"]["hog"]
    assert cat["ci95"] is None
    assert ship["ci95"] is not None
    assert cat["score"] == pytest.approx(before["images"][0]["scores"]["hog"], abs=1e-6)
    assert found["subjects"][0]["generations"] == 6
    assert (
        "warning: cat: all 6 generations are one picture (was the seed not changed?), and count once in intervals"
        in spoken
    )


def test_six_generations_of_three_pictures_have_the_interval_of_three(nearid: Nearid, data: Path) -> None:
    before, _ = scored(nearid)
    for index in range(3):
        shutil.copy(data / f"gens/cat/{index}.png", data / f"gens/cat/again {index}.png")
    found, spoken = scored(nearid)
    (was, now) = (one["subjects"][0]["scores"]["hog"] for one in (before, found))
    assert now["score"] == pytest.approx(was["score"], abs=1e-12)
    assert now["ci95"] == pytest.approx(was["ci95"], abs=1e-9)
    assert "cat: all 6 generations are only 3 pictures" in spoken


def test_a_generation_of_two_subjects_in_files_of_their_own_is_said(nearid: Nearid, data: Path) -> None:
    shutil.copy(data / "gens/cat/0.png", data / "gens/cup/9.png")
    found, spoken = scored(nearid)
    assert found["inputs"]["shared_generations"] == ["cat/0.png of cat is also cup/9.png of cup"]
    assert "1 generation is of several subjects: cat/0.png of cat" in spoken


def test_prompts_are_units_of_an_interval(nearid: Nearid, data: Path) -> None:
    """Spelled in several ways; with one prompt, or none, each generation is a unit. Two make no interval."""
    prompts = ["on a beach", "On a  beach.", "in snow", "in  Snow", "at night", "at night!"]
    rows = [f"refs/{s}/{i}.jpg,{s},reference," for s in ("cat", "cup", "ship") for i in range(2)]
    for number, prompt in enumerate(prompts):
        with Image.open(data / "gens/cat/0.png") as picture:
            picture.crop((2 * number, 0, 90 + number, 90)).save(data / f"gens/cat/p{number}.png")
        rows.append(f"gens/cat/p{number}.png,cat,generation,{prompt}")
    rows += [f"gens/cup/{i}.png,cup,generation,one prompt" for i in range(3)]
    rows += [f"gens/ship/{i}.png,ship,generation,{prompts[2 * i]}" for i in range(2)]
    rows.append(f"gens/ship/2.png,ship,generation,{prompts[0]}")
    (data / "all.csv").write_text("\n".join(["path,subject,role,prompt", *rows]))
    finished = nearid("score", "all.csv", "-m", "hog", "--format", "json")
    assert finished.code == 0, finished.err
    found = json.loads(finished.out)
    own = np.array([image["scores"]["hog"] for image in found["images"] if image["subject"] == "cat"])
    means = own.reshape(3, 2).mean(axis=1)
    from nearid_cli.metrics.intervals import mean_interval

    assert found["subjects"][0]["scores"]["hog"]["ci95"] == pytest.approx(mean_interval(means), abs=1e-9)
    others = [image["scores"]["hog"] for image in found["images"] if image["subject"] == "cup"]
    low, high = mean_interval(np.array(others)) or (0, 0)
    assert found["subjects"][1]["scores"]["hog"]["ci95"] == pytest.approx(
        [max(low, -1), min(high, 1)], abs=1e-9
    )
    assert found["subjects"][2]["scores"]["hog"]["ci95"] is None


def test_results_that_are_read_back_say_it_again(nearid: Nearid, data: Path) -> None:
    shutil.copy(data / "refs/cat/0.jpg", data / "refs/cat/same.jpg")
    shutil.copy(data / "gens/cat/0.png", data / "gens/cat/same.png")
    finished = nearid(*SCORE[:5], "-o", "a.json", "-o", "a.md", "-o", "a.html")
    assert finished.code == 0, finished.err
    for text in (finished.out, (data / "a.md").read_text(), (data / "a.html").read_text()):
        assert "cat: 2 of 4 generations are one picture" in text
        assert "1 reference looks like another" in text
    assert read_score(data / "a.json").inputs.repeated == ("cat/same.jpg",)
    shutil.copy(data / "a.json", data / "b.json")
    finished = nearid("compare", "a.json", "b.json")
    assert finished.code == 0, finished.err
    assert "every method: cat: 2 of 4 generations are one picture" in finished.out


def test_a_warm_run_with_repeated_references_opens_no_picture(nearid: Nearid, data: Path) -> None:
    Image.open(data / "refs/cat/0.jpg").save(data / "refs/cat/again.png")
    scored(nearid)
    program = (
        "import sys; from nearid_cli.cli.app import main; code = main(sys.argv[1:]);"
        "print(sorted({'torch', 'PIL', 'skimage', 'scipy'} & set(sys.modules)), file=sys.stderr); sys.exit(code)"
    )
    warm = subprocess.run(
        [sys.executable, "-c", program, *SCORE], cwd=data, capture_output=True, text=True, check=True
    )
    assert warm.stderr.splitlines()[-1] == "[]"
    assert json.loads(warm.stdout)["inputs"]["repeated"] == ["cat/again.png"]
