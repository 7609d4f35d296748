"""Verdicts on runs with planted faults: what must fail fails, says why, and nothing else fails."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nearid_cli.results import Moved
from tests.gating import (
    SPREAD,
    SUBJECTS,
    by_status,
    gate,
    make_comparison,
    make_rule,
    make_run,
    verdict,
)

BASE = make_run()
HALF = make_run(drops=dict.fromkeys(["s0", "s2", "s4"], 0.03))


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
