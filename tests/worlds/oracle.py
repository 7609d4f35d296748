"""What a careful statistician says of a world: textbook methods, and nothing of nearid.

A subject is the unit. Its difference is the mean over the prompts that both methods have of the difference of their
means; of all its generations where no prompt is known. A word that stands for the subject is no part of a prompt. A
method that has no prompt in common with the baseline is not judged. Differences are tested by Student's t test.
Several methods against a named baseline are adjusted by Holm's method; where the baseline is the best of three or
more, Tukey's range test in randomised blocks, over the subjects that all have, takes care of all pairs. Fewer
subjects than a permutation test needs for 0.05 are too few, and a method of whose generations more than one in 20
copy a reference is not judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from statistics import fmean

import numpy as np
from scipy import stats

from tests.worlds.planting import PLACEHOLDERS, Generation, Method, World

LEVEL = 0.05


def differences(method: Method, baseline: Method) -> dict[str, float]:
    """By subject, method minus baseline; without the subjects that cannot be compared."""
    mine, theirs = _table(method), _table(baseline)
    found = {}
    for subject in mine.keys() & theirs.keys():
        common = mine[subject].keys() & theirs[subject].keys()
        if common:
            found[subject] = fmean(
                fmean(mine[subject][prompt]) - fmean(theirs[subject][prompt]) for prompt in common
            )
    return {subject: found[subject] for subject in sorted(found)}


def copies(method: Method) -> bool:
    """Whether too many generations are copies."""
    return sum(one.copy for one in method) > len(method) / 20


def baseline(world: World) -> str:
    """The named baseline, or the best of the honest methods over the subjects that all of these have."""
    if world.baseline is not None:
        return world.baseline
    honest = {name: one for name, one in world.methods.items() if not copies(one)}
    subjects = set.intersection(*({one.subject for one in method} for method in honest.values()))
    means = {
        name: fmean(
            fmean(fmean(scores) for scores in rows.values())
            for subject, rows in _table(method).items()
            if subject in subjects
        )
        for name, method in honest.items()
    }
    return max(means, key=lambda name: means[name])


def verdicts(world: World) -> dict[str, str]:
    """Of each method against the baseline: better, worse, not shown, too few, not judged, or copies."""
    reference = baseline(world)
    others = [name for name in world.methods if name != reference]
    judged = [name for name in others if not copies(world.methods[name])]
    found = dict.fromkeys(others, "copies")
    drops = {name: differences(world.methods[name], world.methods[reference]) for name in judged}
    found |= {name: "not judged" for name in judged if not drops[name]}
    judged = [name for name in judged if drops[name]]
    if world.baseline is None and len(judged) > 1:
        shown = _tukey(world, [reference, *judged])
    else:
        p_values = _holm({name: _student(list(drops[name].values())) for name in judged})
        shown = {name for name, p in p_values.items() if p < LEVEL}
    for name in judged:
        few = len(judged) * 2.0 ** (1 - len(drops[name])) >= LEVEL
        if few:
            found[name] = "too few"
        elif name in shown:
            found[name] = "better" if fmean(drops[name].values()) > 0 else "worse"
        else:
            found[name] = "not shown"
    return {name: found[name] for name in others}


def gate(run: Method, base: Method) -> str:
    """Whether a run is worse on average with 95 % confidence, by Student's one-sided bound: passed or failed.

    What only one side has of subjects or prompts cannot be judged, nor can fewer than 3 subjects.
    """
    mine, theirs = _table(run), _table(base)
    if mine.keys() != theirs.keys() or any(mine[name].keys() != theirs[name].keys() for name in mine):
        return "cannot judge"
    drops = [-value for value in differences(run, base).values()]
    if len(drops) < 3:
        return "cannot judge"
    if np.ptp(drops) < 1e-12:
        return "failed" if drops[0] > 1e-9 else "passed"
    p = float(stats.ttest_1samp(drops, 0, alternative="greater").pvalue)
    return "failed" if p < LEVEL else "passed"


def _table(method: Sequence[Generation]) -> dict[str, dict[str, list[float]]]:
    """Scores by subject and prompt as it is meant."""
    found: dict[str, dict[str, list[float]]] = {}
    for one in method:
        words = (one.prompt or "").casefold().split()
        prompt = " ".join(word for word in words if word not in PLACEHOLDERS).rstrip(".")
        found.setdefault(one.subject, {}).setdefault(prompt, []).append(one.score)
    return found


def _student(values: Sequence[float]) -> float:
    if len(values) < 2:
        return 1.0
    if np.ptp(values) < 1e-12:
        return 1.0 if abs(values[0]) < 1e-9 else 0.0
    return float(stats.ttest_1samp(values, 0).pvalue)


def _holm(p_values: Mapping[str, float]) -> dict[str, float]:
    adjusted, largest = {}, 0.0
    for place, name in enumerate(sorted(p_values, key=lambda name: p_values[name])):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[name]))
        adjusted[name] = largest
    return adjusted


def _tukey(world: World, names: Sequence[str]) -> set[str]:
    """The methods that differ from the first by more than the largest difference of all pairs does by chance."""
    tables = [_table(world.methods[name]) for name in names]
    scores = np.array(
        [
            [fmean(fmean(values) for values in table[subject].values()) for table in tables]
            for subject in tables[0]
            if all(subject in table for table in tables)
        ]
    )
    n, k = scores.shape
    rest = scores - scores.mean(axis=1, keepdims=True) - scores.mean(axis=0) + scores.mean()
    freedom = (n - 1) * (k - 1)
    error = np.sqrt((rest**2).sum() / freedom / n)
    spans = np.abs(scores.mean(axis=0) - scores.mean(axis=0)[0]) / error
    return {name for name, span in zip(names, spans, strict=True) if span > _range(k, freedom)}


@cache
def _range(groups: int, freedom: int) -> float:
    return float(stats.studentized_range.ppf(1 - LEVEL, groups, freedom))
