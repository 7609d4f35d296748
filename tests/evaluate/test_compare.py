"""Methods compared: what is found, against SciPy on differences that the tests take from the JSON themselves."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats

from nearid_cli.errors import InputError, UsageError
from nearid_cli.evaluate.compare import compare
from nearid_cli.reports.formats.data import to_json
from nearid_cli.results import CompareResult, Comparison
from nearid_cli.results.reading import read_result
from tests.comparing import METRICS, metric, random_methods, scored


def found(result: CompareResult, method: str, name: str = "nearid") -> Comparison:
    (one,) = [one for one in result.comparisons if (one.method, one.metric) == (method, name)]
    return one


def own_deltas(document: dict[str, Any], method: str, baseline: str, name: str) -> list[float]:
    """Differences by subject from the generations in the JSON, for generations of equal paths."""
    scores = {
        one["name"]: {image["path"]: image["scores"][name] for image in one["result"]["images"]}
        for one in document["methods"]
    }
    by_subject: dict[str, list[float]] = {}
    for path, score in scores[method].items():
        if path in scores[baseline]:
            by_subject.setdefault(path.split("/")[0], []).append(score - scores[baseline][path])
    return [float(np.mean(values)) for values in by_subject.values()]


def own_holm(p_values: Sequence[float]) -> list[float]:
    """Step by step, as in the paper: reject the smallest at alpha / m, the next at alpha / (m - 1), ..."""
    adjusted, highest = [0.0] * len(p_values), 0.0
    for step, i in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        highest = max(highest, min(1.0, p_values[i] * (len(p_values) - step)))
        adjusted[i] = highest
    return adjusted


@pytest.mark.parametrize("subjects", [4, 10, 30])
def test_statistics_equal_an_independent_computation(subjects: int) -> None:
    result = compare(random_methods({"a": 0.05, "b": 0.045, "c": 0.04, "d": 0.0}, subjects), baseline="a")
    document = json.loads(to_json(result))
    for name in METRICS:
        compared = [one for one in document["comparisons"] if one["metric"] == name]
        assert [one["method"] for one in compared] == ["b", "c", "d"]
        for one in compared:
            deltas = own_deltas(document, one["method"], "a", name)
            assert list(one["deltas"].values()) == pytest.approx(deltas, abs=1e-12)
            assert one["delta"] == pytest.approx(np.mean(deltas), abs=1e-12)
            assert one["exact"] is (subjects <= 12)
            test = scipy.stats.permutation_test(
                (deltas,),
                lambda values, axis: np.abs(np.mean(values, axis=axis)),
                permutation_type="samples",
                alternative="greater",
                vectorized=True,
                n_resamples=np.inf if one["exact"] else 9_999,
                rng=np.random.default_rng(1),
            )
            assert one["p"] == pytest.approx(test.pvalue, abs=1e-12 if one["exact"] else 0.02)
            error = np.std(deltas, ddof=1) / np.sqrt(subjects)
            student = scipy.stats.t.interval(0.95, subjects - 1, loc=np.mean(deltas), scale=error)
            if subjects >= 10:  # with fewer, the correction for skewness may reach far
                assert one["ci95"] == pytest.approx(student, abs=error)
            assert one["ci95"][0] <= student[0] + 1e-9
            assert one["ci95"][1] >= student[1] - 1e-9
            quantiles = scipy.stats.t.ppf(0.975, subjects - 1) + scipy.stats.t.ppf(0.8, subjects - 1)
            wanted = None if subjects < 6 else pytest.approx(quantiles * error, rel=1e-6)
            assert one["detectable"] == wanted
            assert (one["wins"], one["ties"], one["losses"]) == (
                sum(delta > 0 for delta in deltas),
                0,
                sum(delta < 0 for delta in deltas),
            )
        assert [one["p_holm"] for one in compared] == pytest.approx(own_holm([one["p"] for one in compared]))


def test_agreement_equals_scipy() -> None:
    methods = random_methods({"a": 0.1, "b": 0.05, "c": 0.0}, 5)
    result = compare(methods)
    values = {
        "methods": [[one.aggregate[m].score for one in methods.values()] for m in METRICS],
        "subjects": [[s.scores[m].score for one in methods.values() for s in one.subjects] for m in METRICS],
        "images": [[i.scores[m] for one in methods.values() for i in one.images] for m in METRICS],
    }
    assert [one.level for one in result.agreements] == list(values)
    for one in result.agreements:
        a, b = values[one.level]
        assert (one.a, one.b, one.n) == (*METRICS, len(a))
        assert one.kendall == pytest.approx(scipy.stats.kendalltau(a, b).statistic)
        assert one.spearman == pytest.approx(scipy.stats.spearmanr(a, b).statistic)


def test_a_planted_difference_is_found() -> None:
    result = compare(random_methods({"good": 0.03, "bad": 0.0}))
    assert (result.baseline, result.baseline_named) == ("good", False)
    one = found(result, "bad")
    assert one.delta == pytest.approx(-0.03, abs=0.01)
    assert one.p_holm is not None
    assert one.p_holm < 0.01
    assert one.ci95 is not None
    assert one.ci95[1] < 0


def test_two_copies_of_one_method_do_not_differ() -> None:
    (method,) = random_methods({"a": 0.0}).values()
    result = compare({"a": method, "b": method})
    for name in METRICS:
        one = found(result, "b", name)
        assert (one.delta, one.ci95, one.p, one.p_holm) == (0.0, (0.0, 0.0), 1.0, 1.0)
        assert (one.wins, one.ties, one.losses) == (0, 10, 0)
    assert [dict(one.ranks) for one in result.methods] == [{"nearid": 1, "hog": 1}] * 2


def test_the_other_way_round() -> None:
    methods = random_methods({"a": 0.02, "b": 0.0, "c": 0.03})
    one, other = found(compare(methods, "a"), "b"), found(compare(methods, "b"), "a")
    assert one.delta is not None
    assert other.delta == pytest.approx(-one.delta)
    assert other.p == one.p
    assert (other.wins, other.losses) == (one.losses, one.wins)
    assert one.ci95 is not None
    assert other.ci95 == pytest.approx((-one.ci95[1], -one.ci95[0]))


def test_subjects_that_a_method_lacks_are_left_out_and_listed() -> None:
    whole = scored({"cat": [0.9], "dog": [0.7], "mug": [0.5], "hat": [0.1]})
    part = scored({"mug": [0.6], "cat": [0.8], "car": [0.2]})
    result = compare({"whole": whole, "part": part}, "whole")
    one = found(result, "part")
    assert one.deltas == pytest.approx({"mug": 0.1, "cat": -0.1})
    assert (one.subjects, one.pairs, one.delta, one.ci95) == (2, 2, pytest.approx(0.0), None)
    assert [method.lacking for method in result.methods] == [("car",), ("dog", "hat")]


def test_no_subject_in_common() -> None:
    result = compare(
        {"a": scored({"cat": [0.9]}), "b": scored({"dog": [0.9]}), "c": scored({"cat": [0.8]})}, "a"
    )
    one = found(result, "b")
    assert (one.subjects, one.pairs, one.wins, one.ties, one.losses) == (0, 0, 0, 0, 0)
    assert (one.delta, one.ci95, one.p, one.p_holm, one.detectable) == (None,) * 5
    assert found(result, "c").p_holm == 1.0, "adjusted for the one that was tested"


def test_ranks_and_the_best() -> None:
    result = compare(random_methods({"low": 0.0, "high": 0.1, "middle": 0.05}))
    assert [method.name for method in result.methods] == ["low", "high", "middle"], "in the order given"
    assert [method.ranks["nearid"] for method in result.methods] == [3, 1, 2]
    assert result.baseline == "high"


@pytest.mark.parametrize(("apart", "ranks"), [(9e-10, [1, 1, 3]), (1.1e-9, [1, 2, 3])])
def test_scores_that_differ_by_rounding_alone_share_a_rank(apart: float, ranks: list[int]) -> None:
    shifts = {"a": 0.0, "b": -apart, "c": -0.1}
    methods = {name: scored({"cat": [0.7 + shift], "dog": [0.6 + shift]}) for name, shift in shifts.items()}
    assert [one.ranks["nearid"] for one in compare(methods).methods] == ranks


def test_a_method_that_copies_is_flagged_and_not_ranked() -> None:
    honest = random_methods({"a": 0.02, "b": 0.0})
    copying = scored({f"subject {i}": [0.99] * 4 for i in range(10)}, copied=3)
    result = compare({**honest, "copying": copying})
    assert result.baseline == "a"
    assert [(one.copies, one.copying) for one in result.methods] == [(0, False), (0, False), (3, True)]
    assert [one.ranks["nearid"] for one in result.methods] == [1, 2, None]
    one = found(result, "copying")
    assert one.p is not None
    assert one.p < 0.01
    assert (one.p_holm, one.p_adjusted) == (None, None)
    assert found(result, "b").p_holm == found(result, "b").p, "adjusted for one comparison"


def test_the_best_is_the_best_on_the_subjects_that_all_have() -> None:
    base = {f"s{i}": 0.9 - 0.05 * i for i in range(10)}
    whole = scored({subject: [score] for subject, score in base.items()})
    picky = scored({subject: [base[subject] - 0.01] for subject in list(base)[:6]})
    result = compare({"picky": picky, "whole": whole})
    assert (
        result.methods["picky"].result.aggregate["nearid"].score > 0.1 + np.mean(list(base.values())) - 0.02
    )
    assert result.common_subjects == tuple(base)[:6]
    assert [dict(one.ranks) for one in result.methods] == [{"nearid": 2, "hog": 2}, {"nearid": 1, "hog": 1}]
    assert result.baseline == "whole"
    assert found(result, "picky").delta == pytest.approx(-0.01)
    common = {one.name: one.common["nearid"] for one in result.methods}
    assert common["whole"].score - common["picky"].score == pytest.approx(0.01)


def test_a_few_copies_do_not_rule_a_method_out() -> None:
    few = scored({f"subject {i}": [0.99] * 4 for i in range(10)}, copied=2)
    result = compare({"few": few, **random_methods({"a": 0.0})})
    assert (result.baseline, result.methods[0].copies, result.methods[0].copying) == ("few", 2, False)


def test_where_all_methods_copy_all_are_ranked() -> None:
    methods = {name: scored({"cat": [score]}, copied=1) for name, score in (("a", 0.8), ("b", 0.9))}
    result = compare(methods)
    assert [(one.copying, one.ranks["nearid"]) for one in result.methods] == [(True, 2), (True, 1)]
    assert result.baseline == "b"
    assert found(result, "a").p_holm == 1.0


def test_a_planted_disagreement_comes_first() -> None:
    random = np.random.default_rng(0)
    scores = {name: np.repeat(random.uniform(0.4, 0.6, (25, 1)), 2, axis=1) for name in "abc"}
    scores["b"][7] = [0.1, 0.9]  # hog likes it, nearid does not
    scores["c"][9] = [0.95, 0.2]
    scores["a"][3] = [0.42, 0.58]  # less so, and the ranks between move by one
    result = compare({name: scored({"cat": values}) for name, values in scores.items()})
    images = [one for one in result.disagreements if one.level == "images"]
    assert {(one.method, one.path) for one in images[:2]} == {("b", "cat/7.png"), ("c", "cat/9.png")}
    (first,) = [one for one in images if one.method == "b" and one.path == "cat/7.png"]
    assert (first.metric, first.against, first.subject) == ("hog", "nearid", "cat")
    assert (first.rank, first.rank_against, first.difference) == (1.0, 0.0, 1.0)
    sizes = [abs(one.difference) for one in images]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[1] > sizes[2] > sizes[3]


def test_disagreements_are_bounded_in_each_direction() -> None:
    random = np.random.default_rng(0)
    methods = {name: scored({"cat": random.uniform(size=(100, 2))}) for name in "ab"}
    signs = [np.sign(one.difference) for one in compare(methods).disagreements]
    assert (signs.count(1), signs.count(-1)) == (20, 20)


def test_methods_that_metrics_rank_differently() -> None:
    scores = {"a": [0.9, 0.1], "b": [0.5, 0.5], "c": [0.1, 0.9]}
    methods = {name: scored({"cat": [values]}) for name, values in scores.items()}
    every = compare(methods).disagreements
    assert [one.level for one in every] == ["methods"] * 2 + ["images"] * 2
    apart = every[:2]
    assert [(one.method, one.path, one.difference) for one in apart] == [("a", None, -1.0), ("c", None, 1.0)]
    assert [one.level for one in compare({m: methods[m] for m in "ac"}).disagreements] == ["images", "images"]
    fourth = {**methods, "last for both": scored({"cat": [[0.05, 0.05]]})}
    apart = [one for one in compare(fourth).disagreements if one.level == "methods"]
    assert [(one.method, round(3 * one.difference, 9)) for one in apart] == [("a", -2), ("c", 2)]


def test_metrics_that_agree_have_no_disagreements() -> None:
    (method,) = random_methods({"a": 0.0}).values()
    same = replace(
        method,
        images=tuple(replace(one, scores=dict.fromkeys(METRICS, one.scores["hog"])) for one in method.images),
    )
    assert [one for one in compare({"a": same, "b": same}).disagreements if one.level == "images"] == []


def test_some_of_the_metrics_in_another_order() -> None:
    methods = random_methods({"a": 0.1, "b": 0.0})
    result = compare(methods, metrics=["hog", "nearid"])
    assert [one.name for one in result.metrics] == ["hog", "nearid"]
    only = compare(methods, metrics=["hog"])
    assert {one.metric for one in only.comparisons} == {"hog"}
    assert (only.agreements, only.disagreements) == ((), ())
    for method in only.methods:
        assert list(method.result.aggregate) == [one.name for one in method.result.metrics] == ["hog"]
        assert {name for one in method.result.images for name in one.scores} == {"hog"}
        assert {name for one in method.result.subjects for name in one.scores} == {"hog"}
    assert found(only, "b", "hog") == found(result, "b", "hog")


def test_metrics_that_not_all_have() -> None:
    methods = {
        "a": scored({"cat": [0.5]}, ("nearid", "hog", "dino")),
        "b": scored({"cat": [0.5]}, ("hog", "nearid")),
        "c": scored({"cat": [0.5]}, ("hog", "clip-i")),
    }
    with pytest.raises(InputError, match=r"not scored by the same metrics; .* --metric hog\n") as caught:
        compare(methods)
    assert caught.value.details == ("a lacks clip-i", "b lacks dino, clip-i", "c lacks nearid, dino")
    assert [one.name for one in compare(methods, metrics=["hog"]).metrics] == ["hog"]
    with pytest.raises(InputError, match=r"--metric hog\n"):
        compare(methods, metrics=["hog", "dino"])
    with pytest.raises(UsageError, match=r'unknown metric "hgo": did you mean hog\?'):
        compare(methods, metrics=["hgo"])


def test_nothing_in_common() -> None:
    methods = {name: scored({"cat": [0.5]}, (name,)) for name in ("hog", "dino")}
    with pytest.raises(InputError, match="score all of them with the same --metric"):
        compare(methods)


def test_metrics_of_one_name_that_are_not_the_same() -> None:
    a, b = random_methods({"a": 0.1, "b": 0.0}).values()
    other = replace(
        b,
        metrics=(
            metric("nearid", fingerprint="z" * 64, dtype="float16"),
            metric("hog", protocol="best pair"),
        ),
    )
    with pytest.raises(InputError, match="2 metrics not the same as in a; ") as caught:
        compare({"a": a, "same": a, "b": other})
    assert caught.value.details == (
        f"b: nearid has another fingerprint ({'z' * 24}..., not nearidnearidnearid), dtype (float16, not float32)",
        "b: hog has another protocol (best pair, not all pairs)",
    )


def test_long_words_of_metrics_are_told_from_where_they_differ() -> None:
    a, b = random_methods({"a": 0.1, "b": 0.0}).values()
    protocol = "cosine similarity of generation and prompt, {}no factor; mean"
    a, b = (
        replace(one, metrics=(metric("nearid"), metric("hog", protocol=protocol.format(words))))
        for one, words in ((a, ""), (b, "without sks, "))
    )
    with pytest.raises(InputError) as caught:
        compare({"a": a, "b": b})
    assert caught.value.details == (
        "b: hog has another protocol (...without sks, no facto..., not ...no factor; mean)",
    )


def test_one_method_cannot_be_compared() -> None:
    methods = random_methods({"a": 0.1})
    with pytest.raises(InputError, match="two or more methods, found one: a"):
        compare(methods)
    with pytest.raises(InputError, match="two or more methods, found none"):
        compare({})


def test_an_unknown_baseline() -> None:
    with pytest.raises(UsageError, match=r'unknown method "lroa": did you mean lora\?'):
        compare(random_methods({"lora": 0.1, "full": 0.0}), baseline="lroa")


def test_a_baseline_by_name_may_be_any_method() -> None:
    methods = random_methods({"a": 0.1, "b": 0.0})
    copying = scored({f"subject {i}": [0.99] * 4 for i in range(10)}, copied=40)
    result = compare({**methods, "c": copying}, baseline="c")
    assert (result.baseline, result.baseline_named) == ("c", True)
    assert [one.p_holm is None for one in result.comparisons] == [False] * 4
    assert {one.verdict for one in result.comparisons} == {"not judged: the baseline copies"}


def test_other_references_are_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        compare({"a": scored({"cat": [0.5]}), "b": scored({"cat": [0.5]}, references=3)})
    assert caplog.messages == ["b was scored against other references of 1 subject: cat (3, in a 4)"]


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        (("cat/1.jpg", "cat/2.jpg"), 0),
        (("in/a/manifest/2.jpg", "1.jpg"), 0),
        (("cat/1.jpg", "cat/3.jpg"), 1),
        (("<references>/cat/0", "<references>/cat/1"), 0),
        ((), 0),
    ],
)
def test_references_of_other_names(
    paths: tuple[str, ...], said: int, caplog: pytest.LogCaptureFixture
) -> None:
    one = scored({"cat": [0.5]}, references=2)
    (subject,) = one.subjects
    methods = {
        "a": replace(one, subjects=(replace(subject, reference_paths=("cat/1.jpg", "cat/2.jpg")),)),
        "b": replace(one, subjects=(replace(subject, reference_paths=paths),)),
    }
    with caplog.at_level(logging.WARNING):
        compare(methods)
    assert len(caplog.messages) == said


def test_json_loses_nothing(tmp_path: Path) -> None:
    result = compare(random_methods({"a": 0.1, "b\x1b[31m<é>": 0.0, "c": 0.05}))
    (tmp_path / "c.json").write_text(to_json(result), encoding="utf-8")
    assert read_result(tmp_path / "c.json") == result


def test_names_that_no_utf8_file_can_hold() -> None:
    a, b = random_methods({"a": 0.1, "b": 0.0}).values()
    result = compare({"a": a, "b\udcff": b}, baseline="b\udcff")
    assert result.baseline == result.methods[1].name == "b\\xff"
    assert found(result, "a").baseline == "b\\xff"


def test_methods_without_a_common_subject_are_not_compared(nearid, data):
    """Each would be its own winner."""
    for subject in ("cat", "cup"):
        assert (
            nearid("score", f"refs/{subject}", f"gens/{subject}", "-m", "hog", "-o", f"{subject}.json").code
            == 0
        )
    finished = nearid("compare", "cat.json", "cup.json")
    assert finished.code == 2
    assert finished.error.startswith("no two methods have a subject in common")
    assert finished.details == ["cat: cat", "cup: cup"]
    (data / "nearid.toml").write_text('[[gate.rules]]\nmetric = "hog"\nmax_drop = 0.1\n')
    finished = nearid("gate", "cup.json", "--baseline", "cat.json")
    assert finished.code == 2
    assert finished.error.startswith(
        "run and baseline have no subject in common: the run has cup, the baseline cat"
    )


def test_one_subject_from_folders_of_other_names_goes_together(nearid, data):
    """It is called as the references are, whatever the generations' folder."""
    (data / "refs" / "cat").rename(data / "photos")
    for name in ("today", "yesterday"):
        (data / "gens" / ("cat" if name == "today" else "cup")).rename(data / name)
        assert nearid("score", "photos", name, "-m", "hog", "-o", f"{name}.json").code == 0
    finished = nearid("compare", "today.json", "yesterday.json", "--format", "json")
    assert finished.code == 0, finished.err
    assert '"subject": "subject"' in finished.out
