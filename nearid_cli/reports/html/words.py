"""A result as the page tells it: as a comparison, of one method or of several, with its answer in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import singledispatch
from pathlib import Path

from nearid_cli.metrics.agreement import most_apart, rank_shares
from nearid_cli.reports.conclusion import conclude
from nearid_cli.reports.figures import figure, score_figure
from nearid_cli.reports.ground import apart, ground, over_common
from nearid_cli.reports.order import best_first
from nearid_cli.results import CompareResult, Disagreement, Method, Methods, ScoreResult
from nearid_cli.text import count


@dataclass(frozen=True)
class Story:
    """What the page is about, whichever kind of result it was made of.

    Attributes:
        heading: the title of the page.
        lead: the sentences below it.
        result: the comparison, best method first; a score result is one of a single method, named after the folder of
            its generations.
    """

    heading: str
    lead: list[str]
    result: CompareResult


@singledispatch
def story(result: ScoreResult | CompareResult) -> Story:
    """The answer before any number is shown, as plain text."""
    raise TypeError(f"expected a score result or a comparison but got {type(result).__name__}")


@story.register
def _(result: ScoreResult) -> Story:
    metric = result.metrics[0].name
    scores = result.aggregate[metric]
    copies = sum(image.copy_of is not None for image in result.images)
    name = Path(result.inputs.generations).name or "generations"
    lead = []
    if scores.ci95 is not None:
        lead.append(f"The 95 % interval is {figure(scores.ci95[0])} to {figure(scores.ci95[1])}.")
    if scores.ceiling is not None and scores.floor is not None:
        among = f"References of one subject reach {figure(scores.ceiling)} among themselves"
        lead.append(f"{among}, strangers {figure(scores.floor)}.")
    if scores.identification is not None:
        between = scores.identification_ci95 and " to ".join(map(_percent, scores.identification_ci95))
        sure = f" (95 % interval: {between})" if between else ""
        lead.append(
            f"{_percent(scores.identification)} of the generations are nearest to their own subject{sure}."
        )
    if copies:
        whose = f"{copies:,} of {count(len(result.images), 'generation')}"
        lead.append(f"{whose} {'copies' if copies == 1 else 'copy'} a reference and are scored too high.")
    alone = CompareResult(
        result.tool,
        result.created,
        name,
        False,
        result.metrics,
        Methods([Method(name, result, copies, False, (), {metric: None})]),
        comparisons=(),
        agreements=(),
        disagreements=tuple(_disagreements(result, name)),
    )
    heading = f"{name} scores {figure(scores.score)} by {metric}"
    return Story(heading, lead, alone)


@story.register
def _(result: CompareResult) -> Story:
    result = best_first(result)
    metric = result.metrics[0].name
    methods = over_common(result).methods
    ranked = sorted((m for m in methods if m.ranks.get(metric)), key=lambda m: m.ranks[metric] or 0)
    lead = []
    found = conclude(result)
    if ranked:
        scores = ranked[0].result.aggregate[metric]
        over = f" over the {ground(result)}" if apart(result) else ""
        lead.append(f"By {metric} it scores {score_figure(scores.score, scores.ci95)}{over}.")
    if found.reason:
        lead.append(f"{found.reason[0].upper()}{found.reason[1:]}.")
    for method in result.methods:
        if method.copying:
            images = count(len(method.result.images), "generation")
            role = "Not to be trusted" if method in result.ranked else "Left out of the ranking"
            lead.append(f"{role}: {method.name}, {method.copies:,} of whose {images} copy a reference.")
    return Story(found.title, lead, result)


def _disagreements(result: ScoreResult, method: str) -> Iterator[Disagreement]:
    """What metrics rate very differently, by difference of ranks, as `nearid compare` does it."""
    first, *further = (metric.name for metric in result.metrics)
    shares = {
        one.name: rank_shares([image.scores[one.name] for image in result.images]) for one in result.metrics
    }
    for metric in further:
        for places in most_apart(shares[metric], shares[first]):
            for place in places.tolist():
                image = result.images[place]
                rank, against = float(shares[metric][place]), float(shares[first][place])
                yield Disagreement(
                    "images", metric, first, method, image.subject, image.path, rank, against, rank - against
                )


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %"
