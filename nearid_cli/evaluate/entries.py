"""From the numbers of metrics to what a result holds of subjects, of all of them together, and of generations."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nearid_cli.evaluate.kinds.measured import Measured, Numbered, Pictures
from nearid_cli.evaluate.parts import where
from nearid_cli.evaluate.usable import Usable
from nearid_cli.metrics.context import context_share
from nearid_cli.results import AggregateScores, ContextShare, Image, SubjectScores
from nearid_cli.text import storable


def of_subjects(scored: Numbered, pictures: Pictures) -> list[SubjectScores]:
    """A metric on each subject, in their order."""
    numbers, margins = scored.scores, scored.margins
    columns = {name: own for name, own in vars(numbers).items() if name not in ("generations", "aggregate")}
    missing = np.bincount(
        pictures.generation_subjects, np.isnan(numbers.generations), minlength=len(pictures.subjects)
    )
    columns["missing"] = missing.astype(np.intp)
    if margins is not None:
        columns |= {
            "margin": margins.margin,
            "positive_margins": margins.positive,
            "positive_margins_ci95": margins.positive_ci95,
        }
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    return [SubjectScores(**dict(zip(columns, map(_known, row), strict=True))) for row in rows]


def of_all(scored: Numbered) -> AggregateScores:
    """A metric over all subjects."""
    numbers, margins = scored.scores, scored.margins
    found, rates = vars(numbers.aggregate), {}
    if margins is not None:
        found = found | {
            "margin": np.nanmean(margins.margin),
            "positive_margins": np.nanmean(margins.positive),
            "positive_margins_ci95": margins.positive_of_all_ci95,
        }
        rates = {
            f"{kind}{name}": getattr(success, name)
            for kind, success in (("", margins.in_context), ("all_pairs_", margins.all_pairs))
            for name in ("ssr", "ssr_ci95", "pa", "pa_ci95")
        }
    return AggregateScores(
        **{name: _known(np.asarray(value).tolist()) for name, value in found.items()},
        **rates,
        missing=int(np.isnan(numbers.generations).sum()),
        pairs_missing={storable(reason): number for reason, number in scored.lacking.items()},
    )


def context_of(metric: Measured, whole: Numbered, foreground: Numbered, background: Numbered) -> ContextShare:
    """How much of a score is context, by the numbers of whole pictures and of two parts of them."""
    share = context_share(foreground.scores, background.scores, metric.describe().sign)
    front, back = foreground.scores.aggregate, background.scores.aggregate
    return ContextShare(
        whole=_known(whole.scores.aggregate.score),
        foreground=_known(front.score),
        background=_known(back.score),
        foreground_floor=_known(front.floor),
        background_floor=_known(back.floor),
        share=_known(share.of_all),
        ci95=_known(share.ci95.tolist()),
        within_noise=share.within_noise,
    )


def images_of(
    subjects: Sequence[Usable],
    scored: Mapping[str, Numbered],
    copies: Mapping[tuple[str, str], str],
    maps: Sequence[Mapping[str, str]] | None,
) -> tuple[Image, ...]:
    """Every generation with its scores.

    Args:
        subjects: whose generations they are.
        scored: by metric.
        copies: (subject, generation) -> the reference that it copies.
        maps: of each generation by metric; None where none were drawn.
    """
    columns = {name: list(map(_known, one.scores.generations.tolist())) for name, one in scored.items()}
    beside = {
        name: list(map(_known, one.margins.margins.tolist()))
        for name, one in scored.items()
        if one.margins is not None
    }
    reasons = {name: one.reasons for name, one in scored.items() if one.reasons}
    owned = [(subject, generation) for subject in subjects for generation, _ in subject.generations]
    return tuple(
        Image(
            path=storable(generation.name),
            subject=storable(subject.name),
            copy_of=None
            if (copied := copies.get((subject.name, generation.name))) is None
            else storable(copied),
            scores={name: column[position] for name, column in columns.items()},
            prompt=None if generation.prompt is None else storable(generation.prompt),
            seed=None if generation.seed is None else storable(generation.seed),
            margins={name: column[position] for name, column in beside.items()}
            if subject.distractors and beside
            else None,
            labels={storable(name): storable(value) for name, value in generation.labels.items()},
            reasons={name: storable(own[position]) for name, own in reasons.items() if position in own},
            maps=maps[position] if maps else {},
            mask=where(generation),
        )
        for position, (subject, generation) in enumerate(owned)
    )


def _known(value: Any) -> Any:
    """A number, or the two ends of an interval; None where NaN says that there is none."""
    if isinstance(value, list):
        return None if any(map(math.isnan, value)) else tuple(value)
    return None if math.isnan(value) else value
