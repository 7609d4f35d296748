"""`--by` of a comparison: each group is compared as if there were nothing else, and all are judged together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nearid_cli.breakdown.restrict import of_group
from nearid_cli.errors import UsageError
from nearid_cli.evaluate.compare import compare
from nearid_cli.metrics.intervals import mean_interval
from nearid_cli.metrics.paired import holm, sign_flip_test
from nearid_cli.results import CompareResult, ScoreResult
from tests.comparing import scored

CATEGORIES = ("animal", "human", "object", "style")
PROMPTS = ("on a beach", "in snow", "at night")
SUBJECTS = [f"{category} {i}" for category in CATEGORIES for i in range(10)]

Shift = Callable[..., float]


def labelled(subject: str, i: int) -> dict[str, Any]:
    return {
        "path": f"{subject}/{i}.png",
        "prompt": PROMPTS[i % 3],
        "seed": str(i // 3),
        "labels": {"category": subject.split()[0]},
    }


def method(
    seed: int, shift: Shift = lambda *_: 0.0, noise: float = 0.02, image: Any = labelled
) -> ScoreResult:
    """Six generations a subject, three prompts with two seeds; `shift` moves one by its subject and number."""
    easy, random = np.random.default_rng(0), np.random.default_rng(seed)
    return scored(
        {
            subject: easy.normal(0.7, 0.05)
            + random.normal(0, noise, (6, 1))
            + np.array([[shift(subject, i)] for i in range(6)])
            for subject in SUBJECTS
        },
        ["hog"],
        image=image,
    )


def verdicts(result: CompareResult, name: str = "new") -> dict[tuple[str | None, ...], str]:
    return {
        tuple(group.labels.values()): one.verdict
        for group in result.groups
        for one in group.comparisons
        if one.method == name
    }


def test_the_one_category_that_drops_is_found() -> None:
    """Planted: styles drop by 0.05, and nothing else does. The mean over all hides what happened."""
    new = method(2, lambda subject, _: -0.05 if subject.startswith("style") else 0.0)
    found = verdicts(compare({"old": method(1), "new": new}, "old", by=["category"]))
    assert found.pop(("style",)) == "worse"
    assert set(found) == {("animal",), ("human",), ("object",)}
    assert all(verdict.startswith("no difference shown") for verdict in found.values())


def test_the_one_prompt_and_the_one_cell_that_drop_are_found() -> None:
    old, new = method(1, noise=0.01), method(2, lambda _, i: -0.05 if i % 3 == 1 else 0.0, noise=0.01)
    found = verdicts(compare({"old": old, "new": new}, "old", by=["prompt", "category+prompt"]))
    dropped = {labels for labels, verdict in found.items() if verdict == "worse"}
    assert dropped == {("in snow",), *((category, "in snow") for category in CATEGORIES)}
    assert "better" not in found.values()


def test_a_group_is_compared_as_if_there_were_nothing_else() -> None:
    runs = {"a": method(1), "b": method(2, lambda *_: 0.01), "c": method(3, lambda s, i: 0.02 * (i % 3))}
    whole = compare(runs, "a", by=["seed", "prompt"])
    p_values: dict[str, list[float]] = {}
    for group in whole.groups:
        (label,) = group.labels
        alone = compare({name: of_group(run, group.labels) for name, run in runs.items()}, "a")
        for one, expected in zip(group.comparisons, alone.comparisons, strict=True):
            for name in (
                "subjects",
                "prompts",
                "delta",
                "ci95",
                "p",
                "p_studentised",
                "deltas",
                "wins",
                "losses",
            ):
                assert getattr(one, name) == getattr(expected, name), name
            images = {
                name: [image for image in run.images if getattr(image, label) == group.labels[label]]
                for name, run in runs.items()
            }
            deltas = [
                np.mean([i.scores["hog"] for i in images[one.method] if i.subject == subject])
                - np.mean([i.scores["hog"] for i in images["a"] if i.subject == subject])
                for subject in SUBJECTS
            ]
            assert one.delta == pytest.approx(np.mean(deltas), abs=1e-12)
            assert one.ci95 == pytest.approx(mean_interval(deltas), abs=1e-12)
            assert one.p == sign_flip_test(list(one.deltas.values())).p
            p_values.setdefault(label, []).append(one.p)
        assert {name: (own.subjects, own.generations) for name, own in group.methods.items()} == {
            name: (len(SUBJECTS), len(SUBJECTS) * (3 if label == "seed" else 2)) for name in runs
        }
    adjusted = {label: holm(found) for label, found in p_values.items()}
    assert [len(found) for found in adjusted.values()] == [4, 6], (
        "methods and groups of one breakdown together"
    )
    for label, expected_p in adjusted.items():
        own = [one for group in whole.groups if label in group.labels for one in group.comparisons]
        assert [one.p_holm for one in own] == pytest.approx(expected_p)
        assert all(one.p_adjusted >= one.p_holm for one in own)


def test_a_breakdown_into_one_group_says_what_the_whole_comparison_says() -> None:
    def one_step(subject: str, i: int) -> dict[str, Any]:
        return labelled(subject, i) | {"labels": {"step": "500"}}

    shifts = (0.0, 0.003, 0.006, 0.012)
    runs = {
        str(seed): method(seed, lambda *_, shift=shift: shift, image=one_step)
        for seed, shift in enumerate(shifts)
    }
    for baseline in (None, "2"):
        found = compare(runs, baseline, by=["step"])
        (group,) = found.groups
        assert group.labels == {"step": "500"}
        assert group.comparisons == found.comparisons


def test_a_baseline_that_was_chosen_is_chosen_among_all_groups() -> None:
    """Which of several methods is best is an accident, too, in every group."""
    shifts = (0.0, 0.01, 0.02, 0.025)
    runs = {str(seed): method(seed, lambda *_, shift=shift: shift) for seed, shift in enumerate(shifts)}
    chosen = compare(runs, by=["category"])
    named = compare(runs, chosen.baseline, by=["category"])
    pairs = [
        (one.p_adjusted, other.p_adjusted)
        for mine, theirs in zip(chosen.groups, named.groups, strict=True)
        for one, other in zip(mine.comparisons, theirs.comparisons, strict=True)
    ]
    assert all(one >= other for one, other in pairs)
    assert any(one > other for one, other in pairs)


def test_groups_that_only_some_have() -> None:
    def image(subject: str, i: int) -> dict[str, Any]:
        labels = {"category": "people"} if subject.startswith("human") else {}
        return labelled(subject, i) | {"labels": labels}

    result = compare({"old": method(1), "new": method(2, image=image)}, "old", by=["category"])
    methods = {group.labels["category"]: list(group.methods) for group in result.groups}
    assert methods == {
        "animal": ["old"],
        "human": ["old"],
        "object": ["old"],
        "people": ["new"],
        "style": ["old"],
        None: ["new"],
    }
    assert verdicts(result) == {("people",): "no subject in common", (None,): "no subject in common"}
    assert all(one.p_adjusted is None for group in result.groups for one in group.comparisons)


def test_few_subjects_say_what_it_would_take() -> None:
    new = method(2, lambda *_: -0.05)
    few = {"animal 0", "animal 1", "style 0", "style 1", "style 2"}

    def only(run: ScoreResult) -> ScoreResult:
        return replace(
            run,
            images=tuple(one for one in run.images if one.subject in few),
            subjects=tuple(one for one in run.subjects if one.subject in few),
        )

    result = compare({"old": only(method(1)), "new": only(new)}, "old", by=["category"])
    animal, style = (group.comparisons[0] for group in result.groups)
    assert (animal.subjects, style.subjects) == (2, 3)
    assert animal.ci95 is None, "two subjects say nothing of their spread"
    assert style.ci95 is not None
    assert verdicts(result) == {
        ("animal",): "too few subjects to show a difference; it takes 7",
        ("style",): "too few subjects to show a difference; it takes 7",
    }


def test_placeholders_differ_in_groups_as_they_do_in_whole_runs() -> None:
    def called(word: str) -> Callable[[str, int], dict[str, Any]]:
        def image(subject: str, i: int) -> dict[str, Any]:
            return labelled(subject, i) | {"prompt": f"a {word} thing {PROMPTS[i % 3]}"}

        return image

    old, new = (
        method(1, image=called("sks")),
        method(2, lambda _, i: -0.05 if i % 3 else 0.0, image=called("<v>")),
    )
    result = compare({"old": old, "new": new}, "old", by=["prompt"])
    assert {group.labels["prompt"]: group.comparisons[0].verdict[:5] for group in result.groups} == {
        "a sks thing at night": "worse",
        "a sks thing in snow": "worse",
        "a sks thing on a beach": "no di",
    }
    assert [one.result.images[0].prompt for one in result.methods] == [
        "a sks thing on a beach",
        "a <v> thing on a beach",
    ]


def test_copies_are_no_matter_of_one_group_alone() -> None:
    """A method that copies is not judged anywhere; one that copies in one group only, not there."""
    new = method(2, lambda *_: -0.05)
    images = tuple(
        replace(one, copy_of="ref.png") if one.subject in ("style 0", "style 1") and one.seed == "0" else one
        for one in new.images
    )
    found = verdicts(compare({"old": method(1), "new": replace(new, images=images)}, "old", by=["category"]))
    assert found == {
        ("animal",): "worse",
        ("human",): "worse",
        ("object",): "worse",
        ("style",): "not judged: it copies",
    }


def test_numbers_that_are_missing_take_no_part() -> None:
    new = method(2)
    images = tuple(
        replace(one, scores={"hog": None}, reasons={"hog": "no face"}) if "object" in one.subject else one
        for one in new.images
    )
    subjects = tuple(
        replace(one, scores={"hog": replace(one.scores["hog"], score=None, min=None, max=None, missing=6)})
        if "object" in one.subject
        else one
        for one in new.subjects
    )
    result = compare(
        {"old": method(1), "new": replace(new, images=images, subjects=subjects)}, "old", by=["category"]
    )
    by_category: Mapping[str | None, Any] = {group.labels["category"]: group for group in result.groups}
    own = by_category["object"].comparisons[0]
    assert (own.delta, own.verdict, own.subjects) == (None, "no score in common", 0)
    assert by_category["object"].methods["new"].aggregate["hog"].score is None
    assert by_category["animal"].comparisons[0].subjects == 10


def test_an_unknown_label_is_refused() -> None:
    with pytest.raises(UsageError, match='unknown label "step"'):
        compare({"old": method(1), "new": method(2)}, by=["step"])
