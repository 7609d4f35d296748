"""Methods that are checkpoints: which is best, which are not told apart, where copying sets in, and what is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from nearid_cli.evaluate.compare import compare
from nearid_cli.results import Curve, ScoreResult
from tests.comparing import mirrored, scored, unscored


def run(
    mean: float,
    subjects: int = 10,
    seed: int = 0,
    copied: int = 0,
    noise: float = 0.01,
    gens: int = 4,
    **more: float,
) -> ScoreResult:
    """One checkpoint by `nearid`; by `clip` too, where its mean is given."""
    base = np.random.default_rng(99).normal(0, 0.05, subjects)
    random = np.random.default_rng(seed)
    names = ("nearid", *more)
    own = np.array([mean, *more.values()])
    values = own + base[:, None, None] + random.normal(0, noise, (subjects, gens, len(names)))
    return scored({f"s{i}": one for i, one in enumerate(values)}, names, copied=copied)


def runs(means: Sequence[float], **more: float) -> dict[str, ScoreResult]:
    return {f"checkpoint-{500 * (i + 1)}": run(mean, seed=i, **more) for i, mean in enumerate(means)}


def curve_of(results: Mapping[str, ScoreResult]) -> Curve:
    (curve,) = compare(results).curves
    return curve


def nearly(result: ScoreResult, share: float, metric: str = "nearid", seed: int = 0) -> ScoreResult:
    """The result with so many near copies among its generations."""
    random = np.random.default_rng(seed)
    near = {image.path for image in result.images if image.copy_of is None and random.random() < share}
    images = tuple(
        replace(image, near_copy_of={metric: "1.png"}) if image.path in near else image
        for image in result.images
    )
    subjects = tuple(
        replace(
            one,
            scores={
                name: replace(
                    scores,
                    near_copies=sum(image.subject == one.subject and image.path in near for image in images)
                    if name == metric
                    else None,
                )
                for name, scores in one.scores.items()
            },
        )
        for one in result.subjects
    )
    return replace(result, images=images, subjects=subjects)


def test_the_planted_best_is_named_with_its_neighbours() -> None:
    curve = curve_of(runs([0.4, 0.5, 0.6, 0.7, 0.6, 0.5]))
    assert curve.best == curve.earliest == "checkpoint-2000"
    assert (curve.alike, curve.copying_from) == ((), None)
    assert curve.answer.startswith("By nearid, step 2000 scores best of all 6 checkpoints, 0.695 [")
    assert "its neighbours 1500 and 2500 and all others are shown to be worse" in curve.answer
    assert "last checkpoint" not in curve.answer


def test_differences_are_those_of_a_comparison_with_the_best_as_baseline() -> None:
    result = compare(runs([0.5, 0.52, 0.55, 0.54, 0.5], noise=0.03))
    assert result.baseline == result.curves[0].best
    own = {(one.metric, one.method): one for one in result.curves[0].differences}
    assert len(own) == len(result.comparisons)
    for one in result.comparisons:
        found = own[one.metric, one.method]
        assert (found.delta, found.ci95, found.p_adjusted, found.verdict) == (
            one.delta,
            one.ci95,
            one.p_adjusted,
            one.verdict,
        )


def test_another_baseline_changes_nothing_about_the_best() -> None:
    results = runs([0.4, 0.6, 0.59, 0.5], noise=0.03)
    named = compare(results, baseline="checkpoint-500").curves
    assert named == compare(results).curves


def test_the_earliest_in_a_row_that_is_not_shown_to_be_worse() -> None:
    curve = curve_of(runs([0.4, 0.601, 0.600, 0.612, 0.45], noise=0.05))
    assert curve.best == "checkpoint-2000"
    assert curve.alike == ("checkpoint-1000", "checkpoint-1500")
    assert curve.earliest == "checkpoint-1000"
    behind = curve.difference("checkpoint-1000", "nearid")
    assert behind is not None
    assert behind.ci95 is not None
    assert f"not shown to be worse: 1000, at most {-behind.ci95[0]:.3f} behind (95 %)" in curve.answer


def test_where_nothing_is_shown_no_earlier_one_is_preferred() -> None:
    curve = curve_of(runs([0.58, 0.6, 0.59, 0.61], subjects=3))
    assert curve.earliest == curve.best
    assert "no other is shown to differ from it: too few subjects" in curve.answer
    assert "earliest" not in curve.answer


def test_the_last_one_is_rising_only_if_shown() -> None:
    assert curve_of(runs([0.4, 0.5, 0.6, 0.7])).answer.endswith(
        "still rising at the last checkpoint: train longer"
    )
    flat = curve_of(runs([0.4, 0.6, 0.6, 0.601], noise=0.05, subjects=7)).answer
    assert "train longer" not in flat


def test_copies_are_left_out_and_their_onset_is_named() -> None:
    results = runs([0.4, 0.5, 0.6, 0.55, 0.5])
    copied = {f"checkpoint-{step}": run(0.9, seed=step, copied=40) for step in (3000, 3500)}
    curve = curve_of(results | copied)
    assert (curve.best, curve.copying_from) == ("checkpoint-1500", "checkpoint-3000")
    assert [one.left_out for one in curve.points] == [False] * 5 + [True] * 2
    assert curve.raised_by_copies == ("checkpoint-3000", "checkpoint-3500")
    assert "best of the 5 of 7 checkpoints that do not copy" in curve.answer
    assert (
        "copying sets in at step 3000: 80 of 80 generations copy a reference from there on, 0 of 200 before"
        in curve.answer
    )
    assert "3000 and 3500 score higher only with their copies" in curve.answer


def test_copies_that_are_not_why_a_score_is_higher_are_not_said_to_be() -> None:
    results = runs([0.4, 0.5, 0.6]) | {"checkpoint-2000": run(0.8, copied=4)}
    curve = curve_of(results)
    assert curve.copying_from == "checkpoint-2000"
    assert curve.raised_by_copies == ()


def test_one_that_copies_among_others_is_no_onset() -> None:
    results = runs([0.4, 0.5, 0.6, 0.5, 0.5]) | {"checkpoint-1000": run(0.9, copied=40)}
    curve = curve_of(results)
    assert (curve.best, curve.copying_from) == ("checkpoint-1500", None)
    assert "1000 copies, and not all that come after" in curve.answer


def test_where_all_copy_none_is_chosen() -> None:
    curve = curve_of(
        {name: run(0.9, seed=i, copied=40) for i, name in enumerate(("step_1", "step_2", "step_3"))}
    )
    assert (curve.best, curve.copying_from, curve.differences) == (None, "step_1", ())
    assert curve.answer == "By nearid, every checkpoint copies references, so that none can be chosen"


def test_near_copies_set_in_where_they_are_planted() -> None:
    means = [0.4, 0.5, 0.6, 0.55, 0.5, 0.7, 0.7, 0.7]
    shares = [0.02, 0.05, 0.05, 0.05, 0.02, 0.95, 0.9, 1]
    results = {
        name: nearly(one, share, seed=i)
        for i, ((name, one), share) in enumerate(zip(runs(means).items(), shares, strict=True))
    }
    curve = curve_of(results)
    assert (curve.best, curve.copying_from, curve.near_copies_from) == (
        "checkpoint-1500",
        "checkpoint-3000",
        None,
    )
    assert "copy or nearly copy a reference from there on" in curve.answer
    assert all(one.near_copies is not None for one in curve.points)


def test_near_copies_as_frequent_as_chance_may_make_them_are_not_called_copying() -> None:
    shares = [0.0, 0.0, 0.0, 0.35, 0.3, 0.35]  # of four references, faithful generations have up to 0.4
    results = {
        name: nearly(one, share, seed=i)
        for i, ((name, one), share) in enumerate(
            zip(runs([0.4, 0.5, 0.6, 0.62, 0.62, 0.62]).items(), shares, strict=True)
        )
    }
    curve = curve_of(results)
    assert (curve.copying_from, curve.near_copies_from) == (None, "checkpoint-2000")
    assert not any(one.left_out for one in curve.points)
    assert "near copies are more frequent from step 2000 on" in curve.answer
    assert "as many as faithful generations may have" in curve.answer


def text_run(identity: float, clip: float, seed: int) -> ScoreResult:
    result = run(identity, seed=seed, clip=clip)
    metrics = tuple(replace(one, against="prompts") if one.name == "clip" else one for one in result.metrics)
    return replace(result, metrics=metrics)


def test_text_that_falls_while_identity_rises_is_said() -> None:
    pairs = [(0.4, 0.35), (0.5, 0.33), (0.6, 0.3), (0.7, 0.25)]
    curve = curve_of({f"step_{i + 1}": text_run(*pair, i) for i, pair in enumerate(pairs)})
    assert "while identity rises, clip falls from 0.347 at step 1 to 0.244" in curve.answer
    assert "not shown" not in curve.answer
    flat = curve_of({f"step_{i + 1}": text_run(one, 0.3 + 0.01 * i, i) for i, (one, _) in enumerate(pairs)})
    assert "while identity" not in flat.answer


def test_a_distance_is_best_where_it_is_lowest() -> None:
    results = {name: mirrored(one) for name, one in runs([0.4, 0.5, 0.7, 0.6]).items()}
    curve = curve_of(results)
    assert curve.best == "checkpoint-1500"
    assert "are shown to be worse" in curve.answer


def test_several_trainings_are_several_curves_beside_other_methods() -> None:
    results = {
        f"{who}/checkpoint-{i}": run(mean, seed=i)
        for who, means in (("a", (0.4, 0.6, 0.5)), ("b", (0.5, 0.6, 0.7)))
        for i, mean in enumerate(means, 1)
    }
    result = compare(results | {"real": run(0.8)})
    assert [(one.name, one.best) for one in result.curves] == [
        ("a", "a/checkpoint-2"),
        ("b", "b/checkpoint-3"),
    ]
    assert result.curves[0].answer.startswith("a: by nearid, step 2 scores best of all 3 checkpoints")


def test_a_hole_is_a_hole() -> None:
    """A checkpoint without a number is neither best nor worst, and breaks nothing."""
    results = runs([0.4, 0.5, 0.6, 0.5])
    hole = results["checkpoint-1000"]
    results["checkpoint-1000"] = unscored(hole, [one.path for one in hole.images], ["nearid"])
    results = {
        name: replace(one, metrics=(replace(one.metrics[0], kind="pairwise"),))
        for name, one in results.items()
    }
    curve = curve_of(results)
    assert curve.best == "checkpoint-1500"


def test_equal_ones_are_said_to_be() -> None:
    curve = curve_of({f"step_{i}": run(0.5) for i in range(4)})
    assert (curve.best, curve.earliest) == ("step_0", "step_0")
    assert curve.answer.endswith("all others are the same on every subject")


def test_what_cannot_be_compared_is_not_said_to_be_alike() -> None:
    results = runs([0.4, 0.5, 0.6, 0.5])
    hole = results["checkpoint-1000"]
    results["checkpoint-1000"] = unscored(hole, [one.path for one in hole.images], ["nearid"])
    results = {
        name: replace(one, metrics=(replace(one.metrics[0], kind="pairwise"),))
        for name, one in results.items()
    }
    curve = curve_of(results)
    assert curve.alike == ()
    assert "1000 cannot be compared with it" in curve.answer


def test_another_metric_that_shows_otherwise_disagrees() -> None:
    means = [(0.4, 0.9), (0.5, 0.8), (0.6, 0.7)]
    curve = curve_of({f"step_{i}": run(own, seed=i, hog=other) for i, (own, other) in enumerate(means)})
    assert "hog disagrees: by it 0 and 1 are shown to be better" in curve.answer


def test_methods_that_are_no_checkpoints_have_no_curve() -> None:
    result = compare({"ours": run(0.5), "theirs": run(0.6), "others": run(0.7)})
    assert result.curves == ()
    assert "curves" not in result.to_dict()


def test_what_is_no_sequence_is_a_remark() -> None:
    result = compare({"step_1": run(0.5), "step_2": run(0.6), "epoch_3": run(0.7)})
    assert result.curves == ()
    assert any("mix steps and epochs" in line for line in result.remarks)


@pytest.mark.parametrize("subjects", [1, 2])
def test_one_subject_shows_nothing(subjects: int) -> None:
    curve = curve_of(runs([0.4, 0.5, 0.9, 0.5], subjects=subjects))
    assert curve.best == "checkpoint-1500"
    assert "is shown" not in curve.answer.replace("no other is shown", "")
