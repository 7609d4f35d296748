"""The answer in words: what the page says before it shows any number."""

from __future__ import annotations

from nearid_cli.reports.figures import SIGNIFICANT, figure, p_figure, score_figure
from nearid_cli.results import CompareResult, Comparison, Method, ScoreResult
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
        lines.append(
            f"{_percent(scores.identification)} of the generations are nearest to their own subject."
        )
    if method.copies:
        copies = f"{method.copies:,} of {count(len(result.images), 'generation')}"
        lines.append(
            f"{copies} {'copies' if method.copies == 1 else 'copy'} a reference and are scored too high."
        )
    # No share of identity kept: the mean of retentions may hide a subject whose ceiling is near its floor.
    return f"{method.name} scores {figure(scores.score)} by {metric}", lines


def _answer_compare(result: CompareResult) -> tuple[str, list[str]]:
    metric = result.metrics[0].name
    ranked = sorted((m for m in result.methods if m.ranks.get(metric)), key=lambda m: m.ranks[metric] or 0)
    lines = []
    title = "No method can be ranked"
    if ranked:
        best = ranked[0]
        scores = best.result.aggregate[metric]
        runner_up = _runner_up(result, metric, [method.name for method in ranked])
        title = _title(best.name, len(ranked), runner_up)
        lines.append(f"By {metric} it scores {score_figure(scores.score, scores.ci95)}.")
        if runner_up is not None and runner_up.delta is not None:
            behind = figure(abs(runner_up.delta))
            lines.append(f"The next, {ranked[1].name}, is {behind} behind{_chance(runner_up)}.")
    for method in result.methods:
        if method.copying:
            images = count(len(method.result.images), "generation")
            role = "Left out of the ranking" if method.ranks.get(metric) is None else "Not to be trusted"
            lines.append(f"{role}: {method.name}, {method.copies:,} of whose {images} copy a reference.")
    return title, lines


def _title(best: str, ranked: int, runner_up: Comparison | None) -> str:
    """Who is first, and no more than was shown."""
    if ranked == 1:
        return f"{best} alone can be ranked"
    if runner_up is None or runner_up.p_holm is None:
        return f"{best} scores highest"
    shown = runner_up.p_holm < SIGNIFICANT
    return f"{best} keeps identity best" if shown else f"{best} leads, but it may be chance"


def _runner_up(result: CompareResult, metric: str, ranked: list[str]) -> Comparison | None:
    """The comparison of the first two of the ranking, where they were compared with each other."""
    if len(ranked) < 2 or result.baseline not in ranked[:2]:
        return None
    other = ranked[1] if result.baseline == ranked[0] else ranked[0]
    found = (c for c in result.comparisons if c.metric == metric and c.method == other)
    return next((c for c in found if c.delta is not None), None)


def _chance(found: Comparison) -> str:
    if found.p_holm is None:
        return ""
    subjects = count(found.subjects, "subject")
    if found.p_holm < SIGNIFICANT:
        return f", more than chance would do over {subjects} (p = {p_figure(found.p_holm)})"
    return f", which {subjects} cannot tell from chance (p = {p_figure(found.p_holm)})"


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %"
