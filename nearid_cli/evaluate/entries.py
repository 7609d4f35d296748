"""From the numbers of metrics to what a result holds of subjects, of all of them together, and of generations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from nearid_cli.breakdown.numbers import aggregate_scores, known, subject_scores
from nearid_cli.evaluate.kinds.measured import Measured, Numbered, Pictures
from nearid_cli.evaluate.parts import where
from nearid_cli.evaluate.usable import Usable
from nearid_cli.metrics.context import context_share
from nearid_cli.results import AggregateScores, ContextShare, Image, SubjectScores
from nearid_cli.text import storable


def of_subjects(scored: Numbered, pictures: Pictures) -> list[SubjectScores]:
    """A metric on each subject, in their order."""
    return subject_scores(scored.scores, scored.margins, pictures.generation_subjects)


def of_all(scored: Numbered) -> AggregateScores:
    """A metric over all subjects."""
    margins, rates = scored.margins, {}
    if margins is not None:
        rates = {
            f"{kind}{name}": getattr(success, name)
            for kind, success in (("", margins.in_context), ("all_pairs_", margins.all_pairs))
            for name in ("ssr", "ssr_ci95", "pa", "pa_ci95")
        }
    return replace(
        aggregate_scores(scored.scores, margins),
        **rates,
        pairs_missing={storable(reason): number for reason, number in scored.lacking.items()},
    )


def context_of(metric: Measured, whole: Numbered, foreground: Numbered, background: Numbered) -> ContextShare:
    """How much of a score is context, by the numbers of whole pictures and of two parts of them."""
    share = context_share(foreground.scores, background.scores, metric.describe().sign)
    front, back = foreground.scores.aggregate, background.scores.aggregate
    return ContextShare(
        whole=known(whole.scores.aggregate.score),
        foreground=known(front.score),
        background=known(back.score),
        foreground_floor=known(front.floor),
        background_floor=known(back.floor),
        share=known(share.of_all),
        ci95=known(share.ci95.tolist()),
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
    columns = {name: list(map(known, one.scores.generations.tolist())) for name, one in scored.items()}
    beside = {
        name: list(map(known, one.margins.margins.tolist()))
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
