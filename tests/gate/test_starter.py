"""The starter configuration loads, and the run that it was made from passes it."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from nearid_cli.breakdown.labels import read_breakdowns
from nearid_cli.gate.judge import judge
from nearid_cli.gate.rules import load_rules
from nearid_cli.gate.starter import starter
from nearid_cli.metrics.intervals import mean_interval
from tests.comparing import unscored
from tests.gating import SUBJECTS, make_comparison, make_prompted, make_run

AWKWARD = 'a"b\\c\n\x7f #[é💥'
RUNS = {
    "plain": make_run(),
    "several metrics": make_run(metrics=("nearid", "hog", AWKWARD)),
    "copies": make_run(copies={"s1/0.png", "s2/1.png"}),
    "one subject": make_run({"s0": 0.7}),
    "two subjects": make_run({"s0": 0.7, "s1": 0.6}),
    "one generation": make_run(spread=(0.0,)),
    "negative": make_run({f"s{i}": -0.5 + 0.1 * i for i in range(4)}),
    "equal": make_run(dict.fromkeys(SUBJECTS, 0.25), spread=(0.0, 0.0, 0.0)),
    "methods": make_comparison(ours=make_run(), theirs=make_run(drops=dict.fromkeys(SUBJECTS, 0.2))),
    "copying method": make_comparison(ours=make_run(), theirs=make_run(copies={"s1/0.png"})),
}


def rules_of(text, folder):
    (folder / "nearid.toml").write_text(text, encoding="utf-8")
    return load_rules(folder / "nearid.toml", folder)


@pytest.mark.parametrize("name", RUNS)
def test_the_run_passes_its_own_rules(name, tmp_path):
    run = RUNS[name]
    rules = rules_of(starter(run, "run.json"), tmp_path)
    assert {rule.metric for rule in rules} == {metric.name for metric in run.metrics} | {"*"}
    result = judge(run, run, rules, run_name="run.json", baseline_name="run.json")
    assert [one.reason for one in result.verdicts if one.status != "passed"] == []


@pytest.mark.parametrize("name", RUNS)
def test_so_it_does_with_the_rules_that_are_commented_out(name, tmp_path):
    run = RUNS[name]
    text = starter(run, "run.json")
    more = re.sub(r"^# (?=\[\[|[a-z_]+ = )", "", text, flags=re.MULTILINE)
    assert more != text
    rules = rules_of(more, tmp_path)
    assert rules[-1].level == "subject"
    assert judge(run, run, rules, run_name="run.json", baseline_name="run.json").passed


def test_bounds_come_from_the_run(tmp_path):
    _, rule = rules_of(starter(make_run(), "run.json"), tmp_path)
    low = make_run().aggregate["nearid"].ci95[0]
    assert low - 0.02 < rule.min < low
    # Standard error of a mean of 6 subjects with 4 generations of this spread each, twice, for a difference; 18
    # degrees of freedom.
    allowed = stats.t.ppf(0.975, 18) * (2 * (0.0002 / 4) / 6) ** 0.5
    assert allowed - 1e-9 < rule.max_drop < allowed + 0.01
    assert rule.confidence == 0.95


def test_a_minimum_lies_half_a_hundredth_or_more_below_the_interval(tmp_path):
    """Wherever the interval ends: a minimum has two decimals, and without any leeway some would lie on its end."""
    for step in range(10):
        run = make_run({name: score + 0.001 * step for name, score in SUBJECTS.items()})
        rule = rules_of(starter(run, "run.json"), tmp_path)[1]
        assert 0.005 - 1e-9 <= run.aggregate["nearid"].ci95[0] - rule.min < 0.015, step


def test_the_lowest_method_sets_the_minimum(tmp_path):
    text = starter(RUNS["methods"], "run.json")
    assert "# the lowest method: 0.575" in text
    _, rule = rules_of(text, tmp_path)
    assert rule.level == "method"
    assert rule.min < make_run(drops=dict.fromkeys(SUBJECTS, 0.2)).aggregate["nearid"].ci95[0]


def test_two_subjects_have_no_confidence(tmp_path):
    text = starter(RUNS["two subjects"], "run.json")
    assert "# confidence needs 3 subjects, and there are 2" in text
    assert rules_of(text, tmp_path)[1].confidence is None


def test_copies_are_allowed_as_they_are_and_said():
    assert "max = 2  # what this run has; 0 is what it should be" in starter(RUNS["copies"], "run.json")
    assert "max = 0\n" in starter(make_run(), "run.json")


def test_a_name_cannot_break_out_of_its_comment(tmp_path):
    assert len(rules_of(starter(make_run(), "a\n[gate]\nb.json"), tmp_path)) == 2


def test_generations_of_one_prompt_tell_the_noise(tmp_path):
    """Prompts that come out differently every time alike are no noise; one generation of each cannot tell."""
    pairs = {f"s{i}": {f"p{j}": [0.5 + 0.1 * j, 0.502 + 0.1 * j] for j in range(4)} for i in range(6)}
    single = {name: {prompt: values[:1] for prompt, values in own.items()} for name, own in pairs.items()}
    unknown = {
        name: {None: [value for group in own.values() for value in group]} for name, own in pairs.items()
    }
    drops = [
        rules_of(starter(make_prompted(run), "run.json"), tmp_path)[1].max_drop
        for run in (pairs, single, unknown)
    ]
    spread = np.std([0.5, 0.6, 0.7, 0.8], ddof=1)
    allowed = stats.t.ppf(0.975, 18) * (2 * spread**2 / 4 / 6) ** 0.5
    assert drops[0] == 0.01  # the smallest that is proposed
    assert allowed - 1e-9 < drops[1] < allowed + 0.01
    assert drops[0] < drops[2] <= drops[1]


def test_noise_of_generations_without_prompts_is_their_spread(tmp_path):
    spread = (-0.2, 0.0, 0.1, 0.1)
    allowed = stats.t.ppf(0.975, 2 * 3) * (2 * (np.var(spread, ddof=1) / 4) / 2) ** 0.5
    _, rule = rules_of(starter(make_run({"s0": 0.7, "s1": 0.6}, spread=spread), "run.json"), tmp_path)
    assert rule.max_drop == math.ceil(100 * allowed) / 100


@pytest.mark.parametrize("run", [RUNS["one generation"], make_prompted({s: {"a": [0.5]} for s in SUBJECTS})])
def test_noise_that_is_not_known_is_taken_for_a_twentieth(run, tmp_path):
    rule = rules_of(starter(run, "run.json"), tmp_path)[1]
    assert rule.max_drop == 0.05
    assert 0.055 - 1e-9 <= run.aggregate["nearid"].score - rule.min < 0.065


def test_noise_is_pooled_over_prompts_that_are_not_equally_noisy(tmp_path):
    groups = [[0.5, 0.6], [0.3, 0.5, 0.4], [0.7, 0.72]], [[0.6, 0.63], [0.4, 0.46], [0.2, 0.5]]
    run = make_prompted({f"s{i}": dict(zip("abc", own, strict=True)) for i, own in enumerate(groups)})
    variances = np.array([np.var(values, ddof=1) / len(values) for own in groups for values in own])
    freedoms = np.array([len(values) - 1 for own in groups for values in own])
    freedom = variances.sum() ** 2 / (variances**2 / freedoms).sum()  # Satterthwaite's
    allowed = stats.t.ppf(0.975, math.floor(freedom)) * math.sqrt(2 * variances.sum()) / 3 / 2
    assert rules_of(starter(run, "run.json"), tmp_path)[1].max_drop == math.ceil(100 * allowed) / 100


def test_a_prompt_with_a_single_generation_leaves_the_spread_of_prompts(tmp_path):
    run = make_prompted({f"s{i}": {"a": [0.5, 0.6], "b": [0.3], "c": [0.7, 0.9]} for i in range(2)})
    allowed = stats.t.ppf(0.975, 2 * 2) * (2 * (np.var([0.55, 0.3, 0.8], ddof=1) / 3) / 2) ** 0.5
    assert rules_of(starter(run, "run.json"), tmp_path)[1].max_drop == math.ceil(100 * allowed) / 100


def test_prompts_of_some_of_the_generations_tell_nothing(tmp_path):
    run = make_prompted({f"s{i}": {"a": [0.5, 0.9], "b": [0.5, 0.9], "c": [0.5, 0.9]} for i in range(3)})
    drops = [
        rules_of(starter(replace(run, images=images), "run.json"), tmp_path)[-1].max_drop
        for images in (run.images, tuple(one for one in run.images if one.prompt != "c"), ())
    ]
    assert drops[0] != drops[1] == drops[2]


def test_bounds_from_few_subjects_are_called_rough():
    text = starter(make_run(dict(list(SUBJECTS.items())[:4])), "run.json")
    assert "; rough, since 4 say little of others" in text
    assert "rough" not in starter(make_run(), "run.json")


CATEGORY = {f"s{i}": "animal" if i % 2 else "style" for i in range(6)}


class TestByGroup:
    """Rules for every group of the run."""

    def labelled(self, run):
        return replace(
            run,
            images=tuple(replace(one, labels={"category": CATEGORY[one.subject]}) for one in run.images),
        )

    def rules(self, run, folder, *by):
        images = [image for own in run.runs.values() for image in own.images]
        text = starter(run, "run.json", by=read_breakdowns(by, images))
        return [rule for rule in rules_of(text, folder) if rule.by is not None], text

    def test_the_run_passes_them(self, tmp_path):
        run = self.labelled(make_run(metrics=("nearid", "hog")))
        found, text = self.rules(run, tmp_path, "category")
        assert [(rule.metric, rule.by, rule.level) for rule in found] == [
            ("nearid", "category", "aggregate"),
            ("hog", "category", "aggregate"),
        ]
        result = judge(run, run, found, run_name="run.json", baseline_name="run.json")
        assert [(one.status, one.group["category"]) for one in result.verdicts] == [
            ("passed", "animal"),
            ("passed", "style"),
        ] * 2
        assert "# the group that may be lowest: 0.760" in text

    def test_bounds_are_those_of_the_worst_group(self, tmp_path):
        """The noisiest group of two, with 9 degrees of freedom, and half of 2.5 % for each."""
        run = self.labelled(make_run())
        (rule,), _ = self.rules(run, tmp_path, "category")
        noise = stats.t.ppf(1 - 0.0125, 9) * (2 * (0.0002 / 4) / 3) ** 0.5
        assert noise - 1e-9 < rule.max_drop < noise + 0.01
        ends = [mean_interval([0.70 + 0.03 * i for i in range(6) if i % 2 == odd])[0] for odd in (0, 1)]
        assert min(*ends, 0.76 - noise) - 0.02 < rule.min < min(*ends, 0.76 - noise)
        assert rule.confidence == 0.95

    def test_several_methods_and_breakdowns(self, tmp_path):
        run = self.labelled(make_run())
        run = replace(run, images=tuple(replace(one, seed=one.path[-5]) for one in run.images))
        methods = make_comparison(ours=run, theirs=run)
        found, _ = self.rules(methods, tmp_path, "category,seed", "category+seed")
        assert [(rule.by, rule.level) for rule in found] == [
            ("category", "method"),
            ("seed", "method"),
            ("category+seed", "method"),
        ]
        assert judge(methods, methods, found, run_name="a", baseline_name="a").passed

    def test_too_few_subjects_a_group(self, tmp_path):
        run = self.labelled(make_run({f"s{i}": 0.6 for i in range(4)}))
        (rule,), text = self.rules(run, tmp_path, "category")
        assert rule.confidence is None
        assert "# confidence needs 3 subjects a group, and there are 2" in text

    def test_a_group_without_scores(self, tmp_path):
        run = self.labelled(make_run())
        run = unscored(
            run, [one.path for one in run.images if one.labels["category"] == "style"], ("nearid",)
        )
        found, text = self.rules(run, tmp_path, "category")
        assert found == []
        assert "# nearid has no number of any generation of one of the groups by category" in text
