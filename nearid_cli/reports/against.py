"""How far a metric tells references from look-alikes: SSR and PA, and the number that is easily taken for these."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from nearid_cli.reports.columns import Column, pages, table
from nearid_cli.reports.figures import number_figure, score_figure, signed_figure
from nearid_cli.results import CompareResult, Interval, ScoreResult
from nearid_cli.text import count, printable

if TYPE_CHECKING:
    from rich.table import Table

_UNPAIRED = "no SSR and PA: they need distractors in the context of a reference (named alike, or a manifest's context)"
_ALL_PAIRS = (
    "all pairs is not the paper's: every distractor against every reference, mostly across contexts, which flatters a "
    "metric that sees the background"
)


def against_distractors(result: ScoreResult, width: int) -> list[Table]:
    """Each metric against the distractors: margins of the generations, and how far it tells the references apart."""
    scores = [result.aggregate[metric.name] for metric in result.metrics]
    columns = [
        [
            Column("margin", [signed_figure(one.margin) for one in scores]),
            Column("positive\nmargins", [number_figure(one, "positive_margins") for one in scores]),
        ],
        [
            Column("references' SSR", [_rate(one.ssr, one.ssr_ci95) for one in scores]),
            Column("references' PA", [_rate(one.pa, one.pa_ci95) for one in scores]),
        ],
        [
            Column("all pairs\nSSR", [_rate(one.all_pairs_ssr, one.all_pairs_ssr_ci95) for one in scores]),
            Column("all pairs\nPA", [_rate(one.all_pairs_pa, one.all_pairs_pa_ci95) for one in scores]),
        ],
    ]
    if all(one.ssr is None for one in scores):
        del columns[1]
    names = [printable(metric.name) for metric in result.metrics]
    return [table("against distractors", names, page) for page in pages(columns, names, width)]


def about_trials(result: ScoreResult | CompareResult) -> list[str]:
    """What SSR and PA were tried on, and what the numbers of all pairs are; nothing where neither is there."""
    return list(_about(_scores(result)))


def _about(results: Sequence[ScoreResult]) -> Iterator[str]:
    every = [one for result in results for one in result.aggregate.values()]
    if all(one.all_pairs_pa is None for one in every):
        return
    if any(one.pa is not None for one in every):
        yield f"SSR and PA: the paper's, each reference against the distractors in its context{_paired(results)}"
    else:
        yield _UNPAIRED
    yield _ALL_PAIRS


def _paired(results: Sequence[ScoreResult]) -> str:
    """How, and of how many subjects and references where these are not all."""
    how = {f", paired {one.inputs.pairing}" for one in results if one.inputs.pairing}
    partly = {
        f"; {one.inputs.paired_subjects:,} of {count(one.inputs.subjects, 'subject')} and "
        f"{one.inputs.paired_references:,} of {count(one.inputs.reference_images, 'reference')} have such"
        for one in results
        if (one.inputs.paired_subjects, one.inputs.paired_references)
        != (one.inputs.subjects, one.inputs.reference_images)
    }
    return "".join(part.pop() for part in (how, partly) if len(part) == 1)


def _scores(result: ScoreResult | CompareResult) -> list[ScoreResult]:
    return [result] if isinstance(result, ScoreResult) else [method.result for method in result.methods]


def _rate(rate: float | None, ci95: Interval | None) -> str:
    return "-" if rate is None else score_figure(rate, ci95)
