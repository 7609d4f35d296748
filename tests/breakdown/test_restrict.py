"""A result as if only some of its generations existed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nearid_cli.breakdown.labels import Breakdown
from nearid_cli.breakdown.restrict import of_group, split
from nearid_cli.metrics.intervals import mean_interval
from nearid_cli.results import ScoredGroup, ScoreResult
from tests.comparing import scored, unscored


def labelled(subject: str, i: int) -> dict[str, Any]:
    return {
        "path": f"{subject}/{i}.png",
        "prompt": ["on a beach", "In snow"][i % 2],
        "seed": str(i // 2),
        "labels": {"category": "animal" if subject in ("cat", "dog") else "object"},
    }


def run() -> ScoreResult:
    random = np.random.default_rng(0)
    return scored({name: random.random((8, 2)) for name in ("cat", "dog", "mug", "bag")}, image=labelled)


def test_numbers_are_those_of_the_generations_that_are_left() -> None:
    whole = run()
    found = of_group(whole, {"category": "animal", "prompt": "in_snow"})
    assert found.subjects.names() == ["cat", "dog"]
    assert [one.generations for one in found.subjects] == [4, 4]
    assert found.inputs.strangers == ("mug", "bag")
    assert (found.inputs.subjects, found.inputs.generation_images, found.inputs.reference_images) == (2, 8, 8)
    for metric in ("nearid", "hog"):
        own = [[one.scores[metric] for one in found.images if one.subject == name] for name in ("cat", "dog")]
        assert all(len(numbers) == 4 for numbers in own)
        for subject, numbers in zip(found.subjects, own, strict=True):
            scores = subject.scores[metric]
            assert scores.score == pytest.approx(np.mean(numbers), abs=1e-15)
            assert scores.std == pytest.approx(np.std(numbers, ddof=1), abs=1e-15)
            assert (scores.min, scores.max) == (min(numbers), max(numbers))
            assert scores.ci95 == pytest.approx(np.clip(mean_interval(numbers), -1, 1))
            assert (scores.ceiling, scores.floor, scores.retention, scores.identification) == (
                0.9,
                None,
                None,
                None,
            )
        assert found.aggregate[metric].score == pytest.approx(np.mean(own), abs=1e-15)
        assert found.aggregate[metric].pair_mean == pytest.approx(np.mean(own), abs=1e-15)
        assert found.aggregate[metric].ci95 is None, "two subjects say nothing of their spread"


def test_generations_of_one_prompt_are_one_unit_where_there_are_several() -> None:
    (subject, *_) = of_group(run(), {"category": "animal"}).subjects
    assert subject.scores["hog"].ci95 is None, "two prompts are two units"


def test_what_has_no_number_counts_for_nothing() -> None:
    whole = unscored(run(), {f"cat/{i}.png" for i in range(1, 8, 2)} | {"dog/0.png"})
    found = of_group(whole, {"prompt": "in snow"})
    cat, dog, *_ = found.subjects
    assert (cat.scores["hog"].score, cat.scores["hog"].missing) == (None, 4)
    assert (found.aggregate["hog"].missing, dog.scores["hog"].missing) == (4, 0)
    own = [one.scores["hog"].score for one in found.subjects if one.subject != "cat"]
    assert found.aggregate["hog"].score == pytest.approx(np.mean(own), abs=1e-15)


def test_a_group_of_nothing_has_no_numbers() -> None:
    found = of_group(run(), {"category": None})
    assert (len(found.subjects), found.images, found.aggregate["hog"].score) == (0, (), None)


def test_what_the_result_says_of_a_group_is_taken_from_it() -> None:
    whole = run()
    known = replace(whole.aggregate["hog"], floor=0.25)
    group = ScoredGroup(
        {"prompt": "On a beach.", "category": "object"}, 2, 8, {"nearid": known, "hog": known}
    )
    found = of_group(replace(whole, groups=(group,)), {"category": "object", "prompt": "on a beach"})
    assert found.aggregate["hog"].floor == 0.25
    own = split(replace(whole, groups=(group,)), Breakdown(("category", "prompt")))
    assert [one.aggregate["hog"].floor for _, one in own] == [None, None, None, 0.25]


@pytest.mark.parametrize("labels", [("category",), ("prompt",), ("seed", "category"), ("step",)])
def test_splitting_is_taking_each_group_by_itself(labels: tuple[str, ...]) -> None:
    whole = run()
    found = split(whole, Breakdown(labels))
    assert sum(len(one.images) for _, one in found) == len(whole.images)
    for own, one in found:
        assert one == of_group(whole, own)


def test_margins_are_taken_from_the_generations() -> None:
    whole = run()
    margins = dict(zip([one.path for one in whole.images], np.linspace(-1, 1, 32).tolist(), strict=True))
    given = replace(
        whole,
        images=tuple(
            replace(one, margins={"nearid": margins[one.path]} if one.subject != "bag" else None)
            for one in whole.images
        ),
    )
    found = of_group(given, {"seed": "1"})
    for subject in found.subjects:
        own = [margins[one.path] for one in found.images if one.subject == subject.subject]
        scores = subject.scores["nearid"]
        if subject.subject == "bag":
            assert (scores.margin, scores.positive_margins) == (None, None)
        else:
            assert scores.margin == pytest.approx(np.mean(own), abs=1e-15)
            assert scores.positive_margins == np.mean(np.array(own) > 0)
        assert subject.scores["hog"].margin is None
    three = [one.scores["nearid"].margin for one in found.subjects if one.subject != "bag"]
    assert found.aggregate["nearid"].margin == pytest.approx(np.mean(three), abs=1e-15)


def test_subjects_whose_units_are_not_known_have_no_interval() -> None:
    whole = run()
    same = replace(
        whole, inputs=replace(whole.inputs, same_generations=("cat: 2 of 8 generations are one picture",))
    )
    known = {
        one.subject: one.scores["hog"].ci95 is not None
        for one in of_group(same, {"prompt": "in snow"}).subjects
    }
    assert known == {"cat": False, "dog": True, "mug": True, "bag": True}
