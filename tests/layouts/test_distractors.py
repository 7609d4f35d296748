"""Distractors from a folder or a manifest of their own."""

from __future__ import annotations

import pytest

from nearid_cli.errors import InputError
from nearid_cli.layouts.find import find


def distractors(dataset):
    return {subject.name: [one.name for one in subject.distractors] for subject in dataset.subjects}


def test_by_folder_by_name_and_what_matches_nothing(plant):
    refs, gens = plant("refs", "cat/1.jpg dog/1.jpg"), plant("gens", "cat/1.png dog/1.png")
    found = find(refs, gens, distractors=plant("d", "Cat/10.png Cat/9.png dog_3.png bird/1.png bird_1.png"))
    assert distractors(found) == {"cat": ["Cat/9.png", "Cat/10.png"], "dog": ["dog_3.png"]}
    assert found.unmatched == (
        "bird: 1 distractor, no references",
        "bird_1.png: distractor that no subject claims",
    )
    assert found.distractors == str(refs.parent / "d")


def test_a_manifest_of_distractors_goes_with_folders(plant):
    manifest = plant("d", "x.png y.png") / "d.csv"
    manifest.write_text("path,subject,role\nx.png,cat,distractor\ny.png,cat,reference\n")
    found = find(plant("refs", "cat/1.jpg"), plant("gens", "cat/1.png"), distractors=manifest)
    assert distractors(found) == {"cat": ["x.png"]}
    assert [one.name for one in found.subjects[0].references] == ["cat/1.jpg"]


def test_loose_distractors_of_the_only_subject(plant):
    found = find(plant("my-cat", "1.jpg"), plant("gens", "0.png"), distractors=plant("d", "a.png b.png"))
    assert distractors(found) == {"my-cat": ["a.png", "b.png"]}


def test_none_and_nowhere(plant):
    refs, gens = plant("refs", "cat/1.jpg"), plant("gens", "cat/1.png")
    assert find(refs, gens).distractors is None
    (refs.parent / "empty").mkdir()
    with pytest.raises(InputError, match="no pictures in distractors folder"):
        find(refs, gens, distractors=refs.parent / "empty")
    with pytest.raises(InputError, match=r"no such folder: .*/nowhere \(looked for distractors\)"):
        find(refs, gens, distractors=refs.parent / "nowhere")
