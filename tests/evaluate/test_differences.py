"""How a method is compared with the baseline: what of one is put beside what of the other."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nearid_cli.evaluate.compare import compare
from nearid_cli.reports.formats.data import to_json
from nearid_cli.results import CompareResult, Comparison, Pairing, ScoreResult
from nearid_cli.results.reading import read_result
from tests.comparing import scored

Prompted = Mapping[str, Mapping[str, Sequence[float]]]
"""Subject -> prompt -> scores."""


def prompted(subjects: Prompted, seed: int = 0) -> ScoreResult:
    every = {
        name: [(prompt, i, score) for prompt, scores in own.items() for i, score in enumerate(scores)]
        for name, own in subjects.items()
    }

    def image(name: str, i: int) -> dict[str, Any]:
        prompt, number, _ = every[name][i]
        return {
            "path": f"{name}/{prompt}/{number + seed}.png",
            "prompt": prompt,
            "seed": str(number + seed),
        }

    return scored({name: [score for *_, score in own] for name, own in every.items()}, image=image)


def named(subjects: Mapping[str, Mapping[str, float]]) -> ScoreResult:
    names = {name: list(own) for name, own in subjects.items()}
    return scored(
        {name: list(own.values()) for name, own in subjects.items()},
        image=lambda name, i: {"path": f"{name}/{names[name][i]}.png"},
    )


def only(result: CompareResult) -> Comparison:
    one, _ = result.comparisons
    return one


def test_seeds_are_averaged_within_prompts_and_prompts_within_subjects() -> None:
    a = prompted({"cat": {"beach": [0.9, 0.5, 0.1], "sofa": [0.2]}})
    b = prompted({"cat": {"beach": [0.7], "Sofa.": [0.4, 0.6]}}, seed=100)
    one = only(compare({"a": a, "b": b}, "a"))
    assert one.delta == pytest.approx(((0.7 - 0.5) + (0.5 - 0.2)) / 2)
    assert (one.subjects, one.prompts, one.pairs, one.unpaired) == (1, 2, 0, 0)
    assert one.pairing == Pairing(by_prompt=1)


def test_a_missing_hard_prompt_makes_nobody_better() -> None:
    """Both are equally good; `easy` was not asked for the hard prompt, in which everybody loses 0.3."""
    random = np.random.default_rng(0)

    def methods(prompts: Sequence[str]) -> ScoreResult:
        return prompted(
            {
                f"s{i}": {
                    prompt: (0.8 - 0.3 * (prompt == "in space") + random.normal(0, 0.01, 4)).tolist()
                    for prompt in prompts
                }
                for i in range(12)
            }
        )

    whole, easy = methods(["a", "b", "in space"]), methods(["a", "b"])
    one = only(compare({"easy": easy, "whole": whole}, "whole"))
    assert easy.aggregate["nearid"].score - whole.aggregate["nearid"].score > 0.09
    assert one.delta == pytest.approx(0, abs=0.005)
    assert one.p is not None
    assert one.p > 0.05
    assert (one.prompts, one.unpaired) == (24, 48)
    assert one.pairing.lacking_prompts == {f"s{i}": ("in space",) for i in range(12)}
    assert only(compare({"easy": easy, "whole": whole}, "easy")).pairing.further_prompts == {
        f"s{i}": ("in space",) for i in range(12)
    }


def test_names_that_coincide_by_accident_decide_nothing() -> None:
    """12 of 96 names are in both, and `b` does well on these; over all it is worse on every subject."""
    a = {f"s{i}": {f"a{j}": 0.85 - 0.2 * (j == 0) for j in range(8)} for i in range(12)}
    b = {f"s{i}": {f"{'b' if j else 'a'}{j}": 0.72 + 0.08 * (j == 0) for j in range(8)} for i in range(12)}
    one = only(compare({"a": named(a), "b": named(b)}, "a"))
    assert one.delta == pytest.approx((0.72 + 0.01) - (0.85 - 0.025))
    assert (one.wins, one.losses, one.pairs, one.unpaired) == (0, 12, 0, 0)
    assert one.pairing == Pairing(as_a_whole=12, coinciding=12)


def test_names_that_correspond_for_nearly_all() -> None:
    a = {"cat": {str(j): 0.5 for j in range(11)}}
    b = {"cat": {str(j) if j else "x": 0.4 if j else 0.0 for j in range(11)}}
    one = only(compare({"a": named(a), "b": named(b)}, "a"))
    assert (one.delta, one.pairs, one.unpaired) == (pytest.approx(-0.1), 10, 2)
    assert one.pairing == Pairing(
        by_name=1, alone=("cat/x.png",), baseline_alone=("cat/0.png",), coinciding=10
    )


def test_one_generation_of_one_name_is_a_pair_and_one_common_prompt_decides() -> None:
    """The second generation of `a`, which only it has, says nothing."""
    one = only(compare({"a": named({"cat": {"x": 0.9, "y": 0.1}}), "b": named({"cat": {"x": 0.8}})}, "a"))
    assert (one.delta, one.pairs, one.unpaired) == (pytest.approx(-0.1), 1, 1)
    a, b = prompted({"cat": {"beach": [0.9], "sofa": [0.1]}}), prompted({"cat": {"beach": [0.8]}})
    one = only(compare({"a": a, "b": b}, "a"))
    assert (one.delta, one.prompts, one.unpaired) == (pytest.approx(-0.1), 1, 1)


def test_a_subject_without_a_common_prompt_takes_no_part() -> None:
    a = prompted({"cat": {"beach": [0.9]}, "dog": {"sofa": [0.9]}})
    b = prompted({"cat": {"beach": [0.8]}, "dog": {"beach": [0.1]}})
    one = only(compare({"a": a, "b": b}, "a"))
    assert one.deltas == pytest.approx({"cat": -0.1})
    assert (one.subjects, one.unpaired) == (1, 2)
    assert one.pairing == Pairing(by_prompt=1, apart=("dog",))


def test_prompts_in_other_words_and_prompts_of_one_side_only() -> None:
    a = prompted({"cat": {"a sks cat": [0.9]}, "dog": {"a sks dog": [0.9]}})
    b = prompted({"cat": {"a <v> cat": [0.8]}, "dog": {"a <v> dog": [0.1]}})
    assert only(compare({"a": a, "b": b}, "a")).pairing == Pairing(as_a_whole=2, prompts_differ=True)
    b = named({"cat": {"x": 0.8}, "dog": {"y": 0.1}})
    one = only(compare({"a": a, "b": b}, "a"))
    assert one.pairing == Pairing(as_a_whole=2, unknown_prompts=("cat", "dog"))
    assert one.deltas == pytest.approx({"cat": -0.1, "dog": -0.8})


def test_prompts_with_another_placeholder_are_the_same_prompts() -> None:
    """`b` is as good, and lacks the hard prompt."""
    scores = {"on a beach": 0.8, "in snow": 0.7, "in the dark": 0.2}
    names = [f"s{i}" for i in range(8)]

    def method(token: str, **shown: float) -> ScoreResult:
        return prompted(
            {name: {f"a {token} {name} {where}": [score] for where, score in shown.items()} for name in names}
        )

    easy = {where: score for where, score in scores.items() if where != "in the dark"}
    result = compare({"a": method("sks", **scores), "b": method("<v>", **easy)}, "a")
    one = only(result)
    assert (one.verdict, one.delta) == ("the same on every subject", pytest.approx(0.0))
    assert (one.prompts, one.pairing.by_prompt) == (16, 8)
    assert one.pairing.lacking_prompts["s3"] == ("a sks s3 in the dark",)
    assert (result.common_prompts, {m.ranks["nearid"] for m in result.methods}) == (16, {1})


def test_json_says_what_was_left_out(tmp_path: Path) -> None:
    a = prompted({"cat": {"beach": [0.9], "sofa": [0.5]}, "dog": {"sofa": [0.9]}})
    b = prompted({"cat": {"beach": [0.8]}, "dog": {"sofa": [0.1]}})
    result = compare({"a": a, "b": b}, "a")
    document = json.loads(to_json(result))
    assert document["comparisons"][0]["pairing"] == {"by_prompt": 2, "lacking_prompts": {"cat": ["sofa"]}}
    (tmp_path / "r.json").write_text(to_json(result))
    assert read_result(tmp_path / "r.json") == result
