"""What is logged of a result, beside the result's JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import nearid_cli
from nearid_cli.gate.judge import judge
from nearid_cli.reports.document import document
from nearid_cli.reports.scalars import Scalar
from nearid_cli.results import CompareResult, Rule, ScoredGroup, ScoreResult, Subjects
from nearid_cli.trackers.record import LoggedResult

COUNTS = {"subjects": 3, "references": 6, "generations": 9}
COUNTS |= dict.fromkeys(("distractors", "copies", "skipped", "unmatched"), 0)


@pytest.fixture
def scored(data: Path) -> ScoreResult:
    return nearid_cli.score(data / "refs", data / "gens", metrics=["hog", "nearid-mini"])


@pytest.fixture
def compared(scored: ScoreResult, data: Path) -> CompareResult:
    other = {
        "cat": [data / "gens/cat/0.png"],
        "cup": [data / "gens/cup/0.png"],
        "ship": [data / "gens/ship/1.png"],
    }
    return nearid_cli.compare(
        {"ours": scored, "theirs": other}, data / "refs", metrics=["hog", "nearid-mini"]
    )


def logged(result: Any, **asked: Any) -> dict[str, float]:
    """Of a result that belongs to no step."""
    (scalars,) = LoggedResult(document(result, **asked)).steps.values()
    return dict(scalars)


def of_json(numbers: dict[str, Any], intervals: bool) -> Iterator[tuple[str, float]]:
    """The numbers in a part of a result's JSON; an interval has two."""
    yield "missing", 0
    for name, value in numbers.items():
        if isinstance(value, list) and intervals:
            full = "score_ci95" if name == "ci95" else name
            yield from zip((f"{full}_low", f"{full}_high"), value, strict=True)
        elif isinstance(value, float | int) and not isinstance(value, bool):
            yield name, value


def expected(result: ScoreResult) -> dict[str, float]:
    whole = result.to_dict()
    found = {f"counts/{name}": float(number) for name, number in COUNTS.items()}
    for metric, numbers in whole["aggregate"].items():
        found |= {f"{metric}/{name}": value for name, value in of_json(numbers, True)}
    for subject in whole["subjects"]:
        for metric, numbers in subject["scores"].items():
            own = f"{metric}/by subject/{subject['subject']}"
            found |= {f"{own}/{name}": value for name, value in of_json(numbers, False)}
    return found


def test_every_number_of_a_score_result_and_no_other(scored: ScoreResult) -> None:
    found = expected(scored)
    assert len(found) > 80
    assert logged(scored) == found


def test_what_does_not_exist_is_not_logged_and_missing_is_counted(scored: ScoreResult) -> None:
    cat = scored.subjects["cat"]
    lost = replace(cat.scores["hog"], score=None, std=None, min=None, max=None, retention=None, missing=3)
    subjects = Subjects([replace(cat, scores={**cat.scores, "hog": lost}), *scored.subjects[1:]])
    aggregate = {
        **scored.aggregate,
        "hog": replace(scored.aggregate["hog"], score=None, ci95=None, missing=3),
    }
    found = logged(replace(scored, subjects=subjects, aggregate=aggregate))
    whole = logged(scored)
    gone = {f"hog/by subject/cat/{name}" for name in ("score", "std", "min", "max", "retention")}
    gone |= {"hog/score", "hog/score_ci95_low", "hog/score_ci95_high"}
    assert whole.keys() - found.keys() == gone
    assert found["hog/missing"] == found["hog/by subject/cat/missing"] == 3
    assert {name for name in found if found[name] != whole[name]} == {
        "hog/missing",
        "hog/by subject/cat/missing",
    }


def test_groups_stand_below_their_labels_and_steps_are_steps(scored: ScoreResult) -> None:
    half = {name: replace(one, score=0.5) for name, one in scored.aggregate.items()}
    groups = (
        ScoredGroup({"prompt": "a photo"}, 3, 9, half),
        ScoredGroup({"prompt": None}, 3, 9, half),
        ScoredGroup({"seed": "1", "prompt": "x"}, 3, 9, half),
        ScoredGroup({"step": "500"}, 3, 9, half),
        ScoredGroup({"step": "1000"}, 3, 9, half),
        ScoredGroup({"step": "last"}, 3, 9, half),
    )
    steps = LoggedResult(document(replace(scored, groups=groups))).steps
    assert list(steps) == [None, 500, 1000]
    assert steps[500]["hog/by step/score"] == steps[1000]["hog/by step/score"] == 0.5
    for place in ("prompt/a photo", "prompt/none", "step/last"):
        assert steps[None][f"hog/by {place}/score"] == 0.5
    (both,) = [name for name in steps[None] if name.startswith("hog/by seed") and name.endswith("/score")]
    assert both.startswith("hog/by seed_ prompt-")
    assert steps[None]["hog/score"] == scored.aggregate["hog"].score


@pytest.mark.parametrize(
    ("labels", "step"),
    [
        (["500"] * 9, 500),
        (["500"] * 8 + ["600"], None),
        (["500"] * 8 + [None], None),
        (["first"] * 9, None),
    ],
)
def test_the_step_of_a_result_is_that_of_all_of_its_generations(
    scored: ScoreResult, labels: list[str | None], step: int | None
) -> None:
    images = (
        replace(image, labels={} if label is None else {"step": label})
        for image, label in zip(scored.images, labels, strict=True)
    )
    labelled = replace(scored, images=tuple(images))
    assert list(LoggedResult(document(labelled)).steps) == [step]
    assert list(LoggedResult(document(labelled), step=7).steps) == [7]  # who logs knows better


def test_a_comparison_has_each_method_and_the_differences(compared: CompareResult) -> None:
    found = logged(compared)
    for method in compared.methods:
        for metric in ("hog", "nearid-mini"):
            own = f"{metric}/by method/{method.name}"
            assert found[f"{own}/score"] == method.result.aggregate[metric].score
            assert found[f"{own}/common_score"] == method.common[metric].score
            assert found[f"{own}/rank"] == method.ranks[metric]
            for subject in method.result.subjects:
                assert found[f"{own}/by subject/{subject.subject}/score"] == subject.scores[metric].score
        counted = found[f"counts/by method/{method.name}/generations"]
        assert counted == method.result.inputs.generation_images
    for one in compared.comparisons:
        own = f"{one.metric}/against {one.baseline}/{one.method}"
        assert (found[f"{own}/delta"], found[f"{own}/p_adjusted"]) == (one.delta, one.p_adjusted)
        assert one.ci95 is not None
        assert (found[f"{own}/delta_ci95_low"], found[f"{own}/delta_ci95_high"]) == one.ci95


def test_a_gate_has_counts_a_verdict_and_what_was_judged(scored: ScoreResult) -> None:
    rules = (
        Rule("hog", "score", "aggregate", 0.999, None, None, None, "error"),
        Rule("hog", "score", "subject", 0.1, None, None, None, "error"),
    )
    gate = judge(scored, None, rules, run_name="run.json", baseline_name=None)
    found = logged(gate)
    assert [found[f"gate/{name}"] for name in ("passed", "failed", "warned")] == [3, 1, 0]
    assert found["gate/hog/score/found"] == scored.aggregate["hog"].score
    assert found["gate/hog/score/by subject/cup/found"] == scored.subjects["cup"].scores["hog"].score
    assert LoggedResult(document(gate)).tags["nearid/gate"] == "failed"
    both = LoggedResult(document(scored, gate=document(gate).result))
    assert both.tags["nearid/gate"] == "failed"
    (scalars,) = both.steps.values()
    assert scalars == {**expected(scored), **found}


def test_two_numbers_of_one_name_are_two(scored: ScoreResult) -> None:
    given = [Scalar(("gate", "found"), value) for value in (0.5, 0.25, 0.5, 0.125, 0.25)]
    made = replace(document(scored), scalars=lambda: given)
    (found,) = LoggedResult(made).steps.values()
    assert found == {"gate/found": 0.5, "gate/found 2": 0.25, "gate/found 3": 0.125}


def test_the_config_says_what_made_the_numbers(scored: ScoreResult) -> None:
    config = LoggedResult(document(scored)).config
    for metric in scored.metrics:
        assert config[f"nearid/metrics/{metric.name}/fingerprint"] == metric.fingerprint
        assert config[f"nearid/metrics/{metric.name}/protocol"] == metric.protocol
    assert config["nearid/schema"] == "nearid.score/2"
    assert config["nearid/inputs/generations"] == scored.inputs.generations


def test_pictures_are_the_worst_and_small(scored: ScoreResult) -> None:
    pictures = LoggedResult(document(scored)).pictures
    worst = sorted(scored.images, key=lambda image: image.scores["hog"] or 0)[:8]
    assert [one.caption.partition(":")[0] for one in pictures] == [image.path for image in worst]
    assert [one.name for one in pictures] == [f"result/worst/{place}" for place in range(1, 9)]
    assert all(one.image.mode == "RGB" and max(one.image.size) <= 512 for one in pictures)


def test_pictures_that_are_gone_are_left_out(
    scored: ScoreResult, data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    worst = min(scored.images, key=lambda image: image.scores["hog"] or 0)
    (data / "gens" / worst.path).unlink()
    elsewhere = replace(scored, inputs=replace(scored.inputs, generations=str(data / "gens")))
    pictures = LoggedResult(document(elsewhere)).pictures
    assert len(pictures) == 7
    assert not any(one.caption.startswith(worst.path) for one in pictures)
    assert f"not logged as a picture: {worst.path}: " in caplog.text
