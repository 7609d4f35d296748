"""What other subjects, copies and doubles do to a result, and what they do not."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.metamorphic.planted import (
    GENERATIONS,
    SUBJECTS,
    assert_alike,
    lay,
    numbers,
    of_subject,
    score,
)

Pictures = dict[str, bytes]

OF_STRANGERS = ("floor", "retention", "within_noise", "identification", "identification_ci95")
"""The numbers of a subject that rest on the references of others, and no others do."""


def own(result: Any, subject: str) -> dict[str, Any]:
    """The numbers of a subject that no other subject may touch."""
    return {name: value for name, value in of_subject(result, subject).items() if name not in OF_STRANGERS}


def without(pictures: Pictures, *subjects: str) -> Pictures:
    return {name: content for name, content in pictures.items() if name.split("/")[1] not in subjects}


def test_subjects_that_change_names_change_rows(root: Path, pictures: Pictures) -> None:
    plain = score(root)
    turned = dict(zip(SUBJECTS, (*SUBJECTS[1:], SUBJECTS[0]), strict=True))
    lay(
        root,
        {
            f"{side}/{turned[subject]}/{file}": content
            for (side, subject, file), content in ((name.split("/"), one) for name, one in pictures.items())
        },
    )
    found = score(root)
    for old, new in turned.items():
        assert_alike(of_subject(found, new), of_subject(plain, old))
    assert_alike(numbers(found)["aggregate"], numbers(plain)["aggregate"])


def test_a_stranger_touches_only_what_rests_on_strangers(root: Path, pictures: Pictures) -> None:
    whole = score(root)
    fewer = score(lay(root, without(pictures, "ship")))
    for subject in set(SUBJECTS) - {"ship"}:
        assert_alike(own(fewer, subject), own(whole, subject))
        assert of_subject(fewer, subject)["floor"] != of_subject(whole, subject)["floor"]
    paths = {image.path: image for image in fewer.images}
    assert all(paths[one.path] == one for one in whole.images if one.path in paths)
    assert numbers(score(lay(root, pictures))) == numbers(whole)


def test_data_sets_scored_together_keep_their_own_scores(root: Path, pictures: Pictures) -> None:
    halves = [score(lay(root, without(pictures, *others))) for others in (SUBJECTS[:2], SUBJECTS[2:])]
    together = score(lay(root, pictures))
    for half in halves:
        for entry in half.subjects:
            assert_alike(own(together, entry.subject), own(half, entry.subject))
    parts = [half.aggregate["hog"] for half in halves]
    assert together.aggregate["hog"].score == pytest.approx(sum(one.score for one in parts) / 2, abs=1e-12)
    assert together.aggregate["hog"].ceiling == pytest.approx(
        sum(one.ceiling for one in parts) / 2, abs=1e-12
    )


@pytest.mark.parametrize("again", ["as it is", "as another PNG", "as TIFF"])
def test_a_reference_among_the_generations_is_a_copy_of_itself(
    root: Path, pictures: Pictures, again: str
) -> None:
    for number, subject in enumerate(SUBJECTS):
        content = pictures[f"refs/{subject}/{number % 2}.png"]
        place = root / "a" / subject / "taken.png"
        if again == "as it is":
            place.write_bytes(content)
        else:
            options: Any = {"compress_level": 1} if again.endswith("PNG") else {"compression": "tiff_lzw"}
            Image.open(io.BytesIO(content)).save(
                place.with_suffix("." + again[-4:].strip().lower()), **options
            )
    found = {Path(one.path).parent.name: one.copy_of for one in score(root).images if "taken" in one.path}
    assert found == {subject: f"{subject}/{number % 2}.png" for number, subject in enumerate(SUBJECTS)}


def test_generations_that_are_there_twice_count_once(root: Path, pictures: Pictures) -> None:
    plain = score(root)
    for name, content in pictures.items():
        if name.startswith("a/"):
            (root / name).with_name(f"again {Path(name).name}").write_bytes(content)
    twice = score(root)
    assert len(twice.images) == 2 * GENERATIONS * len(SUBJECTS)
    aside = {"std", "diversity", "diversity_ci95", "near_copies"}  # these are over generations, however alike
    for subject in SUBJECTS:
        before, after = of_subject(plain, subject), of_subject(twice, subject)
        assert_alike({**after, **{name: before[name] for name in aside & before.keys()}}, before)
    before, after = (numbers(one)["aggregate"]["hog"] for one in (plain, twice))
    assert_alike({**after, **{name: before[name] for name in aside & before.keys()}}, before)
