"""Which generations of two runs belong together."""

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearid_cli.results import Image
from nearid_cli.results.correspondence import paired_images


def image(path, prompt=None, seed=None, subject="cat"):
    return Image(path, subject, None, {}, prompt, seed)


def paths(a, b):
    return [(x.path, y.path) for x, y in paired_images(a, b)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("cat/beach/0.png", "cat/beach/0.webp"),
        ("cat/0.png", "tgt_image/cat/0.png"),
        ("Red Cat/0.png", "red_cat/0.png"),
        ("Cafe\u0301/0.png", "café/0.png"),
        ("cat/0.5.png", "cat/0.5.jpg"),
        ("0.png", "0.png"),
        ("cat/cat/0.png", "x/cat/cat/0.png"),
    ],
)
def test_names_below_the_subject(one, other):
    subject = "red cat" if "ed" in one else "Café" if "Caf" in one else "cat"
    assert len(paired_images([image(one, subject=subject)], [image(other, subject=subject)])) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (image("cat/0.png"), image("cat/1.png")),
        (image("cat/beach/0.png"), image("cat/sofa/0.png")),
        (image("cat/0.png", "beach", "1"), image("cat/0.png", "beach", "2")),
        (image("a/0.png"), image("b/0.png")),
    ],
)
def test_different_generations(one, other):
    assert paired_images([one], [other]) == []


def test_names_help_where_one_run_knows_no_seed():
    assert len(paired_images([image("cat/0.png", "beach", "1")], [image("cat/0.png", "beach")])) == 1


def test_what_is_ambiguous_is_not_paired():
    twice = [image("cat/0.png"), image("cat/0.jpg"), image("cat/1.png")]
    assert paths(twice, [image("cat/0.png"), image("cat/1.png")]) == [("cat/1.png", "cat/1.png")]
    assert paths([image("cat/0.png")], twice) == []


def test_names_tell_apart_generations_of_one_prompt_and_seed():
    a = [image("cat/0.png", "beach", "1"), image("cat/1.png", "beach", "1")]
    assert paths(a, a[::-1]) == [("cat/0.png", "cat/0.png"), ("cat/1.png", "cat/1.png")]


@given(st.text("a. é\\", min_size=1, max_size=6).filter(lambda name: name not in (".", "..")))
def test_the_extension_is_what_a_path_says(name):
    other = f"cat/{PurePosixPath(name).stem}"
    assert len(paired_images([image(f"cat/{name}.png")], [image(f"cat/{name}.jpg")])) == 1
    assert len(paired_images([image(f"cat/{name}")], [image(f"{other}.png")])) == 1


generations = st.lists(
    st.builds(
        image,
        st.sampled_from(["cat/0.png", "cat/0.jpg", "cat/1.png", "1.png", "cat/a/1.png"]),
        st.sampled_from([None, "p", "q"]),
        st.sampled_from([None, "1", "2"]),
    ),
    max_size=6,
)


@given(generations, generations)
def test_each_generation_is_in_one_pair_at_most_and_sides_are_alike(a, b):
    there = paired_images(a, b)
    back = paired_images(b, a)
    assert sorted((id(x), id(y)) for x, y in there) == sorted((id(x), id(y)) for y, x in back)
    assert len({id(x) for x, _ in there}) == len({id(y) for _, y in there}) == len(there)
