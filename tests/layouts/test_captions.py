"""Prompts of generations from every place, and files that must not become prompts."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearid_cli.layouts.captions import NoPromptError, read_prompt
from nearid_cli.layouts.dataset import Dataset
from nearid_cli.layouts.find import find
from nearid_cli.layouts.given import read_side
from nearid_cli.layouts.methods import find_methods
from nearid_cli.layouts.prompts import places_of_prompts
from nearid_cli.options import LayoutOptions

REFS = "cat/1.jpg dog/1.jpg"


def prompts(dataset: Dataset) -> dict[str, str | None]:
    return {one.name: one.prompt for subject in dataset.subjects for one in subject.generations}


@pytest.fixture
def lay(plant, tmp_path: Path):
    """Plant references and generations, some with files beside them; gives both roots."""

    def make(texts: Mapping[str, str | bytes], more: str = "", refs: str = REFS) -> tuple[Path, Path]:
        gens = plant("gens", more)
        for name, text in texts.items():
            path = gens / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.with_suffix(".png").touch()
            path.write_bytes(text.encode() if isinstance(text, str) else text)
        return plant("refs", refs), gens

    return make


def test_a_text_beside_a_picture_is_its_prompt(lay) -> None:
    refs, gens = lay(
        {
            "cat/0.txt": "a sks cat on the beach\n",
            "cat/1.txt": "\ufeffa sks cat, asleep\r\n",
            "dog/0.TXT": "ein Hund im Café",
        },
        "dog/notes.txt",
    )
    dataset = find(refs, gens)
    assert prompts(dataset) == {
        "cat/0.png": "a sks cat on the beach",
        "cat/1.png": "a sks cat, asleep",
        "dog/0.png": "ein Hund im Café",
    }
    assert dataset.left_out.by_reason == {"other files": ["dog/notes.txt"]}
    assert dataset.notes == ()
    assert places_of_prompts(dataset.subjects) == "3 of 3 generations: 3 from .txt files"


def test_a_text_is_found_in_whichever_unicode_form_its_name_is(lay) -> None:
    refs, gens = lay({"cat/caf\u00e9.txt": "a cat in a caf\u00e9"})
    (gens / "cat/caf\u00e9.txt").rename(gens / "cat/cafe\u0301.txt")
    assert list(prompts(find(refs, gens)).values()) == ["a cat in a caf\u00e9"]


def test_texts_beside_references_are_captions_of_a_trainer(lay, tmp_path: Path) -> None:
    refs, gens = lay({"cat/0.txt": "a cat asleep"})
    (refs / "cat/1.txt").write_text("a photo of sks cat")
    (refs / "dog").rename(tmp_path / "away")
    dataset = find(refs, gens)
    assert [one.prompt for one in dataset.subjects[0].references] == [None]
    assert dataset.left_out.by_reason == {"other files": ["cat/1.txt"]}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "empty"),
        (" \n\t", "empty"),
        (b"\xff\xfea\x00 \x00", "not UTF-8"),
        (b"a cat\x00\x01", "binary"),
        ("a cat\non a mat", "several lines"),
        ("0 0.5 0.5 0.2 0.2", "no words"),
        ('{"prompt": "a cat"}', "JSON"),
        ('["a cat"]', "JSON"),
        ("2024-05-01 12:00:00 INFO saved", "a log"),
        ("[2024-05-01T12:00:00] saved", "a log"),
        ("seed: 42", "a setting"),
        ("clip_score=0.31", "a setting"),
        ("/home/me/gens/0.png", "a path"),
        ("https://example.org/0.png", "a path"),
        ("cat " * 600, "too long"),
        ("é" * 9000, "too long"),
        ("Negative prompt: blurry\nSteps: 20, Sampler: Euler", "no words"),
        ("CLIP score: 0.31", "a setting"),
    ],
)
def test_what_is_no_prompt(tmp_path: Path, content: str | bytes, why: str) -> None:
    file = tmp_path / "0.txt"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(NoPromptError) as error:
        read_prompt(file)
    assert str(error.value) == why


@pytest.mark.parametrize(
    ("content", "prompt"),
    [
        ("[V] dog, wearing a hat", "[V] dog, wearing a hat"),
        ("{red|blue} cat: portrait", "{red|blue} cat: portrait"),
        ("3 cats", "3 cats"),
        ("[" * 1900 + "a", "[" * 1900 + "a"),
        ("<v>", "<v>"),
        ("a cat/dog hybrid", "a cat/dog hybrid"),
        ("word " * 300, ("word " * 300).strip()),
        ("a cat,\nhigh quality\nNegative prompt: blurry\nSteps: 20, Sampler: Euler", "a cat, high quality"),
        ("a cat\nSteps: 20, Sampler: Euler a, Seed: 1", "a cat"),
        ("a cat,\r\nasleep\r\nNegative prompt: blurry\r\n", "a cat, asleep"),
        ("a dog that counts Steps: 20", "a dog that counts Steps: 20"),
    ],
)
def test_what_is_a_prompt(tmp_path: Path, content: str, prompt: str) -> None:
    file = tmp_path / "0.txt"
    file.write_text(content)
    assert read_prompt(file) == prompt


@given(st.binary(max_size=40) | st.text(max_size=40).map(str.encode))
def test_a_prompt_is_one_line_of_words(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "any.txt"
    file.write_bytes(content)
    try:
        prompt = read_prompt(file)
    except NoPromptError:
        return
    assert prompt == prompt.strip() != ""
    assert len(prompt.splitlines()) == 1
    assert any(map(str.isalpha, prompt))
    assert prompt.encode()


def test_what_is_no_file_is_not_waited_for(lay) -> None:
    refs, gens = lay({}, "cat/0.png cat/1.png")
    os.mkfifo(gens / "cat/0.txt")
    (gens / "cat/1.txt").mkdir()
    assert set(prompts(find(refs, gens)).values()) == {None}


def test_a_word_beside_all_pictures_of_several_subjects_is_no_prompt(lay) -> None:
    refs, gens = lay({f"{subject}/{number}.txt": "Saved." for subject in ("cat", "dog") for number in "012"})
    dataset = find(refs, gens)
    assert set(prompts(dataset).values()) == {None}
    assert dataset.notes == (
        '6 .txt files beside generations: not read as prompts, since all say "Saved.", whatever the subject; if that '
        "is a prompt, give a manifest with it",
    )
    assert len(dataset.left_out.by_reason["other files"]) == 6


def test_half_is_enough(lay) -> None:
    refs, gens = lay({"cat/0.txt": "a cat", "dog/0.txt": "0 0.1"})
    assert list(prompts(find(refs, gens)).values()) == ["a cat", None]
    (gens / "dog/0.txt").unlink()
    assert find(refs, gens).notes == ()


def test_three_words_are_a_sentence(lay) -> None:
    refs, gens = lay({"cat/0.txt": "sks in snow", "dog/0.txt": "sks in snow"})
    assert set(prompts(find(refs, gens)).values()) == {"sks in snow"}


def test_one_sentence_beside_all_pictures_is_told(lay) -> None:
    refs, gens = lay(
        {f"{subject}/{number}.txt": "sks at the beach" for subject in ("cat", "dog") for number in "01"}
    )
    dataset = find(refs, gens)
    assert set(prompts(dataset).values()) == {"sks at the beach"}
    assert dataset.notes == (
        'the prompt of all generations is "sks at the beach", by the .txt files beside them',
    )


def test_one_text_for_all_pictures_of_a_subject_may_be_its_prompt(lay) -> None:
    texts = {f"cat/{number}.txt": "a sks cat" for number in "012"}
    refs, gens = lay(texts)
    (refs / "dog/1.jpg").unlink()
    assert set(prompts(find(refs, gens)).values()) == {"a sks cat"}


def test_where_most_are_something_else_none_is_a_prompt(lay) -> None:
    refs, gens = lay({"cat/0.txt": "a cat", "cat/1.txt": "0 0.1 0.2", "dog/0.txt": '{"seed": 1}'})
    dataset = find(refs, gens)
    assert set(prompts(dataset).values()) == {None}
    assert dataset.notes == (
        "3 .txt files beside generations: not read as prompts, since most are something else (no words, JSON): "
        "cat/1.txt, dog/0.txt",
    )


def test_texts_beside_few_pictures_are_told(lay) -> None:
    refs, gens = lay({"cat/0.txt": "a cat asleep"}, "cat/1.png cat/2.png dog/0.png")
    dataset = find(refs, gens)
    assert list(prompts(dataset).values()) == ["a cat asleep", None, None, None]
    assert dataset.notes == (
        "a .txt file stands beside 1 of 4 generations only, and is taken for the prompt: cat/0.png is "
        '"a cat asleep"',
    )


def test_texts_beside_few_pictures_are_remarks_where_names_say_prompts(plant, lay) -> None:
    plant("gens", ["cat/on the beach/1.png", "cat/in the snow/1.png"])
    refs, gens = lay({"cat/on the beach/0.txt": "this one is bad"})
    dataset = find(refs, gens)
    assert set(prompts(dataset).values()) == {"on the beach", "in the snow"}
    assert dataset.notes == ()
    assert dataset.left_out.by_reason == {"other files": ["cat/on the beach/0.txt"]}


def test_some_without_a_prompt_are_named(lay) -> None:
    refs, gens = lay(
        {"cat/0.txt": "a cat", "cat/1.txt": "a cat asleep", "dog/0.txt": "", "dog/1.txt": "a dog"}
    )
    dataset = find(refs, gens)
    assert prompts(dataset)["dog/0.png"] is None
    assert dataset.notes == ("1 .txt file beside generations without a prompt in it: dog/0.txt (empty)",)
    assert dataset.left_out.by_reason == {"other files": ["dog/0.txt"]}
    assert places_of_prompts(dataset.subjects) == "3 of 4 generations: 3 from .txt files"


def test_names_that_say_less_give_way(lay) -> None:
    refs, gens = lay(
        {"cat/on_the_beach/0.txt": "a sks cat, lying on the beach", "dog/3/0.txt": "a sks dog in snow"}
    )
    dataset = find(refs, gens)
    assert list(prompts(dataset).values()) == ["a sks cat, lying on the beach", "a sks dog in snow"]
    assert dataset.notes == ()


def test_names_that_say_something_else_are_told(lay) -> None:
    refs, gens = lay({"cat/on the beach/0.txt": "a cat in the snow", "dog/asleep/0.txt": "a dog, asleep"})
    dataset = find(refs, gens)
    assert list(prompts(dataset).values()) == ["a cat in the snow", "a dog, asleep"]
    assert dataset.notes == (
        "1 generation of which two places say different prompts; that of .txt files counts: cat/on the beach/0.png is "
        '"a cat in the snow", and not "on the beach"',
    )


def test_file_names_that_begin_with_the_subject(lay) -> None:
    refs, gens = lay({"cat_on a beach_0.txt": "a cat on a beach", "dog_asleep_1.txt": "a dog running"})
    dataset = find(refs, gens)
    assert list(prompts(dataset).values()) == ["a cat on a beach", "a dog running"]
    (note,) = dataset.notes
    assert 'dog_asleep_1.png is "a dog running", and not "asleep"' in note


def test_a_pattern_comes_before_texts(lay) -> None:
    refs, gens = lay({"beach/cat_0.txt": "a cat in the snow", "beach/dog_0.txt": "a dog at the beach"})
    dataset = find(refs, gens, LayoutOptions(pattern="{prompt}/{subject}_{seed}.*"))
    assert set(prompts(dataset).values()) == {"beach"}
    (note,) = dataset.notes
    assert "1 generation of which two places say different prompts; that of --pattern counts" in note
    assert places_of_prompts(dataset.subjects) == "2 of 2 generations: 2 from --pattern"


@pytest.mark.parametrize("column", ["prompt", "text", "caption"])
def test_metadata_comes_before_texts(lay, column: str) -> None:
    refs, gens = lay({"cat/0.txt": "a cat in the snow", "dog/0.txt": "a dog"})
    rows = [{"file_name": f"{subject}/0.png", column: f"a {subject}"} for subject in ("cat", "dog")]
    (gens / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    dataset = find(refs, gens)
    assert prompts(dataset) == {"cat/0.png": "a cat", "dog/0.png": "a dog"}
    assert places_of_prompts(dataset.subjects) == "2 of 2 generations: 2 from metadata"
    assert dataset.notes == ()  # the texts say the same, and more
    rows[0][column] = "in the rain"
    (gens / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (note,) = find(refs, gens).notes
    assert note.endswith('that of metadata counts: cat/0.png is "in the rain", and not "a cat in the snow"')


def test_what_contradicts_is_told_though_a_third_place_agrees(lay) -> None:
    refs, gens = lay({"cat/on a beach/0.txt": "a cat in the snow", "dog/0.txt": "a dog"})
    rows = [
        {"file_name": name, "prompt": prompt}
        for name, prompt in (("cat/on a beach/0.png", "in the snow"), ("dog/0.png", "a dog"))
    ]
    (gens / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (note,) = find(refs, gens).notes
    assert note.endswith(
        'that of metadata counts: cat/on a beach/0.png is "in the snow", and not "on a beach"'
    )


def test_metadata_that_contradicts_names_is_told(plant) -> None:
    refs, gens = plant("refs", "cat/1.jpg"), plant("gens", ["cat/on a beach/0.png"])
    (gens / "metadata.csv").write_text("file_name,text\ncat/on a beach/0.png,in the snow\n")
    (note,) = find(refs, gens).notes
    assert 'cat/on a beach/0.png is "in the snow", and not "on a beach"' in note


def test_a_manifest_says_everything(lay, tmp_path: Path) -> None:
    lay({"cat/0.txt": "a cat"})
    rows = ["path,subject,role,prompt", "refs/cat/1.jpg,cat,reference,", "gens/cat/0.png,cat,generation,"]
    (tmp_path / "m.csv").write_text("\n".join(rows))
    dataset = find(tmp_path / "m.csv", None)
    assert set(prompts(dataset).values()) == {None}
    assert places_of_prompts(dataset.subjects) == ""
    (tmp_path / "m.csv").write_text("\n".join([*rows[:-1], rows[-1] + "asleep"]))
    assert places_of_prompts(find(tmp_path / "m.csv", None).subjects) == "1 of 1 generation: 1 from manifest"


def test_pictures_of_a_program(lay, tmp_path: Path) -> None:
    refs, gens = lay({"cat/0.txt": "a cat", "dog/0.txt": "a dog"})
    pictures = {name: [gens / name / "0.png"] for name in ("cat", "dog")}
    dataset = find(refs, read_side(pictures, "generations"))
    assert list(prompts(dataset).values()) == ["a cat", "a dog"]


@pytest.mark.parametrize("pattern", [None, "{method}/{subject}/{seed}.*", "{subject}/{method}/{seed}.*"])
def test_several_methods(plant, tmp_path: Path, pattern: str | None) -> None:
    refs = plant("refs", REFS)
    for method in ("a", "b"):
        for subject in ("cat", "dog"):
            parts = {"method": method, "subject": subject}
            folder = (pattern or "{subject}/{method}/{seed}.*").rpartition("/")[0].format(**parts)
            plant("runs", [f"{folder}/0.png"])
            (tmp_path / "runs" / folder / "0.txt").write_text(f"a {subject} by {method}")
    found = find_methods([tmp_path / "runs"], refs, {}, LayoutOptions(pattern=pattern))
    assert {method: list(prompts(dataset).values()) for method, dataset in found.items()} == {
        method: [f"a cat by {method}", f"a dog by {method}"] for method in ("a", "b")
    }
    assert all("other files" not in dataset.left_out.by_reason for dataset in found.values())


def test_methods_that_metadata_names(plant, tmp_path: Path) -> None:
    refs, gens = plant("refs", "cat/1.jpg"), plant("gens", "cat/0.png cat/1.png")
    rows = [{"file_name": f"cat/{n}.png", "subject": "cat", "method": m} for n, m in ((0, "a"), (1, "b"))]
    (gens / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    for number in "01":
        (gens / f"cat/{number}.txt").write_text(f"prompt of {number}")
    found = find_methods([gens], refs, {})
    assert {method: list(prompts(dataset).values()) for method, dataset in found.items()} == {
        "a": ["prompt of 0"],
        "b": ["prompt of 1"],
    }


@pytest.mark.parametrize("side", ["", "tgt_image"])
def test_texts_of_dreambench_samples(plant, side: str) -> None:
    subjects = ("animal_00_kitten", "object_00_bag")
    root = plant(
        "m",
        [f"{side}/{subject}/{number}_{image}.jpg" for side in ("src_image", "tgt_image") for subject in subjects
         for number in "01" for image in "01"] + ["text/animal_00_kitten/x", "text/object_00_bag/x"],
    )  # fmt: skip
    for number in "01":
        (root / f"text/animal_00_kitten/{number}_0.txt").write_text(f"a kitten, {number}")
    (root / "text/animal_00_kitten/1_1.txt").write_text("a kitten of its own")
    (root / "text/object_00_bag/0_0.txt").write_text("")
    dataset = find(root / "src_image", root / side)
    kitten, bag = (
        [(one.prompt, one.seed, one.labels) for one in own.generations] for own in dataset.subjects
    )
    animal, thing = (
        {"category": category, "prompt_kind": "photorealistic"} for category in ("animal", "object")
    )
    assert kitten == [
        ("a kitten, 0", "0", {**animal, "prompt_number": "0"}),
        ("a kitten, 0", "1", {**animal, "prompt_number": "0"}),
        ("a kitten, 1", "0", {**animal, "prompt_number": "1"}),
        ("a kitten of its own", "1", {**animal, "prompt_number": "1"}),
    ]
    assert bag == [(number, image, thing) for number in "01" for image in "01"]
    assert all(one.prompt in ("0", "1") for one in dataset.subjects[0].references)
    assert dataset.notes == ("1 file of text/object_00_bag without a prompt in it: 0_0.txt (empty)",)
    assert places_of_prompts(dataset.subjects) == "8 of 8 generations: 4 from text/, 4 from names"
