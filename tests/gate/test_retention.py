"""Rules on retention: of all subjects a ratio of means, whose drop is counted subject by subject all the same."""

from dataclasses import replace

import numpy as np
import pytest

from nearid_cli.metrics.intervals import mean_interval
from nearid_cli.metrics.retention import retention
from nearid_cli.results.score import _OLD_PROTOCOL
from tests.gating import SUBJECTS, change_metric, change_subject, judged, make_rule, make_run, verdict

RULE = make_rule(statistic="retention", max_drop=0.02, confidence=0.95)
CEILINGS = {"s0": 0.75, "s1": 0.9, "s2": 0.95, "s3": 0.85, "s4": 0.99, "s5": 0.97}
FLOORS = {"s0": 0.1, "s1": 0.3, "s2": 0.2, "s3": 0.25, "s4": 0.15, "s5": 0.4}


def with_rooms(run, ceilings=CEILINGS, floors=FLOORS):
    """The run with other ceilings and floors, and the ratio of means that follows."""
    for subject in run.subjects:
        run = change_subject(
            run, subject.subject, ceiling=ceilings[subject.subject], floor=floors[subject.subject]
        )
    rows = [subject.scores["nearid"] for subject in run.subjects]
    top, room = (
        sum(values) for values in zip(*((r.score - r.floor, r.ceiling - r.floor) for r in rows), strict=True)
    )
    return replace(run, aggregate={"nearid": replace(run.aggregate["nearid"], retention=top / room)})


def test_the_drop_is_that_of_the_ratio_of_means_and_has_an_interval():
    drops = {"s0": 0.05, "s1": 0.01, "s2": 0.08, "s3": 0.03, "s4": 0.06, "s5": 0.02}
    base, run = with_rooms(make_run()), with_rooms(make_run(drops=drops))
    (found,) = judged(run, base, RULE)
    assert found.drop == pytest.approx(
        base.aggregate["nearid"].retention - run.aggregate["nearid"].retention, abs=1e-12
    )
    # The rooms are the same in both, so a subject's part in R before - R now is linear in its drop.
    rooms = np.array([CEILINGS[name] - FLOORS[name] for name in SUBJECTS])
    fell = np.array([drops[name] for name in SUBJECTS])
    change = fell.sum() / rooms.sum()
    parts = change + (fell - change * rooms) / rooms.mean()
    assert found.ci == pytest.approx(mean_interval(parts), abs=1e-12)
    assert [one.subject for one in found.moved] == [f"s{i}" for i in np.argsort(-parts)[:5]]


def test_floors_that_rose_are_a_drop():
    base = with_rooms(make_run())
    run = with_rooms(make_run(), floors={name: 0.1 + floor for name, floor in FLOORS.items()})
    (found,) = judged(run, base, RULE)
    before, now = (one.aggregate["nearid"].retention for one in (base, run))
    assert found.drop == pytest.approx(before - now, abs=1e-12)
    assert now < before


def test_a_subject_without_room_is_part_of_all_and_fails_by_itself():
    base = with_rooms(make_run())
    bare = change_subject(base, "s2", retention=None, within_noise=True)
    (found,) = judged(bare, base, RULE)
    assert (found.status, found.drop) == ("passed", pytest.approx(0))
    by_subject = make_rule(statistic="retention", level="subject", min=-9, max_drop=9)
    failed = {one.subject: one.reason for one in judged(bare, base, by_subject) if one.status == "failed"}
    assert failed == {
        "s2": "the run has no retention here: its ceiling is no farther above its floor than chance may put it"
    }
    failed = {one.subject: one.reason for one in judged(base, bare, by_subject) if one.status == "failed"}
    assert list(failed) == ["s2"]
    assert failed["s2"].startswith("the baseline has no retention here: its ceiling")


@pytest.mark.parametrize("missing", ["ceiling", "floor"])
def test_a_subject_without_ceiling_or_floor_fails_all(missing):
    base = with_rooms(make_run())
    bare = change_subject(base, "s2", retention=None, **{missing: None})
    for run, baseline in ((bare, base), (base, bare)):
        (found,) = judged(run, baseline, RULE)
        assert (found.status, found.drop) == ("failed", None)
        assert found.reason == "1 subject without retention in the run or the baseline: s2"


def test_old_retention_is_not_judged():
    old = change_metric(make_run(), protocol=_OLD_PROTOCOL)
    for level in ("aggregate", "subject"):
        rule = make_rule(statistic="retention", level=level, min=0.1, max_drop=0.1)
        found = judged(old, old, rule)
        assert {one.status for one in found} == {"failed"}
        assert found[0].reason.startswith(
            "the run has no retention here: an older nearid made the result, whose retention meant something else"
        )
    assert {one.status for one in judged(old, old, make_rule(min=0.1, max_drop=0.1))} == {"passed"}


@pytest.mark.parametrize("names", [("nearid", "hog"), ("hog", "nearid")])
def test_one_metric_that_is_old_does_not_age_the_other(names):
    run = change_metric(make_run(metrics=names), protocol=_OLD_PROTOCOL)
    old, new = (verdict(run, run, make_rule(name, "retention", min=0.1)) for name in names)
    assert (old.status, new.status) == ("failed", "passed")


def test_a_subject_with_hardly_any_room_hides_no_fall():
    """Its ratio of 47 made a mean of ratios of 8.5 while every subject's score fell by 0.2."""
    ceilings = dict.fromkeys(SUBJECTS, 0.95) | {"s3": 0.2 + 0.59 / 47}
    floors = dict.fromkeys(SUBJECTS, 0.2)

    def scored(run):
        rows = [subject.scores["nearid"] for subject in with_rooms(run, ceilings, floors).subjects]
        score, ceiling, floor = (
            np.array([getattr(r, name) for r in rows]) for name in ("score", "ceiling", "floor")
        )
        found = retention(score, ceiling, floor, np.full(len(rows), 0.02))
        for name, one, noise in zip(SUBJECTS, found.by_subject, found.within_noise, strict=True):
            run = change_subject(
                run,
                name,
                ceiling=ceilings[name],
                floor=0.2,
                retention=None if noise else one,
                within_noise=noise,
            )
        ratios = float(((score - floor) / (ceiling - floor)).mean())
        return replace(
            run, aggregate={"nearid": replace(run.aggregate["nearid"], retention=found.of_all)}
        ), ratios

    base, _ = scored(make_run())
    run, of_ratios = scored(make_run(drops=dict.fromkeys(SUBJECTS, 0.2)))
    assert of_ratios > 5
    (found,) = judged(run, base, make_rule(statistic="retention", min=0.9, max_drop=0.1, confidence=0.95))
    assert found.status == "failed"
    assert found.reason.startswith("retention is 0.598, below the minimum of 0.900")
    assert "retention fell by 0.3" in found.reason
