"""What is said of intervals that rest on few units, and of retentions that do not exist."""

from dataclasses import replace

import pytest

from nearid_cli.reports.findings import rough_intervals
from nearid_cli.reports.notes import missing_scores
from nearid_cli.results import Image
from tests.printing import show


def with_images(make, subjects, each, prompts=None):
    """Each subject with so many generations, which show so many prompts in turn."""
    images = [
        Image(
            f"{name}/{i}.png",
            name,
            None,
            {"hog": 0.5},
            prompt=None if prompts is None else f"prompt {i % prompts}",
        )
        for name in subjects
        for i in range(each)
    ]
    return make(dict.fromkeys(subjects, 0.5), metrics=("hog",), images=tuple(images))


@pytest.mark.parametrize(
    ("subjects", "each", "prompts", "said"),
    [
        ("abcde", 5, None, None),
        ("abcd", 5, None, "that of the aggregate on 4 subjects"),
        ("abcde", 3, None, "those of subjects on 3 or 4 generations each"),
        ("abcde", 30, 3, "those of subjects on 3 or 4 prompts each"),
        ("abcde", 4, 1, "those of subjects on 3 or 4 generations each"),
        ("abc", 12, 4, "that of the aggregate on 3 subjects, those of subjects on 3 or 4 prompts each"),
        ("ab", 2, None, None),
    ],
)
def test_intervals_on_3_or_4_units_are_said_to_be_rough(make, subjects, each, prompts, said):
    expected = [f"rough intervals: {said}; below 5 they rest on an assumed shape"] if said else []
    assert rough_intervals(with_images(make, subjects, each, prompts)) == expected


def test_some_subjects_are_counted(make):
    result = with_images(make, "abcde", 5)
    few = replace(
        result, images=tuple(one for one in result.images if one.subject != "a" or "/4" not in one.path)
    )
    assert rough_intervals(few) == [
        "rough intervals: those of 1 subject on 3 or 4 generations each; below 5 they rest on an assumed shape"
    ]


def test_a_mean_room_within_noise_is_said(make):
    result = make({"cat": 0.5, "dog": 0.6}, metrics=("hog",))
    none = replace(result, aggregate={"hog": replace(result.aggregate["hog"], retention=None)})
    assert missing_scores(result) == []
    assert missing_scores(none) == [
        "-: no retention of all, since ceilings are on average not clearly above floors"
    ]


def test_the_aggregates_further_intervals_stand_below_the_tables(make, render):
    result = make({"cat": 0.5, "dog": 0.6}, metrics=("hog",))
    known = {"retention_ci95": (0.7, 0.912), "identification_ci95": (0.39, 1.0)}
    result = replace(result, aggregate={"hog": replace(result.aggregate["hog"], **known)})
    assert (
        "Aggregate by hog, 95 % intervals over subjects: retention 0.800 [0.700, 0.912], identification 1.000 "
        "[0.390, 1.000].\n" in render(show, result, width=160)
    )
