"""Pictures that a program gives: lists and dicts of paths, PIL images and arrays, alone and mixed with folders."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import nearid_cli
from nearid_cli.errors import BadImagesError, InputError, UsageError

Pictures = dict[str, list[Any]]


def paths(folder: Path) -> Pictures:
    return {subject.name: sorted(subject.iterdir()) for subject in sorted(folder.iterdir())}


def opened(folder: Path) -> Pictures:
    return {subject: [load(path) for path in files] for subject, files in paths(folder).items()}


def load(path: Path) -> Image.Image:
    image = Image.open(path)
    image.load()  # and so close the file
    return image


def arrays(folder: Path) -> Pictures:
    return {subject: [np.asarray(image) for image in images] for subject, images in opened(folder).items()}


def numbers(result: nearid_cli.ScoreResult) -> Any:
    """All numbers, to the last bit."""
    return (
        [(one.subject, one.scores) for one in result.subjects],
        result.aggregate,
        [(image.subject, image.scores) for image in result.images],
    )


@pytest.fixture
def here(data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(data)
    return data


@pytest.mark.parametrize("generations", [paths, opened, arrays, lambda folder: folder])
@pytest.mark.parametrize("references", [paths, opened, arrays, lambda folder: folder])
def test_the_same_pixels_give_the_same_numbers(
    here: Path, references: Callable[[Path], Any], generations: Callable[[Path], Any]
) -> None:
    expected = nearid_cli.score("refs", "gens", "hog", use_cache=False)
    found = nearid_cli.score(references(Path("refs")), generations(Path("gens")), "hog", use_cache=False)
    assert numbers(found) == numbers(expected)


def test_paths_are_named_as_in_their_folder(here: Path) -> None:
    found = nearid_cli.score(paths(Path("refs")), paths(Path("gens")), "hog")
    folders = nearid_cli.score("refs", "gens", "hog")
    assert (found.images, found.subjects) == (folders.images, folders.subjects)
    assert (found.inputs.references, found.inputs.generations) == ("refs", "gens")
    assert found.inputs.layout == "given"


def test_pictures_in_memory_are_named_by_their_places(here: Path) -> None:
    generations = opened(here / "gens")
    result = nearid_cli.score("refs", {"ship": [here / "gens/ship/0.png", *generations["ship"][1:]]}, "hog",
                              allow_unmatched=True)  # fmt: skip
    assert [image.path for image in result.images] == [
        "0.png",
        "<generations>/ship/1",
        "<generations>/ship/2",
    ]
    one = nearid_cli.score(here / "refs/ship", generations["ship"], "hog")
    assert [image.path for image in one.images] == [f"<generations>/{i}" for i in range(3)]
    assert one.inputs.generations == "<generations>"


def test_a_list_is_one_subject_named_as_its_counterpart(here: Path) -> None:
    references, generations = paths(here / "refs"), opened(here / "gens")

    def name(*arguments: Any) -> str:
        (subject,) = nearid_cli.score(*arguments, "hog").subjects
        assert (subject.references, subject.generations) == (2, 3)
        return subject.subject

    assert name(references["cat"], generations["cat"]) == "cat"  # after their folder
    assert name(opened(here / "refs")["cat"], generations["cat"]) == "subject"
    assert name({"felix": references["cat"]}, generations["cat"]) == "felix"
    assert name(references["cat"], {"felix": generations["cat"]}) == "felix"
    assert name((path for path in references["cat"]), np.stack(arrays(here / "gens")["cat"])) == "cat"
    assert name(here / "refs/cat", iter(generations["cat"])) == "cat"


def test_one_picture_stands_for_a_list_of_one(here: Path) -> None:
    file = here / "refs/cat/0.jpg"
    generations = opened(here / "gens")["cat"]
    scores = [
        nearid_cli.score(one, generations, "hog").aggregate
        for one in (str(file), file, load(file), np.asarray(load(file)), [file], {"cat": file})
    ]
    assert scores == scores[:1] * 6


def test_a_dict_may_have_the_folders_of_subjects(here: Path) -> None:
    folders = {subject: f"gens/{subject}" for subject in ("cat", "cup", "ship")}
    expected = nearid_cli.score("refs", "gens", "hog")
    assert nearid_cli.score("refs", folders, "hog").images == expected.images


def test_subjects_are_matched_by_the_rules_of_folders(here: Path) -> None:
    generations = opened(here / "gens")
    renamed = {"Cat": generations["cat"], "C-U-P": generations["cup"], "ship": generations["ship"]}
    assert [one.subject for one in nearid_cli.score("refs", renamed, "hog").subjects] == [
        "cat",
        "cup",
        "ship",
    ]
    with pytest.raises(InputError, match=r"without a counterpart.*\n  dog: 3 generations, no references"):
        nearid_cli.score("refs", generations | {"dog": generations["cat"]}, "hog")
    with pytest.raises(InputError, match="3 without a counterpart"):
        nearid_cli.score("refs", {"cat": generations["cat"], "CAT": generations["cup"]}, "hog")


def test_a_path_that_is_given_twice_counts_once(here: Path, caplog: pytest.LogCaptureFixture) -> None:
    generations = ["gens/cat/0.png", here / "gens/cat/0.png", "gens/cat/1.png", "gens/cat/../cat/1.png"]
    with caplog.at_level("INFO", "nearid_cli"):
        result = nearid_cli.score("refs/cat", generations, "hog")
    assert result.inputs.generation_images == 2
    assert "repeated paths (2" in caplog.text


def test_a_picture_of_two_subjects_copies_a_reference_of_one(here: Path) -> None:
    shared = here / "refs/cat/0.jpg"
    result = nearid_cli.score("refs", {"cat": [shared], "cup": [shared]}, "hog", allow_unmatched=True)
    assert [(image.path, image.copy_of) for image in result.images] == [
        ("0.jpg", "cat/0.jpg"),
        ("0.jpg", None),
    ]


def test_distractors_are_given_likewise(here: Path) -> None:
    expected = nearid_cli.score("refs", "gens", "hog", distractors="gens")
    for given in (paths, opened, arrays):
        found = nearid_cli.score("refs", opened(here / "gens"), "hog", distractors=given(here / "gens"))
        assert numbers(found) == numbers(expected)
    alone = nearid_cli.score("refs/cat", "gens/cat", "hog", distractors=opened(here / "gens")["cup"])
    assert alone.inputs.distractor_images == 3
    with pytest.raises(InputError, match="<distractors>/0: distractor that no subject claims"):
        nearid_cli.score("refs", "gens", "hog", distractors=opened(here / "gens")["cup"])


def test_pair_takes_pictures(here: Path) -> None:
    a, b = here / "refs/cat/0.jpg", here / "gens/cat/2.png"
    expected = nearid_cli.pair(a, b, "hog")
    found = nearid_cli.pair(load(a), np.asarray(load(b)), "hog")
    assert (found.a, found.b) == ("<a>", "<b>")
    assert found.similarity == expected.similarity
    assert nearid_cli.pair(load(a), b, "hog").similarity == expected.similarity


def test_compare_takes_what_score_takes(here: Path) -> None:
    Path("gens").rename("good")
    swapped = {"cat": opened(here / "good")["cup"], "cup": opened(here / "good")["cat"]}
    swapped["ship"] = opened(here / "good")["ship"]
    for subject, images in swapped.items():
        for number, image in enumerate(images):
            (here / "bad" / subject).mkdir(parents=True, exist_ok=True)
            image.save(here / "bad" / subject / f"{number}.png")
    expected = nearid_cli.compare({"good": "good", "bad": "bad"}, "refs", "hog")
    for methods in (
        {"good": paths(here / "good"), "bad": paths(here / "bad")},
        {"good": nearid_cli.score("refs", "good", "hog"), "bad": paths(here / "bad")},
    ):
        assert nearid_cli.compare(methods, paths(here / "refs"), "hog").comparisons == expected.comparisons
    mixed = nearid_cli.compare({"good": "good", "bad": swapped}, opened(here / "refs"), "hog")
    (found,), (known,) = mixed.comparisons, expected.comparisons
    assert found.delta == pytest.approx(known.delta)
    assert [method.name for method in mixed.methods] == ["good", "bad"]


def test_generations_in_memory_are_not_paired_by_accident(here: Path) -> None:
    generations = opened(here / "gens")
    methods = {"a": generations, "b": {subject: images[::-1] for subject, images in generations.items()}}
    (compared,) = nearid_cli.compare(methods, "refs", "hog").comparisons
    assert compared.pairs == 0
    assert compared.delta == pytest.approx(0)


def test_finished_results_decide_the_metrics_of_pictures(here: Path) -> None:
    finished = nearid_cli.score("refs", "gens", "hog")
    result = nearid_cli.compare({"pictures": opened(here / "gens"), "finished": finished}, "refs")
    assert [metric.name for metric in result.metrics] == ["hog"]
    assert [method.name for method in result.methods] == ["pictures", "finished"]


def test_results_in_files_are_compared_as_by_the_command(here: Path) -> None:
    for name in ("a", "b"):
        result = nearid_cli.score("refs", "gens", "hog")
        Path(f"{name}.json").write_text(json.dumps(result.to_dict()))
    found = nearid_cli.compare([Path("a.json"), "b.json"])
    assert [method.name for method in found.methods] == ["a", "b"]
    assert nearid_cli.compare({"x": "a.json", "y": "gens"}, "refs").comparisons[0].delta == 0


SMALL = np.zeros((9, 9, 3), np.uint8)


@pytest.mark.parametrize(
    ("references", "kind", "message"),
    [
        (None, UsageError, "references: expected pictures, found None"),
        (3, UsageError, "references: expected pictures, found int"),
        ([], InputError, "references: no pictures"),
        ("", UsageError, "references: expected a path.*, found an empty path"),
        ({}, InputError, "references: no pictures, the dict is empty"),
        ({"cat": []}, InputError, 'references["cat"]: no pictures'),
        ({"cat": None}, UsageError, 'references["cat"]: expected pictures, found None'),
        ({"cat": {"a": "0.jpg"}}, UsageError, 'references["cat"]: expected pictures, found dict'),
        ({"cat": {Path("0.jpg")}}, UsageError, 'references["cat"]: expected pictures, found a set, which has no order'),
        ({7: [SMALL]}, UsageError, "references: expected names of subjects as keys, found int 7"),
        ({" ": [SMALL]}, UsageError, "references: expected names of subjects as keys, found an empty one"),
        ({"cat": [SMALL, None]}, UsageError, 'references["cat"][1]: expected a path, a PIL image or'),
        ([b"refs/cat/0.jpg"], UsageError, "references[0]: expected a path, a PIL image or .*, found bytes"),
        ([""], UsageError, "references[0]: expected a path.*, found an empty path"),
        (["refs"], UsageError, "references[0]: expected a picture, found the folder refs"),
        (["gone.png", "refs/cat/0.jpg"], InputError, "references[0]: no such file: gone.png"),
        (SMALL.astype(np.float32), UsageError, "found a NumPy array of float32 [9, 9, 3]"),
        ([SMALL[..., 0]], UsageError, "references[0]: .*found a NumPy array of uint8 [9, 9]"),
        (np.array(3), UsageError, "references: expected pictures, found a NumPy array of int64 []"),
    ],
)  # fmt: skip
def test_what_is_no_picture_is_named_by_its_place(here: Path, references, kind: type, message: str) -> None:
    wanted = message.translate({ord(c): f"\\{c}" for c in "[]"})
    with pytest.raises(kind, match=wanted) as caught:
        nearid_cli.score(references, "gens", "hog")
    assert "\n" not in caught.value.message
    assert type(caught.value) is kind


def test_everything_wrong_is_said_at_once(here: Path) -> None:
    with pytest.raises(UsageError) as caught:
        nearid_cli.score({"cat": [1], "cup": [2, "refs/cup/0.jpg", 3]}, "gens", "hog")
    assert [line.partition(":")[0] for line in str(caught.value).split("\n  ")] == [
        'references["cat"][0]',
        'references["cup"][0]',
        'references["cup"][2]',
    ]
    with pytest.raises(UsageError, match="and 30 more"):
        nearid_cli.score([1] * 50, "gens", "hog")


def test_a_list_for_several_subjects_is_refused(here: Path) -> None:
    with pytest.raises(
        UsageError, match=r"references: a list holds .* 3 subjects \(cat, cup, ship\); give a dict"
    ):
        nearid_cli.score(paths(here / "refs")["cat"], "gens", "hog")
    with pytest.raises(UsageError, match="generations: a list holds"):
        nearid_cli.score("refs", opened(here / "gens")["cat"], "hog")
    with pytest.raises(
        InputError, match="called cat, cup, ship, and the only subject with references is subject"
    ):
        nearid_cli.score(opened(here / "refs")["cat"], "gens", "hog")


def test_lists_whose_names_say_several_subjects_are_refused(here: Path) -> None:
    for flat, folder in (("r", "refs"), ("g", "gens")):
        Path(flat).mkdir()
        for subject, files in paths(here / folder).items():
            for file in files:
                Path(flat, f"{subject}_{file.name}").write_bytes(file.read_bytes())
    lists = [sorted(Path(folder).rglob("*.*")) for folder in ("refs", "gens", "r", "g")]
    for references, generations in (lists[:2], lists[2:], (lists[0], lists[3])):
        with pytest.raises(
            UsageError, match=r"by their names these are of 3 subjects \(cat, cup, ship\); give dicts"
        ):
            nearid_cli.score(references, generations, "hog")
    one = nearid_cli.score({"zoo": lists[0]}, {"zoo": lists[1]}, "hog")
    assert (one.inputs.subjects, one.inputs.reference_images) == (1, 6)
    renamed = [Path(f"g/{number}.png") for number in range(3)]
    for file, new in zip(sorted(Path("gens/cat").iterdir()), renamed, strict=True):
        new.write_bytes(file.read_bytes())
    assert nearid_cli.score(lists[2][:2], renamed, "hog").inputs.subjects == 1


def test_dicts_without_a_common_name_are_refused_in_their_words(here: Path) -> None:
    with pytest.raises(InputError) as caught:
        nearid_cli.score({"cat": paths(here / "refs")["cat"]}, {"dog": opened(here / "gens")["cat"]}, "hog")
    assert str(caught.value).split("\n  ") == [
        "not one subject of the references is one of the generations: give both dicts the same names",
        "references: cat",
        "generations: dog",
    ]


def test_bad_pictures_are_listed_or_skipped(here: Path) -> None:
    (here / "cut.jpg").write_bytes((here / "refs/cat/0.jpg").read_bytes()[:1500])
    good = opened(here / "gens")["cat"]
    deep = Image.new("I", (9, 9))
    with Image.open("cut.jpg") as cut, pytest.raises(BadImagesError) as caught:
        nearid_cli.score("refs/cat", [*good, cut, deep, here / "cut.jpg"], "hog")
    bad = [one.path for one in caught.value.bad]
    assert bad == ["generations[3]", "generations[4]", str(here / "cut.jpg")]
    assert "mode I, whose values have no known range" in caught.value.bad[1].reason
    assert "truncated" in caught.value.bad[0].reason
    with Image.open("cut.jpg") as cut:
        result = nearid_cli.score("refs/cat", [*good, cut, deep, here / "cut.jpg"], "hog", skip_bad=True)
    assert result.inputs.generation_images == 3
    assert [one.path for one in result.inputs.skipped] == bad


def test_an_orientation_is_applied_as_to_a_file(here: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    load(here / "refs/cat/0.jpg").save("turned.jpg", exif=exif)
    by_path = nearid_cli.pair("turned.jpg", "gens/cat/0.png", "hog").similarity
    with Image.open("turned.jpg") as turned:  # not read yet
        assert nearid_cli.pair(turned, "gens/cat/0.png", "hog").similarity == by_path
    assert nearid_cli.pair("refs/cat/0.jpg", "gens/cat/0.png", "hog").similarity != by_path


def test_pictures_in_memory_are_cached_by_their_pixels(here: Path, checkpoint: Path) -> None:
    options = {"metrics": f"nearid={checkpoint}", "cache": here / "kept"}
    first = nearid_cli.score(opened(here / "refs"), opened(here / "gens"), **options)
    kept = sorted((here / "kept/embeddings").rglob("*.parquet"))
    assert kept
    again = nearid_cli.score(arrays(here / "refs"), arrays(here / "gens"), **options)
    assert numbers(again) == numbers(first)
    assert sorted((here / "kept/embeddings").rglob("*.parquet")) == kept


def test_what_was_a_matter_of_choice_is_said_as_of_files(
    here: Path, caplog: pytest.LogCaptureFixture
) -> None:
    levels = np.random.default_rng(0).integers(0, 65536, (64, 64), dtype=np.uint16)
    Image.fromarray(levels).save("deep.png")
    for options in ({}, {"sixteen_bit": "clip"}):
        said, similarities = [], []
        for picture in (Path("deep.png"), load(Path("deep.png"))):
            caplog.clear()
            similarities.append(nearid_cli.pair(picture, "gens/cat/0.png", "hog", **options).similarity)
            said.append([record.message for record in caplog.records if "more than 8 bits" in record.message])
        assert similarities[0] == similarities[1]
        assert said[0] == said[1] != []


def test_no_file_has_the_digest_of_a_picture_in_memory(here: Path) -> None:
    from blake3 import blake3

    from nearid_cli.embedding.cache import digest_bytes, digest_pixels

    picture = Image.new("RGB", (2, 1), (1, 2, 3))
    message = b"RGB 2 1\0" + picture.tobytes()
    assert digest_bytes(message) == blake3(message).digest()
    assert digest_pixels(picture) not in (digest_bytes(message), digest_bytes(picture.tobytes()))
    assert digest_pixels(picture) != digest_pixels(picture.resize((1, 2)))


def test_a_picture_that_changes_meanwhile_is_bad() -> None:
    from nearid_cli.embedding.cache import digest_pixels
    from nearid_cli.embedding.reading import GivenPicture
    from nearid_cli.images.decode import UnreadableImage
    from nearid_cli.layouts.dataset import InMemory

    picture = Image.new("RGB", (4, 4))
    content = GivenPicture(InMemory("generations[0]", picture), digest_pixels(picture))
    assert content.open(None).image.tobytes() == picture.tobytes()
    picture.putpixel((0, 0), (9, 9, 9))
    with pytest.raises(UnreadableImage, match="the picture changed during the run"):
        content.open(None)


def test_a_limit_of_pixels_holds_in_memory(here: Path) -> None:
    with pytest.raises(BadImagesError, match=r"generations\[0\]: 10,000 px is over max_pixels, 9,000 px"):
        nearid_cli.score("refs/cat", [Image.new("RGB", (100, 100))], "hog", max_pixels=9000)
