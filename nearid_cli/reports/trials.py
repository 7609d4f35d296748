"""What SSR and PA are over, and the numbers that are easily taken for these, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nearid_cli.results import CompareResult, ScoreResult
from nearid_cli.text import count

_UNPAIRED = "no SSR and PA: they need distractors in the context of a reference (named alike, or a manifest's context)"
_ALL_PAIRS = (
    "all pairs is not the paper's: every distractor against every reference, mostly across contexts, which flatters a "
    "metric that sees the background"
)


def about_trials(result: ScoreResult | CompareResult) -> list[str]:
    """What SSR and PA were tried on, and what the numbers of all pairs are; nothing where neither is there."""
    return list(_about([*result.runs.values()]))


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
