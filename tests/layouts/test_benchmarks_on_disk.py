"""The public data sets, in the shapes that their repositories publish."""

import json

import pytest

from nearid_cli.errors import InputError
from nearid_cli.layouts.find import find


@pytest.mark.parametrize("given", ["", "dataset"])
def test_dreambooth(plant, given):
    root = plant(
        "dreambooth",
        "README.md dataset/prompts_and_classes.txt dataset/references_and_licenses.txt "
        "dataset/backpack/00.jpg dataset/backpack/01.jpg dataset/backpack_dog/00.jpg",
    )
    gens = plant("gens", "backpack/0.png backpack_dog/0.png")
    dataset = find(root / given, gens)
    assert dataset.layout == "dreambooth + folders"
    prefix = "" if given else "dataset/"
    assert [one.name for one in dataset.subjects[0].references] == [
        f"{prefix}backpack/00.jpg",
        f"{prefix}backpack/01.jpg",
    ]
    assert all(one.path.exists() for subject in dataset.subjects for one in subject.references)


def test_dreambooth_with_flat_generations(plant):
    root = plant("dataset", "prompts_and_classes.txt backpack/00.jpg backpack_dog/00.jpg")
    dataset = find(root, plant("gens", "backpack_dog_0.png backpack_0.png backpack_1.png"))
    assert [len(subject.generations) for subject in dataset.subjects] == [2, 1]


@pytest.fixture
def dreambench(plant):
    """Two pictures of an animal, an object and a style, the last without a caption file."""
    root = plant(
        "data",
        "images/live_subject/animal/00.jpg images/live_subject/animal/01.jpg images/object/00.jpg "
        "images/style/00.jpg captions/object/.keep preview.py",
    )
    for folder, name, text in [
        ("live_subject/animal", "00", "kitten\na kitten on the moon\n"),
        ("live_subject/animal", "01", "Corgi\n"),
        ("object", "00", "Red Backpack\n"),
    ]:
        caption = root / "captions" / folder / f"{name}.txt"
        caption.parent.mkdir(parents=True, exist_ok=True)
        caption.write_text(text)
    return root


@pytest.fixture
def samples(plant):
    """The samples of one method, as DreamBench++ writes them."""
    subjects = ["live_subject_animal_00_kitten", "object_00_red_backpack", "style_00_oil_painting"]
    return plant(
        "samples/blip_gs7_5",
        ["negative_prompt.txt"]
        + [f"{side}/{name}/{file}.jpg" for side in ("src_image", "tgt_image") for name in subjects
           for file in ("0_0", "0_1", "10_0", "2_0")]
        + [f"text/{name}/0_0.txt" for name in subjects],
    )  # fmt: skip


@pytest.mark.parametrize("given", ["", "images"])
def test_dreambench_data_against_samples(dreambench, samples, given):
    dataset = find(dreambench / given, samples)
    assert dataset.layout == "dreambench++ + dreambench++-samples"
    assert [subject.name for subject in dataset.subjects] == [
        "live_subject_animal_00_kitten",
        "object_00_red_backpack",
        "style_00",
    ]
    assert [len(subject.references) for subject in dataset.subjects] == [1, 1, 1]
    assert all(subject.references[0].path.exists() for subject in dataset.subjects)
    assert dataset.unmatched == ("live_subject_animal_01_corgi: 1 reference, no generations",)


@pytest.mark.parametrize("category", ["animal", "human"])
@pytest.mark.parametrize("above", ["live_subject/", ""])
def test_living_subjects_are_named_as_in_the_samples_however_the_data_is_nested(plant, category, above):
    root = plant("data", f"images/{above}{category}/00.jpg captions/.keep")
    gens = plant(
        "samples/m", [f"{side}/live_subject_{category}_00_x/0_0.jpg" for side in ("src_image", "tgt_image")]
    )
    (subject,) = find(root, gens).subjects
    assert subject.name == f"live_subject_{category}_00"


def test_dreambench_data_against_own_folders(dreambench, plant):
    dataset = find(dreambench, plant("gens", "object_00/x.png"))
    assert [subject.name for subject in dataset.subjects] == ["object_00_red_backpack"]


def test_numbers_are_never_mixed_up(dreambench, plant):
    gens = plant("gens", "live_subject_animal_01_corgi/1.png live_subject_animal_011_x/1.png")
    dataset = find(dreambench, gens)
    assert [subject.name for subject in dataset.subjects] == ["live_subject_animal_01_corgi"]
    assert "live_subject_animal_011_x: 1 generation, no references" in dataset.unmatched


def test_images_and_captions_of_something_else_are_folders(plant):
    refs = plant("refs", ["images/cat/one.jpg", "captions/cat/one.txt", "images/dog/x.jpg"])
    assert find(refs, plant("gens", "cat/1.png dog/1.png")).layout == "folders"


@pytest.mark.parametrize("references", ["", "src_image"])
@pytest.mark.parametrize("generations", ["", "tgt_image"])
def test_dreambench_samples_alone(samples, references, generations):
    dataset = find(samples / references, samples / generations)
    assert dataset.layout == "dreambench++-samples"
    assert len(dataset.subjects) == 3
    subject = dataset.subjects[0]
    assert len(subject.references) == len(subject.generations) == 4
    assert all("src_image" in one.path.parts for one in subject.references)
    prefix = "" if generations else "tgt_image/"
    assert [one.name for one in subject.generations] == [
        f"{prefix}{subject.name}/{file}.jpg" for file in ("0_0", "0_1", "2_0", "10_0")
    ]
    last = subject.generations[-1]
    assert (last.method, last.prompt, last.seed) == ("blip_gs7_5", "10", "0")


def test_dreambench_samples_against_plain_references(samples, plant):
    refs = plant("refs", "object_00_red_backpack/1.jpg")
    assert find(refs, samples).layout == "folders + dreambench++-samples"


def test_dreambench_samples_of_several_methods(samples, plant):
    plant("samples/emu2", "src_image/object_00_x/0_0.jpg tgt_image/object_00_x/0_0.jpg")
    with pytest.raises(
        InputError,
        match=r"2 methods: blip_gs7_5, emu2; give one of them, .*/blip_gs7_5; for all: nearid compare .*/samples$",
    ):
        find(plant("refs", "object_00_x/1.jpg"), samples.parent)


def test_flat_sources_and_targets_are_one_subject(plant):
    root = plant("toaster", "src_image/0.jpg tgt_image/0.jpg tgt_image/1.jpg")
    (subject,) = find(root, root).subjects
    assert (len(subject.references), len(subject.generations)) == (1, 2)
    assert find(root / "src_image", root / "tgt_image").layout == "flat"


@pytest.fixture
def concepts(plant):
    root = plant(
        "cc101",
        "benchmark_dataset/pet_cat1/1.jpeg benchmark_dataset/pet_cat1/2.jpeg "
        "benchmark_dataset/toy_bear/1.jpg benchmark_dataset/unlisted/1.jpg regularization/pet_cat/1.jpg",
    )
    entries = [
        {
            "instance_prompt": "photo of a <new1>",
            "class_prompt": "x",
            "instance_data_dir": f"./benchmark_dataset/{name}",
            "class_data_dir": "./regularization/pet_cat",
            "prompt_filename": "prompts/cat.txt",
        }
        for name in ("toy_bear", "pet_cat1", "not_downloaded")
    ]
    (root / "dataset.json").write_text(json.dumps(entries))
    return root


def test_customconcept101(concepts, plant):
    gens = plant("gens", "pet_cat1/samples/00000.png pet_cat1/samples/00001.png pet_cat1/train/x.png "
                         "toy_bear/samples/00000.png")  # fmt: skip
    (gens / "pet_cat1/prompts.json").write_text(json.dumps({"00000": "a cat in space"}))
    dataset = find(concepts, gens)
    assert dataset.layout == "customconcept101"
    assert [subject.name for subject in dataset.subjects] == ["pet_cat1", "toy_bear"]
    cat = dataset.subjects[0]
    assert [one.name for one in cat.references] == [f"benchmark_dataset/pet_cat1/{i}.jpeg" for i in (1, 2)]
    assert [one.prompt for one in cat.generations] == ["a cat in space", None]
    assert dataset.left_out.counts() == {"other files": 1, "pictures outside samples/": 1}
    assert dataset.unmatched == ()


def test_customconcept101_one_concept(concepts, plant):
    gens = plant("out", "samples/b.png samples/a.png")
    (gens / "prompts.json").write_text('{"a": "in space"}')
    dataset = find(concepts / "benchmark_dataset" / "pet_cat1", gens)
    assert dataset.layout == "flat + customconcept101"
    assert [(one.name, one.prompt) for one in dataset.subjects[0].generations] == [
        ("samples/a.png", "in space"),
        ("samples/b.png", None),
    ]
    renamed = gens.rename(gens.with_name("pet_cat1"))
    assert [subject.name for subject in find(concepts, renamed).subjects] == ["pet_cat1"]


def test_customconcept101_without_its_pictures(concepts, plant):
    (concepts / "benchmark_dataset").rename(concepts / "elsewhere")
    with pytest.raises(InputError, match=r"names 3 folders of concepts and none is there: .*toy_bear"):
        find(concepts, plant("gens", "pet_cat1/0.png"))


def test_another_dataset_json_means_nothing(plant):
    refs = plant("refs", "cat/1.png")
    (refs / "dataset.json").write_text('{"name": "mine"}')
    assert find(refs, plant("gens", "cat/1.png")).layout == "folders"


@pytest.mark.parametrize("content", ["{", "[1]"])
def test_broken_prompts(plant, content):
    gens = plant("gens", "cat/samples/0.png")
    (gens / "cat/prompts.json").write_text(content)
    with pytest.raises(InputError, match=r"prompts\.json"):
        find(plant("refs", "cat/1.png"), gens)
