"""What cannot be judged has failed, and the verdict says why."""

from dataclasses import replace

import pytest

from nearid_cli.errors import InputError
from tests.gating import (
    SUBJECTS,
    by_status,
    change_metric,
    change_subject,
    gate,
    make_comparison,
    make_rule,
    make_run,
    verdict,
)

BASE = make_run()
HALF = make_run(drops=dict.fromkeys(["s0", "s2", "s4"], 0.03))


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
    @pytest.mark.parametrize("statistic", ["retention", "pair_mean"])
    def test_an_aggregate_that_is_null(self, side, statistic):
        hollow = replace(BASE, aggregate={"nearid": replace(BASE.aggregate["nearid"], **{statistic: None})})
        run, base = (hollow, BASE) if side == "run" else (BASE, hollow)
        found = verdict(run, base, make_rule(statistic=statistic, max_drop=0.1))
        assert found.status == "failed"
        assert found.reason.startswith(f"the {side} has no {statistic} here")

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
