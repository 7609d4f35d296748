"""Several methods with the references that they share."""

from __future__ import annotations

import pytest

from nearid_cli.errors import InputError, UsageError
from nearid_cli.layouts.methods import find_methods


def summary(found):
    """Method -> subject -> names of its generations."""
    return {
        method: {s.name: [one.name for one in s.generations] for s in dataset.subjects}
        for method, dataset in found.items()
    }


@pytest.mark.parametrize("folder", ["refs", "references", "real", "src_image", "References"])
def test_references_lie_among_the_methods(plant, folder):
    place = plant("methods", f"{folder}/cat/1.jpg {folder}/dog/1.jpg b/cat/1.png a/cat/1.png a/dog/1.png")
    found = find_methods([place], None, {})
    assert summary(found) == {
        "a": {"cat": ["cat/1.png"], "dog": ["dog/1.png"]},
        "b": {"cat": ["cat/1.png"]},
    }
    assert found["b"].ungenerated == found["b"].unmatched == ("dog: 1 reference, no generations",)
    assert found["a"].references == str(place / folder)


def test_references_elsewhere(plant):
    refs = plant("real", "cat/1.jpg")
    place = plant(
        "methods", "m10/cat_1.png m2/cat_1.png .hidden/cat_1.png distractors/cat/1.png masks/cat/1.png"
    )
    assert list(find_methods([place], refs, {})) == ["m2", "m10"]


def test_no_references(plant):
    place = plant("all/methods", "a/cat/1.png")
    plant("all/references", "cat/1.png")
    with pytest.raises(InputError, match=r"no references in .*--refs .*/all/references$"):
        find_methods([place], None, {})


def test_dreambench_samples_at_any_depth(plant):
    files = [
        f"{method}/{side}/object_00_mug/0_0.png"
        for method in ("blip", "dreambooth/sdxl")
        for side in ("src_image", "tgt_image")
    ]
    found = find_methods([plant("samples", files)], None, {})
    assert list(found) == ["blip", "dreambooth/sdxl"]
    assert found["blip"].layout == "dreambench++-samples"
    (one,) = found["blip"].subjects[0].generations
    assert (one.prompt, one.seed) == ("0", "0")


def test_a_manifest_with_methods(plant):
    folder = plant("data", "r.png d.png a.png b.png")
    manifest = folder / "all.csv"
    rows = "r.png,cat,reference,\nd.png,cat,distractor,\na.png,cat,generation,ours\nb.png,cat,generation,theirs\n"
    manifest.write_text("path,subject,role,method\n" + rows + "b.png,cat,generation,theirs\n")
    found = find_methods([manifest], None, {})
    assert summary(found) == {"ours": {"cat": ["a.png"]}, "theirs": {"cat": ["b.png"]}}
    for dataset in found.values():
        assert [one.name for one in dataset.subjects[0].distractors] == ["d.png"]
        assert dataset.left_out.counts() == {"repeated manifest rows": 1}
        assert dataset.distractors == str(manifest)
    manifest.write_text("path,subject,role,method\n" + rows + "a.png,cat,generation,\n")
    with pytest.raises(InputError, match="has 1 generation without a method"):
        find_methods([manifest], None, {})


def test_named_methods(plant):
    refs = plant("refs", "cat/1.jpg")
    named = {"mine": plant("x/1", "cat/1.png"), "other": plant("x/2", "cat/1.png")}
    assert list(find_methods([], refs, named)) == ["mine", "other"]
    with pytest.raises(InputError, match="2 methods of 2 cannot be compared") as caught:
        find_methods([], None, named)
    assert caught.value.details[0].startswith("mine: no references for ")
    with pytest.raises(UsageError, match="two methods are called a"):
        find_methods([plant("m", "a/cat/1.png")], refs, {"a": named["mine"]})
    with pytest.raises(UsageError, match="nothing to compare"):
        find_methods([], refs, {})


def test_every_method_that_cannot_be_found_is_named(plant):
    place = plant("methods", "refs/cat/1.jpg a/cat/1.png b/dog/1.png")
    plant("methods", "c/bird/1.png")
    with pytest.raises(InputError, match="2 methods of 3 cannot be compared") as caught:
        find_methods([place], None, {})
    assert [line.partition(":")[0] for line in caught.value.details if not line.startswith("  ")] == [
        "b",
        "c",
    ]


def test_methods_that_fail_alike_are_named_where_others_do_not(plant):
    refs = plant("refs", "cat/1.jpg")
    named = {"a": plant("a", "cat/1.png"), **dict.fromkeys("bc", refs.parent / "none")}
    with pytest.raises(InputError, match="2 methods of 3 cannot be compared"):
        find_methods([], refs, named)


def test_folders_without_pictures_are_no_methods(plant, caplog):
    place = plant(
        "methods", "refs/cat/1.jpg a/cat/1.png __MACOSX/a/cat/._1.png @eaDir/a/x.png logs/events.txt"
    )
    (place / "empty").mkdir()
    with caplog.at_level("INFO"):
        assert list(find_methods([place], None, {})) == ["a"]
    assert caplog.messages == ["not taken for methods, since they hold no pictures: empty, logs"]
    with pytest.raises(InputError, match=r"^no method has pictures: looked in empty, logs$"):
        find_methods([plant("bare", "refs/cat/1.jpg logs/events.txt empty/x.txt")], None, {})


def test_what_all_methods_share_is_wrong_once(plant):
    place = plant("methods", "refs/cat/1.jpg a/cat/1.png b/cat/1.png")
    with pytest.raises(InputError, match=r"^no such folder: .*looked for distractors") as caught:
        find_methods([place], None, {}, distractors=place / "none")
    assert caught.value.details == ()


def test_references_that_are_not_there(plant):
    place = plant("methods", "a/cat/1.png b/cat/1.png")
    with pytest.raises(InputError, match=r"^no such folder: .*/none \(looked for references\)$"):
        find_methods([place], place / "none", {})


@pytest.mark.parametrize("subjects", ["cat", "cat dog", "Cat_ dog"])
def test_one_method_is_not_taken_for_several(plant, subjects):
    refs = plant("refs", "cat/1.jpg dog/1.jpg")
    place = plant("method", [f"{subject}/1.png" for subject in subjects.split()])
    with pytest.raises(
        InputError, match=r"is one method: it holds \d subjects? of the references.* nearid score "
    ):
        find_methods([place], refs, {})


def test_methods_may_be_named_like_subjects(plant):
    refs = plant("refs", "cat/1.jpg dog/1.jpg")
    place = plant("methods", "cat/cat/1.png cat/dog/1.png dog/cat/1.png dog/dog/1.png")
    assert list(find_methods([place], refs, {})) == ["cat", "dog"]


def test_folders_that_are_no_methods_are_named(plant, caplog):
    place = plant("methods", "refs/cat/1.jpg a/cat/1.png results-2/cat/1.png distractors/cat/1.png")
    with caplog.at_level("INFO"):
        assert list(find_methods([place], None, {})) == ["a"]
    assert caplog.messages == ["not taken for methods: distractors, results-2"]


def test_distractors_of_all_methods(plant):
    place = plant("methods", "refs/cat/1.jpg refs/dog/1.jpg a/cat/1.png a/dog/1.png b/dog/1.png")
    found = find_methods([place], None, {}, distractors=plant("alike", "cat/x.png Dog_1.png"))
    assert {
        method: {s.name: [one.name for one in s.distractors] for s in dataset.subjects}
        for method, dataset in found.items()
    } == {"a": {"cat": ["cat/x.png"], "dog": ["Dog_1.png"]}, "b": {"dog": ["Dog_1.png"]}}
