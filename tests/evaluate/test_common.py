"""Ranks over what all methods have: a star never contradicts the test, and what is not comparable is not shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nearid_cli.evaluate.compare import compare
from nearid_cli.metrics.intervals import mean_interval, ratio_interval
from nearid_cli.reports.formats.data import to_json
from nearid_cli.results import ScoreResult
from nearid_cli.results.reading import read_result
from tests.comparing import METRICS, scored

ONE = METRICS[:1]
ROUGH = "intervals over {} subjects are rough: they rest on an assumed shape more than on the scores"


def prompted(generations: Mapping[str, Mapping[str, Sequence[float]]]) -> ScoreResult:
    """Subjects -> prompts -> scores of seeds."""
    flat = {subject: [s for own in prompts.values() for s in own] for subject, prompts in generations.items()}
    told = {
        subject: [prompt for prompt, own in prompts.items() for _ in own]
        for subject, prompts in generations.items()
    }

    def image(subject: str, i: int) -> dict[str, Any]:
        return {"path": f"{subject}/{i}.png", "prompt": told[subject][i]}

    return scored(flat, ONE, image=image)


def named(generations: Mapping[str, Mapping[str, float]]) -> ScoreResult:
    """Subjects -> file names -> scores."""
    files = {subject: list(own) for subject, own in generations.items()}
    flat = {subject: list(own.values()) for subject, own in generations.items()}
    return scored(flat, ONE, image=lambda subject, i: {"path": f"{subject}/{files[subject][i]}.png"})


def some(random: np.random.Generator, items: Sequence[str]) -> list[str]:
    """Most of them, at least one."""
    return [item for item in items if random.random() < 0.8] or [items[0]]


def world(kind: str, random: np.random.Generator, methods: Sequence[str]) -> dict[str, ScoreResult]:
    """Methods that each lack some subjects, and some prompts or files of others; some of these are hard for all."""
    subjects = [f"s{i}" for i in range(10)]
    parts = [f"part {i}" for i in range(4)]
    hard = {subject: random.normal(0.6, 0.15) for subject in subjects}
    harder = {part: random.normal(0, 0.1) for part in parts}
    found = {}
    for method in methods:
        shift = random.normal(0, 0.02)
        scores = {
            subject: {
                part: [
                    float(hard[subject] + harder[part] + shift + random.normal(0, 0.01))
                    for _ in range(random.integers(1, 3))
                ]
                for part in some(random, parts)
            }
            for subject in some(random, subjects)
        }
        if kind == "prompts":
            found[method] = prompted(scores)
        elif kind == "names":
            found[method] = named(
                {s: {part: values[0] for part, values in own.items()} for s, own in scores.items()}
            )
        else:
            found[method] = scored(
                {s: [v for values in own.values() for v in values] for s, own in scores.items()},
                ONE,
                image=lambda s, i, m=method: {"path": f"{s}/{m}{i}.png"},
            )
    return found


@pytest.mark.parametrize("kind", ["prompts", "names", "all"])
def test_of_two_methods_the_star_is_at_the_one_that_the_test_favours(kind: str) -> None:
    random = np.random.default_rng(0)
    judged = 0
    for _ in range(60):
        result = compare(world(kind, random, "ab"))
        if not result.common_subjects:
            continue
        (one,) = result.comparisons
        method, baseline = result.methods[one.method], result.methods[one.baseline]
        assert one.subjects == len(result.common_subjects)
        assert one.delta == pytest.approx(
            method.common["nearid"].score - baseline.common["nearid"].score, abs=1e-12
        )
        assert one.delta <= 1e-9, "the baseline is the best"
        assert (method.ranks["nearid"] == 1) == (one.delta > -1e-9)
        assert one.verdict != "better"
        judged += one.verdict == "worse"
    assert judged > 5


def test_a_method_without_the_hard_subjects_or_prompts_is_not_above_one_that_beats_it() -> None:
    random = np.random.default_rng(1)
    subjects, prompts = [f"s{i:02d}" for i in range(12)], ["easy", "usual", "hard"]
    base = {s: {p: 0.9 - 0.02 * i - 0.1 * j for j, p in enumerate(prompts)} for i, s in enumerate(subjects)}

    def method(shift: float, subjects: Sequence[str], prompts: Sequence[str]) -> ScoreResult:
        return prompted(
            {s: {p: base[s][p] + shift + random.normal(0, 0.004, 3) for p in prompts} for s in subjects}
        )

    for _ in range(10):
        methods = {
            "no hard prompt": method(-0.02, subjects, prompts[:2]),
            "whole": method(0, subjects, prompts),
            "no hard subject": method(-0.02, subjects[:8], prompts),
            "also whole": method(-0.04, subjects, prompts),
        }
        own = {name: one.aggregate["nearid"].score for name, one in methods.items()}
        assert own["whole"] < min(own["no hard prompt"], own["no hard subject"]), (
            "by own means it would not be first"
        )
        result = compare(methods)
        assert {name: result.methods[name].ranks["nearid"] for name in methods} == {
            **dict.fromkeys(methods, 2),
            "whole": 1,
            "also whole": 4,
            "no hard prompt": result.methods["no hard prompt"].ranks["nearid"],
            "no hard subject": result.methods["no hard subject"].ranks["nearid"],
        }
        assert result.baseline == "whole"
        assert {one.verdict for one in result.comparisons} == {"worse"}
        assert (len(result.common_subjects), result.common_prompts) == (8, 16)


def test_numbers_over_the_common_subjects_are_those_of_the_subjects() -> None:
    whole = scored({f"s{i}": [0.5 + 0.03 * i] for i in range(6)}, ONE)
    scores = {
        "s1": (0.8, 0.2, 1.0), "s2": (0.7, 0.3, 0.5), "s3": (0.9, 0.1, 0.75), "s4": (0.85, 0.25, 1.0),
    }  # fmt: skip

    def with_context(result: ScoreResult) -> ScoreResult:
        def numbers(name: str, one: Any) -> Any:
            ceiling, floor, identified = scores.get(name, (0.5, 0.4, 0.0))
            return replace(one, ceiling=ceiling, floor=floor, identification=identified)

        subjects = [
            replace(s, scores={m: numbers(s.subject, one) for m, one in s.scores.items()})
            for s in result.subjects
        ]
        return replace(result, subjects=tuple(subjects))

    part = scored({s: [0.6] for s in scores}, ONE)
    part = replace(part, inputs=replace(part.inputs, strangers=("s0", "s5")))
    result = compare({"whole": with_context(whole), "part": with_context(part)})
    assert result.common_subjects == tuple(scores)
    common = result.methods["whole"].common["nearid"]
    ceilings, floors, identified = map(np.array, zip(*scores.values(), strict=True))
    own = np.array([0.53, 0.56, 0.59, 0.62])
    assert common.score == pytest.approx(own.mean())
    assert common.ci95 == pytest.approx(mean_interval(own))
    assert (common.ceiling, common.floor) == pytest.approx((ceilings.mean(), floors.mean()))
    assert common.identification == pytest.approx(identified.mean())
    assert common.retention == pytest.approx((own - floors).sum() / (ceilings - floors).sum())
    assert common.retention_ci95 == pytest.approx(ratio_interval(own - floors, ceilings - floors))
    assert result.remarks == ("ranked over what all ranked methods have: 4 of 6 subjects", ROUGH.format(4))


def test_a_retention_that_score_does_not_give_compare_does_not_give_either() -> None:
    whole = scored({f"s{i}": [0.5] for i in range(4)}, ONE)
    noise = replace(whole.aggregate["nearid"], retention=None, retention_ci95=None)
    (one, other) = compare({"one": whole, "noisy": replace(whole, aggregate={"nearid": noise})}).methods
    assert one.common["nearid"].retention == pytest.approx(0.5)
    assert other.common["nearid"].retention is None


def test_no_end_of_an_interval_is_beyond_1() -> None:
    high = scored({"a": [0.7], "b": [0.99], "c": [0.99], "d": [0.99]}, ONE)
    (one, _) = compare({"one": high, "same": high}).methods
    assert mean_interval([0.7, 0.99, 0.99, 0.99])[1] > 1
    assert one.common["nearid"].ci95[1] == 1


def test_other_strangers_give_no_floor_side_by_side() -> None:
    whole = scored({f"s{i}": [0.5] for i in range(4)}, ONE)
    part = scored({f"s{i}": [0.6] for i in range(3)}, ONE)
    result = compare({"whole": whole, "part": part})
    for method in result.methods:
        common = method.common["nearid"]
        assert (common.floor, common.retention, common.identification) == (None, None, None)
        assert common.ceiling == 0.9
    assert result.remarks[1].endswith("scored against other strangers")


def test_prompts_that_are_left_out_take_the_floor_with_them() -> None:
    a = prompted({"a": {"x": [0.5], "y": [0.4]}, "b": {"x": [0.5]}, "c": {"x": [0.5]}})
    b = prompted({s: {"X.": [0.6]} for s in "abc"})
    result = compare({"a": a, "b": b})
    assert result.common_prompts == 3
    assert [one.common["nearid"].score for one in result.methods] == pytest.approx([0.5, 0.6])
    assert result.methods["a"].common["nearid"].floor is None
    assert result.remarks == (
        "ranked over what all ranked methods have: 3 subjects and 3 prompts",
        "no floor, retention or identification side by side: they are known over all generations of a subject only",
        ROUGH.format(3),
    )


def test_without_a_common_subject_nothing_is_ranked(tmp_path: Path) -> None:
    methods = {
        "x": scored({"a": [0.9], "b": [0.8], "of x": [0.7], "of x alone": [0.7]}, ONE),
        "y": scored({"c": [0.2]}, ONE),
        "z": scored({"b": [0.1], "c": [0.3]}, ONE),
    }
    result = compare(methods)
    assert [one.ranks for one in result.methods] == [{"nearid": None}] * 3
    assert [one.common for one in result.methods] == [{}] * 3
    assert (result.common_subjects, result.common_prompts) == ((), 0)
    assert result.baseline == "z", "it has a subject in common with each of the others"
    assert result.remarks[0].startswith("no subject is common to all ranked methods, so none is ranked")
    assert all(one.p_adjusted == max(one.p_holm, 1.0) for one in result.comparisons)
    (tmp_path / "c.json").write_text(to_json(result))
    assert read_result(tmp_path / "c.json") == result


def test_a_copier_narrows_nothing_and_stands_beside_only_with_all_of_it() -> None:
    honest = {
        name: scored({s: [score] for s in "abcd"}, ONE) for name, score in (("good", 0.8), ("bad", 0.5))
    }
    copiers = {
        "whole copier": scored({s: [0.9] for s in "abcd"}, ONE, copied=4),
        "part copier": scored({s: [0.99] for s in "ab"}, ONE, copied=2),
    }
    result = compare({**honest, **copiers})
    assert result.common_subjects == tuple("abcd")
    assert [one.ranks["nearid"] for one in result.methods] == [1, 2, None, None]
    assert [bool(one.common) for one in result.methods] == [True, True, True, False]
    assert compare(honest).remarks == result.remarks == (ROUGH.format(4),)
    five = {name: scored({s: [0.5] for s in "abcde"}, ONE) for name in "xy"}
    assert compare(five).remarks == ()


def test_ranks_do_not_depend_on_the_order_of_methods() -> None:
    random = np.random.default_rng(5)
    for kind in ("prompts", "names", "all"):
        methods = world(kind, random, "abcd")
        result, back = compare(methods), compare(dict(reversed(methods.items())))
        assert sorted(result.common_subjects) == sorted(back.common_subjects)
        assert result.common_prompts == back.common_prompts
        for name in methods:
            assert result.methods[name].ranks == back.methods[name].ranks
            assert {m: one.score for m, one in result.methods[name].common.items()} == pytest.approx(
                {m: one.score for m, one in back.methods[name].common.items()}
            )
