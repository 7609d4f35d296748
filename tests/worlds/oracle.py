"""What a careful statistician says of a world: textbook methods, and nothing of nearid.

A subject is the unit. Its difference is the mean over the prompts that both methods have of the difference of their
means; of all its generations where no prompt is known. Differences are tested by Student's t test. Several methods
against a named baseline are adjusted by Holm's method; where the baseline is the best of three or more, Tukey's range
test in randomised blocks, over the subjects that all have, takes care of all pairs. Fewer subjects than a permutation
test needs for 0.05 are too few, and a method of whose generations more than one in 20 copy a reference is not judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

import numpy as np
from scipy import stats

from tests.worlds.planting import Generation, Method, World

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
    """Of each method against the baseline: better, worse, not shown, too few, or copies."""
    reference = baseline(world)
    others = [name for name in world.methods if name != reference]
    judged = [name for name in others if not copies(world.methods[name])]
    found = dict.fromkeys(others, "copies")
    drops = {name: differences(world.methods[name], world.methods[reference]) for name in judged}
    if world.baseline is None and len(judged) > 1:
        p_values = _tukey(world, [reference, *judged])
    else:
        p_values = _holm({name: _student(list(values.values())) for name, values in drops.items()})
    for name in judged:
        few = len(judged) * 2.0 ** (1 - len(drops[name])) >= LEVEL
        shown = "too few" if few else "not shown"
        if not few and p_values[name] < LEVEL:
            shown = "better" if fmean(drops[name].values()) > 0 else "worse"
        found[name] = shown
    return {name: found[name] for name in others}


def has_dropped(run: Method, base: Method, confidence: float) -> bool | None:
    """Whether a run is worse on average with a confidence, by Student's one-sided bound; None: cannot be judged.

    It cannot be where one side has subjects or prompts that the other has not, or there are too few subjects.
    """
    mine, theirs = _table(run), _table(base)
    if mine.keys() != theirs.keys() or any(mine[name].keys() != theirs[name].keys() for name in mine):
        return None
    drops = [-value for value in differences(run, base).values()]
    if len(drops) < 3:
        return None
    if np.ptp(drops) < 1e-12:
        return drops[0] > 1e-9
    return float(stats.ttest_1samp(drops, 0, alternative="greater").pvalue) < 1 - confidence


def _table(method: Sequence[Generation]) -> dict[str, dict[str, list[float]]]:
    """Scores by subject and prompt as it is meant."""
    found: dict[str, dict[str, list[float]]] = {}
    for one in method:
        prompt = " ".join((one.prompt or "").casefold().split()).rstrip(".")
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


def _tukey(world: World, names: Sequence[str]) -> dict[str, float]:
    """p-values of every method against the first, right for the largest difference of all pairs."""
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
    error = np.sqrt((rest**2).sum() / ((n - 1) * (k - 1)) / n)
    spans = np.abs(scores.mean(axis=0) - scores.mean(axis=0)[0]) / error
    return {
        name: float(stats.studentized_range.sf(span, k, (n - 1) * (k - 1)))
        for name, span in zip(names[1:], spans[1:], strict=True)
    }
