"""What may be said of a difference: p-values adjusted for all that was looked at, and a verdict in words.

Three things make a difference look surer than it is: several methods are compared, a few subjects carry the mean, and
the baseline was chosen because it came out best. `p_adjusted` is the largest of three p-values, one against each.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from itertools import count as count_from

import numpy as np

from nearid_cli.evaluate.differences import differences
from nearid_cli.metrics.paired import holm, max_sign_flip
from nearid_cli.results import Comparison, Method
from nearid_cli.results.compare import BETTER, SIGNIFICANT, WORSE

_Pair = frozenset[str]


def judged(
    compared: Sequence[Comparison], ruled_out: Collection[str], rivals: Mapping[_Pair, float] | None = None
) -> list[Comparison]:
    """The comparisons by one metric with adjusted p-values and verdicts.

    Args:
        compared: each method with the baseline.
        ruled_out: methods of which nothing is judged, because they copy; they count in no adjustment, and neither do
            those that have no prompt in common with the baseline.
        rivals: by pair what `among_all_pairs` found, where the baseline was chosen as the best.
    """
    counted = [
        one
        for one in compared
        if one.p is not None and one.method not in ruled_out and not one.pairing.prompts_differ
    ]
    plain = _holm({one.method: one.p for one in counted})
    studentised = _holm({one.method: one.p_studentised for one in counted})
    found = []
    for one in compared:
        if one.method in plain:
            chosen = rivals[frozenset((one.method, one.baseline))] if rivals else 0.0
            one = replace(
                one,
                p_holm=plain[one.method],
                p_adjusted=max(plain[one.method], studentised[one.method], chosen),
            )
        copier = next((name for name in (one.method, one.baseline) if name in ruled_out), None)
        needed = _needed(one, {other.method: other.p for other in counted})
        words = verdict(one, len(counted), studentised.get(one.method), copier, needed)
        found.append(replace(one, verdict=words))
    return found


def among_all_pairs(methods: Sequence[Method], metrics: Sequence[str]) -> dict[str, dict[_Pair, float]]:
    """By metric and pair of methods the p-value that holds although the pair was picked among all of them.

    Each pair is compared over its own common subjects. One without a common prompt counts for nothing: 1.
    """
    pairs = list(combinations(methods, 2))
    found = [differences(a.result, b.result, metrics) for a, b in pairs]
    names = [frozenset((a.name, b.name)) for a, b in pairs]
    p_values = {}
    for metric in metrics:
        deltas = [by_metric[metric] for by_metric in found]
        subjects = sorted({subject for own in deltas for subject in own})
        columns = [[own.get(subject, np.nan) for subject in subjects] for own in deltas]
        largest = max_sign_flip(np.array(columns, dtype=np.float64).T)
        p_values[metric] = dict(zip(names, largest, strict=True))
    return p_values


def verdict(
    comparison: Comparison,
    tested: int,
    studentised: float | None = None,
    copier: str | None = None,
    needed: int | None = None,
) -> str:
    """Whether a method is better or worse than the baseline, or why neither was shown.

    Args:
        comparison: of the method with the baseline, with its adjusted p-values.
        tested: how many comparisons by this metric were adjusted together.
        studentised: Holm's p-value over the studentised ones.
        copier: which of the two copies references, so that nothing is judged.
        needed: how many subjects it takes, where so few could not have shown anything.
    """
    one = comparison
    if one.delta is None or one.p is None:
        return "no prompt in common" if one.pairing.apart else "no subject in common"
    if copier is not None:
        return f"not judged: {'it' if copier == one.method else 'the baseline'} copies"
    if one.pairing.prompts_differ:
        return "not judged: no prompt in common"
    if not one.wins and not one.losses:
        return "the same on every subject"
    if one.p_adjusted is not None and one.p_adjusted < SIGNIFICANT:
        return BETTER if one.delta > 0 else WORSE
    if needed is not None:
        return f"too few subjects to show a difference; it takes {needed}"
    if one.p_holm is not None and one.p_holm < SIGNIFICANT:
        if studentised is not None and studentised >= SIGNIFICANT:
            return "not shown: rests on a few subjects"
        return "not shown: the best of several may look so by chance"
    if one.p < SIGNIFICANT:
        return f"not shown: one of {tested} comparisons may look so by chance"
    if one.ci95 is None:
        return "no difference shown"
    return f"no difference shown; at most {max(map(abs, one.ci95)):.3f} either way (95 %)"


def _holm(p_values: Mapping[str, float | None]) -> dict[str, float]:
    known = {method: p for method, p in p_values.items() if p is not None}
    return dict(zip(known, holm(list(known.values())), strict=True))


def _needed(one: Comparison, p_values: Mapping[str, float | None]) -> int | None:
    """The fewest subjects of which the best outcome, all better, would show beside the other comparisons as they are.

    None where the comparison has them.
    """

    def shows(subjects: int) -> bool:
        return _holm({**p_values, one.method: 2.0 ** (1 - subjects)})[one.method] < SIGNIFICANT

    if not one.exact or one.method not in p_values or shows(one.subjects):
        return None
    return next(subjects for subjects in count_from(one.subjects + 1) if shows(subjects))
