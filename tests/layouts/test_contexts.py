"""Which distractors are paired with which references by their contexts, and that nothing is paired by accident."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nearid_cli.errors import InputError
from nearid_cli.layouts.find import find
from nearid_cli.layouts.given import read_side
from nearid_cli.layouts.methods import find_methods
from nearid_cli.layouts.tables.manifest import write_manifest

ADVICE = "SSR and PA need distractors in the context of a reference: name them alike"


def pairs(dataset):
    """Every reference with the distractors in its context."""
    return {
        f"{subject.name} {reference.name.rpartition('/')[2]}": [
            one.name.rpartition("/")[2]
            for one in subject.distractors
            if reference.context is not None and one.context == reference.context
        ]
        for subject in dataset.subjects
        for reference in subject.references
    }


@pytest.fixture
def found(plant):
    def look(references, distractors):
        subjects = dict.fromkeys(name.partition("/")[0] for name in references.split())
        generations = [f"{subject}/g.png" for subject in subjects]
        return find(
            plant("refs", references), plant("gens", generations), distractors=plant("d", distractors)
        )

    return look


def test_names_that_are_or_begin_as_a_reference(found):
    dataset = found(
        "cat/beach.jpg cat/beach_house.jpg cat/snow.jpg dog/IMG_2041.JPG dog/sofa.jpg",
        "cat/Beach.png cat/beach-house_2.png cat/snow.flux.png cat/sdxl/snow.webp dog/img_2041_a.png",
    )
    assert pairs(dataset) == {
        "cat beach.jpg": ["Beach.png"],
        "cat beach_house.jpg": ["beach-house_2.png"],
        "cat snow.jpg": ["snow.flux.png", "snow.webp"],
        "dog IMG_2041.JPG": ["img_2041_a.png"],
        "dog sofa.jpg": [],
    }
    assert dataset.pairing == "by name (beach-house_2.png with beach_house.jpg)"
    assert dataset.notes == (
        "distractors are paired with references by name (beach-house_2.png with beach_house.jpg): "
        "SSR and PA as in the paper",
    )


def test_names_below_the_subject_whatever_the_layout(plant):
    dataset = find(
        plant("refs", "cat/cat_beach.jpg cat/cat-snow.jpg dog/sofa.jpg dog/street.jpg"),
        plant("gens", "cat/0.png dog/0.png"),
        distractors=plant("d", "cat/beach.png cat/snow_1.png dog_sofa.png dog_street.png"),
    )
    assert pairs(dataset) == {
        "cat cat_beach.jpg": ["beach.png"],
        "cat cat-snow.jpg": ["snow_1.png"],
        "dog sofa.jpg": ["dog_sofa.png"],
        "dog street.jpg": ["dog_street.png"],
    }


def test_counters_that_correspond_completely_are_taken_and_said(found):
    dataset = found(
        "cat/01.jpg cat/02.jpg dog/1.jpg dog/2.jpg", "cat/01.png cat/02_a.png dog/1.png dog/2.png"
    )
    assert pairs(dataset)["cat 02.jpg"] == ["02_a.png"]
    assert dataset.notes == (
        "distractors are paired with references by name (01.png with 01.jpg), equal numbers taken for equal contexts: "
        "SSR and PA as in the paper",
    )


@pytest.mark.parametrize(
    ("references", "distractors", "why"),
    [
        # Ten pictures of other cats, numbered: that 0 and 1 are there, too, means nothing.
        (
            "cat/0.jpg cat/1.jpg",
            " ".join(f"cat/{n}.png" for n in range(10)),
            "names do so for 2 of 10 distractors",
        ),
        (
            "cat/0.jpg cat/1.jpg cat/2.jpg",
            "cat/0.png cat/1.png",
            "names are mere counters, and not the same among",
        ),
        ("cat/image.jpg cat/photo.jpg", "cat/image_1.png cat/image_2.png", "names are mere counters"),
        ("cat/img_0.jpg cat/img_1.jpg", "cat/img_1.png", "names are mere counters, and not the same among"),
        (
            "cat/0.jpg cat/1.jpg dog/0.jpg",
            "cat/0.png cat/1.png dog/0.png dog/1.png",
            "names do so for 3 of 4",
        ),
        (
            "cat/img.jpg cat/img_2.jpg",
            "cat/img.png cat/img_1.png cat/img_2.png",
            "names can be read in two ways: cat/img_2.png is of img_2 or of img",
        ),
        (
            "cat/a/x.jpg cat/b/x.jpg",
            "cat/x.png",
            "names can be read in two ways: several references are called x",
        ),
        ("cat/x.jpg cat/y.jpg", "cat/p.png cat/q.png", None),
        ("cat/x.jpg cat/y.jpg", "cat/xy.png cat/x1.png", None),
    ],
)
def test_what_may_be_an_accident_is_not_paired(found, references, distractors, why):
    dataset = found(references, distractors)
    assert not any(pairs(dataset).values())
    assert dataset.pairing == ""
    (note,) = dataset.notes
    assert note.startswith(ADVICE)
    assert note.endswith("column context") if why is None else why in note


def test_nearly_all_names_are_enough_and_the_rest_is_named(found):
    names = ["red", "green", "blue", "pink", "grey"]
    references = " ".join(f"cat/{name}.jpg" for name in names)
    others = [f"cat/{name}_{k}.png" for name in names for k in "ab"]
    dataset = found(references, " ".join([*others, "cat/strange.png"]))
    assert [len(own) for own in pairs(dataset).values()] == [2] * 5
    assert dataset.notes[1] == (
        "1 distractor of 11 without a context, without trials in SSR and PA: cat/strange.png"
    )
    assert found(references, "cat/stranger.png").pairing == ""  # two of twelve


def test_one_reference_is_not_enough(found):
    dataset = found("cat/beach.jpg dog/sofa.jpg", "cat/beach_1.png dog/sofa_1.png")
    assert dataset.notes[0].endswith("but SSR and PA need a second reference of a subject")


def test_pictures_in_memory_have_no_names():
    picture = np.zeros((8, 8, 3), np.uint8)
    sides = [
        read_side({"cat": [picture, picture]}, side) for side in ("references", "generations", "distractors")
    ]
    dataset = find(sides[0], sides[1], distractors=sides[2])
    assert dataset.pairing == ""
    assert dataset.notes[0].startswith(ADVICE)


MANIFEST = """path,subject,role,Context
r/1.png,cat,reference, Beach
r/2.png,cat,reference,snow
g/0.png,cat,generation,beach
d/1.png,cat,distractor,SNOW
d/2.png,cat,distractor,beach
d/3.png,cat,distractor,beach
d/4.png,cat,distractor,kitchen
d/5.png,cat,distractor,
"""


def test_a_column_beats_names(plant):
    manifest = plant("m", "r/1.png r/2.png g/0.png d/1.png d/2.png d/3.png d/4.png d/5.png") / "m.csv"
    manifest.write_text(MANIFEST)
    dataset = find(manifest, None)
    assert pairs(dataset) == {"cat 1.png": ["2.png", "3.png"], "cat 2.png": ["1.png"]}
    assert dataset.notes == (
        "distractors are paired with references by the column context: SSR and PA as in the paper",
        "1 distractor of 5 in a context that no reference of the subject has, without trials in SSR and PA: "
        "cat kitchen",
        "1 distractor of 5 without a context, without trials in SSR and PA: d/5.png",
    )
    assert dataset.subjects[0].generations[0].labels == {"context": "beach"}


def test_a_column_that_no_reference_has(plant):
    rows = "path,subject,role,context\n1.png,cat,distractor,beach\n"
    (plant("d", "1.png") / "d.csv").write_text(rows)
    refs = plant("refs", "cat/1.jpg cat/2.jpg")
    dataset = find(refs, plant("gens", "cat/0.png"), distractors=refs.parent / "d" / "d.csv")
    assert not any(pairs(dataset).values())
    assert "no reference of a subject has the context of one of its distractors" in dataset.notes[0]
    assert dataset.notes[1].endswith("cat beach")


def test_one_picture_in_two_contexts_is_a_contradiction(plant):
    manifest = plant("m", "r.png g.png") / "m.csv"
    row = "r.png,cat,reference,"
    manifest.write_text(f"path,subject,role,context\n{row}beach\n{row}snow\ng.png,cat,generation,\n")
    with pytest.raises(InputError) as caught:
        find(manifest, None)
    assert caught.value.details == ("line 3: r.png is given again, with another context than in line 2",)


def test_metadata_of_imagefolders(plant):
    refs, alike = plant("refs", "cat/1.png cat/2.png"), plant("d", "x.png y.png")
    (refs / "metadata.csv").write_text("file_name,context\ncat/1.png,beach\ncat/2.png,snow\n")
    (alike / "metadata.jsonl").write_text(
        '{"file_name": "x.png", "subject": "cat", "context": "Snow"}\n'
        '{"file_name": "y.png", "subject": "cat", "context": "beach "}\n'
    )
    dataset = find(refs, plant("gens", "cat/0.png"), distractors=alike)
    assert pairs(dataset) == {"cat 1.png": ["y.png"], "cat 2.png": ["x.png"]}
    folders = plant("e", "cat/x.png")
    (folders / "metadata.csv").write_text("file_name,context\ncat/x.png,beach\n")
    dataset = find(refs, refs.parent / "gens", distractors=folders)
    assert pairs(dataset) == {"cat 1.png": ["x.png"], "cat 2.png": []}


def test_what_nearid_synth_wrote(plant):
    # The last view is a generation, so that counters do not correspond.
    refs = plant("s/references", "mug/01.png mug/02.png")
    gens = plant("s/generations", "mug/03.png")
    alike = plant("s/distractors", "mug/01.png mug/02.png mug/03.png")
    assert find(refs, gens, distractors=alike).pairing == ""
    (refs.parent / "made-by.json").write_text(json.dumps({"schema": "nearid.synth/1"}))
    dataset = find(refs, gens, distractors=alike)
    assert pairs(dataset) == {"mug 01.png": ["01.png"], "mug 02.png": ["02.png"]}
    assert dataset.notes[1].startswith("1 distractor of 3 in a context that no reference of the subject has")
    # Other look-alikes of the same references are not what synth wrote.
    assert find(refs, gens, distractors=plant("mine", "mug/01.png mug/02.png mug/03.png")).pairing == ""


def test_contexts_do_not_depend_on_what_a_method_has(plant):
    # By itself, the method that lacks the dog would have incomplete counters only.
    refs = plant("refs", "cat/0.jpg cat/1.jpg dog/beach.jpg dog/snow.jpg")
    methods = plant("methods", "a/cat/0.png a/dog/0.png b/dog/0.png")
    alike = plant("d", "cat/0.png dog/beach.png dog/snow.png")
    found = find_methods([methods], refs, {}, distractors=alike)
    assert len({dataset.notes for dataset in found.values()}) == 1


def test_a_manifest_of_the_reading_is_read_back(plant):
    refs, gens = plant("refs", "cat/beach.jpg cat/snow.jpg"), plant("gens", "cat/0.png")
    dataset = find(refs, gens, distractors=plant("d", "cat/beach_1.png cat/snow.png"))
    manifest = refs.parent / "m.csv"
    write_manifest(manifest, {"": dataset})
    again = find(manifest, None)
    assert pairs(again) == pairs(dataset)
    assert again.pairing == "by the column context"
