"""Where prompts are known, drops are counted prompt by prompt, over the prompts that run and baseline have."""

import random
from dataclasses import replace
from statistics import fmean

import pytest

from nearid_cli.evaluate.compare import compare
from nearid_cli.metrics.intervals import mean_interval
from tests.gating import judged, make_comparison, make_prompted, make_rule

PROMPTS = {"on the beach": [0.80, 0.82], "at night": [0.60, 0.64], "as a toy": [0.70], "in snow": [0.5, 0.5]}
NAMES = [f"s{i}" for i in range(6)]
BASE = make_prompted(dict.fromkeys(NAMES, PROMPTS), seeds=True)


def changed(**of):
    """The baseline with other prompts for some subjects."""
    return make_prompted({name: of.get(name, PROMPTS) for name in NAMES}, seeds=True)


def without(*prompts, of=PROMPTS):
    return {prompt: values for prompt, values in of.items() if prompt not in prompts}


def test_each_prompt_counts_the_same_however_many_generations_it_has():
    lower = {
        prompt: [value - 0.01 * i for value in values] for i, (prompt, values) in enumerate(PROMPTS.items())
    }
    lower["at night"] = [lower["at night"][0]] * 9
    (found,) = judged(changed(**dict.fromkeys(NAMES, lower)), BASE, make_rule(max_drop=1))
    expected = fmean(fmean(PROMPTS[prompt]) - fmean(lower[prompt]) for prompt in PROMPTS)
    assert found.drop == pytest.approx(expected, abs=1e-12)
    assert abs(found.drop - (found.baseline - found.found)) > 0.001
    assert found.reason.endswith("; the drop is the mean over prompts, each counting the same")


class TestLacking:
    EASY = without("at night", "in snow")

    @pytest.mark.parametrize("statistic", ["score", "retention", "identification", "pair_mean"])
    def test_a_prompt_that_the_run_lacks_fails_all_rules_with_max_drop(self, statistic):
        run = changed(s1=without("at night"), s2=self.EASY, s4=without("at night"))
        rule = make_rule(statistic=statistic, max_drop=1)
        (found,) = judged(run, BASE, rule)
        assert (found.status, found.drop) == ("failed", None)
        assert found.reason == (
            "the run lacks 2 prompts of the baseline: at night (s1, s2, s4), in snow (s2); generate them, or let "
            "--update-baseline accept the run without them"
        )
        (found,) = judged(BASE, run, rule)
        assert found.reason == (
            "the baseline lacks 2 prompts of the run: at night (s1, s2, s4), in snow (s2); --update-baseline takes new "
            "prompts in"
        )
        assert judged(run, BASE, replace(rule, max_drop=None, min=-1.0))[0].status == "passed"

    def test_by_subject(self):
        run = changed(s1=without("at night"), s2={"elsewhere": [0.9]})
        failed = {
            one.subject: one.reason
            for one in judged(run, BASE, make_rule(level="subject", max_drop=1))
            if one.status == "failed"
        }
        assert failed == {
            "s1": "the run lacks 1 prompt of the baseline: at night; generate them, or let --update-baseline "
            "accept the run without them",
            "s2": "the run lacks 4 prompts of the baseline: as a toy, at night, in snow, on the beach; generate them, "
            "or let --update-baseline accept the run without them; the baseline lacks 1 prompt of the run: elsewhere; "
            "--update-baseline takes new prompts in",
        }

    def test_a_run_that_lacks_the_hard_prompts_does_not_hide_that_it_fell(self):
        lower = {prompt: [value - 0.1 for value in values] for prompt, values in self.EASY.items()}
        run = changed(**dict.fromkeys(NAMES, lower))
        assert run.aggregate["nearid"].score > BASE.aggregate["nearid"].score
        assert judged(run, BASE, make_rule(max_drop=0.02))[0].status == "failed"

    @pytest.mark.parametrize("level", ["aggregate", "subject"])
    def test_no_prompt_in_common(self, level):
        run = changed(**dict.fromkeys(NAMES, dict.fromkeys("abcd", (0.9,))))
        found = judged(run, BASE, make_rule(level=level, max_drop=1))
        assert {one.status for one in found} == {"failed"}
        assert {one.reason for one in found} == {
            "run and baseline have no prompt in common: the run has a, b, c and 1 more, the baseline on the beach, "
            "at night, as a toy and 1 more; score the same prompts, or make the run the new baseline with "
            "--update-baseline"
        }

    def test_prompts_are_compared_without_case_spacing_and_final_punctuation(self):
        spelled = {"On the  beach.": PROMPTS["on the beach"], **without("on the beach")}
        (found,) = judged(changed(s3=spelled), BASE, make_rule(max_drop=0))
        assert (found.status, found.drop) == ("passed", pytest.approx(0))

    def test_of_a_method(self):
        rule = make_rule(level="method", max_drop=1)
        ours, theirs = judged(
            make_comparison(ours=BASE, theirs=changed(s0=self.EASY)),
            make_comparison(ours=BASE, theirs=BASE),
            rule,
        )
        assert (ours.status, theirs.status) == ("passed", "failed")
        assert theirs.reason.startswith(
            "the run lacks 2 prompts of the baseline: at night (s0), in snow (s0)"
        )


class TestBySubject:
    RULE = make_rule(level="subject", max_drop=0.02, confidence=0.95)

    def test_the_units_are_prompts(self):
        fell = dict(zip(PROMPTS, [0.03, 0.05, 0.04, 0.06], strict=True))
        lower = {prompt: [value - fell[prompt] for value in values] for prompt, values in PROMPTS.items()}
        found = judged(changed(s2=lower), BASE, self.RULE)
        assert [one.subject for one in found if one.status == "failed"] == ["s2"]
        assert found[2].drop == pytest.approx(fmean(fell.values()))
        assert found[2].ci == pytest.approx(mean_interval(list(fell.values())), abs=1e-12)

    def test_two_prompts_are_too_few(self):
        two = make_prompted({"s0": {"a": [0.5] * 9, "b": [0.6] * 9}})
        (found,) = judged(two, two, self.RULE)
        assert (found.status, found.reason) == (
            "failed",
            "how sure the drop is cannot be said: an interval needs 3 prompts, and there are 2",
        )

    @pytest.mark.parametrize("seeds", [True, False], ids=["seeds", "names"])
    def test_with_one_prompt_the_units_are_generations(self, seeds):
        base = make_prompted({"s0": {"a": [0.5, 0.6, 0.7, 0.8]}}, seeds=seeds)
        run = make_prompted({"s0": {"a": [0.45, 0.56, 0.65, 0.77]}}, seeds=seeds)
        shuffled = replace(run, images=run.images[::-1])
        (found,) = judged(shuffled, base, self.RULE)
        assert found.ci == pytest.approx(mean_interval([0.05, 0.04, 0.05, 0.03]), abs=1e-9)
        less = make_prompted({"s0": {"a": [0.45, 0.56, 0.65]}}, seeds=seeds)
        (found,) = judged(less, base, self.RULE)
        assert found.reason == (
            "how sure the drop is cannot be said: there is one prompt, and not every generation of it has a "
            "counterpart by seed or name"
        )

    def test_that_every_prompt_fell_is_said(self):
        fell = dict(zip(PROMPTS, [0.03, 0.03, 0.03, 0.4], strict=True))
        lower = {prompt: [value - fell[prompt] for value in values] for prompt, values in PROMPTS.items()}
        found = judged(changed(s2=lower), BASE, self.RULE)[2]
        assert found.status == "passed"
        assert "; every one of 4 prompts fell by more than 0.020; " in found.reason


class TestSaid:
    def test_generations_left_out(self):
        values = {f"s{i}": {None: [0.5, 0.6, 0.7, 0.8, 0.9]} for i in range(6)}
        base = make_prompted(values)
        run = replace(
            base, images=tuple(image for image in base.images if image.path not in ("s0/1.png", "s3/15.png"))
        )
        (found,) = judged(run, base, make_rule(max_drop=0.1))
        assert found.status == "passed"
        assert found.reason.endswith("; 2 generations without a counterpart left out: s0/1.png, s3/15.png")

    def test_prompts_that_only_one_side_knows(self):
        bare = replace(BASE, images=tuple(replace(image, prompt=None, seed=None) for image in BASE.images))
        for run, base in ((bare, BASE), (BASE, bare)):
            (found,) = judged(run, base, make_rule(max_drop=0.1))
            assert (found.status, found.drop) == ("passed", pytest.approx(0))
            assert found.reason.endswith(
                "; prompts say nothing for 6 subjects, since run or baseline does not know them: s0, s1, s2 and 3 more"
            )

    def test_a_number_that_a_generation_lacks_fails(self):
        hollow = (
            tuple(replace(BASE.images[0], scores={"nearid": float("nan")}) for _ in [0]) + BASE.images[1:]
        )
        for level in ("aggregate", "subject"):
            found = judged(replace(BASE, images=hollow), BASE, make_rule(level=level, max_drop=1))
            assert [one.status for one in found].count("failed") == 1


@pytest.mark.parametrize("known", ["prompts", "names", "nothing"])
def test_the_gate_sees_the_difference_that_compare_sees(known):
    """Drop and interval are `delta` and `ci95` of the run against the baseline, negated."""
    chance = random.Random(5)

    def run(mean):
        return make_prompted(
            {
                name: {
                    (prompt if known == "prompts" else None): [chance.gauss(mean, 0.1) for _ in range(3)]
                    for prompt in (PROMPTS if known == "prompts" else ["one"])
                }
                for name in NAMES
            }
        )

    base, new = run(0.6), run(0.5)
    if known == "nothing":
        new = replace(
            new,
            images=tuple(replace(image, path=f"{image.subject}/x{image.path[3:]}") for image in new.images),
        )
    (compared,) = compare({"base": base, "new": new}, baseline="base").comparisons
    (found,) = judged(new, base, make_rule(max_drop=0.02, confidence=0.95))
    assert found.drop == pytest.approx(-compared.delta, abs=1e-12)
    low, high = compared.ci95
    assert found.ci == (pytest.approx(-high, abs=1e-12), pytest.approx(-low, abs=1e-12))
    assert compared.prompts == (24 if known == "prompts" else 0)
    assert compared.pairs == (18 if known == "names" else 0)
