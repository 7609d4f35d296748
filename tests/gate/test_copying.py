"""Rules on near copies and on diversity: what is counted, what a drop is, and what is not there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from statistics import fmean

import pytest

from nearid_cli.gate.rules import load_rules
from nearid_cli.gate.starter import starter
from nearid_cli.reports.document import document
from nearid_cli.reports.formats.junit import to_junit
from nearid_cli.reports.formats.markdown import markdown
from nearid_cli.results import ScoreResult
from tests.gating import (
    SUBJECTS,
    by_status,
    change_metric,
    gate,
    judged,
    make_comparison,
    make_rule,
    make_run,
    verdict,
)

EVEN = dict.fromkeys(SUBJECTS, 0.3)


def diverse(found: Mapping[str, float | None] = EVEN, statistic: str = "diversity") -> ScoreResult:
    """A run whose subjects have these diversities."""
    run = make_run()
    rows = tuple(
        replace(row, scores={"nearid": replace(row.scores["nearid"], **{statistic: found[row.subject]})})
        for row in run.subjects
    )
    known = [one for one in found.values() if one is not None]
    aggregate = replace(run.aggregate["nearid"], **{statistic: fmean(known) if known else None})
    return replace(run, subjects=rows, aggregate={"nearid": aggregate})


def copying(near: Mapping[str, str], without: tuple[str, ...] = ()) -> ScoreResult:
    """A run with these generations near a reference each, and subjects that can have none."""
    run = make_run()
    images = tuple(
        replace(one, near_copy_of={"nearid": near[one.path]}) if one.path in near else one
        for one in run.images
    )
    rows = []
    for row in run.subjects:
        count = sum(path.startswith(f"{row.subject}/") for path in near)
        facts = {"near_copies": count} if row.subject not in without else {"ceiling": None}
        rows.append(replace(row, scores={"nearid": replace(row.scores["nearid"], **facts)}))
    aggregate = replace(run.aggregate["nearid"], near_copies=len(near) if len(without) < len(rows) else None)
    return replace(run, images=images, subjects=tuple(rows), aggregate={"nearid": aggregate})


NEAR = {"s0/0.png": "refs/a.png", "s0/1.png": "refs/b.png", "s3/2.png": "refs/c.png"}


@pytest.mark.parametrize(("most", "status"), [(2, "failed"), (3, "passed")])
def test_near_copies_are_counted(most, status):
    found = verdict(copying(NEAR), None, make_rule(statistic="near_copies", max=float(most)))
    assert (found.status, found.found, found.metric) == (status, 3, "nearid")
    assert found.expected == f"near_copies <= {most}"
    said = "3 generations nearly copy a reference"
    which = " and 2 may: s0/0.png (refs/a.png), s0/1.png (refs/b.png), s3/2.png (refs/c.png)"
    assert found.reason == said + (which if status == "failed" else "")


def test_near_copies_of_each_subject():
    found = gate(copying(NEAR), None, make_rule(statistic="near_copies", level="subject", max=1.0))
    assert by_status(found) == {"failed": ["s0"], "passed": ["s1", "s2", "s3", "s4", "s5"]}
    (failed,) = (one for one in found.verdicts if one.status == "failed")
    assert failed.reason.startswith("2 generations nearly copy a reference and 1 may: s0/0.png (refs/a.png)")


def test_near_copies_of_each_method():
    run = make_comparison(ours=copying({}), theirs=copying(NEAR))
    found = judged(run, None, make_rule(statistic="near_copies", level="method", max=0.0))
    assert [(one.method, one.status, one.found) for one in found] == [
        ("ours", "passed", 0),
        ("theirs", "failed", 3),
    ]


def test_a_result_that_does_not_list_its_generations_still_counts():
    found = verdict(replace(copying(NEAR), images=()), None, make_rule(statistic="near_copies", max=0.0))
    assert (found.status, found.reason) == ("failed", "3 generations nearly copy a reference and 0 may")


def test_subjects_that_cannot_have_near_copies_are_named():
    found = verdict(copying(NEAR, without=("s1", "s2")), None, make_rule(statistic="near_copies", max=3.0))
    assert found.status == "passed"
    assert found.reason.endswith("; without 2 subjects that cannot have any: s1, s2")
    rule = make_rule(statistic="near_copies", level="subject", max=3.0)
    by_subject = gate(copying(NEAR, without=("s1", "s2")), None, rule)
    assert by_status(by_subject)["failed"] == ["s1", "s2"]


@pytest.mark.parametrize(
    ("run", "statistic", "why"),
    [
        (copying({}, without=tuple(SUBJECTS)), "near_copies", "it takes two references of a subject"),
        (make_run(), "near_copies", "an older nearid made the result; score it again"),
        (make_run(), "diversity", "an older nearid made the result; score it again"),
        (make_run(), "prompt_diversity", "an older nearid made the result; score it again"),
        (diverse(), "prompt_diversity", "it takes two generations of one prompt"),
        (make_run(spread=(0.0,)), "diversity", "it takes two generations of a subject"),
        (change_metric(make_run(), kind="pairwise"), "diversity", "pairwise scores have none"),
        (change_metric(make_run(), kind="text", against="prompts"), "near_copies", "text scores have none"),
        (change_metric(make_run(), kind="given", against=""), "near_copies", "given scores have none"),
    ],
)
@pytest.mark.parametrize("level", ["aggregate", "subject"])
def test_what_does_not_exist_fails_with_what_it_takes(run, statistic, why, level):
    found = judged(run, None, make_rule(statistic=statistic, level=level, max=0.0))
    assert {one.status for one in found} == {"failed"}
    assert {one.reason for one in found} == {f"the run has no {statistic} here: {why}"}


def test_a_metric_that_lacks_near_copies_of_the_comparison_fails_for_all():
    """`*` is for every metric of the run, and each has its own count."""
    two = replace(make_run(metrics=("nearid", "hog")), inputs=make_run().inputs)
    found = judged(two, None, make_rule("*", "near_copies", max=0.0))
    assert [(one.metric, one.status) for one in found] == [("nearid", "failed"), ("hog", "failed")]


@pytest.mark.parametrize("statistic", ["diversity", "prompt_diversity"])
@pytest.mark.parametrize("better", [True, False])
def test_a_drop_of_diversity_is_a_fall_by_every_metric(statistic, better):
    falls = {name: 0.02 * i for i, name in enumerate(SUBJECTS)}
    base = change_metric(diverse(statistic=statistic), higher_is_better=better)
    run = diverse({name: 0.3 - fall for name, fall in falls.items()}, statistic)
    run = change_metric(run, higher_is_better=better)
    found = verdict(run, base, make_rule(statistic=statistic, max_drop=0.04))
    assert (found.status, found.drop) == ("failed", pytest.approx(fmean(falls.values())))
    assert found.reason == f"{statistic} fell by 0.050, from 0.300 to 0.250; 0.040 is allowed"
    assert found.moved[0].subject == "s5"
    assert found.moved[0].delta == pytest.approx(-0.1)
    assert found.ci is not None
    assert found.ci[0] < 0.05 < found.ci[1]
    assert verdict(base, run, make_rule(statistic=statistic, max_drop=0.0)).status == "passed"
    by_subject = gate(run, base, make_rule(statistic=statistic, level="subject", max_drop=0.07))
    assert by_status(by_subject)["failed"] == ["s4", "s5"]
    sure = make_rule(statistic=statistic, max_drop=0.0, confidence=0.9)
    assert verdict(run, base, sure).status == "failed"


@pytest.mark.parametrize(
    ("bounds", "status"),
    [
        ({"min": 0.29}, "passed"),
        ({"min": 0.31}, "failed"),
        ({"max": 0.31}, "passed"),
        ({"max": 0.29}, "failed"),
        ({"min": 0.2, "max": 0.4}, "passed"),
    ],
)
def test_diversity_may_be_too_low_and_too_high(bounds, status):
    assert verdict(diverse(), None, make_rule(statistic="diversity", **bounds)).status == status


def test_subjects_without_diversity_are_named_in_a_bound_and_fail_a_drop():
    run = diverse({**EVEN, "s2": None})
    rule = make_rule(statistic="diversity", min=0.1)
    assert verdict(run, None, rule).reason == (
        "diversity is 0.300; without 1 subject that cannot have any: s2"
    )
    dropped = verdict(run, diverse(), make_rule(statistic="diversity", max_drop=0.1))
    assert (dropped.status, dropped.drop) == ("failed", None)
    assert "1 subject without diversity in the run or the baseline: s2" in dropped.reason


def test_a_baseline_without_diversity_fails():
    found = verdict(diverse(), make_run(), make_rule(statistic="diversity", max_drop=0.1))
    assert found.status == "failed"
    assert found.reason.endswith(
        "the baseline has no diversity here: an older nearid made the result; score it again"
    )


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ('statistic = "near_copies"\nmax = 0', "metric is missing: name a metric of the run"),
        (
            'metric = "a"\nstatistic = "near_copies"\nmin = 0',
            "near_copies take max, neither min nor max_drop",
        ),
        ('metric = "a"\nstatistic = "near_copies"\nmax_drop = 1', "near_copies take max, neither"),
        ('metric = "a"\nstatistic = "near_copies"\nmax = 0.5', "max must be a number of copies: 0, 1, 2 ..."),
        (
            'metric = "a"\nstatistic = "diversity"\nlevel = "subject"\nmax_drop = 0.1\nconfidence = 0.9',
            "a single generation has no diversity, so there is no confidence at level subject",
        ),
    ],
)
def test_rules_that_mean_nothing_are_refused(lines, problem, tmp_path):
    from nearid_cli.errors import UsageError

    (tmp_path / "nearid.toml").write_text("[[gate.rules]]\n" + lines, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        load_rules(tmp_path / "nearid.toml", tmp_path)
    assert any(one.startswith(f"rule 1: {problem}") for one in caught.value.details)


def test_every_format_names_the_near_copies():
    result = gate(copying(NEAR), None, make_rule(statistic="near_copies", max=0.0))
    page = markdown(document(result))
    for text in (page, to_junit(result)):
        plain = text.replace("\\", "").replace("&lt;", "<")
        assert "nearid near_copies" in plain
        assert "s0/0.png (refs/a.png)" in plain
        assert "near_copies <= 0" in plain


def test_a_starter_proposes_a_warning_where_there_are_none(tmp_path):
    assert "near_copies" not in starter(make_run(), "run.json")  # an older result does not say
    assert "near_copies" not in starter(copying(NEAR), "run.json")
    text = starter(copying({}), "run.json")
    lines = text[text.index("# Generations nearer") :].splitlines()[1:7]
    (tmp_path / "nearid.toml").write_text("\n".join(line[2:] for line in lines), encoding="utf-8")
    (rule,) = load_rules(tmp_path / "nearid.toml", tmp_path)
    assert rule == make_rule(statistic="near_copies", max=4.0, on_fail="warn")
    # Of two runs with so many near copies on average, the second has at most `max` where the first had none.
    for rate in (0.5, 1.0, 2.0):
        none_then_more = math.exp(-rate) * (
            1 - sum(math.exp(-rate) * rate**k / math.factorial(k) for k in range(5))
        )
        assert none_then_more < 0.025
