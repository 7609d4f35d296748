"""Rules on metrics of any direction and scale, and on generations that a metric has no number of."""

from __future__ import annotations

import re
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nearid_cli.evaluate.compare import compare
from nearid_cli.gate.drops import changes
from nearid_cli.gate.rules import load_rules
from nearid_cli.gate.starter import starter
from nearid_cli.reports.document import document
from nearid_cli.reports.formats.data import to_json
from nearid_cli.reports.formats.junit import to_junit
from nearid_cli.reports.formats.markdown import markdown
from nearid_cli.results import Rule, ScoreResult
from nearid_cli.results.reading import read_result
from tests.comparing import mirrored, unscored
from tests.gating import (
    SUBJECTS,
    by_status,
    change_metric,
    change_subject,
    gate,
    make_comparison,
    make_prompted,
    make_rule,
    make_run,
    verdict,
)
from tests.kinds import KINDS, result_of

ONE = ("nearid",)
BASE = make_run(margins=True)
HALF = make_run(drops=dict.fromkeys(["s0", "s2", "s4"], 0.03), margins=True)
BETTER = make_run(drops=dict.fromkeys(SUBJECTS, -0.01), margins=True)


def distance(run: ScoreResult, **facts: Any) -> ScoreResult:
    """The same numbers, of which lower ones are better."""
    return change_metric(run, higher_is_better=False, **facts)


def turned(rule: Rule) -> Rule:
    """The rule that says of a mirrored run what this one says of the run itself."""
    if rule.statistic in ("retention", "identification", "copies", "missing"):
        return rule
    low, high = (None if bound is None else -bound for bound in (rule.max, rule.min))
    return replace(rule, min=low, max=high)


RULES = [
    make_rule(statistic=statistic, level=level, **bounds)
    for statistic in ("score", "margin", "retention", "pair_mean")
    for level in ("aggregate", "subject")
    for bounds in (
        {"min": 0.2},
        {"min": 0.76},
        {"min": 0.1, "max": 0.5},
        {"max": 0.8},
        {"max_drop": 0.02},
        {"max_drop": 0.0125},
        {"max_drop": 0.0, "confidence": 0.95},
        {"max_drop": 0.0, "min": 0.77},
    )
    if not (statistic == "pair_mean" and (level == "subject" or "confidence" in bounds))
    and not (statistic == "retention" and level == "subject" and "confidence" in bounds)
]


def gaps(run: ScoreResult, share: float, seed: int) -> ScoreResult:
    random = np.random.default_rng(seed)
    return unscored(run, [image.path for image in run.images if random.random() < share], ONE)


@pytest.mark.parametrize("rule", RULES, ids=str)
@pytest.mark.parametrize(
    "baseline", [BASE, None, HALF, gaps(BASE, 0.3, 1)], ids=["base", "none", "half", "gaps"]
)
@pytest.mark.parametrize("run", [HALF, BETTER, gaps(HALF, 0.3, 2)], ids=["half", "better", "gaps"])
def test_a_mirror_changes_no_verdict(run: ScoreResult, baseline: ScoreResult | None, rule: Rule) -> None:
    plain = gate(run, baseline, rule)
    mirror = gate(mirrored(run), None if baseline is None else mirrored(baseline), turned(rule))
    for here, there in zip(mirror.verdicts, plain.verdicts, strict=True):
        assert (here.status, here.subject) == (there.status, there.subject)
        assert here.drop == (None if there.drop is None else pytest.approx(there.drop))
        assert here.ci == (None if there.ci is None else pytest.approx(there.ci))
        own = rule.statistic == "retention"
        assert here.moved == tuple(
            replace(one, delta=one.delta if own else -one.delta) for one in there.moved
        )
        assert here.higher_is_better is own
        if not own:
            assert said(here.reason, here.expected) == {
                _TURNED.get(w, w) for w in said(there.reason, there.expected)
            }


_TURNED = {
    "fell": "rose",
    "drop": "rise",
    "below": "above",
    "minimum": "maximum",
    "down": "up",
    ">=": "<=",
    "higher": "lower",
    "min": "max",
}
_TURNED |= {"above": "below", "maximum": "minimum", "up": "down", "<=": ">=", "max": "min"}


def said(*texts: str) -> set[str]:
    """The words of a verdict without its numbers; `<=` but for that of a drop."""
    text = re.sub(r"(drop|rise) <= ", r"\1 ", " ".join(texts))
    return {word for word in re.split(r"[\s;:,]+", text) if not re.search(r"\d", word)}


class TestDirection:
    """Every word of a verdict on a distance."""

    def test_a_rise(self) -> None:
        run = distance(make_run(drops={"s0": -0.03, "s2": -0.03, "s4": -0.03}))
        base = distance(make_run())
        found = verdict(run, base, make_rule(max_drop=0.01))
        assert (found.status, found.expected) == ("failed", "rise <= 0.010")
        assert found.reason == "score rose by 0.015, from 0.775 to 0.790; 0.010 is allowed"
        assert (found.drop, found.higher_is_better) == (pytest.approx(0.015), False)
        assert [(one.subject, one.delta) for one in found.moved] == [
            (name, pytest.approx(0.03)) for name in ("s0", "s2", "s4")
        ]
        found = verdict(run, base, make_rule(max_drop=0.02))
        assert (found.status, found.reason) == ("passed", "score is 0.790, up by 0.015")
        found = verdict(run, base, make_rule(max_drop=0.01, confidence=0.95))
        assert found.reason == "score is 0.790, up by 0.015, but not by more than 0.010 with 95 % confidence"
        assert found.expected == "rise <= 0.010 with 95 % confidence"
        result = gate(run, base, make_rule(level="subject", max_drop=0.02))
        assert by_status(result) == {"failed": ["s0", "s2", "s4"], "passed": ["s1", "s3", "s5"]}
        assert result.verdicts[0].reason == "score rose by 0.030, from 0.700 to 0.730; 0.020 is allowed"

    def test_a_fall_is_better(self) -> None:
        base, run = distance(make_run()), distance(make_run(drops=dict.fromkeys(SUBJECTS, 0.1)))
        found = verdict(run, base, make_rule(max_drop=0, confidence=0.95))
        assert (found.status, found.reason) == ("passed", "score is 0.675, down by 0.100")
        assert found.moved == ()
        assert verdict(base, base, make_rule(max_drop=0)).reason == "score is 0.775, as before"

    def test_that_all_rose(self) -> None:
        base = distance(make_run())
        drops = dict.fromkeys(SUBJECTS, -0.011) | {"s5": -0.9}
        found = verdict(distance(make_run(drops=drops)), base, make_rule(max_drop=0.01, confidence=0.95))
        assert found.status == "passed"
        assert found.reason.endswith("; every one of 6 subjects rose by more than 0.010")

    def test_bounds(self) -> None:
        run = distance(make_run())
        found = verdict(run, None, make_rule(max=0.7))
        assert (found.status, found.expected) == ("failed", "score <= 0.700")
        assert found.reason == "score is 0.775, above the maximum of 0.700"
        assert verdict(run, None, make_rule(max=0.8)).reason == "score is 0.775"
        found = verdict(run, None, make_rule(min=0.78, max=0.8))
        assert found.reason == "score is 0.775, below the minimum of 0.780"
        exact = run.aggregate["nearid"].score
        for above, status in ((9e-10, "passed"), (1.1e-9, "failed")):
            assert verdict(run, None, make_rule(max=exact - above)).status == status

    @pytest.mark.parametrize("level", ["aggregate", "subject"])
    @pytest.mark.parametrize("metric", ["nearid", "*"])
    def test_a_bound_on_the_better_side_alone_guards_nothing(self, level: str, metric: str) -> None:
        found = verdict(distance(BASE), None, make_rule(metric, level=level, min=0.1))
        assert (found.status, found.reason) == (
            "failed",
            "by nearid a lower score is a better one, so min alone lets every worse one pass: give max or max_drop",
        )
        for statistic, run in (("score", BASE), ("retention", distance(BASE))):
            found = verdict(run, None, make_rule(metric, statistic, level=level, max=0.99))
            assert found.reason == (
                f"by nearid a higher {statistic} is a better one, so max alone lets every worse one pass: give min "
                "or max_drop"
            )
        assert gate(
            distance(BASE), distance(BASE), make_rule(metric, level=level, min=0.1, max_drop=0.1)
        ).passed

    def test_retention_of_a_distance_falls(self) -> None:
        found = verdict(mirrored(HALF), mirrored(BASE), make_rule(statistic="retention", max_drop=0.01))
        assert found.reason.startswith("retention fell by 0.020")
        assert found.higher_is_better

    def test_in_files(self) -> None:
        run, base = distance(make_run(drops=dict.fromkeys(SUBJECTS, -0.03))), distance(make_run())
        result = gate(run, base, make_rule(max_drop=0.01))
        junit = to_junit(result)
        assert 'name="nearid score: rise &lt;= 0.010"' in junit
        assert "score rose by 0.030, from 0.775 to 0.805; 0.010 is allowed" in junit
        assert "rose most: s0 +0.030, s1 +0.030" in junit
        assert "fell" not in junit
        assert "Rose most: s0" in markdown(document(result))
        assert changes(run, base)[0].startswith(
            "nearid: score 0.775 -> 0.805; rose most: s0 +0.030, s1 +0.030"
        )

    @pytest.mark.parametrize("level", ["aggregate", "subject"])
    @pytest.mark.parametrize(
        ("facts", "was", "allowed"),
        [
            ({"higher_is_better": False}, "embedding against references, -1 to 1, lower is better", False),
            (
                {"kind": "given", "range": (0.0, None), "against": "", "symmetric": False},
                "given against nothing, 0 to no end, higher is better, one-way",
                True,
            ),
        ],
    )
    def test_other_kinds_of_numbers_are_not_compared(
        self, facts: dict[str, Any], was: str, allowed: bool, level: str
    ) -> None:
        base, rule = change_metric(BASE, **facts), make_rule(level=level, max_drop=0.5)
        found = verdict(BASE, base, rule)
        assert (found.status, found.reason) == (
            "failed",
            "nearid is another kind of number: run embedding against references, -1 to 1, higher is better, baseline "
            f"{was}; make the baseline anew with --update-baseline"
            + (", or compare all the same with --allow-mismatch" if allowed else ""),
        )
        assert gate(BASE, base, rule, allow_mismatch=True).passed is allowed


class TestScales:
    @pytest.mark.parametrize(
        ("scale", "reason", "seen"),
        [
            (0.001, "score rose by 0.000030, from 0.000775 to 0.000805; 1e-05 is allowed", "rise 0.000030 ["),
            (0.1, "score rose by 0.0030, from 0.0775 to 0.0805; 0.001 is allowed", "rise 0.0030"),
            (100.0, "score rose by 3.00, from 77.50 to 80.50; 1.000 is allowed", "rise 3.00 [3.00, 3.00]"),
            (10_000.0, "score rose by 300, from 7750 to 8050; 100.000 is allowed", "rise 300"),
        ],
    )
    def test_digits_tell(self, scale: float, reason: str, seen: str) -> None:
        def scaled(run: ScoreResult) -> ScoreResult:
            def times(scores: Any) -> Any:
                names = {"score", "min", "max", "pair_mean"} & vars(scores).keys()
                ends = tuple(scale * end for end in scores.ci95)
                spread = {"std": scale * scores.std} if "std" in vars(scores) else {}
                return replace(
                    scores, ci95=ends, **spread, **{name: scale * getattr(scores, name) for name in names}
                )

            return distance(
                replace(
                    run,
                    subjects=tuple(
                        replace(s, scores={"nearid": times(s.scores["nearid"])}) for s in run.subjects
                    ),
                    aggregate={"nearid": times(run.aggregate["nearid"])},
                    images=tuple(
                        replace(i, scores={"nearid": scale * i.scores["nearid"]}) for i in run.images
                    ),
                ),
                kind="given",
                range=(0.0, None),
            )

        run, base = scaled(make_run(drops=dict.fromkeys(SUBJECTS, -0.03))), scaled(make_run())
        rule = make_rule(max_drop=float(f"{0.01 * scale:g}"))
        result = gate(run, base, rule)
        assert result.verdicts[0].reason == reason
        assert seen in to_junit(result)
        assert verdict(run, base, make_rule(max_drop=scale)).reason.endswith(f"up by {seen.split()[1]}")
        text = starter(base, "run.json")
        assert gate(base, base, *taken(text)).passed
        assert not gate(scaled(make_run(drops=dict.fromkeys(SUBJECTS, -0.1))), base, *taken(text)).passed


def taken(text: str) -> tuple[Rule, ...]:
    """The rules of a configuration."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "nearid.toml").write_text(text)
        return load_rules(Path(folder) / "nearid.toml", Path(folder))


class TestStarter:
    def test_a_distance_gets_a_maximum(self) -> None:
        run = distance(make_run())
        text = starter(run, "run.json")
        assert "# max         fail above this number: where lower is better, a drop is a rise" in text
        (rule,) = [one for one in taken(text) if one.statistic == "score"]
        assert rule.min is None
        assert rule.max > run.aggregate["nearid"].ci95[1]
        (plain,) = [one for one in taken(starter(make_run(), "run.json")) if one.statistic == "score"]
        assert rule.max_drop == plain.max_drop
        assert "# max " not in starter(make_run(), "run.json")

    def test_the_worst_method_decides(self) -> None:
        near, far = distance(make_run()), distance(make_run(drops=dict.fromkeys(SUBJECTS, -0.1)))
        both = make_comparison(near=near, far=far)
        text = starter(both, "run.json")
        assert "the highest method: 0.875" in text
        assert gate(both, both, *taken(text)).passed

    @pytest.mark.parametrize("turn", [lambda run: run, distance], ids=["score", "distance"])
    def test_scores_that_do_not_exist(self, turn: Any) -> None:
        run = turn(unscored(make_run(), ["s0/0.png", *(f"s3/{i}.png" for i in range(4))], ONE))
        text = starter(run, "run.json")
        (rule,) = [one for one in taken(text) if one.statistic == "missing"]
        assert (rule.metric, rule.max) == ("nearid", 14)
        assert "max = 14  # this run has 5; drawing the generations anew may make it so many" in text
        assert gate(run, run, *taken(text)).passed
        worse = unscored(
            run, [f"s{i}/{j}.png" for i in (0, 1, 2) for j in (0, 1, 2)] + ["s4/0.png", "s5/0.png"], ONE
        )
        assert worse.aggregate["nearid"].missing == 15
        failed = [
            one.rule.statistic for one in gate(worse, run, *taken(text)).verdicts if one.status == "failed"
        ]
        assert "missing" in failed

    def test_noise_is_that_of_the_generations_with_a_score(self) -> None:
        run = make_run(spread=(-0.06, 0.06, 0.0, 0.0))
        some = unscored(run, [f"{name}/3.png" for name in SUBJECTS], ONE)
        std = run.subjects["s0"].scores["nearid"].std
        for one, generations in ((run, 4), (some, 3)):
            error = (2 * len(SUBJECTS) * std**2 / generations) ** 0.5 / len(SUBJECTS)
            assert f"moves the score by about {error:.3f}" in starter(one, "run.json")

    def test_where_noise_is_not_known(self) -> None:
        run = make_run(spread=(0.0,))
        score = run.aggregate["nearid"].score
        for one, guard, sign in ((run, "min", 1), (distance(run), "max", -1)):
            (rule,) = [one for one in taken(starter(one, "run.json")) if one.statistic == "score"]
            assert sign * (score - getattr(rule, guard)) == pytest.approx(0.06, abs=0.0051)

    def test_no_scores_at_all(self) -> None:
        run = unscored(make_run(metrics=("nearid", "hog")), [image.path for image in make_run().images], ONE)
        text = starter(run, "run.json")
        assert "# nearid has no number of any generation, so there is no rule for it.\n" in text
        assert [one.metric for one in taken(text) if one.statistic == "score"] == ["hog"]
        assert '# metric = "hog"' in text
        nothing = unscored(make_run(), [image.path for image in make_run().images], ONE)
        assert "A mean hides" not in starter(nothing, "run.json")


class TestNulls:
    def test_a_lost_subject_fails_closed_with_the_reason(self) -> None:
        lost = unscored(BASE, [f"s2/{i}.png" for i in range(4)], ONE)
        found = verdict(lost, BASE, make_rule(max_drop=0.5))
        assert found.status == "failed"
        assert found.reason == (
            "1 subject without score in the run or the baseline: s2; why there is none: no face (4 generations)"
        )
        found = verdict(BASE, lost, make_rule(max_drop=0.5))
        assert found.reason.startswith(
            "1 subject without score in the run or the baseline: s2; why there is none"
        )
        result = gate(lost, BASE, make_rule(level="subject", max_drop=0.5, min=0.1))
        assert {one.subject: one.reason for one in result.verdicts if one.status == "failed"} == {
            "s2": "the run has no score here: no face (4 generations)"
        }
        result = gate(BASE, lost, make_rule(level="subject", max_drop=0.5))
        assert by_status(result)["failed"] == ["s2"]

    def test_a_subject_that_never_had_a_score_is_left_out(self) -> None:
        paths = [f"s2/{i}.png" for i in range(4)]
        run, base = unscored(HALF, paths, ONE), unscored(BASE, paths, ONE)
        found = verdict(run, base, make_rule(max_drop=0.02))
        assert (found.status, found.drop) == ("passed", pytest.approx(0.012))
        assert found.reason == (
            "score is 0.766, down by 0.012; 1 subject without a score on either side left out: s2; "
            "4 of 24 generations of the run have no score: no face (4 generations); "
            "4 of 24 generations of the baseline have no score: no face (4 generations)"
        )
        result = gate(run, base, make_rule(level="subject", max_drop=0.05))
        assert by_status(result)["failed"] == ["s2"], "what cannot be judged has failed"

    def test_a_minimum_says_what_it_is_without(self) -> None:
        found = verdict(unscored(BASE, ["s0/0.png"], ONE), None, make_rule(min=0.1))
        assert (found.status, found.reason) == (
            "passed",
            "score is 0.776; 1 of 24 generations of the run has no score: no face (1 generation)",
        )

    def test_pairs_count_only_if_both_have_a_score(self) -> None:
        """The run lost the best picture, the baseline the worst: what is left has not moved."""
        run, base = unscored(BASE, ["s0/2.png"], ONE), unscored(BASE, ["s0/0.png"], ONE)
        for level in ("aggregate", "subject"):
            found = gate(run, base, make_rule(level=level, max_drop=0)).verdicts[0]
            assert (found.status, found.drop) == ("passed", pytest.approx(0.0, abs=1e-12))
            assert (
                "compared without 4 generations that have no score, or nothing with a score beside them"
                in found.reason
            )

    def test_nothing_with_a_score_on_both_sides(self) -> None:
        run = unscored(BASE, ["s0/0.png", "s0/1.png"], ONE)
        base = unscored(BASE, ["s0/2.png", "s0/3.png"], ONE)
        found = verdict(run, base, make_rule(max_drop=0.5))
        assert found.status == "failed"
        assert found.reason.startswith("1 subject of which nothing has a score on both sides: s0")
        result = gate(run, base, make_rule(level="subject", max_drop=0.5))
        assert by_status(result)["failed"] == ["s0"]
        assert result.verdicts[0].reason == "nothing of it has a score on both sides"

    def test_prompts(self) -> None:
        scores = {f"s{i}": {"beach": [0.5, 0.7], "sofa": [0.6, 0.8], "snow": [0.4, 0.6]} for i in range(4)}
        base = make_prompted(scores, seeds=True)
        sofa = [image.path for image in base.images if image.subject == "s0" and image.prompt == "sofa"]
        run = unscored(base, sofa, ONE)
        assert run.subjects["s0"].scores["nearid"].score < 0.56
        found = verdict(run, base, make_rule(max_drop=0))
        assert (found.status, found.drop) == ("passed", pytest.approx(0.0, abs=1e-12))
        assert run.subjects["s0"].scores["nearid"].score != base.subjects["s0"].scores["nearid"].score
        assert "each counting the same" not in found.reason
        result = gate(run, base, make_rule(level="subject", max_drop=0, confidence=0.95))
        assert result.verdicts[0].reason.startswith(
            "how sure the drop is cannot be said: an interval needs 3 prompts, and there are 2"
        )

    @pytest.mark.parametrize(
        ("lost", "had", "status"), [(4, 0, "passed"), (5, 0, "failed"), (7, 1, "passed"), (8, 1, "failed")]
    )
    def test_scores_that_got_lost_may_hide_a_drop(self, lost: int, had: int, status: str) -> None:
        """Of a run that lacks more of them than chance would do nothing is said, though what is left has not moved."""
        paths = [f"s{i}/{j}.png" for j in range(2) for i in range(6)]
        run, base = unscored(BASE, paths[:lost], ONE), unscored(BASE, paths[:had], ONE)
        for statistic in ("score", "retention", "pair_mean"):
            found = verdict(run, base, make_rule(statistic=statistic, max_drop=0.5))
            assert found.status == status
        if status == "failed":
            assert found.reason == (
                f"the run has no score of {lost} of 24 generations, the baseline of {had} of 24, which is more than "
                f"chance, and what got worse could hide there: no face ({lost} generations)"
            )
        assert gate(base, run, make_rule(max_drop=0.5)).passed
        assert gate(run, base, make_rule(min=0.1)).passed

    def test_of_a_subject_that_is_told_of_itself(self) -> None:
        run, base = (make_run({"s0": 0.7, "s1": 0.8}, spread=[0.0] * 12) for _ in "ab")
        result = gate(
            unscored(run, [f"s0/{i}.png" for i in range(5)], ONE),
            base,
            make_rule(level="subject", max_drop=0.5),
        )
        assert by_status(result) == {"failed": ["s0"], "passed": ["s1"]}
        assert result.verdicts[0].reason.startswith(
            "the run has no score of 5 of 12 generations, the baseline of 0 of 12"
        )

    def test_all_is_lost(self) -> None:
        nothing = unscored(BASE, [image.path for image in BASE.images], ONE)
        for rule in (
            make_rule(min=0.1),
            make_rule(max_drop=0.1),
            make_rule(statistic="pair_mean", max_drop=0.1),
        ):
            for run, base in ((nothing, BASE), (nothing, nothing)):
                found = verdict(run, base, rule)
                assert found.status == "failed"
                assert "no face (24 generations)" in found.reason

    def test_an_accident_is_no_missing_score(self) -> None:
        """A null that `missing` does not count fails whatever looks at the mean."""
        hole = change_subject(BASE, "s2", score=None)
        image = replace(BASE, images=(replace(BASE.images[0], scores={"nearid": None}), *BASE.images[1:]))
        for run in (hole, image):
            for rule in (
                make_rule(min=0.1),
                make_rule(statistic="pair_mean", min=0.1),
                make_rule(max_drop=0.5),
            ):
                assert not gate(run, BASE, rule).passed
            assert not gate(BASE, run, make_rule(max_drop=0.5)).passed


@pytest.mark.parametrize(
    ("facts", "statistic", "why"),
    [
        ({"kind": "text", "against": "prompts"}, "retention", "text scores have none"),
        ({"kind": "given", "against": "", "range": (0.0, None)}, "identification", "given scores have none"),
        ({"kind": "pairwise", "symmetric": False}, "margin", "pairwise scores have none"),
        (
            {"kind": "pairwise"},
            "identification",
            "it takes every generation against every reference: nearid score --pairs all",
        ),
    ],
)
def test_why_a_number_cannot_be(facts: dict[str, Any], statistic: str, why: str) -> None:
    run = change_metric(make_run(), **facts)
    bare = replace(run.aggregate["nearid"], floor=None, retention=None, identification=None)
    found = verdict(replace(run, aggregate={"nearid": bare}), None, make_rule(statistic=statistic, min=0.1))
    assert (found.status, found.reason) == ("failed", f"the run has no {statistic} here: {why}")


class TestMissing:
    RUN = unscored(BASE, ["s1/0.png", "s1/2.png", "s4/1.png"], ONE)

    @pytest.mark.parametrize("metric", ["nearid", "*"])
    @pytest.mark.parametrize(("most", "status"), [(2, "failed"), (3, "passed")])
    def test_of_all(self, metric: str, most: int, status: str) -> None:
        found = verdict(self.RUN, None, make_rule(metric, "missing", max=most))
        assert (found.status, found.found, found.metric, found.expected) == (
            status,
            3,
            "nearid",
            f"missing <= {most}",
        )
        assert found.reason == (
            "3 generations have no score and 2 may: s1/0.png (no face), s1/2.png (no face), s4/1.png (no face)"
            if status == "failed"
            else "3 generations have no score"
        )

    def test_by_subject_and_method(self) -> None:
        result = gate(self.RUN, None, make_rule(statistic="missing", level="subject", max=0))
        assert by_status(result)["failed"] == ["s1", "s4"]
        assert result.verdicts[0].reason == "0 generations have no score"
        result = gate(
            make_comparison(ours=self.RUN, theirs=BASE),
            None,
            make_rule(statistic="missing", level="method", max=0),
        )
        assert [(one.method, one.status) for one in result.verdicts] == [
            ("ours", "failed"),
            ("theirs", "passed"),
        ]

    def test_of_a_metric_that_is_not_there(self) -> None:
        assert verdict(BASE, None, make_rule("face", "missing", max=0)).reason.startswith(
            "the run has no metric face"
        )

    def test_in_files(self) -> None:
        result = gate(self.RUN, None, make_rule(statistic="missing", max=0))
        assert "expected missing &lt;= 0; found 3" in to_junit(result)
        assert "nearid missing" in markdown(document(result))


def test_all_kinds_through_compare_gate_and_their_files(tmp_path: Path) -> None:
    """Embedding, pairwise, text and given; some without a score; a distance and a number without ends."""
    subjects = (*"abcdefgh", "mug", "red car")
    good, bad = (result_of(quality=quality, seed=1, subjects=subjects) for quality in (2.0, 0.0))
    result = compare({"good": good, "bad": bad})
    assert {one.name: set(one.ranks.values()) for one in result.methods} == {"good": {1}, "bad": {2}}
    assert {one.verdict for one in result.comparisons} == {"worse"}
    assert {(one.method, one.wins) for one in result.comparisons} == {("bad", 0)}
    by_metric = {one.metric: one for one in result.comparisons}
    assert by_metric["face"].unscored_subjects == ("mug",)
    assert by_metric["clip-t"].unscored_subjects == ("red car",)
    assert by_metric["lpips"].delta > 0
    for name, one in {"good": good, "bad": bad, "both": result}.items():
        (tmp_path / f"{name}.json").write_text(to_json(one))
    read = {name: read_result(tmp_path / f"{name}.json") for name in ("good", "bad", "both")}
    assert read == {"good": good, "bad": bad, "both": result}
    rule = make_rule("*", max_drop=0.001, confidence=0.95)
    worse = {one.metric: one for one in gate(read["bad"], read["good"], rule).verdicts}
    assert {name: one.status for name, one in worse.items()} == dict.fromkeys(worse, "failed")
    assert set(worse) == {metric.name for metric in KINDS}
    assert "score rose by" in worse["lpips"].reason
    assert "score fell by" in worse["psnr"].reason
    assert gate(read["good"], read["bad"], rule).passed
    for name in ("good", "both"):
        assert gate(read[name], read[name], *taken(starter(read[name], "x.json"))).passed
    failed = [
        one.metric
        for one in gate(read["bad"], read["good"], *taken(starter(read["good"], "x.json"))).verdicts
        if one.status == "failed"
    ]
    assert {"nearid", "vsm", "clip-t", "lpips", "psnr"} <= set(failed)
