"""Near copies, diversity and odd references, from photographs on disk to what is said."""

import json
from pathlib import Path

import pytest
from PIL import Image, ImageOps
from skimage import data as photographs

from tests.commandline import Nearid
from tests.tiny import tiny_clip

SUBJECTS = ("astronaut", "chelsea", "coffee", "rocket")
MORE = "more than chance explains"
ODD = "much less like the other references"


def quarters(name: str) -> list[Image.Image]:
    """Four pictures that have something in common, and no pixel."""
    whole = Image.fromarray(getattr(photographs, name)())
    width, height = whole.width // 2, whole.height // 2
    corners = [(x, y) for y in (0, height) for x in (0, width)]
    return [whole.crop((x, y, x + width, y + height)).resize((160, 160)) for x, y in corners]


def cropped(picture: Image.Image) -> Image.Image:
    return picture.crop((6, 4, 154, 152)).resize((160, 160), Image.Resampling.BICUBIC)


def further(name: str, number: int) -> Image.Image:
    """A view of the same photograph that is none of the quarters."""
    whole = Image.fromarray(getattr(photographs, name)()).rotate(90 * number + 45)
    x, y = whole.width // 4 + 12 * number, whole.height // 4
    return whole.crop((x, y, x + whole.width // 3, y + whole.height // 3)).resize((160, 160))


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """References and two methods: one that crops and mirrors them, one that shows something else."""
    monkeypatch.chdir(tmp_path)
    for name in SUBJECTS:
        for folder in ("refs", "copied", "honest"):
            (tmp_path / folder / name).mkdir(parents=True)
        for number, one in enumerate(quarters(name)):
            one.save(tmp_path / f"refs/{name}/{number}.png")
        made = quarters(name)
        for number, one in enumerate((cropped(made[0]), ImageOps.mirror(made[1]), cropped(made[3]))):
            one.save(tmp_path / f"copied/{name}/{number}.png")
            further(name, number).save(tmp_path / f"honest/{name}/{number}.png")
    return tmp_path


@pytest.fixture(params=["hog", "nearid-mini", "clip"])
def metric(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """As it is asked for."""
    if request.param != "clip":
        return str(request.param)
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    return f"clip={tiny_clip(tmp_path / 'checkpoint')}"


def test_crops_and_mirrors_are_named_with_what_they_repeat(
    nearid: Nearid, planted: Path, metric: str
) -> None:
    finished = nearid(
        "score", "refs", "copied", "-m", metric, "--format", "json", "-o", "r.md", "--images", "i.csv"
    )
    found, name = json.loads(finished.out), metric.partition("=")[0]
    sources = {"0": "0", "1": "1", "2": "3"}
    near = [image for image in found["images"] if name in image.get("near_copy_of", {})]
    assert len(near) >= 11
    wrong = []
    for image in near:
        subject, file = image["path"].split("/")
        if image["near_copy_of"] != {name: f"{subject}/{sources[file[0]]}.png"}:
            wrong.append(file)
        (closest,) = (
            one["scores"][name]["closest"] for one in found["subjects"] if one["subject"] == subject
        )
        assert image["near_copy_similarity"][name] > closest
    # By hog the left half of a face is more like the right one, mirrored, than that is itself.
    assert wrong == ["1.png"] * (2 if name == "hog" else 0)
    counts = [subject["scores"][name]["near_copies"] for subject in found["subjects"]]
    assert sum(counts) == found["aggregate"][name]["near_copies"] == len(near)
    assert f"{name}_near_copy_of" in (planted / "i.csv").read_text().splitlines()[0]
    assert f"| {len(near)} | 5 |" in (planted / "r.md").read_text()
    if len(near) == 12:
        assert MORE in (planted / "r.md").read_text()


def test_other_views_are_no_more_than_chance(nearid: Nearid, planted: Path, metric: str) -> None:
    finished = nearid("score", "refs", "honest", "-m", metric)
    assert finished.code == 0, finished.err
    assert MORE not in finished.out + finished.err


def test_copies_are_no_near_copies(nearid: Nearid, planted: Path) -> None:
    for name in SUBJECTS:
        quarters(name)[2].save(planted / f"copied/{name}/0.png")
    found = json.loads(nearid("score", "refs", "copied", "-m", "hog", "--format", "json").out)
    copies = [image for image in found["images"] if image["copy_of"]]
    assert [image["copy_of"] for image in copies] == [f"{name}/2.png" for name in SUBJECTS]
    assert not any("near_copy_of" in image for image in copies)


def test_numbers_that_do_not_exist_are_left_out(nearid: Nearid, planted: Path) -> None:
    for name in SUBJECTS:
        for number in (1, 2, 3):
            (planted / f"refs/{name}/{number}.png").unlink()
    for number in (1, 2):
        (planted / f"copied/coffee/{number}.png").unlink()
    found = json.loads(nearid("score", "refs", "copied", "-m", "hog", "--format", "json").out)
    for subject in found["subjects"]:
        assert not {"near_copies", "closest", "prompt_diversity"} & subject["scores"]["hog"].keys()
        assert ("diversity" in subject["scores"]["hog"]) == (subject["subject"] != "coffee")
        assert "reference_scores" not in subject
    assert "near_copies" not in found["aggregate"]["hog"]


def test_a_reference_of_another_subject_is_named(nearid: Nearid, planted: Path) -> None:
    for name in SUBJECTS:
        first = quarters(name)[0]
        for number in range(5):  # one picture in five lights, so that they are alike
            first.point(lambda level, by=0.8 + 0.1 * number: level * by).rotate(4 * number).save(
                planted / f"refs/{name}/{number}.png"
            )
    assert ODD not in nearid("score", "refs", "honest", "-m", "nearid-mini").err
    quarters("rocket")[0].save(planted / "refs/chelsea/3.png")
    for command in (("score", "refs", "honest"), ("compare", "copied", "honest", "--refs", "refs")):
        finished = nearid(*command, "-m", "nearid-mini")
        said = " ".join((finished.out + finished.err).split())
        assert ODD in said
        assert "chelsea/3.png of chelsea" in said
    for first, second in (("nearid-mini", "hog"), ("hog", "nearid-mini")):
        finished = nearid("score", "refs", "honest", "-m", f"{first},{second}")
        said = " ".join((finished.out + finished.err).split())
        assert f"by {first}, 1 reference is {ODD}" in said
        assert f"by {second}, 1 reference is {ODD}" not in said


def test_low_diversity_of_one_picture_again(nearid: Nearid, planted: Path) -> None:
    for name in SUBJECTS:
        for number in (1, 2):
            quarters(name)[1].save(planted / f"copied/{name}/{number}.png")
        quarters(name)[1].save(planted / f"copied/{name}/0.png")
    found = json.loads(nearid("score", "refs", "copied", "-m", "hog", "--format", "json").out)
    assert found["aggregate"]["hog"]["diversity"] == pytest.approx(0, abs=1e-7)
    assert found["aggregate"]["hog"]["diversity_ci95"] == pytest.approx([0, 0], abs=1e-7)
