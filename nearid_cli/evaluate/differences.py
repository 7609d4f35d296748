"""One method against another, subject by subject: is the difference real?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from nearid_cli.metrics.intervals import mean_intervals, studentised_test
from nearid_cli.metrics.paired import (
    detectable_difference,
    sign_flip_test,
    wins_ties_losses,
)
from nearid_cli.results import Comparison, Image, Method, Pairing, ScoreResult
from nearid_cli.results.pairing import How, Matched, Matching, match_runs
from nearid_cli.text import storable


def differences(
    method: ScoreResult, baseline: ScoreResult, metrics: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Method minus baseline by metric and each subject that both have, over the prompts that both have.

    None where they know their prompts and have none in common: nothing may be told from these.
    """
    matching = match_runs(method, baseline)
    return {metric: {} if matching.prompts_differ else _deltas(matching, metric) for metric in metrics}


def comparisons(methods: Sequence[Method], baseline: Method) -> dict[str, list[Comparison]]:
    """Every other method against the baseline by every metric, not judged yet."""
    names = [metric.name for metric in baseline.result.metrics]
    compared = [_compare(method, baseline, names) for method in methods if method is not baseline]
    return {name: [found[name] for found in compared] for name in names}


def _deltas(matching: Matching, metric: str) -> dict[str, float]:
    """The first run minus the second by subject, for each that takes part."""
    found = {one.subject: one.difference(metric) for one in matching.subjects}
    return {subject: delta for subject, delta in found.items() if delta is not None}


def _compare(method: Method, baseline: Method, metrics: Sequence[str]) -> dict[str, Comparison]:
    """One method against the baseline by each metric."""
    matching = match_runs(method.result, baseline.result)
    deltas = {metric: _deltas(matching, metric) for metric in metrics}
    intervals = mean_intervals(np.array([list(own.values()) for own in deltas.values()]).T)
    found = {}
    for (metric, by_subject), interval in zip(deltas.items(), intervals, strict=True):
        values = list(by_subject.values())
        test = sign_flip_test(values) if values else None
        wins, ties, losses = wins_ties_losses(values)
        found[metric] = Comparison(
            metric=metric,
            method=method.name,
            baseline=baseline.name,
            subjects=len(values),
            pairs=_groups(matching, "names"),
            delta=float(np.mean(values)) if values else None,
            ci95=None if np.isnan(interval).any() else (float(interval[0]), float(interval[1])),
            p=test.p if test else None,
            p_studentised=studentised_test(values) if values else None,
            p_holm=None,
            exact=test.exact if test else False,
            wins=wins,
            ties=ties,
            losses=losses,
            detectable=detectable_difference(values),
            deltas=by_subject,
            prompts=_groups(matching, "prompts"),
            unpaired=sum(len(one.alone_a) + len(one.alone_b) for one in matching.subjects),
            pairing=_pairing(matching),
        )
    return found


def _groups(matching: Matching, how: How) -> int:
    return sum(len(one.groups) for one in matching.subjects if one.how == how)


def _pairing(matching: Matching) -> Pairing:
    """What a matching says without its generations: `a` is the method, `b` the baseline."""
    hows = Counter(one.how for one in matching.subjects if one.takes_part)
    decided = [one for one in matching.subjects if one.groups and one.how == "prompts"]
    return Pairing(
        by_prompt=hows["prompts"],
        by_name=hows["names"],
        as_a_whole=hows["all"],
        lacking_prompts={one.subject: one.lacking_a for one in decided if one.lacking_a},
        further_prompts={one.subject: one.lacking_b for one in decided if one.lacking_b},
        apart=tuple(one.subject for one in matching.subjects if not one.takes_part),
        alone=tuple(path for one in matching.subjects for path in _alone(one, one.alone_a)),
        baseline_alone=tuple(path for one in matching.subjects for path in _alone(one, one.alone_b)),
        prompts_differ=matching.prompts_differ,
        unknown_prompts=()
        if matching.prompts_differ
        else tuple(one.subject for one in matching.subjects if one.unheeded_prompts),
        coinciding=matching.coinciding,
        placeholders=tuple(map(storable, matching.placeholders)),
    )


def _alone(matched: Matched, images: Sequence[Image]) -> list[str]:
    """Those of the generations left over that no prompt explains, which the other lacks."""
    return [image.path for image in images if matched.how != "prompts" or image.prompt is None]
