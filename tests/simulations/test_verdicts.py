"""How often "better" or "worse" is said of methods that are equally good, and how often of one that is not.

Each data set is judged as `nearid compare` does it: differences by subject from the baseline, which is the best method
where none is named. What cannot get a verdict is left out early: `p_adjusted` is never below the p of Student's test.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from nearid_cli.evaluate.differences import Unjudged, judged
from nearid_cli.metrics.intervals import studentised_test
from nearid_cli.metrics.paired import max_sign_flip, sign_flip_test, wins_ties_losses
from nearid_cli.results import Comparison

Floats = npt.NDArray[np.float64]
Maker = Callable[[np.random.Generator, int], Floats]

SUBJECTS = 12


def comparison(method: int, baseline: int, deltas: Floats) -> Comparison:
    wins, ties, losses = wins_ties_losses(deltas)
    test = sign_flip_test(deltas)
    return Comparison(
        metric="m", method=str(method), baseline=str(baseline), subjects=len(deltas), pairs=0,
        delta=float(deltas.mean()), ci95=(-1, 1), p=test.p, p_studentised=studentised_test(deltas), p_holm=None,
        exact=test.exact, wins=wins, ties=ties, losses=losses, detectable=None, deltas={},
    )  # fmt: skip


def verdicts(scores: Floats, baseline: int | None = None) -> dict[int, str]:
    """The verdict on each method but the baseline, of scores [methods, subjects]."""
    best = int(scores.mean(axis=1).argmax()) if baseline is None else baseline
    compared = [comparison(i, best, one - scores[best]) for i, one in enumerate(scores) if i != best]
    rivals: dict[frozenset[str], float] = {}
    if baseline is None and len(scores) > 2:
        pairs = list(combinations(range(len(scores)), 2))
        p_values = max_sign_flip(np.array([scores[a] - scores[b] for a, b in pairs]).T)
        rivals = {frozenset(map(str, pair)): p for pair, p in zip(pairs, p_values, strict=True)}
    cases = [
        Unjudged(one, (), rivals[frozenset((one.method, one.baseline))] if rivals else 0.0)
        for one in compared
    ]
    return {int(one.method): one.verdict for one in judged(cases)}


def said(make: Maker, sets: int, of: Sequence[int], baseline: int | None = None, seed: int = 1) -> float:
    """The share of data sets in which one of some methods is called better or worse, or the baseline is."""
    random = np.random.default_rng(seed)
    found = 0
    for _ in range(sets):
        scores = make(random, SUBJECTS)
        best = int(scores.mean(axis=1).argmax()) if baseline is None else baseline
        others = [i for i in of if i != best] if best in of else []
        deltas = scores[others] - scores[best]
        bar = stats.t.ppf(0.975, SUBJECTS - 1) / np.sqrt(SUBJECTS)
        if (np.abs(deltas.mean(axis=1)) > bar * deltas.std(axis=1, ddof=1)).any():
            words = verdicts(scores, baseline)
            found += any(words[i] in ("better", "worse") for i in others)
    return found / sets


def equal(methods: int) -> Maker:
    """Equally good methods; subjects are harder or easier for all of them."""
    return lambda random, n: random.normal(0.6, 0.1, n) + random.normal(0, 0.02, (methods, n))


def one_far_behind(random: np.random.Generator, n: int) -> Floats:
    """Two equally good methods and one that is far worse."""
    scores = equal(3)(random, n)
    scores[2] -= 0.3
    return scores


def erratic(methods: int) -> Maker:
    """Equally good on average, but the first one is mostly a little better and at times much worse: skewness -2."""

    def make(random: np.random.Generator, n: int) -> Floats:
        scores = random.normal(0.6, 0.1, n) + random.normal(0, 0.005, (methods, n))
        scores[0] += 0.02 * (1 - random.exponential(1, n))
        return scores

    return make


class TestNothingToFind:
    """Monte-Carlo errors: 0.6 % with 1,500 data sets, 1.3 % with 300. Bounds leave three of these."""

    # With `p_holm` alone: 5.7, 6.6 and 9.1 % (3, 4 and 7 methods).
    @pytest.mark.parametrize(
        ("methods", "sets", "error"), [(3, 1500, 0.006), (4, 1500, 0.006), (7, 300, 0.013)]
    )
    def test_the_best_of_several_equally_good_methods(self, methods, sets, error):
        assert said(equal(methods), sets, range(methods)) <= 0.04 + 3 * error / 2

    @pytest.mark.torture
    @pytest.mark.parametrize("methods", [3, 4, 7])
    def test_the_same_to_half_a_percent(self, methods):
        assert said(equal(methods), 6000, range(methods), seed=2) <= 0.05

    def test_two_equal_methods_beside_one_that_is_far_worse(self):
        assert said(one_far_behind, 1500, [0, 1]) <= 0.05

    # With `p_holm` alone: 7.1, 8.0 and 8.9 %.
    @pytest.mark.parametrize("methods", [2, 3, 4])
    def test_an_erratic_method(self, methods):
        assert said(erratic(methods), 1500, range(methods)) <= 0.05 + 3 * 0.006


def behind(methods: int, by: float) -> Maker:
    """The first method is better than all others."""

    def make(random: np.random.Generator, n: int) -> Floats:
        scores = equal(methods)(random, n)
        scores[1:] -= by
        return scores

    return make


def power(make: Maker, sets: int, baseline: int | None) -> tuple[float, float]:
    """How often the second method is called worse than the first one; and how often Student's t test would, after
    Bonferroni over the methods that are compared with the first one.
    """
    random = np.random.default_rng(2)
    ours = oracle = 0
    for _ in range(sets):
        scores = make(random, SUBJECTS)
        test = stats.ttest_1samp(scores[1] - scores[0], 0)
        oracle += test.pvalue < 0.05 / (len(scores) - 1) and test.statistic < 0
        best = int(scores.mean(axis=1).argmax()) if baseline is None else baseline
        if best == 0 and test.pvalue < 0.05:
            ours += verdicts(scores, baseline)[1] == "worse"
    return ours / sets, oracle / sets


class TestPower:
    """A true difference of 0.9 standard deviations of the differences, 12 subjects. Monte-Carlo error 2 %."""

    # Measured, ours and the oracle's: 73 and 80 % of two methods, 68 and 70 % of three with a named baseline, 60 and
    # 70 % where the best is the baseline.
    @pytest.mark.parametrize(
        ("methods", "baseline", "least", "lost"),
        [(2, None, 0.68, 0.1), (3, 0, 0.62, 0.05), (3, None, 0.54, 0.13)],
    )
    def test_little_is_lost_against_the_t_test(self, methods, baseline, least, lost):
        ours, oracle = power(behind(methods, 0.9 * 0.02 * np.sqrt(2)), 600, baseline)
        assert ours >= least
        assert ours >= oracle - lost

    def test_a_method_that_is_far_worse_hides_nothing(self):
        def make(random, n):
            scores = behind(3, 0.9 * 0.02 * np.sqrt(2))(random, n)
            scores[2] -= 0.3
            return scores

        ours, _ = power(make, 600, None)
        assert ours >= 0.57  # measured 62 %, without the third method 73 %
