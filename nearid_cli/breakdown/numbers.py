"""From arrays of numbers to what results hold of subjects, and of all of them together: None where NaN says none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nearid_cli.metrics.distractors import Margins
from nearid_cli.metrics.diversity import diversity_of_all
from nearid_cli.metrics.summary import IdentityScores
from nearid_cli.results import AggregateScores, SubjectScores

_OF_SUBJECTS = (
    "score", "std", "ci95", "min", "max", "ceiling", "floor", "retention", "within_noise", "identification",
    "identification_ci95",
)  # fmt: skip
_OF_SINGLE_PICTURES = ("closest", "diversity", "prompt_diversity")


def subject_scores(
    numbers: IdentityScores,
    margins: Margins | None,
    subjects: npt.NDArray[np.integer],
    near: Sequence[int] | None = None,
) -> list[SubjectScores]:
    """A metric on each of S subjects.

    Args:
        numbers: of all.
        margins: likewise; None without distractors.
        subjects: [G], the subject of each generation, 0..S-1.
        near: how many near copies each subject has, where it can have some; None where that is not known.
    """
    columns = {name: getattr(numbers, name) for name in _OF_SUBJECTS}
    missing = np.bincount(subjects, np.isnan(numbers.generations), minlength=len(numbers.score))
    columns["missing"] = missing.astype(np.intp)
    if numbers.closeness is not None:
        columns |= {name: getattr(numbers.closeness, name) for name in _OF_SINGLE_PICTURES}
    counted: list[int | None] = [None] * len(numbers.score)
    if near is not None and numbers.closeness is not None:
        closest = numbers.closeness.closest.tolist()
        counted = [None if math.isnan(one) else number for one, number in zip(closest, near, strict=True)]
    if margins is not None:
        columns |= {
            "margin": margins.margin,
            "positive_margins": margins.positive,
            "positive_margins_ci95": margins.positive_ci95,
        }
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    return [
        SubjectScores(**dict(zip(columns, map(known, row), strict=True)), near_copies=number)
        for row, number in zip(rows, counted, strict=True)
    ]


def aggregate_scores(numbers: IdentityScores, margins: Margins | None) -> AggregateScores:
    """A metric over all subjects: what their generations tell."""
    found = vars(numbers.aggregate)
    if margins is not None and not np.isnan(margins.margin).all():
        found = found | {
            "margin": np.nanmean(margins.margin),
            "positive_margins": np.nanmean(margins.positive),
            "positive_margins_ci95": margins.positive_of_all_ci95,
        }
    if numbers.closeness is not None:
        for name in ("diversity", "prompt_diversity"):
            mean, ci95 = diversity_of_all(getattr(numbers.closeness, name))
            found = found | {name: mean, f"{name}_ci95": ci95}
    return AggregateScores(
        **{name: known(np.asarray(value).tolist()) for name, value in found.items()},
        missing=int(np.isnan(numbers.generations).sum()),
    )


def known(value: Any) -> Any:
    """A number, or the two ends of an interval; None where NaN says that there is none."""
    if isinstance(value, list):
        return None if any(map(math.isnan, value)) else tuple(value)
    return None if math.isnan(value) else value
