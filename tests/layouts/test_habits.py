"""Habits of people and programs beyond docs/reference/layouts.md: read right, or stopped with a way on."""

from __future__ import annotations

import logging
import re
import shlex
from pathlib import Path

import pytest

from nearid_cli.errors import InputError
from nearid_cli.layouts.dataset import Dataset
from nearid_cli.layouts.find import find
from nearid_cli.layouts.methods import find_methods
from nearid_cli.layouts.names import file_labels
from nearid_cli.options import LayoutOptions

OPTION = r"(?:--(?:refs-)?pattern '[^']*'|--layout [a-z]+)"
FIELDS = {"--pattern": "pattern", "--refs-pattern": "refs_pattern", "--layout": "layout"}


def subjects(dataset: Dataset) -> dict[str, tuple[int, int]]:
    return {one.name: (len(one.references), len(one.generations)) for one in dataset.subjects}


def by_options(error: InputError, refs: Path, gens: Path) -> list[dict[str, tuple[int, int]]]:
    """What each of the options that a message prints reads, as it stands there."""
    found = []
    for options in re.findall(rf"{OPTION}(?: {OPTION})*", str(error)):
        words = shlex.split(options)
        how = LayoutOptions(
            **{FIELDS[name]: value for name, value in zip(words[::2], words[1::2], strict=True)}
        )
        dataset = find(refs, gens, how)
        assert dataset.unmatched == ()
        found.append(subjects(dataset))
    return found


KINDS = {"mammals": (2, 2), "kitchen": (1, 1)}
APART = {"cat": (1, 1), "dog": (1, 1), "cup": (1, 1)}


@pytest.mark.parametrize(
    ("references", "generations"),
    [
        (
            "mammals/cat.jpg mammals/dog.jpg kitchen/cup.jpg",
            "mammals/cat/0.png mammals/dog/0.png kitchen/cup/0.png",
        ),
        (
            "mammals/cat.jpg mammals/dog.jpg kitchen/cup.jpg",
            "mammals/cat_0.png mammals/dog_0.png kitchen/cup_1.png",
        ),
        (
            "mammals/cat_0.jpg mammals/dog_0.jpg kitchen/cup_0.jpg",
            "mammals/cat/0.png mammals/dog/0.png kitchen/cup/0.png",
        ),
    ],
)
def test_files_called_like_subjects_in_folders_of_both_sides_stop(plant, references, generations) -> None:
    refs, gens = plant("refs", references), plant("gens", generations)
    with pytest.raises(InputError, match="two ways") as caught:
        find(refs, gens)
    assert by_options(caught.value, refs, gens) == [KINDS, APART]


@pytest.mark.parametrize(
    "generations",
    [
        "animal/00/0.png animal/01/0.png object/00/0.png",
        "animal/00_0.png animal/01_0.png object/00_0.png",
        "animal_00_0.png animal_01_0.png object_00_0.png",
    ],
)
def test_numbers_below_kinds_that_generations_repeat_stop(plant, generations) -> None:
    refs, gens = plant("refs", "animal/00.jpg animal/01.jpg object/00.jpg"), plant("gens", generations)
    with pytest.raises(InputError, match="3 subjects, one for each file") as caught:
        find(refs, gens)
    assert by_options(caught.value, refs, gens) == [{"animal": (2, 2), "object": (1, 1)}]


@pytest.mark.parametrize(
    ("references", "generations"),
    [
        ("animal/00.jpg animal/01.jpg object/00.jpg", "animal/00.png animal/01.png object/00.png"),
        ("animal/cat/0.jpg animal/dog/0.jpg object/cup/0.jpg", "animal/0.png object/0.png"),
        ("human/ann/0.jpg human/bob/0.jpg style/ink/0.jpg", "human/0.png style/0.png"),
        (
            "mammals/cat.jpg mammals/dog.jpg kitchen/cup.jpg",
            "mammals/cat.png mammals/dog.png kitchen/cup.png",
        ),
    ],
)
def test_generations_that_name_only_possible_kinds_are_warned_of(plant, caplog, references, generations):
    dataset = find(plant("refs", references), plant("gens", generations))
    assert len(dataset.subjects) == 2
    assert "kinds of subjects" in caplog.text


def test_subjects_called_like_kinds_and_views_of_subjects_pass_without_a_word(plant, caplog) -> None:
    refs, gens = plant("a", "person/0.jpg person/1.jpg toy/0.jpg"), plant("b", "person/0.png toy/2.png")
    assert subjects(find(refs, gens)) == {"person": (2, 1), "toy": (1, 1)}
    refs, gens = (
        plant("c", "cat/front.jpg cat/side.jpg dog/front.jpg"),
        plant("d", "cat/front.png dog/front.png"),
    )
    assert subjects(find(refs, gens)) == {"cat": (2, 1), "dog": (1, 1)}
    assert not caplog.records


@pytest.mark.parametrize(
    "generations",
    [
        ["a photo of a cat on the beach_0.png", "the dog_1.png"],
        ["a photo of a cat/0.png", "a dog in snow/0.png"],
        ["lora_cat_0.png", "lora_dog_0.png"],
    ],
)
def test_names_of_references_in_the_midst_of_generations_names_stop(plant, generations) -> None:
    refs, gens = plant("refs", "cat.jpg dog.jpg"), plant("gens", generations)
    with pytest.raises(InputError, match="two ways") as caught:
        find(refs, gens)
    assert by_options(caught.value, refs, gens) == [{"cat": (1, 1), "dog": (1, 1)}, {"subject": (2, 2)}]


@pytest.mark.parametrize(
    ("generations", "pattern"),
    [
        ("animal_cat_0.png animal_dog_0.png object_cup_0.png", "**/*{subject}*"),
        ("animal/animal_cat/0.png animal/animal_dog/0.png object/object_cup/0.png", "**/*{subject}*/**"),
    ],
)
def test_two_folders_of_references_in_one_name_of_generations_stop(plant, generations, pattern) -> None:
    refs = plant("refs", "animal/cat/0.jpg animal/dog/0.jpg object/cup/0.jpg")
    gens = plant("gens", generations)
    with pytest.raises(InputError, match="two ways") as caught:
        find(refs, gens)
    kinds = {"animal": (2, 2), "object": (1, 1)}
    assert f"--pattern '{pattern}'" in str(caught.value)
    assert by_options(caught.value, refs, gens) == [kinds, APART]


def test_a_pattern_is_offered_only_for_names_spelled_as_the_references_are(plant) -> None:
    refs, gens = plant("refs", "red_cat.jpg dog.jpg"), plant("gens", ["a red cat_0.png", "a dog_0.png"])
    with pytest.raises(InputError, match="two ways") as caught:
        find(refs, gens)
    assert "--pattern" not in str(caught.value)
    refs, gens = (
        plant("r", "animal_cat/0.jpg animal_dog/0.jpg"),
        plant("g", "animal/cat/0.png animal/dog/0.png"),
    )
    with pytest.raises(InputError, match="not one subject") as caught:
        find(refs, gens)
    assert "--pattern" not in str(caught.value)


def test_names_of_folders_in_the_midst_of_generations_names_are_offered(plant) -> None:
    refs, gens = plant("refs", "cat/0.jpg dog/0.jpg"), plant("gens", ["a cat on a mat_0.png", "a dog_0.png"])
    with pytest.raises(InputError, match="not one subject") as caught:
        find(refs, gens)
    assert by_options(caught.value, refs, gens)[-1] == {"cat": (1, 1), "dog": (1, 1)}


def test_one_side_in_the_other_is_no_part_of_it(plant) -> None:
    root = plant("all", "data/cat/0.jpg outputs/cat/0.png outputs/cat/1.png")
    whole = find(root, root / "outputs")
    assert subjects(whole)["cat"] == (1, 2)
    assert whole.left_out.by_reason == {
        "generations among the references": ["outputs/cat/0.png", "outputs/cat/1.png"]
    }
    assert subjects(find(root / "data", root)) == {"cat": (1, 2)}
    with pytest.raises(InputError, match="which is the other side"):
        find(plant("only", "outputs/cat/0.png"), root.parent / "only" / "outputs")


def test_methods_in_the_references_folder_stop(plant) -> None:
    root = plant("all", "data/cat/0.jpg runs/lora/cat/0.png runs/ip/cat/0.png")
    with pytest.raises(InputError, match="holds folders of methods"):
        find_methods([root / "runs"], root, {})
    with pytest.raises(InputError, match="holds folders of methods"):
        find_methods([], root, {"lora": root / "runs" / "lora"})


def test_pictures_called_like_the_other_side_are_warned_of(plant, caplog) -> None:
    refs, gens = (
        plant("refs", "data/cat/0.jpg outputs/cat/0.jpg"),
        plant("gens", "cat/0.png cat/reference.png"),
    )
    with caplog.at_level(logging.WARNING):
        find(refs, gens)
    assert "outputs/cat/0.jpg" in caplog.text
    assert "cat/reference.png" in caplog.text


def test_methods_two_folders_deep_are_named_by_paths_that_are_there(plant) -> None:
    refs = plant("refs", "cat/0.jpg dog/0.jpg")
    gens = plant("gens", "lora/r4/cat/0.png lora/r8/cat/0.png lora/r4/dog/0.png")
    with pytest.raises(
        InputError, match=r"gens/lora/r4; for all: nearid compare '.*/gens/\*/\*' --refs"
    ) as caught:
        find(refs, gens)
    assert by_options(caught.value, refs, gens) == [{"cat": (1, 2), "dog": (1, 1)}]
    assert set(find_methods([gens / "lora" / "r4", gens / "lora" / "r8"], refs, {})) == {"r4", "r8"}


def test_prompts_above_file_names_are_offered_by_a_pattern_that_fits(plant) -> None:
    refs, gens = plant("refs", "cat/0.jpg dog/0.jpg"), plant("gens", "p0/cat_0.png p1/cat_0.png p0/dog_1.png")
    with pytest.raises(InputError, match="p0, p1") as caught:
        find(refs, gens)
    assert by_options(caught.value, refs, gens) == [{"cat": (1, 2), "dog": (1, 1)}]


def test_prompts_of_the_only_subject_of_which_some_begin_with_its_name(plant) -> None:
    refs = plant("dog", "0.jpg")
    gens = plant("gens", ["a photo of sks dog on the beach_0.png", "sks dog with a hat.png"])
    assert subjects(find(refs, gens)) == {"dog": (1, 2)}
    other = find(refs, plant("others", ["dog_0.png", "a cat on the beach_0.png", "backpack_dog_0.png"]))
    assert subjects(other) == {"dog": (1, 1)}
    assert len(other.unmatched) == 2


def test_the_only_folder_of_references_names_their_subject_under_any_layout(plant) -> None:
    refs, gens = plant("refs", "cat/0.jpg"), plant("gens", "my_lora/0.png")
    assert subjects(find(refs, gens, "flat")) == {"cat": (1, 1)}


def test_a_pattern_that_fits_nothing_is_at_fault_itself(plant) -> None:
    refs, gens = plant("refs", "cat/0.jpg dog/0.jpg"), plant("gens", "cat/0.png")
    with pytest.raises(InputError, match=r"no path in .* fits --pattern"):
        find(refs, gens, LayoutOptions(pattern="{subject}"))


@pytest.mark.parametrize(
    ("stem", "step"),
    [
        ("1712345678901__000000500_0", "500"),
        ("2024-05-01_12-00-00-training-sample-500-1-0", "500"),
        ("samples_gs-000500_e-000010_b-000000", "500"),
    ],
)
def test_steps_in_names_that_trainers_write(stem, step) -> None:
    assert file_labels(stem) == {"step": step}
