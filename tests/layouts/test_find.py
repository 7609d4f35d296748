import os
from pathlib import Path

import pytest

from nearid_cli.errors import InputError, UsageError
from nearid_cli.layouts.find import find
from nearid_cli.layouts.given import read_side
from nearid_cli.layouts.registry import NAMES


def names(dataset):
    """Each subject with the names of its references and generations."""
    return {
        subject.name: ([one.name for one in subject.references], [one.name for one in subject.generations])
        for subject in dataset.subjects
    }


def test_folder_per_subject_at_any_depth(plant):
    refs = plant("refs", "cat/1.jpg cat/10.jpg cat/2.jpg dog/1.jpg")
    gens = plant("gens", ["cat/on a beach/7.png", "cat/x.png", "dog/a/b/c.png", "dog/a/0.png"])
    dataset = find(refs, gens)
    assert dataset.layout == "folders"
    assert (dataset.references, dataset.generations) == (str(refs), str(gens))
    assert names(dataset) == {
        "cat": (["cat/1.jpg", "cat/2.jpg", "cat/10.jpg"], ["cat/x.png", "cat/on a beach/7.png"]),
        "dog": (["dog/1.jpg"], ["dog/a/0.png", "dog/a/b/c.png"]),
    }
    beach = dataset.subjects[0].generations[1]
    assert (beach.prompt, beach.seed, beach.method) == ("on a beach", "7", None)
    assert beach.path == gens / "cat/on a beach/7.png"
    assert dataset.subjects[1].generations[1].prompt is None
    assert dataset.unmatched == ()


def test_subjects_in_natural_order(plant):
    subjects = "s10/1.png s9/1.png s1/1.png"
    dataset = find(plant("refs", subjects), plant("gens", subjects))
    assert [subject.name for subject in dataset.subjects] == ["s1", "s9", "s10"]


def test_subjects_match_by_name_and_never_by_order(plant):
    refs = plant("refs", ["Red Cat/1.png", "blue_dog/1.png", "lonely/1.png"])
    gens = plant("gens", ["red_cat/1.png", "Blue-Dog/1.png", "stranger/1.png", "stranger/2.png"])
    dataset = find(refs, gens)
    assert names(dataset) == {
        "blue_dog": (["blue_dog/1.png"], ["Blue-Dog/1.png"]),
        "Red Cat": (["Red Cat/1.png"], ["red_cat/1.png"]),
    }
    assert dataset.unmatched == (
        "stranger: 2 generations, no references",
        "lonely: 1 reference, no generations",
    )


def test_ambiguous_subjects_are_an_error(plant):
    refs = plant("refs", ["red cat/1.png", "red_cat/1.png"])
    with pytest.raises(InputError, match="ambiguous") as caught:
        find(refs, plant("gens", "RedCat/1.png"))
    assert caught.value.details[0] == "RedCat may mean any of the references red cat, red_cat"
    assert caught.value.details[1].startswith("nearid layout ")


def test_loose_pictures_among_folders_are_listed(plant):
    refs = plant("refs", "cat/1.png stray.png")
    gens = plant("gens", "cat/1.png cat_2.png other.png")
    dataset = find(refs, gens)
    assert names(dataset) == {"cat": (["cat/1.png"], ["cat/1.png", "cat_2.png"])}
    assert dataset.unmatched == (
        "other.png: generation that no subject claims",
        "stray.png: reference outside a subject's folder",
    )


def test_left_out_of_both_sides(plant):
    refs = plant("refs", "cat/1.png cat/1_mask.png .DS_Store")
    gens = plant("gens", "cat/1.png grid.png cat/masks/1.png")
    assert find(refs, gens).left_out.counts() == {"masks": 2, "hidden files": 1, "grids": 1}


@pytest.mark.parametrize(
    ("references", "generations", "subject"),
    [
        ("my cat", "gens", "my cat"),
        ("refs", "my cat", "subject"),
        ("refs", "gens", "subject"),
        ("a", "b", "a"),
    ],
)
def test_flat_against_flat_is_one_subject(plant, references, generations, subject):
    dataset = find(plant(references, "b2.jpg b10.jpg"), plant(generations, "x1.png y.png"))
    assert names(dataset) == {subject: (["b2.jpg", "b10.jpg"], ["x1.png", "y.png"])}
    assert dataset.layout == "flat"


def test_flat_generations_of_several_subjects_are_not_all_one(plant):
    refs, gens = plant("cat", "1.png"), plant("gens", "cat_0.png dog_0.png")
    dataset = find(refs, gens)
    assert names(dataset) == {"cat": (["1.png"], ["cat_0.png"])}
    assert dataset.unmatched == ("dog_0.png: generation that no subject claims",)
    assert names(find(refs, gens, "flat")) == {"cat": (["1.png"], ["cat_0.png", "dog_0.png"])}


def test_methods_in_a_folder_called_like_a_subject(plant):
    with pytest.raises(InputError, match="rather than subjects: a, b;"):
        find(plant("refs", "cat/1.png dog/1.png"), plant("dog", "a/cat/1.png b/cat/1.png"))


def test_flat_given_as_dot(plant, monkeypatch):
    monkeypatch.chdir(plant("my cat", "1.png"))
    assert names(find(Path(), plant("gens", "2.png"))) == {"my cat": (["1.png"], ["2.png"])}


def test_flat_generations_belong_to_the_longest_name(plant):
    refs = plant("refs", ["cat/1.jpg", "cat2/1.jpg", "red cat/1.jpg"])
    gens = plant("gens", ["cat_2.png", "cat2-0.png", "RED_cat.7.png", "cat.png", "catfish_1.png"])
    dataset = find(refs, gens)
    assert dataset.layout == "folders + prefix"
    assert {name: sides[1] for name, sides in names(dataset).items()} == {
        "cat": ["cat.png", "cat_2.png"],
        "cat2": ["cat2-0.png"],
        "red cat": ["RED_cat.7.png"],
    }
    assert dataset.unmatched == ("catfish_1.png: generation that no subject claims",)


def test_one_subjects_own_folder(plant):
    refs = plant("refs", "cat/1.jpg dog/1.jpg")
    dataset = find(refs, plant("gens/Cat", ["0.png", "on a beach/7.png"]))
    assert names(dataset) == {"cat": (["cat/1.jpg"], ["0.png", "on a beach/7.png"])}
    assert dataset.subjects[0].generations[1].prompt == "on a beach"
    assert dataset.unmatched == ("dog: 1 reference, no generations",)


def test_one_subjects_references_against_many(plant):
    dataset = find(plant("refs/cat", "1.jpg"), plant("gens", "cat/p/1.png dog/p/1.png"))
    assert names(dataset) == {"cat": (["1.jpg"], ["cat/p/1.png"])}
    assert dataset.unmatched == ("dog: 1 generation, no references",)


@pytest.mark.parametrize("shape", ["{}/cat/0.png", "{}/cat_0.png", "{}/Cat/p/0.png"])
def test_methods_are_named_and_not_guessed(plant, shape):
    methods = ["ours", "theirs"]
    gens = plant("gens", [shape.format(method) for method in methods])
    with pytest.raises(InputError, match="rather than subjects") as caught:
        find(plant("refs", "cat/1.jpg dog/1.jpg"), gens)
    assert ": " + ", ".join(methods) + ";" in caught.value.message
    example, *rest = caught.value.message.partition(f"for example {gens}/ours")[1:]
    assert example
    assert rest == [f"; for all: nearid compare {gens} --refs {gens.parent}/refs"]
    assert names(find(plant("refs", ""), gens / "ours"))["cat"]


def test_references_one_folder_too_high(plant):
    found = find(plant("refs", "v1/cat/1.png v1/dog/1.png"), plant("gens", "cat/1.png dog/1.png"))
    assert names(found) == {
        "cat": (["v1/cat/1.png"], ["cat/1.png"]),
        "dog": (["v1/dog/1.png"], ["dog/1.png"]),
    }


def test_nothing_matches_shows_both_sides(plant):
    with pytest.raises(InputError, match="not one subject") as caught:
        find(plant("refs", "cat/1.png dog/1.png"), plant("gens", [f"g{i}/1.png" for i in range(1, 11)]))
    assert caught.value.details[:2] == (
        "references (folders): cat, dog",
        "generations (folders): g1, g2, g3, g4, g5, g6, g7, g8 and 2 more",
    )
    assert caught.value.details[2].startswith("nearid layout ")


def test_flat_references_against_unknown_folders_need_a_word(plant):
    refs, gens = plant("refs", "1.png"), plant("gens", "p1/1.png p2/1.png")
    with pytest.raises(InputError, match="p1, p2") as caught:
        find(refs, gens)
    assert "--layout flat" in caught.value.details[0]
    assert names(find(refs, gens, "flat")) == {"subject": (["1.png"], ["p1/1.png", "p2/1.png"])}


def test_forced_prefix_goes_by_file_names_at_any_depth(plant):
    refs, gens = plant("refs", "cat/1.png dog/1.png"), plant("gens", "dog/cat_1.png p/dog_1.png")
    dataset = find(refs, gens, "prefix")
    assert dataset.layout == "folders + prefix"
    assert {name: sides[1] for name, sides in names(dataset).items()} == {
        "cat": ["dog/cat_1.png"],
        "dog": ["p/dog_1.png"],
    }


def test_forced_folders_needs_folders(plant):
    with pytest.raises(InputError, match="no subject folders"):
        find(plant("refs", "1.png"), plant("gens", "cat/1.png"), "folders")


def test_forced_folders_ignores_markers(plant):
    root = plant("refs", "prompts_and_classes.txt cat/1.png")
    assert find(root, plant("gens", "cat/1.png"), "folders").layout == "folders"


@pytest.mark.parametrize("layout", ["dreambooth", "dreambench++", "dreambench++-samples", "customconcept101"])
def test_a_forced_layout_that_is_not_there(plant, layout):
    with pytest.raises(InputError, match="not laid out as"):
        find(plant("refs", "cat/1.png"), plant("gens", "cat/1.png"), layout)


def test_forced_manifest_needs_one(plant):
    with pytest.raises(InputError, match="no manifest"):
        find(plant("refs", "cat/1.png"), plant("gens", "cat/1.png"), "manifest")


def test_unknown_layout(plant):
    with pytest.raises(UsageError, match=r'unknown layout "folder": did you mean folders or imagefolder\?'):
        find(plant("refs", "cat/1.png"), plant("gens", "cat/1.png"), "folder")
    assert "auto" in NAMES


def test_no_such_folder(plant, tmp_path):
    with pytest.raises(InputError, match=r"no such folder: .*/nope \(looked for generations\)"):
        find(plant("refs", "1.png"), tmp_path / "nope")
    with pytest.raises(InputError, match="looked for references"):
        find(tmp_path / "nope", plant("gens", "1.png"))


def test_a_file_is_no_folder(plant):
    root = plant("refs", "1.png")
    with pytest.raises(InputError, match="is a file: expected a folder or a manifest"):
        find(root / "1.png", root)


def test_a_pipe_is_no_manifest(tmp_path, plant):
    os.mkfifo(tmp_path / "m.csv")
    with pytest.raises(InputError, match="expected a folder or a manifest"):
        find(tmp_path / "m.csv", plant("gens", "1.png"))


@pytest.mark.parametrize("empty", ["refs", "gens"])
def test_a_side_without_pictures(plant, empty):
    plant("refs", "cat/1.png"), plant("gens", "cat/1.png")
    side = "references" if empty == "refs" else "generations"
    (plant(empty, "cat/1.png") / "cat/1.png").unlink()
    root = plant(empty, "cat/a.txt .b").parent
    with pytest.raises(InputError, match=f"no pictures in {side} folder .*: found 1 .* files, 1 .* files"):
        find(root / "refs", root / "gens")


def test_the_same_folder_twice(plant, tmp_path):
    root = plant("refs", "cat/1.png")
    (tmp_path / "link").symlink_to("refs")
    with pytest.raises(InputError, match="the same folder"):
        find(root, tmp_path / "link")


def test_a_folder_alone_needs_generations(plant):
    with pytest.raises(InputError, match="generations are needed"):
        find(plant("refs", "cat/1.png"), None)


def test_odd_names_reach_the_result_and_are_escaped_in_messages(plant):
    odd = os.fsdecode(b"c\xffat\n[red]")
    refs, gens = plant("refs", [f"{odd}/1.png", "dog/1.png"]), plant("gens", ["dog/1.png"])
    dataset = find(refs, gens)
    assert dataset.unmatched == ("c\\xffat\\n[red]: 1 reference, no generations",)
    both = find(refs, plant("gens", [f"{odd}/{odd}.png"]))
    assert both.subjects[0].name == odd
    assert both.subjects[0].generations[0].path.exists()


def test_a_dead_link_is_found(plant):
    refs, gens = plant("refs", "cat/1.png"), plant("gens", "cat/1.png")
    (gens / "cat" / "2.png").symlink_to("nowhere.png")
    assert len(find(refs, gens).subjects[0].generations) == 2


def test_roles_are_told_by_folders_side_by_side(plant):
    root = plant("outputs", "samples/cat/refs/0.jpg samples/cat/gens/0.png")
    assert names(find(root, None)) == {"cat": (["samples/cat/refs/0.jpg"], ["samples/cat/gens/0.png"])}


def test_a_list_is_of_whatever_subject_the_generations_are(plant):
    listed = read_side(sorted(plant("x", "1.jpg 2.jpg").iterdir()), "references")
    assert names(find(listed, plant("gens", "lora/0.png"))) == {"x": (["1.jpg", "2.jpg"], ["lora/0.png"])}
