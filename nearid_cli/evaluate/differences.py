"""One method against another, subject by subject: is the difference real, and what may be said of it?

Three things make a difference look surer than it is: several methods are compared, a few subjects carry the mean, and
the baseline was chosen because it came out best. `p_adjusted` is the largest of three p-values, one against each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from itertools import count as count_from
from typing import NamedTuple

import numpy as np

from nearid_cli.metrics.intervals import MIN_UNITS, mean_intervals, studentised_test
from nearid_cli.metrics.paired import (
    detectable_difference,
    holm,
    max_sign_flip,
    sign_flip_test,
    wins_ties_losses,
)
from nearid_cli.results import Comparison, Interval, Method, Pairing, ScoreResult
from nearid_cli.results.compare import BETTER, SAME, SIGNIFICANT, TOO_FEW, WORSE
from nearid_cli.results.correspondence import Corresponding
from nearid_cli.results.pairing import Matching, match_runs
from nearid_cli.text import storable


def differences(
    method: ScoreResult, baseline: ScoreResult, metrics: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Method minus baseline by metric and each subject that both have, over the prompts that both have.

    None where they know their prompts and have none in common: nothing may be told from these.
    """
    matching = match_runs(method, baseline)
    return {metric: {} if matching.prompts_differ else matching.differences(metric) for metric in metrics}


def comparisons(methods: Sequence[Method], baseline: Method) -> dict[str, list[Comparison]]:
    """Every other method against the baseline by every metric, not judged yet."""
    names = [metric.name for metric in baseline.result.metrics]
    compared = [_compare(method, baseline) for method in methods if method is not baseline]
    return {name: [found[name] for found in compared] for name in names}


def _compare(method: Method, baseline: Method) -> dict[str, Comparison]:
    """One method against the baseline by each metric."""
    matching = match_runs(method.result, baseline.result)
    subjects = matching.found.subjects
    metrics = baseline.result.metrics
    deltas = {metric.name: matching.differences(metric.name) for metric in metrics}
    intervals = _intervals(deltas)
    pairing = _pairing(matching)
    found = {}
    for metric in metrics:
        name, by_subject = metric.name, deltas[metric.name]
        values = list(by_subject.values())
        test = sign_flip_test(values) if values else None
        wins, ties, losses = wins_ties_losses([metric.sign * delta for delta in values])
        counted = matching.counted(name)
        found[name] = Comparison(
            metric=name,
            method=method.name,
            baseline=baseline.name,
            subjects=len(values),
            pairs=counted.groups["names"],
            delta=float(np.mean(values)) if values else None,
            ci95=intervals.get(name),
            p=test.p if test else None,
            p_studentised=studentised_test(values) if values else None,
            p_holm=None,
            exact=test.exact if test else False,
            wins=wins,
            ties=ties,
            losses=losses,
            detectable=detectable_difference(values),
            deltas=by_subject,
            prompts=counted.groups["prompts"],
            unpaired=sum(len(one.alone_a) + len(one.alone_b) for one in subjects),
            pairing=pairing,
            higher_is_better=metric.higher_is_better,
            unscored=counted.unscored_a,
            baseline_unscored=counted.unscored_b,
            unscored_subjects=tuple(
                one.subject for one in subjects if one.takes_part and one.subject not in by_subject
            ),
        )
    return found


def _intervals(deltas: Mapping[str, Mapping[str, float]]) -> dict[str, Interval]:
    """The interval of each metric's mean that has one, at once for all that have equally many subjects."""
    alike: dict[int, list[str]] = {}
    for metric, by_subject in deltas.items():
        alike.setdefault(len(by_subject), []).append(metric)
    return {
        metric: (low, high)
        for subjects, metrics in alike.items()
        if subjects >= MIN_UNITS
        for metric, (low, high) in zip(
            metrics,
            mean_intervals(np.array([list(deltas[metric].values()) for metric in metrics]).T).tolist(),
            strict=True,
        )
    }


def _pairing(matching: Matching) -> Pairing:
    """What a matching says without its generations: `a` is the method, `b` the baseline."""
    subjects = matching.found.subjects
    hows = Counter(one.how for one in subjects if one.takes_part)
    decided = [one for one in subjects if one.groups and one.how == "prompts"]
    return Pairing(
        by_prompt=hows["prompts"],
        by_name=hows["names"],
        as_a_whole=hows["all"],
        lacking_prompts={one.subject: one.lacking_a for one in decided if one.lacking_a},
        further_prompts={one.subject: one.lacking_b for one in decided if one.lacking_b},
        apart=tuple(one.subject for one in subjects if not one.takes_part),
        alone=tuple(path for one in subjects for path in _alone(one, one.alone_a, matching.a)),
        baseline_alone=tuple(path for one in subjects for path in _alone(one, one.alone_b, matching.b)),
        prompts_differ=matching.prompts_differ,
        unknown_prompts=()
        if matching.prompts_differ
        else tuple(one.subject for one in subjects if one.unheeded_prompts),
        coinciding=matching.coinciding,
        placeholders=tuple(map(storable, matching.placeholders)),
    )


def _alone(one: Corresponding, places: Sequence[int], run: ScoreResult) -> list[str]:
    """Those of the generations left over that no prompt explains, which the other lacks."""
    images = [run.images[place] for place in places]
    return [image.path for image in images if one.how != "prompts" or image.prompt is None]


_Pair = frozenset[str]


class Unjudged(NamedTuple):
    """A comparison, and what a verdict on it rests on besides.

    Attributes:
        comparison: of a method with the baseline.
        ruled_out: methods of which nothing is judged, because they copy.
        chosen: the p-value of `among_all_pairs`, where the baseline was chosen as the best; else 0.
    """

    comparison: Comparison
    ruled_out: Collection[str] = ()
    chosen: float = 0.0

    @property
    def counts(self) -> bool:
        """Whether it is one of those that are adjusted together.

        A method that is ruled out is not, and neither is one that has no prompt in common with the baseline.
        """
        one = self.comparison
        return one.p is not None and one.method not in self.ruled_out and not one.pairing.prompts_differ


def judged(found: Sequence[Unjudged], places: int = 3) -> list[Comparison]:
    """Comparisons by one metric that are judged together, with adjusted p-values and verdicts.

    Args:
        found: each method with the baseline, in one or several groups of generations.
        places: how many decimals tell numbers of the metric apart.
    """
    counted = {place: one.comparison for place, one in enumerate(found) if one.counts}
    plain = _holm({place: one.p for place, one in counted.items()})
    studentised = _holm({place: one.p_studentised for place, one in counted.items()})
    made = []
    for place, case in enumerate(found):
        one = case.comparison
        if place in plain:
            adjusted = max(plain[place], studentised[place], case.chosen)
            one = replace(one, p_holm=plain[place], p_adjusted=adjusted)
        copier = next((name for name in (one.method, one.baseline) if name in case.ruled_out), None)
        needed = _needed(place, counted)
        words = verdict(one, len(counted), studentised.get(place), copier, needed, places)
        made.append(replace(one, verdict=words))
    return made


def among_all_pairs(
    groups: Sequence[Sequence[Method]], metrics: Sequence[str]
) -> dict[str, list[dict[_Pair, float]]]:
    """By metric and pair of methods the p-value that holds although the pair was picked among all of them.

    Each pair is compared over its own common subjects. One without a common prompt counts for nothing: 1.

    Args:
        groups: the methods; or those of each of several groups of generations, which are then looked at together.
        metrics: names of metrics.

    Returns:
        For each metric as many p-values by pair as there are groups.
    """
    pairs = [
        (place, frozenset((a.name, b.name)), differences(a.result, b.result, metrics))
        for place, methods in enumerate(groups)
        for a, b in combinations(methods, 2)
    ]
    p_values: dict[str, list[dict[_Pair, float]]] = {}
    for metric in metrics:
        deltas = [by_metric[metric] for _, _, by_metric in pairs]
        subjects = sorted({subject for own in deltas for subject in own})
        columns = [[own.get(subject, np.nan) for subject in subjects] for own in deltas]
        largest = max_sign_flip(np.array(columns, dtype=np.float64).T)
        p_values[metric] = [{} for _ in groups]
        for (place, names, _), p in zip(pairs, largest, strict=True):
            p_values[metric][place][names] = p
    return p_values


def verdict(
    comparison: Comparison,
    tested: int,
    studentised: float | None = None,
    copier: str | None = None,
    needed: int | None = None,
    places: int = 3,
) -> str:
    """Whether a method is better or worse than the baseline, or why neither was shown.

    Args:
        comparison: of the method with the baseline, with its adjusted p-values.
        tested: how many comparisons by this metric were adjusted together.
        studentised: Holm's p-value over the studentised ones.
        copier: which of the two copies references, so that nothing is judged.
        needed: how many subjects it takes, where so few could not have shown anything.
        places: how many decimals tell numbers of the metric apart.
    """
    one = comparison
    if one.delta is None or one.p is None:
        if one.unscored_subjects:
            return "no score in common"
        return "no prompt in common" if one.pairing.apart else "no subject in common"
    if copier is not None:
        return f"not judged: {'it' if copier == one.method else 'the baseline'} copies"
    if one.pairing.prompts_differ:
        return "not judged: no prompt in common"
    if not one.wins and not one.losses:
        return SAME
    if one.p_adjusted is not None and one.p_adjusted < SIGNIFICANT:
        return BETTER if (one.delta > 0) == one.higher_is_better else WORSE
    if needed is not None:
        return f"{TOO_FEW}; it takes {needed}"
    if one.p_holm is not None and one.p_holm < SIGNIFICANT:
        if studentised is not None and studentised >= SIGNIFICANT:
            return "not shown: rests on a few subjects"
        return "not shown: the best of several may look so by chance"
    if one.p < SIGNIFICANT:
        return f"not shown: one of {tested} comparisons may look so by chance"
    if one.ci95 is None:
        return "no difference shown"
    return f"no difference shown; at most {_bound(max(map(abs, one.ci95)), places)} either way (95 %)"


def _bound(largest: float, places: int) -> str:
    """A number that another is at most, rounded as in the interval beside it, but never to 0.

    >>> _bound(0.3021, 3), _bound(0.0003, 3)
    ('0.302', '0.001')
    """
    return f"{max(largest, 10**-places):.{places}f}"


def _holm(p_values: Mapping[int, float | None]) -> dict[int, float]:
    known = {place: p for place, p in p_values.items() if p is not None}
    return dict(zip(known, holm(list(known.values())), strict=True))


def _needed(place: int, counted: Mapping[int, Comparison]) -> int | None:
    """The fewest subjects of which the best outcome, all better, would show beside the other comparisons as they are.

    None where the comparison has them.
    """
    p_values = {other: one.p for other, one in counted.items()}

    def shows(subjects: int) -> bool:
        return _holm({**p_values, place: 2.0 ** (1 - subjects)})[place] < SIGNIFICANT

    if place not in counted or not counted[place].exact or shows(counted[place].subjects):
        return None
    return next(subjects for subjects in count_from(counted[place].subjects + 1) if shows(subjects))
