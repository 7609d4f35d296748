"""What may be said of a difference: the words for every case, and p-values that allow for all that was looked at."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nearid_cli.evaluate.compare import compare
from nearid_cli.evaluate.differences import Unjudged, judged, verdict
from nearid_cli.metrics.intervals import studentised_test
from nearid_cli.results import CompareResult, Comparison, ScoreResult
from tests.comparing import random_methods, scored


def comparison(**changes: object) -> Comparison:
    known: dict[str, object] = {
        "metric": "nearid",
        "method": "a",
        "baseline": "b",
        "subjects": 30,
        "pairs": 90,
        "delta": 0.01,
        "ci95": (-0.01, 0.03),
        "p": 0.3,
        "p_holm": 0.6,
        "exact": False,
        "wins": 16,
        "ties": 0,
        "losses": 14,
        "detectable": 0.021,
        "deltas": {},
        "p_studentised": 0.3,
        "p_adjusted": 0.6,
    }
    return Comparison(**known | changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "no difference shown; at most 0.030 either way (95 %)"),
        ({"ci95": (-0.04, 0.01)}, "no difference shown; at most 0.040 either way (95 %)"),
        ({"ci95": None}, "no difference shown"),
        ({"p": 0.001, "p_holm": 0.003, "p_adjusted": 0.004}, "better"),
        ({"p": 0.001, "p_holm": 0.003, "p_adjusted": 0.004, "delta": -0.01}, "worse"),
        (
            {"p_holm": 0.04, "p_adjusted": 0.05, "p": 0.02},
            "not shown: the best of several may look so by chance",
        ),
        ({"p": 0.03, "p_holm": 0.09}, "not shown: one of 3 comparisons may look so by chance"),
        (
            {"delta": 0.0, "p": 1.0, "p_holm": 1.0, "wins": 0, "ties": 30, "losses": 0},
            "the same on every subject",
        ),
        (
            {"subjects": 0, "delta": None, "p": None, "p_holm": None, "p_adjusted": None},
            "no subject in common",
        ),
    ],
)
def test_verdicts(changes: dict[str, object], expected: str) -> None:
    assert verdict(comparison(**changes), tested=3, studentised=0.03) == expected


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([], "better"),
        (
            [0.3],
            "too few subjects to show a difference; it takes 7",
        ),  # 2 * 2 / 2^6 is above 0.05, 2 * 2 / 2^7 below
        ([0.3, 0.4, 0.5, 0.6], "too few subjects to show a difference; it takes 8"),
        ([0.001], "better"),  # which counts no more: Holm steps down
    ],
)
def test_how_many_subjects_it_takes(others: list[float], expected: str) -> None:
    """Six subjects, all better: p is 2 / 2^6."""
    six = comparison(subjects=6, exact=True, p=2**-5, p_studentised=0.001)
    more = [comparison(method=f"m{i}", subjects=30, p=p, p_studentised=0.001) for i, p in enumerate(others)]
    assert judged([*map(Unjudged, (six, *more))])[0].verdict == expected


def test_a_mean_that_rests_on_few_subjects() -> None:
    one = comparison(p=0.01, p_holm=0.03, p_adjusted=0.06)
    assert verdict(one, tested=3, studentised=0.06) == "not shown: rests on a few subjects"


def test_a_method_that_copies_is_not_judged() -> None:
    copier = comparison(p=0.001, p_holm=None, p_adjusted=None)
    assert verdict(copier, tested=3, copier="a") == "not judged: it copies"
    assert verdict(comparison(), tested=3, copier="b") == "not judged: the baseline copies"


def p_values(result: CompareResult) -> dict[tuple[str, str], Any]:
    return {
        (one.metric, one.method): (one.p, one.p_holm, one.p_adjusted, one.verdict)
        for one in result.comparisons
    }


@pytest.mark.parametrize("baseline", [None, "a"])
def test_a_method_that_copies_changes_nothing_for_the_others(baseline: str | None) -> None:
    methods = random_methods({"a": 0.01, "b": 0.005, "c": 0.0}, 6)
    copier = scored({f"subject {i}": [0.99] * 4 for i in range(6)}, copied=24)
    alone, beside = compare(methods, baseline), compare({**methods, "copier": copier}, baseline)
    found = p_values(beside)
    assert p_values(alone).items() <= found.items()
    for metric in ("nearid", "hog"):
        assert found[metric, "copier"][1:] == (None, None, "not judged: it copies")
        assert found[metric, "copier"][0] == 2**-5


def asked(result: ScoreResult, *prompts: str) -> ScoreResult:
    """The same generations, asked for these prompts in turn."""
    images = [replace(one, prompt=prompts[i % len(prompts)]) for i, one in enumerate(result.images)]
    return replace(result, images=tuple(images))


@pytest.mark.parametrize("baseline", [None, "a"])
def test_prompts_that_differ_are_not_judged_and_change_nothing_for_the_others(baseline: str | None) -> None:
    methods = {
        name: asked(one, "on beach", "in snow", "at sea", "at home")
        for name, one in random_methods({"a": 0.02, "b": 0.005, "c": 0.0}, 6).items()
    }
    other = {"other": asked(random_methods({"other": -0.1}, 6)["other"], "in bed", "on sofa")}
    alone, beside = compare(methods, baseline), compare({**methods, **other}, baseline)
    found = p_values(beside)
    assert p_values(alone).items() <= found.items()
    for one in beside.comparisons:
        if one.method == "other":
            assert (one.p, one.p_holm, one.p_adjusted) == (2**-5, None, None)
            assert (one.verdict, one.shown) == ("not judged: no prompt in common", False)
            assert one.delta is not None
            assert one.delta < -0.05


def test_nothing_is_judged_where_no_prompt_is_in_common_at_all() -> None:
    """Nor is a tie one."""
    found = {
        name: asked(one, prompt)
        for (name, one), prompt in zip(
            random_methods({"a": 0.1, "b": 0.0, "c": 0.0}, 8).items(),
            ("on a beach", "in snow", "at sea"),
            strict=True,
        )
    }
    found["d"] = asked(found["a"], "at night")
    for baseline in (None, "a", "c"):
        result = compare(found, baseline)
        assert {one.verdict for one in result.comparisons} == {"not judged: no prompt in common"}
    copier = replace(scored({f"subject {i}": [0.99] * 4 for i in range(8)}, copied=32))
    (one, _) = compare({"a": found["a"], "copier": asked(copier, "in bed")}, "a").comparisons
    assert one.verdict == "not judged: it copies"


def test_six_subjects_are_enough_with_a_copier_beside() -> None:
    shifts = np.array([0.011, 0.012, 0.013, 0.01, 0.014, 0.012])
    methods = {
        "base": scored({f"s{i}": [0.5] for i in range(6)}),
        "bad": scored({f"s{i}": [0.5 - shift] for i, shift in enumerate(shifts)}),
        "copier": scored({f"s{i}": [0.99] for i in range(6)}, copied=6),
    }
    one = next(one for one in compare(methods, "base").comparisons if one.method == "bad")
    assert (one.p, one.p_holm, one.verdict) == (2**-5, 2**-5, "worse")


def test_adjusted_is_the_largest_of_three() -> None:
    """Against the definitions written out: Holm twice, and the largest of all pairs after each of 2^n sign flips."""
    methods = random_methods({"a": 0.02, "b": 0.0, "c": 0.015}, 9, seed=3)
    result = compare(methods)
    table = {
        name: np.array([s.scores["nearid"].score for s in one.subjects]) for name, one in methods.items()
    }
    pairs = list(itertools.combinations(table, 2))
    columns = np.array([table[a] - table[b] for a, b in pairs])
    columns /= np.sqrt((columns**2).sum(axis=1, keepdims=True))
    signs = np.array(list(itertools.product((-1, 1), repeat=9)))
    largest = np.abs(signs @ columns.T).max(axis=1)
    own = [one for one in result.comparisons if one.metric == "nearid"]
    studentised = {one.method: studentised_test(list(one.deltas.values())) for one in own}
    for one in own:
        pair = next(i for i, pair in enumerate(pairs) if set(pair) == {one.method, one.baseline})
        picked = float((largest >= abs(columns[pair].sum()) - 1e-12).mean())
        holms = []
        for values in (studentised, {other.method: other.p for other in own}):
            low, high = sorted(values.values())
            holms.append(2 * low if values[one.method] == low else max(2 * low, high))
        assert one.p_studentised == pytest.approx(studentised[one.method])
        assert one.p_adjusted == pytest.approx(min(1, max(*holms, picked)))
    named = compare(methods, baseline=result.baseline)
    pairs_of_p = [
        (one.p_adjusted, other.p_adjusted)
        for one, other in zip(named.comparisons, result.comparisons, strict=True)
    ]
    assert all(before <= picked for before, picked in pairs_of_p)
    assert any(before < picked for before, picked in pairs_of_p), (
        "a baseline that was named before needs no adjustment for being the best"
    )


def test_two_methods_are_one_pair() -> None:
    methods = random_methods({"a": 0.02, "b": 0.0}, 9)
    (best,), (named,) = (
        [one for one in compare(methods, baseline).comparisons if one.metric == "nearid"]
        for baseline in (None, "a")
    )
    assert (best.baseline, best.p_adjusted) == ("a", named.p_adjusted)
