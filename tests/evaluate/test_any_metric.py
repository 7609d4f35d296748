"""Metrics of any direction, scale and kind, and generations that a metric has no number of."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nearid_cli.errors import InputError
from nearid_cli.evaluate.compare import compare
from nearid_cli.metrics.agreement import kendall, spearman
from nearid_cli.reports.conclusion import conclusion_line
from nearid_cli.reports.findings import compare_findings
from nearid_cli.reports.formats.data import to_json
from nearid_cli.results import CompareResult, Comparison, ScoreResult
from nearid_cli.results.reading import read_result
from tests.comparing import METRICS, mirrored, random_methods, scored, unscored

ONE = METRICS[:1]


def by_prompt(subject: str, i: int) -> dict[str, Any]:
    return {"path": f"{subject}/{i}.png", "prompt": f"prompt {i // 2}", "seed": str(i)}


def without(result: ScoreResult, paths: Sequence[str]) -> ScoreResult:
    """The result as if the generations at these paths had never been made."""
    found = unscored(result, paths)
    return replace(
        found,
        images=tuple(image for image in found.images if image.path not in paths),
        subjects=tuple(
            replace(
                one,
                generations=one.generations - one.scores["nearid"].missing,
                scores={name: replace(own, missing=0) for name, own in one.scores.items()},
            )
            for one in found.subjects
        ),
        aggregate={name: replace(own, missing=0) for name, own in found.aggregate.items()},
    )


def changed(result: ScoreResult, **facts: Any) -> ScoreResult:
    """The result with other facts of its first metric."""
    return replace(result, metrics=(replace(result.metrics[0], **facts), *result.metrics[1:]))


def only(result: CompareResult) -> Comparison:
    (one,) = result.comparisons
    return one


@pytest.fixture(params=["names", "prompts", "gaps"])
def methods(request: pytest.FixtureRequest) -> dict[str, ScoreResult]:
    found = random_methods({"a": 0.02, "b": 0.0, "c": 0.015, "d": -0.05}, 9, seed=5)
    if request.param == "prompts":
        found = {
            name: replace(
                one,
                images=tuple(
                    replace(image, **by_prompt(image.subject, int(image.path[-5]))) for image in one.images
                ),
            )
            for name, one in found.items()
        }
    if request.param == "gaps":
        random = np.random.default_rng(1)
        found = {
            name: unscored(one, [image.path for image in one.images if random.random() < 0.2])
            for name, one in found.items()
        }
    return found


@pytest.mark.parametrize("baseline", [None, "b"])
def test_a_mirror_changes_no_rank_no_p_value_and_no_verdict(
    methods: dict[str, ScoreResult], baseline: str | None
) -> None:
    plain = compare(methods, baseline)
    mirror = compare({name: mirrored(one) for name, one in methods.items()}, baseline)
    assert [one.ranks for one in mirror.methods] == [one.ranks for one in plain.methods]
    assert (mirror.baseline, mirror.remarks) == (plain.baseline, plain.remarks)
    assert (mirror.agreements, mirror.disagreements) == (plain.agreements, plain.disagreements)
    for here, there in zip(mirror.comparisons, plain.comparisons, strict=True):
        assert here.delta == pytest.approx(-there.delta)
        assert here.ci95 == pytest.approx((-there.ci95[1], -there.ci95[0]))
        same = ("p", "p_holm", "exact", "wins", "ties", "losses", "verdict", "unscored", "unscored_subjects")
        for name in (*same, "subjects", "pairs", "prompts", "pairing", "baseline_unscored"):
            assert getattr(here, name) == getattr(there, name), name
        for name in ("p_studentised", "p_adjusted", "detectable"):
            assert getattr(here, name) == pytest.approx(getattr(there, name)), name
        assert not here.higher_is_better
    for here, there in zip(mirror.methods, plain.methods, strict=True):
        for metric, common in there.common.items():
            assert here.common[metric].score == pytest.approx(-common.score)
            assert here.common[metric].retention == pytest.approx(common.retention)
            assert here.common[metric].retention_ci95 == pytest.approx(common.retention_ci95)
    lines = conclusion_line(plain), conclusion_line(mirror)
    assert lines[0].replace("highest", "lowest") == lines[1]


def test_one_mirrored_metric_beside_another_agrees_as_before(methods: dict[str, ScoreResult]) -> None:
    """Both rank from the worst to the best."""

    def half(one: ScoreResult) -> ScoreResult:
        turned = mirrored(one)
        return replace(
            one,
            metrics=(one.metrics[0], turned.metrics[1]),
            subjects=tuple(
                replace(x, scores={"nearid": x.scores["nearid"], "hog": y.scores["hog"]})
                for x, y in zip(one.subjects, turned.subjects, strict=True)
            ),
            aggregate={"nearid": one.aggregate["nearid"], "hog": turned.aggregate["hog"]},
            images=tuple(
                replace(x, scores={"nearid": x.scores["nearid"], "hog": y.scores["hog"]})
                for x, y in zip(one.images, turned.images, strict=True)
            ),
        )

    plain, mirror = compare(methods), compare({name: half(one) for name, one in methods.items()})
    assert mirror.agreements == plain.agreements
    assert mirror.disagreements == plain.disagreements
    assert [one.ranks for one in mirror.methods] == [one.ranks for one in plain.methods]
    assert [one.verdict for one in mirror.comparisons] == [one.verdict for one in plain.comparisons]
    images = [image for one in methods.values() for image in one.images]
    known = [
        (a, b) for image in images if None not in (a := image.scores["nearid"], b := image.scores["hog"])
    ]
    (found,) = [one for one in mirror.agreements if one.level == "images"]
    assert (found.n, found.kendall, found.spearman) == (
        len(known),
        kendall(*zip(*known, strict=True)),
        spearman(*zip(*known, strict=True)),
    )


def test_retention_over_some_of_the_subjects_is_mirrored_too() -> None:
    """Of a method that has more subjects it is computed from those that both have."""
    more = random_methods({"a": 0.05}, 7)["a"]
    fewer = random_methods({"b": 0.0}, 6)["b"]
    fewer = replace(fewer, inputs=replace(fewer.inputs, strangers=("subject 6",)))
    plain = compare({"a": more, "b": fewer})
    mirror = compare({"a": mirrored(more), "b": mirrored(fewer)})
    for name in "ab":
        here, there = (one.methods[name].common["nearid"] for one in (mirror, plain))
        assert there.retention is not None
        assert here.retention == pytest.approx(there.retention)
        assert here.retention_ci95 == pytest.approx(there.retention_ci95)


class TestNulls:
    def test_a_baseline_that_was_not_picked_as_the_best_needs_no_adjustment(self) -> None:
        """Each two methods have a picture with numbers in both, and no picture has them in all three."""
        random = np.random.default_rng(7)
        methods = {
            name: unscored(
                scored({f"s{i}": random.normal(0.5 + shift, 0.03, 3) for i in range(9)}, ONE),
                [f"s{i}/{gone}.png" for i in range(9)],
                ONE,
            )
            for gone, (name, shift) in enumerate({"a": 0.04, "b": 0.0, "c": 0.03}.items())
        }
        found = compare(methods)
        assert {rank for one in found.methods for rank in one.ranks.values()} == {None}
        named = compare(methods, found.baseline)
        assert [one.p_adjusted for one in found.comparisons] == [one.p_adjusted for one in named.comparisons]

    def test_a_subject_without_a_common_prompt_lacks_no_number(self) -> None:
        def asked(prompt: str) -> ScoreResult:
            return scored(
                {"s": [0.5], "t": [0.6]},
                ONE,
                image=lambda s, i: {"path": f"{s}/{i}.png", "prompt": "beach" if s == "t" else prompt},
            )

        one = only(compare({"a": asked("snow"), "b": asked("sofa")}, "b"))
        assert (one.pairing.apart, one.unscored_subjects, one.subjects) == (("s",), (), 1)

    @pytest.mark.parametrize("image", [None, by_prompt], ids=["names", "prompts"])
    def test_no_number_is_no_generation(self, image: Any) -> None:
        """Of pairs of names one may lack its number, of prompts some generations, in either method."""
        random = np.random.default_rng(3)
        how = {"image": image} if image else {}
        a, b = (
            scored({f"s{i}": random.normal(0.5 + shift, 0.1, 12) for i in range(7)}, **how)
            for shift in (0.1, 0.0)
        )
        gone = [f"s0/{i}.png" for i in (0, 1)] + ["s3/4.png"]
        nulled, removed = (
            compare({"a": unscored(a, gone), "b": b}, "b"),
            compare({"a": without(a, gone), "b": b}, "b"),
        )
        for here, there in zip(nulled.comparisons, removed.comparisons, strict=True):
            assert here.deltas == pytest.approx(there.deltas)
            assert (here.pairs, here.prompts, here.p, here.verdict) == (
                there.pairs,
                there.prompts,
                there.p,
                there.verdict,
            )
            assert here.ci95 == pytest.approx(there.ci95)
        for here, there in zip(nulled.methods, removed.methods, strict=True):
            assert here.common["nearid"].score == pytest.approx(there.common["nearid"].score)
            assert here.ranks == there.ranks
        assert {one.unscored for one in removed.comparisons} == {0}
        assert {one.unscored for one in nulled.comparisons} == {3}
        assert {one.baseline_unscored for one in nulled.comparisons} == {2 if image else 3}

    def test_a_pair_counts_only_if_both_have_a_number(self) -> None:
        a = unscored(scored({"s": [0.9, 0.1, 0.6]}, ONE), ["s/1.png"], ONE)
        b = unscored(scored({"s": [0.5, 0.5, 0.2]}, ONE), ["s/2.png"], ONE)
        one = only(compare({"a": a, "b": b}, "b"))
        assert one.delta == pytest.approx(0.9 - 0.5)
        assert (one.pairs, one.unscored, one.baseline_unscored) == (1, 2, 2)
        back = only(compare({"a": a, "b": b}, "a"))
        assert back.delta == -one.delta

    def test_a_prompt_counts_only_if_both_have_a_number_of_it(self) -> None:
        a = unscored(scored({"s": [0.9, 0.7, 0.1, 0.2]}, ONE, image=by_prompt), ["s/0.png"], ONE)
        b = unscored(scored({"s": [0.5, 0.3, 0.6, 0.6]}, ONE, image=by_prompt), ["s/2.png", "s/3.png"], ONE)
        one = only(compare({"a": a, "b": b}, "b"))
        assert one.delta == pytest.approx(0.7 - 0.4)
        assert (one.prompts, one.unscored, one.baseline_unscored) == (1, 3, 2)

    def test_a_metric_that_fails_on_hard_pictures_makes_no_method_better(self) -> None:
        """The same pictures: only that one method has no number of the hard half."""
        scores = {f"s{i}": [0.9, 0.3, 0.88, 0.32] for i in range(8)}
        hard = [f"s{i}/{j}.png" for i in range(8) for j in (1, 3)]
        easy = unscored(scored(scores, ONE), hard, ONE)
        result = compare({"whole": scored(scores, ONE), "easy": easy})
        assert easy.aggregate["nearid"].score > 0.8
        assert [one.ranks for one in result.methods] == [{"nearid": 1}, {"nearid": 1}]
        assert only(result).verdict == "the same on every subject"
        assert result.remarks == (
            "by nearid, ranked over what it has a number of in all ranked methods: 16 of 32 generations",
            "no floor, retention or identification side by side by nearid, since not all of its numbers count",
        )
        bare = [
            replace(one, aggregate={"nearid": replace(one.aggregate["nearid"], floor=None)})
            for one in (scored(scores, ONE), easy)
        ]
        assert compare(dict(zip(("whole", "easy"), bare, strict=True))).remarks == result.remarks[:1]
        found = [one.text for one in compare_findings(result)]
        assert any(
            "by nearid, 16 generations and 16 generations of whole left out of the difference" in text
            for text in found
        )

    def test_subjects_without_a_number_count_nowhere(self) -> None:
        values = {f"s{i}": [0.5 + 0.01 * i] * 2 for i in range(6)}
        a = scored({name: [score + 0.1 for score in own] for name, own in values.items()}, ONE)
        b = unscored(scored(values, ONE), ["s5/0.png", "s5/1.png"], ONE)
        result = compare({"a": a, "b": b}, "b")
        one = only(result)
        assert list(one.deltas) == [f"s{i}" for i in range(5)]
        assert one.unscored_subjects == ("s5",)
        assert result.methods["a"].common["nearid"].score == pytest.approx(0.62)
        assert (
            "by nearid, ranked over what it has a number of in all ranked methods: 5 of 6 subjects and 10 of 12 "
            "generations" in result.remarks
        )
        assert any(
            "a: by nearid, no difference in 1 subject, for want of numbers: s5" in line.text
            for line in compare_findings(result)
        )

    def test_a_method_without_any_number_is_not_ranked_and_narrows_nothing(self) -> None:
        methods = random_methods({"a": 0.1, "b": 0.0, "c": 0.05}, 6)
        every = [image.path for image in methods["c"].images]
        for names, silent in ((("hog",), ["hog"]), (METRICS, list(METRICS))):
            result = compare({**methods, "c": unscored(methods["c"], every, names, "no face\n")})
            alone = compare({name: methods[name] for name in "ab"})
            for metric in METRICS:
                own = {one.name: one.ranks[metric] for one in result.methods}
                assert own == ({"a": 1, "b": 2, "c": None} if metric in silent else {"a": 1, "b": 3, "c": 2})
            assert [line for line in result.remarks if "not ranked" in line] == [
                rf"c is not ranked by {metric}, which has no number of it: no face\n (24 generations)"
                for metric in silent
            ]
            for name in "ab":
                assert result.methods[name].common["hog"] == alone.methods[name].common["hog"]
            hog = {one.method: one for one in result.comparisons if one.metric == "hog"}
            assert (hog["c"].verdict, hog["c"].delta, hog["c"].p_holm) == ("no score in common", None, None)
            before = {one.method: one for one in alone.comparisons if one.metric == "hog"}
            assert hog["b"].p_holm == before["b"].p_holm
            if silent == list(METRICS):
                assert conclusion_line(result).endswith("; not ranked, for want of numbers: c")
                assert hog["b"].p_adjusted == before["b"].p_adjusted

    def test_nothing_at_all_has_a_number(self) -> None:
        methods = random_methods({"a": 0.1, "b": 0.0}, 6)
        every = [image.path for image in methods["a"].images]
        result = compare({name: unscored(one, every) for name, one in methods.items()})
        assert {rank for one in result.methods for rank in one.ranks.values()} == {None}
        assert (
            conclusion_line(result)
            == "By nearid: No method can be ranked; nothing has a number in all of them"
        )
        assert {one.verdict for one in result.comparisons} == {"no score in common"}
        assert {(one.n, one.kendall) for one in result.agreements} == {(0, None)}

    def test_numbers_of_nothing_that_is_the_same(self) -> None:
        methods = {name: scored({"s": [0.5, 0.6]}, ONE) for name in "ab"}
        found = compare(
            {"a": unscored(methods["a"], ["s/0.png"], ONE), "b": unscored(methods["b"], ["s/1.png"], ONE)}
        )
        assert found.remarks == (
            "none is ranked by nearid: there is nothing of which it has a number in all ranked methods",
        )
        assert only(found).verdict == "no score in common"

    def test_by_each_metric_over_what_that_one_knows(self, tmp_path: Path) -> None:
        methods = random_methods({"a": 0.1, "b": 0.0, "c": 0.05}, 8)
        methods["b"] = unscored(
            methods["b"], ["subject 0/0.png", *(f"subject 1/{i}.png" for i in range(4))], ("hog",)
        )
        result, whole = (
            compare(methods, "a"),
            compare(random_methods({"a": 0.1, "b": 0.0, "c": 0.05}, 8), "a"),
        )
        for here, there in zip(result.comparisons, whole.comparisons, strict=True):
            if here.metric == "nearid" or here.method == "c":
                assert here == there
            else:
                assert (here.subjects, here.pairs, here.unscored) == (7, 27, 5)
        for here, there in zip(result.methods, whole.methods, strict=True):
            assert here.common["nearid"] == there.common["nearid"]
        (tmp_path / "compared.json").write_text(to_json(result))
        assert read_result(tmp_path / "compared.json") == result


class TestScales:
    """A verdict has as many digits as tell numbers of the scale apart."""

    @pytest.mark.parametrize(
        ("scale", "facts", "lead"),
        [
            (0.001, {"range": (0.0, None), "higher_is_better": False}, "0.000100"),
            (0.01, {"range": (0.0, 0.01)}, "0.00100"),
            (1.0, {"range": (0.0, 1.0)}, "0.100"),
            (10.0, {"range": (1.0, 10.0)}, "1.000"),
            (5000.0, {"range": (None, None)}, "500"),
            (0.01, {}, "0.001"),  # cosines have three decimals, whatever they are
        ],
    )
    def test_digits_tell(self, scale: float, facts: dict[str, Any], lead: str) -> None:
        values = {f"s{i}": 0.4 + 0.01 * i for i in range(8)}
        methods = {
            name: changed(scored({s: [scale * (value + shift)] for s, value in values.items()}, ONE), **facts)
            for name, shift in (("a", 0.1), ("b", 0.0))
        }
        assert f" is {lead} behind, more than chance" in conclusion_line(compare(methods))
        noise = [0.2, -0.2, 0.1, -0.1, 0.15, -0.15, 0.05, -0.05]
        methods["a"] = changed(
            scored({s: [scale * (v + n)] for (s, v), n in zip(values.items(), noise, strict=True)}, ONE),
            **facts,
        )
        verdict = only(compare(methods, "b")).verdict
        most = verdict.removeprefix("no difference shown; at most ").removesuffix(" either way (95 %)")
        assert (len(most), float(most)) == (len(lead), pytest.approx(0.123 * scale, rel=0.01 if facts else 1))

    def test_intervals_stay_in_the_range(self) -> None:
        values = {f"s{i}": [score] for i, score in enumerate((9.9, 10.0, 10.0, 10.0, 8.0))}
        for high, end in ((10.0, 10.0), (None, pytest.approx(10.68, abs=0.01))):
            one = changed(scored(values, ONE), range=(0.0, high))
            assert compare({"a": one, "b": one}).methods["a"].common["nearid"].ci95[1] == end


class TestComparable:
    @pytest.mark.parametrize(
        ("facts", "words"),
        [
            ({"higher_is_better": False}, "direction (lower is better, not higher is better)"),
            ({"kind": "pairwise"}, "kind (pairwise, not embedding)"),
            ({"range": (0.0, None)}, "range (0 to no end, not -1 to 1)"),
            ({"symmetric": False}, "symmetry (one-way, not both ways alike)"),
            ({"against": "prompts"}, "against (prompts, not references)"),
        ],
    )
    def test_a_metric_of_one_name_and_another_meaning(self, facts: Mapping[str, Any], words: str) -> None:
        methods = random_methods({"a": 0.1, "b": 0.0}, 3)
        methods["b"] = changed(methods["b"], **facts)
        with pytest.raises(InputError) as caught:
            compare(methods)
        assert list(caught.value.details) == [f"b: nearid has another {words}"]


def test_by_some_of_the_metrics_nothing_is_left_of_the_others() -> None:
    methods = {
        name: unscored(one, ["subject 0/0.png"], ("hog",))
        for name, one in random_methods({"a": 0.1, "b": 0.0}, 3).items()
    }
    methods = {
        name: replace(
            one, subjects=tuple(replace(s, reasons={"hog": {"ref.png": "no face"}}) for s in one.subjects)
        )
        for name, one in methods.items()
    }
    for metrics, left in ((["nearid"], set()), (["hog", "nearid"], {"hog"})):
        for method in compare(methods, metrics=metrics).methods:
            rows = (*method.result.images, *method.result.subjects)
            assert {name for row in rows for name in row.reasons} == left


@pytest.mark.parametrize(
    ("against", "words"),
    [("references", "keeps identity best"), ("prompts", "follows prompts best"), ("", "is best")],
)
def test_what_the_best_method_does_best(against: str, words: str) -> None:
    methods = {
        name: changed(one, against=against) for name, one in random_methods({"a": 0.1, "b": 0.0}, 8).items()
    }
    assert conclusion_line(compare(methods)).startswith(f"By nearid: a {words}; the next, b, is 0.")


def test_lower_is_better_in_words() -> None:
    values = {f"s{i}": [0.3 + 0.01 * i] for i in range(8)}
    near = scored(values, ONE)
    far = scored({name: [score + 0.2 for (score,) in [own]] for name, own in values.items()}, ONE)
    methods = {"far": changed(far, higher_is_better=False), "near": changed(near, higher_is_better=False)}
    result = compare(methods)
    assert (result.baseline, only(result).verdict, only(result).delta) == (
        "near",
        "worse",
        pytest.approx(0.2),
    )
    assert (only(result).wins, only(result).losses) == (0, 8)
    assert conclusion_line(result) == (
        "By nearid: near keeps identity best; the next, far, is 0.200 behind, more than chance would do over 8 "
        "subjects (p = 0.008)"
    )
    assert json.loads(to_json(result))["comparisons"][0]["higher_is_better"] is False
