"""`nearid gate init`: another run of the same method, with other seeds, passes the rules that a run gave."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nearid_cli.breakdown.labels import Breakdown
from nearid_cli.gate.judge import judge
from nearid_cli.gate.numbers import most_missing
from nearid_cli.gate.rules import load_rules
from nearid_cli.gate.starter import starter
from tests.gating import make_prompted
from tests.worlds.planting import deviations

NOISE = 0.15  # of a generation: so much that rounding and leeway of bounds hardly help


def make(means, noise, known):
    """A run: subjects by prompts by generations. Unknown prompts are None."""
    values = np.clip(means + noise, -1, 1)
    return make_prompted(
        {
            f"s{i}": {f"p{j}": own.tolist() for j, own in enumerate(prompts)}
            if known
            else {None: prompts.ravel().tolist()}
            for i, prompts in enumerate(values)
        }
    )


def rules_of(run, by=()):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "nearid.toml")
        file.write_text(starter(run, "run.json", by=by))
        return load_rules(file, Path(folder))


PLANS = {
    "unknown prompts, 4 of each": (1, 4, False, 0.0),
    "5 unknown prompts": (5, 1, False, 0.05),
    "3 prompts, 4 of each": (3, 4, True, 0.05),
    "5 prompts, 1 of each": (5, 1, True, 0.0),
}


def passing(plan, subjects, shape, runs, noise=NOISE):
    """How many runs of a method pass the rules that another run of it gave, which passes them itself."""
    prompts, generations, known, between = PLANS[plan]
    random = np.random.default_rng(subjects)
    passed = 0
    for _ in range(runs):
        # Subjects alike: their spread would only lower the minimum.
        means = 0.5 + between * random.standard_normal((subjects, prompts, 1))
        first, second = (
            make(means, noise * deviations(random, shape, (subjects, prompts, generations)), known)
            for _ in range(2)
        )
        rules = rules_of(first)
        assert judge(first, first, rules, run_name="a.json", baseline_name="a.json").passed
        passed += judge(second, first, rules, run_name="b.json", baseline_name="a.json").passed
    return passed


def test_another_run_passes():
    """Of 5 subjects, with a tail to the low side, where bounds from the plain interval let 85 % pass."""
    runs = 300  # 95 % of them is known to 1.3 %
    assert passing("unknown prompts, 4 of each", 5, "left 2", runs) >= (0.95 - 3 * 0.013) * runs


@pytest.mark.parametrize("plan", PLANS)
def test_whatever_is_known_of_prompts(plan):
    runs = 60  # 95 % is known to 2.8 %
    assert passing(plan, 6, "normal", runs) >= (0.95 - 3 * 0.028) * runs


def test_another_run_passes_by_group():
    """Of 4 groups of 5 subjects, each of which may fall by chance."""
    runs, random, passed = 150, np.random.default_rng(4), 0  # 95 % is known to 1.8 %
    category = {f"s{i}": "abcd"[i % 4] for i in range(20)}
    for _ in range(runs):
        means = 0.5 + 0.05 * random.standard_normal((20, 3, 1))
        first, second = (
            labelled(make(means, NOISE * deviations(random, "left 2", (20, 3, 4)), True), category)
            for _ in range(2)
        )
        rules = [rule for rule in rules_of(first, [Breakdown(("category",))]) if rule.by is not None]
        assert judge(first, first, rules, run_name="a.json", baseline_name="a.json").passed
        passed += judge(second, first, rules, run_name="b.json", baseline_name="a.json").passed
    assert passed >= (0.95 - 3 * 0.018) * runs


def labelled(run, category):
    return replace(
        run, images=tuple(replace(one, labels={"category": category[one.subject]}) for one in run.images)
    )


@pytest.mark.parametrize("rate", [0.005, 0.03, 0.2])
def test_another_run_lacks_hardly_more_scores_than_the_rules_allow(rate):
    """Nor than a drop may go without. Each score of 20 subjects with 8 generations is lost by chance."""
    random, kept, runs = np.random.default_rng(int(100 * rate)), 0, 400  # 95 % is known to 1.1 %
    first, second = random.binomial(160, rate, (2, runs))
    for had, has in zip(first.tolist(), second.tolist(), strict=True):
        kept += has <= most_missing(had)
    assert kept >= (0.95 - 3 * 0.011) * runs
    assert sum(has <= had for had, has in zip(first, second, strict=True)) < 0.75 * runs, (
        "by the number itself"
    )


@pytest.mark.torture
@pytest.mark.parametrize("subjects", [3, 5, 8, 20])
@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("shape", ["normal", "right 2", "left 2"])
def test_another_run_passes_everywhere(plan, subjects, shape):
    runs = 300
    assert passing(plan, subjects, shape, runs) >= (0.95 - 3 * 0.013) * runs
