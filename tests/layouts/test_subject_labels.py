"""Labels that belong to subjects: of DreamBench++, whose names say them, and of references in a manifest."""

from __future__ import annotations

from pathlib import Path

import pytest

from nearid_cli.layouts.dataset import Dataset
from nearid_cli.layouts.find import find


def labels(dataset: Dataset) -> dict[str, list[dict[str, str]]]:
    return {one.name: [dict(image.labels) for image in one.generations] for one in dataset.subjects}


FOLDERS = {
    "live_subject_animal_00_kitten": "animal",
    "live_subject_human_03_old_man": "human",
    "object_12_red_bag": "object",
    "style_07_oil_painting": "style",
    "humanoid_1_robot": None,
    "object": None,
}


def test_samples_say_category_and_kind_of_prompt(plant) -> None:
    numbers = range(10)
    root = plant(
        "blip",
        [
            f"{side}/{folder}/{n}_0.jpg"
            for side in ("src_image", "tgt_image")
            for folder in FOLDERS
            for n in numbers
        ],
    )
    dataset = find(root, root)
    assert dataset.layout == "dreambench++-samples"
    kinds = ["photorealistic"] * 4 + ["style_transfer"] * 3 + ["imaginative"] * 2 + [None]
    for subject, own in labels(dataset).items():
        assert [one.get("prompt_kind") for one in own] == kinds
        assert {one.get("category") for one in own} == {FOLDERS[subject]}
    for one in dataset.subjects:
        assert {image.labels.get("prompt_kind") for image in one.references} == {None}


def test_data_say_the_category_of_other_generations(plant) -> None:
    root = plant(
        "data",
        "images/live_subject/animal/00.jpg images/object/00.jpg images/style/00.jpg captions/object/.keep",
    )
    gens = plant("gens", "live_subject_animal_00/a.png object_00/a.png style_00/seed3.png")
    assert labels(find(root, gens)) == {
        "live_subject_animal_00": [{"category": "animal"}],
        "object_00": [{"category": "object"}],
        "style_00": [{"category": "style"}],
    }


@pytest.fixture
def manifest(plant):
    root = plant("m", "r/cat1.png r/cat2.png r/mug1.png g/cat.png g/mug.png")

    def written(header: str, *rows: str) -> Dataset:
        path: Path = root / "m.csv"
        path.write_text("\n".join((header, *rows)) + "\n")
        return find(path, None)

    return written


def test_what_references_say_of_their_subject_holds_for_its_generations(manifest) -> None:
    dataset = manifest(
        "path,subject,role,category,view,context",
        "r/cat1.png,cat,reference,animal,front,beach",
        "r/cat2.png,cat,reference,,back,beach",
        "r/mug1.png,mug,reference,object,,",
        "g/cat.png,cat,generation,,,",
        "g/mug.png,mug,generation,,,",
    )
    assert labels(dataset) == {"cat": [{"category": "animal"}], "mug": [{"category": "object"}]}


def test_what_generations_say_themselves_is_theirs(manifest) -> None:
    dataset = manifest(
        "path,subject,role,view,step",
        "r/cat1.png,cat,reference,front,1",
        "r/mug1.png,mug,reference,front,1",
        "g/cat.png,cat,generation,side,",
        "g/mug.png,mug,generation,,",
    )
    assert labels(dataset) == {"cat": [{"view": "side"}], "mug": [{}]}
