"""Rules by group: each group is judged as if it were all there is, and nothing that a run lost passes unseen."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from statistics import fmean

import pytest

from nearid_cli.errors import UsageError
from nearid_cli.gate.rules import load_rules
from nearid_cli.metrics.intervals import mean_interval
from nearid_cli.reports.document import document
from nearid_cli.reports.formats.data import Csv
from nearid_cli.reports.formats.junit import to_junit
from nearid_cli.reports.formats.latex import Latex
from nearid_cli.reports.formats.markdown import markdown
from nearid_cli.reports.gate import check_title, github_annotations
from nearid_cli.results import Image, Rule, ScoredGroup, ScoreResult, Verdict
from tests.comparing import mirrored, unscored
from tests.gate.test_any_metric import turned
from tests.gating import change_subject, gate, judged, make_comparison, make_rule, make_run, verdict

KINDS = {"animal": 4, "human": 3, "object": 5, "style": 3}
CATEGORY = {f"{kind} {i}": kind for kind, number in KINDS.items() for i in range(number)}
SCORES = {name: 0.6 + 0.01 * i for i, name in enumerate(CATEGORY)}


def labelled(run: ScoreResult, label: Callable[[Image], Mapping[str, str]]) -> ScoreResult:
    return replace(run, images=tuple(replace(one, labels=dict(label(one))) for one in run.images))


def by_kind(one: Image) -> Mapping[str, str]:
    return {"category": CATEGORY[one.subject]}


def made(
    drops: Mapping[str, float] | None = None, kinds: tuple[str, ...] = tuple(KINDS), **more
) -> ScoreResult:
    """A run whose subjects are of categories, and fall by what is said of their category."""
    names = {name: score for name, score in SCORES.items() if CATEGORY[name] in kinds}
    fall = {name: (drops or {}).get(CATEGORY[name], 0.0) for name in names}
    return labelled(make_run(names, drops=fall, **more), by_kind)


def diverse(run: ScoreResult) -> ScoreResult:
    for name in run.subjects.names():
        run = change_subject(run, name, diversity=0.3)
    return run


def rule(**more) -> Rule:
    return make_rule(**{"by": "category", **more})


def by_group(verdicts: tuple[Verdict, ...]) -> dict[str, str]:
    return {"+".join(value or "" for value in one.group.values()): one.status for one in verdicts}


PLANTED = made({"object": 0.05})


@pytest.mark.parametrize("bounds", [{"max_drop": 0.02}, {"max_drop": 0.02, "confidence": 0.95}])
def test_one_category_that_dropped_is_the_one_that_fails(bounds):
    found = judged(PLANTED, made(), rule(**bounds))
    assert by_group(found) == {"animal": "passed", "human": "passed", "object": "failed", "style": "passed"}
    assert [one.drop for one in found] == pytest.approx([0, 0, 0.05, 0], abs=1e-12)
    failed = found[2]
    assert failed.group == {"category": "object"}
    assert failed.reason.startswith("score fell by 0.050, from 0.690 to 0.640")
    assert check_title(failed) == "nearid score, category object"
    assert not gate(PLANTED, made(), rule(**bounds)).passed
    # What a rule for all sees is a third of it, and passes.
    assert verdict(PLANTED, made(), make_rule(max_drop=0.02)).status == "passed"


def test_so_in_a_comparison_for_the_method_that_fell():
    run = make_comparison(ours=PLANTED, theirs=made())
    base = make_comparison(ours=made(), theirs=made())
    found = judged(run, base, rule(level="method", max_drop=0.02, confidence=0.95))
    assert len(found) == 8
    assert [(one.method, one.group["category"]) for one in found if one.status == "failed"] == [
        ("ours", "object")
    ]
    assert check_title(next(one for one in found if one.status == "failed")) == (
        "nearid score, category object, method ours"
    )


STATISTICS = [
    *(
        {"statistic": statistic, **bounds}
        for statistic in ("score", "margin", "retention", "identification", "pair_mean")
        for bounds in (
            {"min": 0.2},
            {"min": 0.63},
            {"min": 0.1, "max": 0.66},
            {"max_drop": 0.02},
            {"max_drop": 0.005},
            {"max_drop": 0.01, "min": 0.64},
        )
    ),
    {"statistic": "copies", "metric": "*", "max": 0.0},
    {"statistic": "copies", "metric": "*", "max": 1.0},
    {"statistic": "missing", "max": 0.0},
]


@pytest.mark.parametrize("bounds", STATISTICS, ids=str)
@pytest.mark.parametrize("level", ["aggregate", "subject"])
@pytest.mark.parametrize("mirror", [False, True], ids=["plain", "mirrored"])
def test_a_group_is_judged_as_if_it_were_all(bounds, level, mirror):
    if level == "subject" and bounds["statistic"] == "pair_mean":
        return
    copies = {"animal 0/0.png", "animal 3/1.png", "style 1/0.png"}
    drops = {"object": 0.015, "style": 0.03, "animal": -0.01}
    turn = mirrored if mirror else lambda run: run
    plain = make_rule(**{"level": level, **bounds})
    ask = turned(plain) if mirror else plain
    run, base = made(drops, margins=True, copies=copies), made(margins=True)
    found = judged(turn(run), turn(base), replace(ask, by="category"))
    for kind in KINDS:
        own = [one for one in found if one.group == {"category": kind}]
        mine, before = (
            made(drops, (kind,), margins=True, copies=copies),
            made({}, (kind,), margins=True),
        )
        alone = judged(turn(mine), turn(before), ask)
        assert len(own) == len(alone) > 0
        for one, other in zip(own, alone, strict=True):
            assert (one.status, one.subject, one.reason, one.expected) == (
                other.status,
                other.subject,
                other.reason,
                other.expected,
            )
            for name in ("found", "baseline", "drop"):
                number = getattr(other, name)
                assert getattr(one, name) == (None if number is None else pytest.approx(number, abs=1e-12))
            assert [moved.subject for moved in one.moved] == [moved.subject for moved in other.moved]


def test_labels_within_a_subject():
    """Each generation has a seed: one in four falls in all subjects, and a mean over all hides it."""

    def seeded(run: ScoreResult) -> ScoreResult:
        return replace(run, images=tuple(replace(one, seed=one.path[-5]) for one in run.images))

    base = seeded(make_run())
    fallen = seeded(make_run())
    fallen = replace(
        fallen,
        images=tuple(
            replace(one, scores={"nearid": one.scores["nearid"] - 0.05}) if one.seed == "2" else one
            for one in fallen.images
        ),
    )
    found = judged(fallen, base, make_rule(by="seed", max_drop=0.02, confidence=0.95))
    assert by_group(found) == {"0": "passed", "1": "passed", "2": "failed", "3": "passed"}
    assert found[2].drop == pytest.approx(0.05)


def test_several_labels_at_once():
    def both(one: Image) -> Mapping[str, str]:
        return {"category": CATEGORY[one.subject], "step": str(100 * int(one.path[-5]))}

    run = labelled(make_run(SCORES), both)
    found = judged(run, None, make_rule(by="category+step", min=0.1))
    assert len(found) == 16
    assert [one.group for one in found[:2]] == [
        {"category": "animal", "step": "0"},
        {"category": "animal", "step": "100"},
    ]
    (only,) = judged(run, None, make_rule(by="category+step", group="object+300", min=0.1))
    own = [0.6 + 0.01 * i + 0.01 for i, name in enumerate(CATEGORY) if CATEGORY[name] == "object"]
    assert (only.found, only.group) == (pytest.approx(fmean(own)), {"category": "object", "step": "300"})


def test_generations_without_the_label_are_a_group():
    run = labelled(make_run(SCORES), lambda one: {} if CATEGORY[one.subject] == "style" else by_kind(one))
    found = judged(run, None, rule(min=0.1))
    assert found[-1].group == {"category": None}
    assert check_title(found[-1]) == "nearid score, no category"
    (only,) = judged(run, None, rule(group="", min=0.1))
    assert only.group == {"category": None}


def test_a_rule_for_one_group():
    (found,) = judged(PLANTED, made(), rule(group="object", max_drop=0.02))
    assert (found.status, found.group) == ("failed", {"category": "object"})
    assert verdict(PLANTED, made(), rule(group="animal", max_drop=0.02)).status == "passed"


def test_a_prompt_is_meant_however_it_is_written():
    run = replace(make_run(), images=tuple(replace(one, prompt="On the beach") for one in make_run().images))
    assert verdict(run, None, make_rule(by="prompt", group="on_the  beach.", min=0.1)).status == "passed"


def test_prompts_with_other_placeholders_are_one_group_as_in_the_whole():
    """Two runs that call every subject by another word are of the same prompts."""
    places = ("on a beach", "in snow", "at night")

    def called(word: str, drop: float = 0.0) -> ScoreResult:
        run = make_run(SCORES, drops=dict.fromkeys(SCORES, drop), spread=(0.0,) * 3)
        images = (
            replace(one, prompt=f"a {word} thing {places[place % 3]}") for place, one in enumerate(run.images)
        )
        return replace(run, images=tuple(images))

    ask = make_rule(by="prompt", max_drop=0.02)
    assert by_group(judged(called("<v>"), called("sks"), ask)) == {
        f"a <v> thing {place}": "passed" for place in places
    }
    fell = judged(called("<v>", 0.05), called("sks"), ask)
    assert [one.status for one in fell] == ["failed"] * 3
    assert [one.drop for one in fell] == pytest.approx([0.05] * 3)
    named = make_rule(by="prompt", group="a <v> thing in snow", max_drop=0.02)
    assert [one.status for one in judged(called("<v>"), called("sks"), named)] == ["passed"]


@pytest.mark.parametrize(
    ("ask", "why"),
    [
        (rule(group="anmal", min=0.1), "the run has no category anmal: did you mean animal?"),
        (
            rule(group="vehicle", min=0.1),
            "the run has no category vehicle: known: animal, human, object, style",
        ),
        (
            rule(by="categry", min=0.1),
            'unknown label "categry": did you mean category?; the generations have 1 label',
        ),
        (
            rule(by="seed", min=0.1),
            'unknown label "seed"; the generations have 1 label: category',
        ),
        (rule(by="category+sed", min=0.1), 'unknown label "sed"'),
        (rule(by="category,category+x", min=0.1), 'unknown label "x"'),
    ],
)
def test_groups_that_the_run_lacks_fail_with_what_there_is(ask, why):
    found = verdict(made(), None, ask)
    assert found.status == "failed"
    assert found.reason.startswith(why)


def test_several_ways_in_one_rule_are_refused():
    run = labelled(make_run(SCORES), lambda one: {**by_kind(one), "step": "1"})
    found = verdict(run, None, rule(by="category,step", min=0.1))
    assert found.reason == "by names several ways at once (category,step): write a rule for each"


def test_a_result_without_labels_or_without_its_generations_fails():
    assert verdict(make_run(), None, rule(min=0.1)).reason.startswith(
        'unknown label "category"; nothing is known'
    )
    half = replace(made(), images=made().images[1:])
    assert (
        verdict(half, None, rule(min=0.1)).reason
        == "the run or the baseline does not list all of its generations"
    )


class TestOtherGroups:
    """A baseline of other groups."""

    def test_one_that_vanished_fails(self):
        run = made(kinds=("animal", "human", "object"))
        found = judged(run, made(), rule(max_drop=0.02))
        assert by_group(found) == {
            "animal": "passed",
            "human": "passed",
            "object": "passed",
            "style": "failed",
        }
        assert found[3].reason == "the run lacks this group, which the baseline has"
        assert by_group(judged(run, made(), rule(min=0.1))).keys() == {"animal", "human", "object"}

    def test_a_new_one_is_said(self):
        result = gate(made(), made(kinds=("animal", "human", "object")), rule(max_drop=0.02))
        assert by_group(result.verdicts)["style"] == "warned"
        assert result.passed
        new = result.verdicts[3]
        assert new.reason == "score is 0.730; the baseline lacks this group; --update-baseline takes it in"
        assert "style" in markdown(document(result)).partition("## Warnings")[2].partition("##")[0]

    def test_a_new_one_fails_by_its_other_bounds(self):
        found = judged(made(), made(kinds=("animal",)), rule(max_drop=0.02, min=0.7))
        assert by_group(found) == {
            "animal": "failed",
            "human": "failed",
            "object": "failed",
            "style": "warned",
        }
        assert found[1].reason.startswith(
            "score is 0.650, below the minimum of 0.700; the baseline lacks this group"
        )

    def test_subjects_of_a_new_one_are_judged_by_their_other_bounds(self):
        ask = rule(level="subject", max_drop=0.02, min=0.725)
        found = [
            one for one in judged(made(), made(kinds=("object",)), ask) if one.group == {"category": "style"}
        ]
        assert [(one.subject, one.status) for one in found] == [
            ("style 0", "failed"),
            ("style 1", "warned"),
            ("style 2", "warned"),
        ]

    def test_a_rule_without_a_drop_asks_nothing_of_the_baseline(self):
        for ask in (rule(min=0.1), make_rule(statistic="copies", by="category", max=0)):
            found = judged(made(), made(kinds=("animal",)), ask)
            assert by_group(found) == dict.fromkeys(("animal", "human", "object", "style"), "passed")

    def test_nothing_in_common_fails(self):
        renamed = labelled(make_run(SCORES), lambda one: {"category": CATEGORY[one.subject].upper()})
        found = judged(made(), renamed, rule(max_drop=0.02))
        assert len(found) == 8
        assert {one.status for one in found} == {"failed"}
        unlabelled = judged(made(), make_run(SCORES), rule(max_drop=0.02))
        assert {one.status for one in unlabelled} == {"failed"}

    def test_a_rule_for_one_group_fails_where_the_baseline_lacks_it(self):
        found = verdict(made(), made(kinds=("animal",)), rule(group="style", max_drop=0.02))
        assert (found.status, found.reason) == (
            "failed",
            "the baseline lacks this group; --update-baseline takes it in",
        )
        gone = verdict(made(kinds=("animal",)), made(), rule(group="style", max_drop=0.02))
        assert gone.reason == "the run has no category style (the baseline has): known: animal"

    def test_a_method_that_the_baseline_lacks_fails_in_every_group(self):
        run, base = make_comparison(ours=made(), theirs=made()), make_comparison(ours=made())
        found = judged(run, base, rule(level="method", max_drop=0.02))
        assert {(one.method, one.status) for one in found} == {("ours", "passed"), ("theirs", "failed")}

    def test_a_subject_that_changed_its_group(self):
        def moved(one: Image) -> Mapping[str, str]:
            return {"category": "animal" if one.subject == "human 0" else CATEGORY[one.subject]}

        found = judged(labelled(make_run(SCORES), moved), made(), rule(max_drop=0.5))
        assert by_group(found) == {
            "animal": "failed",
            "human": "failed",
            "object": "passed",
            "style": "passed",
        }
        assert found[0].reason.startswith("the baseline lacks 1 subject of the run: human 0")


class TestFailsClosed:
    def test_an_obstacle_is_said_once(self):
        (found,) = judged(made(), None, rule(max_drop=0.02))
        assert found.status == "failed"
        assert found.reason.startswith("max_drop needs a baseline")
        assert check_title(found) == "nearid score, by category"
        bounds = judged(made(), None, rule(max_drop=0.02, min=0.1))
        assert [one.status for one in bounds] == ["failed", *4 * ["passed"]]

    def test_a_score_that_a_file_lost(self):
        run = made()
        images = [
            replace(one, scores={"nearid": None}) if one.path == "human 1/2.png" else one
            for one in run.images
        ]
        found = judged(replace(run, images=tuple(images)), made(), rule(min=0.1))
        assert by_group(found) == {
            "animal": "passed",
            "human": "failed",
            "object": "passed",
            "style": "passed",
        }
        assert found[1].reason.startswith(
            "the run has no score here; 1 of 12 generations of the run has no score"
        )

    def test_a_group_that_lost_its_scores(self):
        run = unscored(
            made(), [one.path for one in made().images if one.subject.startswith("style")], ("nearid",)
        )
        found = judged(run, made(), rule(max_drop=0.02))
        assert by_group(found)["style"] == "failed"
        assert "the run has no score of 12 of 12 generations" in found[3].reason
        assert by_group(judged(run, None, rule(min=0.1)))["style"] == "failed"

    def test_too_few_subjects_for_confidence(self):
        run = labelled(make_run({"a": 0.5, "b": 0.6}), lambda one: {"category": one.subject})
        found = judged(run, run, rule(max_drop=0.02, confidence=0.95))
        assert {one.status for one in found} == {"failed"}
        assert found[0].reason.endswith("an interval needs 3 subjects, and there is 1")

    def test_what_takes_whole_subjects(self):
        """Of groups within subjects, retention is known where the result was asked for them."""

        def seeded(run: ScoreResult) -> ScoreResult:
            return replace(run, images=tuple(replace(one, seed=one.path[-5]) for one in run.images))

        run = seeded(make_run())
        ask = make_rule(statistic="retention", by="seed", min=0.5)
        found = judged(run, None, ask)
        assert {one.reason for one in found} == {
            "the run has no retention here: the result does not tell it of such groups: nearid score --by seed"
        }
        told = replace(run.aggregate["nearid"], retention=0.6)
        group = ScoredGroup({"seed": "1"}, 6, 6, {"nearid": told})
        found = judged(replace(run, groups=(group,)), None, ask)
        assert by_group(found) == {"0": "failed", "1": "passed", "2": "failed", "3": "failed"}
        assert found[1].found == 0.6
        diversity = judged(diverse(run), None, replace(ask, statistic="diversity"))
        assert {one.reason for one in diversity} == {
            "the run has no diversity here: it is known of groups that have all generations of a subject"
        }
        single = judged(run, None, replace(ask, level="subject"))
        assert {one.reason for one in single} == {
            "the run has no retention here: the group has not all generations of the subject"
        }

    def test_retention_of_a_group_with_a_subject_without_room(self):
        run = change_subject(made(), "human 1", retention=None, within_noise=True)
        found = judged(run, None, rule(statistic="retention", min=0.1))
        assert by_group(found) == {
            "animal": "passed",
            "human": "failed",
            "object": "passed",
            "style": "passed",
        }
        assert found[1].reason.endswith("nearid score --by category")

    def test_retention_is_over_the_subjects_that_have_a_score(self):
        silent = [one.path for one in made().images if one.subject == "human 1"]
        run = unscored(made(), silent, ("nearid",))
        found = verdict(run, None, rule(statistic="retention", group="human", min=0.1))
        scores = [SCORES[name] for name in ("human 0", "human 2")]
        assert found.status == "passed"
        assert found.found == pytest.approx((fmean(scores) - 0.2) / (0.95 - 0.2))

    def test_near_copies_and_diversity(self):
        run = made()
        for name in SCORES:
            run = change_subject(
                run, name, near_copies=0, closest=0.9, diversity=0.3 if name[0] != "s" else 0.1
            )
        run = change_subject(run, "human 2", near_copies=2)
        near = {"human 2/0.png": "a.png", "human 2/3.png": "b.png"}
        run = replace(
            run,
            images=tuple(
                replace(one, near_copy_of={"nearid": near[one.path]}) if one.path in near else one
                for one in run.images
            ),
        )
        found = judged(run, None, rule(statistic="near_copies", max=1.0))
        assert by_group(found) == {
            "animal": "passed",
            "human": "failed",
            "object": "passed",
            "style": "passed",
        }
        assert found[1].reason.endswith("1 may: human 2/0.png (a.png), human 2/3.png (b.png)")
        found = judged(run, None, rule(statistic="diversity", min=0.2))
        assert by_group(found) == {
            "animal": "passed",
            "human": "passed",
            "object": "passed",
            "style": "failed",
        }
        assert [one.found for one in found] == pytest.approx([0.3, 0.3, 0.3, 0.1])


DROPS = {"animal": 0.004, "human": 0.02, "object": 0.03, "style": 0.0}


class TestConfidence:
    """What a rule promises, it promises of all its groups together."""

    def run(self) -> ScoreResult:
        wobble = {name: 0.001 * ((7 * i) % 5) for i, name in enumerate(CATEGORY)}
        names = {name: SCORES[name] - wobble[name] - DROPS[CATEGORY[name]] for name in CATEGORY}
        return labelled(make_run(names), by_kind)

    def drops(self, kind: str) -> list[float]:
        run = {one.subject: one.scores["nearid"].score for one in self.run().subjects}
        base = {one.subject: one.scores["nearid"].score for one in made().subjects}
        return [base[name] - run[name] for name in CATEGORY if CATEGORY[name] == kind]

    def test_intervals_are_those_of_holm(self):
        ask = rule(max_drop=0.012, confidence=0.95)
        found = {one.group["category"]: one for one in judged(self.run(), made(), ask)}
        left, expected = list(KINDS), {}
        while left:
            for kind in left:
                expected[kind] = mean_interval(self.drops(kind), 1 - 0.05 / len(left))
            still = [kind for kind in left if expected[kind][0] <= 0.012]
            if still == left:
                break
            left = still
        for kind in KINDS:
            assert found[kind].ci == pytest.approx(expected[kind])
            assert (found[kind].status == "failed") == (expected[kind][0] > 0.012)
        assert found["object"].status == "failed"
        assert "with 95 % confidence among 4 groups by" in found["object"].reason

    def test_one_group_is_judged_alone(self):
        ask = rule(group="object", max_drop=0.012, confidence=0.95)
        found = verdict(self.run(), made(), ask)
        assert found.ci == pytest.approx(mean_interval(self.drops("object"), 0.95))
        assert "among" not in found.reason

    def test_without_confidence_each_interval_is_its_own(self):
        found = judged(self.run(), made(), rule(max_drop=0.012))
        for one in found:
            assert one.ci == pytest.approx(mean_interval(self.drops(one.group["category"]), 0.95))


class TestFormats:
    RESULT = gate(PLANTED, made(), rule(max_drop=0.02), rule(level="subject", group="style", min=0.9))

    def test_json(self):
        verdicts = json.loads(json.dumps(self.RESULT.to_dict()))["verdicts"]
        assert verdicts[2]["group"] == {"category": "object"}
        assert verdicts[2]["rule"]["by"] == "category"
        assert "group" not in verdicts[2]["rule"]
        assert verdicts[-1]["rule"]["group"] == "style"

    def test_nothing_is_said_of_groups_where_there_are_none(self):
        plain = gate(made(), made(), make_rule(max_drop=0.02))
        assert "group" not in json.dumps(plain.to_dict())
        assert "group" not in Csv().render(document(plain)).splitlines()[0]

    def test_csv(self):
        rows = list(csv.DictReader(io.StringIO(Csv().render(document(self.RESULT)))))
        assert (rows[0]["by"], rows[0]["group"], rows[0]["status"]) == ("category", "object", "failed")
        assert [row["subject"] for row in rows if row["group"] == "style"][:3] == [
            "style 0",
            "style 1",
            "style 2",
        ]

    def test_words(self):
        pages = markdown(document(self.RESULT)), Latex().render(document(self.RESULT)), to_junit(self.RESULT)
        for page in (*pages, "\n".join(github_annotations(self.RESULT)).replace("%2C", ",")):
            assert "nearid score, category object" in page
            assert "nearid score, category style, subject style 1" in page
        assert 'classname="nearid score by category"' in pages[2]
        assert 'classname="nearid score by category style and subject"' in pages[2]


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ('metric = "a"\nmin = 0.1\ngroup = "x"', "group needs by"),
        ('metric = "a"\nmin = 0.1\nby = ""', "by is empty"),
        ('metric = "a"\nmin = 0.1\nby = ["category"]', "by must be a text, found ['category']"),
        ('metric = "a"\nmin = 0.1\nby = "seed"\ngroup = 3', "group must be a text, found 3"),
    ],
)
def test_rules_that_mean_nothing_are_refused(lines, problem, tmp_path):
    (tmp_path / "nearid.toml").write_text("[[gate.rules]]\n" + lines, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        load_rules(tmp_path / "nearid.toml", tmp_path)
    assert any(one.startswith(f"rule 1: {problem}") for one in caught.value.details)


def test_rules_are_read(tmp_path):
    text = '[[gate.rules]]\nmetric = "nearid"\nby = "category"\ngroup = "animal"\nmin = 0.5\n'
    (tmp_path / "nearid.toml").write_text(text, encoding="utf-8")
    assert load_rules(tmp_path / "nearid.toml", tmp_path) == (rule(group="animal", min=0.5),)


@pytest.mark.parametrize("seed", range(8))
def test_whatever_a_run_lacks_every_group_has_a_verdict_with_a_reason(seed: int) -> None:
    """Labels, prompts, seeds and scores that some generations lack, and subjects that one side lacks."""

    def drawn(number: int) -> ScoreResult:
        draw = random.Random(number)
        subjects = {f"s{i}": draw.uniform(0.3, 0.9) for i in range(draw.randint(1, 5))}
        spread = [draw.uniform(-0.05, 0.05) for _ in range(draw.randint(1, 4))]
        run = make_run(subjects, spread=spread, margins=draw.random() < 0.5)
        images = tuple(
            replace(
                one,
                labels={"kind": draw.choice("xyz")} if draw.random() < 0.9 else {},
                prompt=draw.choice([None, "a", "b"]),
                seed=draw.choice([None, "1", "2"]),
            )
            for one in run.images
        )
        lost = [one.path for one in images if draw.random() < 0.3] if draw.random() < 0.6 else []
        return unscored(replace(run, images=images), lost, ("nearid",))

    run, base = drawn(seed), drawn(seed + 100 * (seed % 2))
    for by in ("kind", "prompt", "kind+seed"):
        for statistic in (
            "score",
            "margin",
            "retention",
            "identification",
            "near_copies",
            "missing",
            "diversity",
        ):
            counts = statistic in ("near_copies", "missing")
            for bounds in [{"max": 0.0}] if counts else [{"min": 0.5}, {"max_drop": 0.01}]:
                for level in ("aggregate", "subject"):
                    found = judged(run, base, make_rule(statistic=statistic, level=level, by=by, **bounds))
                    assert found
                    assert all(one.reason for one in found)
                    assert all(one.found is not None for one in found if one.status == "passed")
