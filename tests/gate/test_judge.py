"""Verdicts on runs with planted faults: what must fail fails, says why, and nothing else fails."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nearid_cli.errors import InputError
from nearid_cli.gate.judge import judge
from nearid_cli.results import Moved
from tests.gating import (
    SPREAD,
    SUBJECTS,
    change_metric,
    change_subject,
    make_comparison,
    make_rule,
    make_run,
)

BASE = make_run()
HALF = make_run(drops=dict.fromkeys(["s0", "s2", "s4"], 0.03))


def gate(run, baseline, *rules, **options):
    names = {"run_name": "run.json", "baseline_name": None if baseline is None else "base.json"}
    return judge(run, baseline, rules, **{**names, **options})


def verdict(run, baseline, rule, **options):
    (found,) = gate(run, baseline, rule, **options).verdicts
    return found


def by_status(result):
    return {
        status: [one.subject for one in result.verdicts if one.status == status]
        for status in {one.status for one in result.verdicts}
    }


class TestPlantedDrop:
    def test_of_the_aggregate_is_half_as_large(self):
        found = verdict(HALF, BASE, make_rule(max_drop=0.02))
        assert found.status == "passed"
        assert found.drop == pytest.approx(0.015)
        assert found.baseline - found.found == pytest.approx(0.015)
        assert found.reason == "score is 0.760, down by 0.015"
        assert found.expected == "drop <= 0.020"
        assert [one.subject for one in found.moved] == ["s0", "s2", "s4"]
        assert found.moved[0] == Moved("s0", pytest.approx(-0.03))

    def test_fails_on_exactly_those_subjects(self):
        result = gate(HALF, BASE, make_rule(level="subject", max_drop=0.02))
        assert not result.passed
        assert by_status(result) == {"failed": ["s0", "s2", "s4"], "passed": ["s1", "s3", "s5"]}
        assert result.verdicts[0].reason == "score fell by 0.030, from 0.700 to 0.670; 0.020 is allowed"
        assert result.verdicts[0].drop == pytest.approx(0.03)

    def test_fails_a_tighter_rule(self):
        found = verdict(HALF, BASE, make_rule(max_drop=0.01))
        assert (found.status, found.reason) == (
            "failed",
            "score fell by 0.015, from 0.775 to 0.760; 0.010 is allowed",
        )

    @pytest.mark.parametrize("statistic", ["score", "retention", "margin", "pair_mean"])
    def test_by_every_number(self, statistic):
        run, base = (
            make_run(drops=dict.fromkeys(SUBJECTS, 0.03), margins=True),
            make_run(margins=True),
        )
        drop = 0.03 / 0.75 if statistic == "retention" else 0.03
        for limit, status in ((drop + 1e-6, "passed"), (drop - 1e-6, "failed")):
            found = verdict(run, base, make_rule(statistic=statistic, max_drop=limit))
            assert (found.status, found.drop) == (status, pytest.approx(drop))

    def test_with_confidence_passes_where_half_fell(self):
        # Half fell by 0.03: the mean is above 0.01, but may be so by chance.
        found = verdict(HALF, BASE, make_rule(max_drop=0.01, confidence=0.95))
        assert (found.status, found.expected) == ("passed", "drop <= 0.010 with 95 % confidence")
        assert found.ci[0] < 0.01 < found.ci[1]
        assert found.reason == (
            "score is 0.760, down by 0.015, but not by more than 0.010 with 95 % confidence"
        )

    def test_with_confidence_fails_where_all_fell(self):
        drops = {name: 0.03 + 0.001 * i for i, name in enumerate(SUBJECTS)}
        found = verdict(make_run(drops=drops), BASE, make_rule(max_drop=0.03, confidence=0.95))
        assert found.status == "failed"
        # Student's interval is the reference for so regular values.
        low = stats.ttest_1samp(list(drops.values()), 0).confidence_interval(0.95).low
        assert found.ci[0] == pytest.approx(low, abs=2e-4)
        assert found.reason == (
            f"score fell by 0.0325, from 0.775 to 0.742, and with 95 % confidence by {found.ci[0]:.3f} or more; "
            "0.030 is allowed"
        ).replace("0.0325", "0.033").replace("0.742", f"{found.found:.3f}")

    def test_with_confidence_by_subject_counts_generations(self):
        sure = make_run(drops=dict.fromkeys(["s0"], 0.03))
        result = gate(sure, BASE, make_rule(level="subject", max_drop=0.02, confidence=0.95))
        assert by_status(result)["failed"] == ["s0"]
        assert result.verdicts[0].ci == (pytest.approx(0.03), pytest.approx(0.03))
        noisy = make_run(drops={"s0": 0.03}, spread=(0.1, -0.1, 0.05, -0.05))
        result = gate(noisy, BASE, make_rule(level="subject", max_drop=0.02, confidence=0.95))
        assert result.passed


class TestBounds:
    def test_min(self):
        run = make_run()
        assert verdict(run, None, make_rule(min=run.aggregate["nearid"].score)).status == "passed"
        found = verdict(run, None, make_rule(min=0.9))
        assert (found.status, found.reason) == ("failed", "score is 0.775, below the minimum of 0.900")
        assert (found.expected, found.baseline, found.drop) == ("score >= 0.900", None, None)

    @pytest.mark.parametrize(("above", "status"), [(9e-10, "passed"), (1.1e-9, "failed")])
    def test_min_within_rounding(self, above, status):
        found = verdict(BASE, None, make_rule(min=BASE.aggregate["nearid"].score + above))
        assert found.status == status

    def test_a_number_and_its_bound_look_different(self):
        run = make_run(drops=dict.fromkeys(SUBJECTS, 0.1750002))
        found = verdict(run, BASE, make_rule(min=0.6, max_drop=0.175))
        assert found.reason.startswith(
            "score is 0.5999998, below the minimum of 0.600; score fell by 0.1750002"
        )

    @pytest.mark.parametrize(("under", "status"), [(9e-10, "passed"), (1.1e-9, "failed")])
    def test_max_drop_within_rounding(self, under, status):
        run = make_run(drops=dict.fromkeys(SUBJECTS, 0.03))
        assert verdict(run, BASE, make_rule(max_drop=0.03 - under)).status == status

    def test_both_bounds_at_once(self):
        found = verdict(HALF, BASE, make_rule(min=0.9, max_drop=0.01))
        assert found.expected == "score >= 0.900, drop <= 0.010"
        assert found.reason.startswith("score is 0.760, below the minimum of 0.900; score fell by 0.015")

    def test_min_by_subject(self):
        result = gate(BASE, None, make_rule(level="subject", min=0.75))
        assert by_status(result) == {"failed": ["s0", "s1"], "passed": ["s2", "s3", "s4", "s5"]}

    def test_a_rise_is_no_drop(self):
        found = verdict(BASE, HALF, make_rule(max_drop=0))
        assert (found.status, found.reason) == ("passed", "score is 0.775, up by 0.015")

    def test_the_same_run(self):
        found = verdict(BASE, BASE, make_rule(max_drop=0, confidence=0.95))
        assert (found.status, found.reason) == ("passed", "score is 0.775, as before")

    def test_warn_fails_no_gate(self):
        result = gate(BASE, None, make_rule(min=0.9, on_fail="warn"))
        assert result.passed
        assert result.verdicts[0].status == "warned"
        assert not gate(BASE, None, make_rule(min=0.9), make_rule(min=0.9, on_fail="warn")).passed


class TestCopies:
    RUN = make_run(copies={"s1/0.png", "s1/2.png", "s4/1.png"})

    @pytest.mark.parametrize(("most", "status"), [(2, "failed"), (3, "passed")])
    def test_of_all(self, most, status):
        found = verdict(self.RUN, None, make_rule("*", "copies", max=most))
        assert (found.status, found.found, found.metric) == (status, 3, "*")
        if status == "failed":
            assert found.reason == "3 generations copy a reference and 2 may: s1/0.png, s1/2.png, s4/1.png"

    def test_by_subject(self):
        result = gate(self.RUN, None, make_rule("*", "copies", "subject", max=1))
        assert by_status(result)["failed"] == ["s1"]

    def test_a_result_without_its_generations_is_not_free_of_copies(self):
        found = verdict(replace(BASE, images=()), None, make_rule("*", "copies", max=0))
        assert (found.status, found.found) == ("failed", None)
        assert found.reason == "the run has no copies here: the result does not list all of its generations"


class TestFailsClosed:
    @pytest.mark.parametrize("level", ["aggregate", "subject"])
    def test_without_a_baseline(self, level):
        found = verdict(BASE, None, make_rule(level=level, max_drop=0.02))
        assert found.status == "failed"
        assert found.reason.startswith(
            "max_drop needs a baseline, and none was given: --baseline FILE; make it"
        )
        assert "--update-baseline" in found.reason

    def test_with_a_baseline_that_is_not_there(self):
        found = verdict(BASE, None, make_rule(max_drop=0.02), baseline_name="base.json")
        assert found.reason.startswith("the baseline base.json does not exist; make it")

    def test_minimums_are_judged_all_the_same(self):
        result = gate(BASE, None, make_rule(level="subject", min=0.72, max_drop=0.02))
        assert by_status(result) == {"failed": [None, "s0"], "passed": ["s1", "s2", "s3", "s4", "s5"]}
        assert [one.expected for one in result.verdicts[:2]] == ["drop <= 0.020", "score >= 0.720"]
        found = verdict(BASE, None, make_rule(min=0.9, max_drop=0.02))
        assert found.reason.startswith(
            "score is 0.775, below the minimum of 0.900; max_drop needs a baseline"
        )

    def test_rules_without_max_drop_need_none(self):
        assert gate(BASE, None, make_rule(min=0.5), make_rule("*", "copies", max=0)).passed

    def test_a_missing_metric(self):
        found = verdict(BASE, BASE, make_rule("naerid", min=0.5))
        assert found.reason == "the run has no metric naerid: did you mean nearid?"
        assert (found.status, found.metric) == ("failed", "naerid")

    def test_a_metric_that_the_baseline_lacks(self):
        run = make_run(metrics=("nearid", "hog"))
        found = verdict(run, BASE, make_rule("hog", max_drop=0.02))
        assert (found.status, found.reason) == ("failed", "the baseline has no metric hog: known: nearid")
        assert verdict(run, BASE, make_rule("hog", min=0.5)).status == "passed"

    def test_a_metric_that_only_the_baseline_has_cannot_hide_behind_the_star(self):
        base = make_run(metrics=("nearid", "hog"))
        result = gate(BASE, base, make_rule("*", max_drop=0.02))
        assert [(one.metric, one.status) for one in result.verdicts] == [
            ("nearid", "passed"),
            ("hog", "failed"),
        ]
        assert gate(BASE, base, make_rule("*", min=0.5)).passed

    def test_the_star_is_every_metric(self):
        run = make_run(metrics=("nearid", "hog"))
        result = gate(run, run, make_rule("*", min=0.5, max_drop=0.02))
        assert [one.metric for one in result.verdicts] == ["nearid", "hog"]

    @pytest.mark.parametrize("statistic", ["score", "retention", "pair_mean"])
    def test_missing_and_new_subjects_are_all_named(self, statistic):
        run = make_run({"s0": 0.7, "s1": 0.73, "s2": 0.76, "new": 0.8, "fresh": 0.8})
        found = verdict(run, BASE, make_rule(statistic=statistic, max_drop=0.02))
        assert (found.status, found.drop) == ("failed", None)
        assert found.reason == (
            "the run lacks 3 subjects of the baseline: s3, s4, s5; the baseline lacks 2 subjects of the run: "
            "new, fresh; --update-baseline takes new subjects in"
        )
        assert verdict(run, BASE, make_rule(statistic=statistic, min=0.1)).status == "passed"

    def test_missing_and_new_subjects_by_subject(self):
        run = make_run({name: score for name, score in SUBJECTS.items() if name != "s3"} | {"new": 0.8})
        result = gate(run, BASE, make_rule(level="subject", min=0.1, max_drop=0.02))
        failed = {one.subject: one.reason for one in result.verdicts if one.status == "failed"}
        assert failed == {
            "s3": "the run lacks this subject, which the baseline has",
            "new": "the baseline lacks this subject; --update-baseline takes it in",
        }

    def test_a_null_where_a_number_is_needed(self):
        run = change_subject(BASE, "s2", identification=None)
        for one, base in ((run, BASE), (BASE, run)):
            found = verdict(one, base, make_rule(statistic="identification", max_drop=0.1))
            assert found.status == "failed"
            assert found.reason == "1 subject without identification in the run or the baseline: s2"
        run = change_subject(BASE, "s2", retention=None)
        result = gate(run, None, make_rule(statistic="retention", level="subject", min=0.1))
        assert by_status(result)["failed"] == ["s2"]
        result = gate(BASE, run, make_rule(statistic="retention", level="subject", max_drop=0.1))
        assert {one.subject: one.reason for one in result.verdicts if one.status == "failed"} == {
            "s2": "the baseline has no retention here: it takes two subjects with two references each, and "
            "ceilings above the floors"
        }

    @pytest.mark.parametrize("side", ["run", "baseline"])
    def test_an_aggregate_that_is_null(self, side):
        hollow = replace(BASE, aggregate={"nearid": replace(BASE.aggregate["nearid"], retention=None)})
        run, base = (hollow, BASE) if side == "run" else (BASE, hollow)
        found = verdict(run, base, make_rule(statistic="retention", max_drop=0.1))
        assert found.status == "failed"
        assert found.reason.startswith(f"the {side} has no retention here")

    @pytest.mark.parametrize("level", ["aggregate", "subject"])
    def test_margins_take_distractors(self, level):
        result = gate(BASE, BASE, make_rule(statistic="margin", level=level, min=0.0, max_drop=0.1))
        assert {one.status for one in result.verdicts} == {"failed"}
        assert all("--distractors" in one.reason for one in result.verdicts)

    @pytest.mark.parametrize("level", ["aggregate", "subject"])
    @pytest.mark.parametrize("facts", [{"fingerprint": "0123456789abcdef"}, {"protocol": "best pair"}])
    def test_another_checkpoint_or_protocol(self, level, facts):
        base = change_metric(BASE, checkpoint="org/other", **facts)
        rule = make_rule(level=level, max_drop=0.5)
        found = verdict(BASE, base, rule)
        assert found.status == "failed"
        assert found.reason.startswith(
            "nearid is of another checkpoint: "
            "run org/nearid (fingerprint ffffffffffff), baseline org/other (fingerprint 0123456789ab); make"
            if "fingerprint" in facts
            else "nearid is of another protocol: run all pairs, baseline best pair; make"
        )
        assert "--allow-mismatch" in found.reason
        assert gate(BASE, base, rule, allow_mismatch=True).passed
        assert gate(BASE, base, make_rule(level=level, min=0.1)).passed

    def test_a_metric_without_checkpoint_is_named_by_its_fingerprint(self):
        run = change_metric(BASE, checkpoint="")
        found = verdict(run, change_metric(run, fingerprint="0" * 40), make_rule(max_drop=0.5))
        assert "run fingerprint ffffffffffff, baseline fingerprint 000000000000;" in found.reason

    @pytest.mark.parametrize("number", [1, 2])
    def test_no_interval_below_three_subjects(self, number):
        run = make_run(dict(list(SUBJECTS.items())[:number]))
        found = verdict(run, run, make_rule(max_drop=0.5, confidence=0.95))
        assert found.status == "failed"
        assert found.reason.startswith("how sure the drop is cannot be said: an interval needs 3 subjects")
        assert verdict(run, run, make_rule(max_drop=0.5)).status == "passed"

    def test_no_interval_below_three_generations(self):
        run = make_run(spread=(0.0, 0.01))
        result = gate(run, run, make_rule(level="subject", max_drop=0.5, confidence=0.95))
        assert {one.reason for one in result.verdicts} == {
            "how sure the drop is cannot be said: an interval needs 3 generations, and there are 2"
        }

    def test_generations_without_a_counterpart_are_named(self):
        images = tuple(
            replace(image, path="s1/other.png") if image.path == "s1/3.png" else image
            for image in BASE.images
        )
        rule = make_rule(level="subject", max_drop=0.5, confidence=0.95)
        result = gate(replace(BASE, images=images), BASE, rule)
        assert {one.subject: one.reason for one in result.verdicts if one.status == "failed"} == {
            "s1": "how sure the drop is cannot be said: not every generation has a counterpart; 2 generations "
            "without a counterpart left out: s1/other.png, s1/3.png"
        }

    def test_a_level_of_the_other_kind(self):
        comparison = make_comparison(ours=BASE, theirs=HALF)
        for run, level, instead in (
            (BASE, "method", 'level = "aggregate" or "subject"'),
            (comparison, "aggregate", 'level = "method" or "subject"'),
        ):
            found = verdict(run, None, make_rule(level=level, min=0.1))
            assert found.status == "failed"
            assert found.reason.endswith(f"write {instead}")

    def test_a_run_without_subjects(self):
        empty = replace(BASE, subjects=(), images=())
        for run, base in ((empty, None), (empty, empty)):
            for bounds in ({"min": 0.1}, {"min": 0.1, "max_drop": 0.1}):
                assert not gate(run, base, make_rule(level="subject", **bounds)).passed
        assert not gate(empty, empty, make_rule(max_drop=0.1)).passed

    def test_a_score_is_not_compared_with_a_comparison(self):
        comparison = make_comparison(ours=BASE)
        for run, base in ((BASE, comparison), (comparison, BASE)):
            with pytest.raises(InputError, match="give a baseline of the same kind"):
                gate(run, base, make_rule(min=0.1))


class TestComparison:
    BASE = make_comparison(ours=make_run(), theirs=make_run())
    RUN = make_comparison(ours=make_run(), theirs=HALF)

    def test_by_method(self):
        result = gate(self.RUN, self.BASE, make_rule(level="method", max_drop=0.01))
        assert [(one.method, one.status) for one in result.verdicts] == [
            ("ours", "passed"),
            ("theirs", "failed"),
        ]
        assert result.verdicts[1].drop == pytest.approx(0.015)

    def test_by_subject_of_each_method(self):
        result = gate(self.RUN, self.BASE, make_rule(level="subject", max_drop=0.02))
        assert len(result.verdicts) == 12
        failed = [(one.method, one.subject) for one in result.verdicts if one.status == "failed"]
        assert failed == [("theirs", "s0"), ("theirs", "s2"), ("theirs", "s4")]

    @pytest.mark.parametrize("level", ["method", "subject"])
    def test_missing_and_new_methods(self, level):
        run = make_comparison(ours=make_run(), fresh=make_run())
        result = gate(run, self.BASE, make_rule(level=level, max_drop=0.02))
        failed = {one.method: one.reason for one in result.verdicts if one.status == "failed"}
        assert failed == {
            "theirs": "the run lacks this method, which the baseline has",
            "fresh": "the baseline lacks this method; --update-baseline takes it in",
        }
        assert gate(run, self.BASE, make_rule(level=level, min=0.1)).passed

    def test_copies(self):
        run = make_comparison(ours=make_run(), theirs=make_run(copies={"s1/0.png"}))
        result = gate(run, None, make_rule("*", "copies", "method", max=0))
        assert [(one.method, one.found, one.status) for one in result.verdicts] == [
            ("ours", 0, "passed"),
            ("theirs", 1, "failed"),
        ]


names = st.sampled_from(list(SUBJECTS))
small = st.floats(0, 0.3)
drops = st.dictionaries(names, small)
levels = st.sampled_from(["aggregate", "subject"])
statistics = st.sampled_from(["score", "retention", "margin"])


def failed(run, base, rule):
    return {one.subject for one in gate(run, base, rule).verdicts if one.status == "failed"}


@settings(max_examples=60)
@given(drops, drops, levels, statistics, small)
def test_a_further_drop_never_turns_fail_into_pass(before, more, level, statistic, limit):
    rule = make_rule(statistic=statistic, level=level, min=0.5, max_drop=limit)
    base = make_run(margins=True)
    summed = {name: before.get(name, 0) + more.get(name, 0) for name in SUBJECTS}
    assert failed(make_run(drops=before, margins=True), base, rule) <= failed(
        make_run(drops=summed, margins=True), base, rule
    )


def test_one_subject_that_is_lost_is_no_proof_but_it_is_said_that_all_fell():
    # The interval of these drops reaches below 0, because a single large one widens it: such a mean may be chance.
    all_fell = {name: 0.03 + 0.001 * i for i, name in enumerate(SUBJECTS)}
    one_lost = {**all_fell, "s3": 0.6}
    low = stats.ttest_1samp(list(one_lost.values()), 0).confidence_interval(0.95).low
    assert low < 0
    rule = make_rule(max_drop=0.02, confidence=0.95)
    assert failed(make_run(drops=all_fell), BASE, rule) == {None}
    found = verdict(make_run(drops=one_lost), BASE, rule)
    assert found.status == "passed"
    assert found.ci[0] <= low + 1e-9
    assert found.reason.endswith(
        "but not by more than 0.020 with 95 % confidence; every one of 6 subjects fell by more than 0.020"
    )
    # What does not ask for confidence sees it.
    assert failed(make_run(drops=one_lost), BASE, make_rule(level="subject", max_drop=0.02)) == set(SUBJECTS)


def test_confidence_is_kept():
    """Of runs that did not get worse, no more fail than one minus the confidence."""
    random = np.random.default_rng(5)
    failures = 0
    for _ in range(200):
        moved = dict(zip(SUBJECTS, random.normal(0, 0.05, len(SUBJECTS)), strict=True))
        failures += bool(failed(make_run(drops=moved), BASE, make_rule(max_drop=0.0, confidence=0.9)))
    assert failures <= 0.1 * 200 + 3 * (200 * 0.1 * 0.9) ** 0.5


def test_shape_of_the_planted_runs():
    """What these tests build on."""
    assert sum(SPREAD) == pytest.approx(0)
    assert BASE.aggregate["nearid"].score == pytest.approx(0.775)
