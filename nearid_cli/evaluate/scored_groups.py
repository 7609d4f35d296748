"""The generations that have one value of a label, scored as if they were all: `--by` of `nearid score`.

Nothing is computed again: what metrics know of each generation is all that the numbers of a group are made of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from nearid_cli.breakdown.labels import Breakdown, Labels
from nearid_cli.breakdown.numbers import aggregate_scores
from nearid_cli.evaluate.kinds.measured import Numbered, units_of
from nearid_cli.evaluate.usable import Same, Usable, with_generations
from nearid_cli.metrics.distractors import summarise_margins
from nearid_cli.metrics.summary import of_some
from nearid_cli.results import AggregateScores, Image, Metric, ScoredGroup, SubjectScores


def scored_groups(
    breakdowns: Sequence[Breakdown],
    images: Sequence[Image],
    subjects: Sequence[Usable],
    scored: Mapping[str, Numbered],
    own: Mapping[str, Sequence[SubjectScores]],
    metrics: Sequence[Metric],
    same: Same,
) -> tuple[ScoredGroup, ...]:
    """The groups of each breakdown, in the order of their values; nothing is said of how diverse they are.

    Args:
        breakdowns: what was asked for.
        images: every generation, in the order of the subjects.
        subjects: whose generations they are.
        scored: by metric.
        own: by metric what the result says of each subject.
        metrics: what the metrics are.
        same: what stands for generations that are one picture.
    """
    of_subjects = np.repeat(np.arange(len(subjects)), [len(one.generations) for one in subjects])
    groups = []
    for breakdown in breakdowns:
        for labels, some in _members(breakdown, images):
            present = np.unique(of_subjects[some])
            aggregate = _aggregate(of_subjects, some, subjects, scored, metrics, same)
            for name, found in aggregate.items():
                if any(own[name][subject].closest is not None for subject in present):
                    near = sum(name in images[place].near_copy_of for place in np.flatnonzero(some).tolist())
                    aggregate[name] = replace(found, near_copies=near)
            groups.append(ScoredGroup(labels, len(present), int(some.sum()), aggregate))
    return tuple(groups)


def _members(breakdown: Breakdown, images: Sequence[Image]) -> Iterator[tuple[Labels, npt.NDArray[np.bool_]]]:
    """Each group with the generations [G] that are in it."""
    groups = breakdown.groups(images)
    places = {key: place for place, key in enumerate(groups)}
    own = np.array([places[breakdown.key(one)] for one in images])
    for place, labels in enumerate(groups.values()):
        yield labels, own == place


def _aggregate(
    own: npt.NDArray[np.intp],
    some: npt.NDArray[np.bool_],
    subjects: Sequence[Usable],
    scored: Mapping[str, Numbered],
    metrics: Sequence[Metric],
    same: Same,
) -> dict[str, AggregateScores]:
    present, numbers = np.unique(own[some], return_inverse=True)
    chosen = [np.flatnonzero(some[own == subject]).tolist() for subject in present]
    kept = [
        with_generations(subjects[subject], [subjects[subject].generations[place] for place in places], same)
        for subject, places in zip(present.tolist(), chosen, strict=True)
    ]
    units = units_of(kept)
    found = {}
    for metric in metrics:
        one = scored[metric.name]
        scores = of_some(one.scores, own, units, some, metric.range, metric.sign)
        margins = (
            None if one.margins is None else summarise_margins(one.margins.margins[some], numbers, units)
        )
        found[metric.name] = aggregate_scores(scores, margins)
    return found
