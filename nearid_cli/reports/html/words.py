"""The answer in words: what the page says before it shows any number."""

from __future__ import annotations

from nearid_cli.reports.conclusion import conclude
from nearid_cli.reports.figures import figure, score_figure
from nearid_cli.reports.ground import apart, ground, over_common
from nearid_cli.results import CompareResult, Method, ScoreResult
from nearid_cli.text import count


def answer(result: ScoreResult | CompareResult, methods: tuple[Method, ...]) -> tuple[str, list[str]]:
    """The title of the page and the sentences below it, as plain text."""
    if isinstance(result, ScoreResult):
        return _answer_score(result, methods[0])
    return _answer_compare(result)


def _answer_score(result: ScoreResult, method: Method) -> tuple[str, list[str]]:
    metric = result.metrics[0].name
    scores = result.aggregate[metric]
    lines = []
    if scores.ci95 is not None:
        lines.append(f"The 95 % interval is {figure(scores.ci95[0])} to {figure(scores.ci95[1])}.")
    if scores.ceiling is not None and scores.floor is not None:
        among = f"References of one subject reach {figure(scores.ceiling)} among themselves"
        lines.append(f"{among}, strangers {figure(scores.floor)}.")
    if scores.identification is not None:
        between = scores.identification_ci95 and " to ".join(map(_percent, scores.identification_ci95))
        sure = f" (95 % interval: {between})" if between else ""
        lines.append(
            f"{_percent(scores.identification)} of the generations are nearest to their own subject{sure}."
        )
    if method.copies:
        copies = f"{method.copies:,} of {count(len(result.images), 'generation')}"
        lines.append(
            f"{copies} {'copies' if method.copies == 1 else 'copy'} a reference and are scored too high."
        )
    return f"{method.name} scores {figure(scores.score)} by {metric}", lines


def _answer_compare(result: CompareResult) -> tuple[str, list[str]]:
    metric = result.metrics[0].name
    methods = over_common(result).methods
    ranked = sorted((m for m in methods if m.ranks.get(metric)), key=lambda m: m.ranks[metric] or 0)
    lines = []
    found = conclude(result)
    if ranked:
        scores = ranked[0].result.aggregate[metric]
        over = f" over the {ground(result)}" if apart(result) else ""
        lines.append(f"By {metric} it scores {score_figure(scores.score, scores.ci95)}{over}.")
    if found.reason:
        lines.append(f"{found.reason[0].upper()}{found.reason[1:]}.")
    for method in result.methods:
        if method.copying:
            images = count(len(method.result.images), "generation")
            role = "Not to be trusted" if method in result.ranked else "Left out of the ranking"
            lines.append(f"{role}: {method.name}, {method.copies:,} of whose {images} copy a reference.")
    return found.title, lines


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %"
