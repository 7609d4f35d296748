"""A comparison of methods as Markdown: who is best, whether that is real, and where the metrics disagree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from nearid_cli.reports.against import about_trials
from nearid_cli.reports.figures import (
    figure,
    method_name,
    p_figure,
    score_figure,
    signed_figure,
)
from nearid_cli.reports.ground import apart, ground, over_common
from nearid_cli.reports.markdown_text import (
    Part,
    bullets,
    details,
    escape,
    existing_numbers,
    provenance,
    table,
)
from nearid_cli.reports.order import sorted_methods
from nearid_cli.reports.pairing import how_all_paired
from nearid_cli.reports.verdict import compare_findings
from nearid_cli.results import CompareResult, Comparison, Method
from nearid_cli.results.compare import BETTER, SIGNIFICANT


def compare_parts(result: CompareResult, sort: str | None = None) -> Iterator[Part]:
    """The parts of the document, in order.

    Raises:
        UsageError: `sort` names neither `method` nor a metric.
    """
    by = sort or result.metrics[0].name
    methods = sorted_methods(result, by)
    ranked, own = over_common(result), apart(result)
    over = f", over the {ground(result)}" if own else ""
    yield Part(0, ("# nearid compare", ""))
    yield _ranking(ranked, sorted_methods(ranked, by), counted=own is None)
    yield Part(
        0,
        (
            f"Best in **bold**, second <ins>underlined</ins>{over}. Scores are mean cosine similarities, in brackets "
            "the 95 % interval.",
            f"▲ better, ▼ worse than {escape(result.baseline)} with an adjusted p below {SIGNIFICANT}.",
            *map(escape, about_trials(result)),
            "",
        ),
    )
    if own:
        yield Part(0, ("Each method over its own subjects and generations, not ranked:", ""))
        yield _ranking(own, [own.methods[one.name] for one in methods])
    yield bullets(1, "Findings", map(escape, compare_findings(result)))
    if result.comparisons:
        how = how_all_paired([one for one in result.comparisons if one.metric == result.metrics[0].name])
        yield Part(0, (f"## Differences from {escape(result.baseline)}", ""))
        yield _differences(result, methods)
        yield Part(
            0,
            (
                f"Each method minus {escape(f'{result.baseline}: {how}')}.",
                "p from a sign-flip permutation test, (adjusted) for several methods, for means that rest on few "
                "subjects, and for a baseline chosen as the best.",
                "",
            ),
        )
    if result.agreements:
        yield Part(0, ("## Agreement of the metrics", ""))
        yield _agreements(result)
    if result.disagreements:
        yield details(
            f"Where the metrics disagree most ({len(result.disagreements):,})", _disagreements(result)
        )
    for metric in result.metrics:
        yield details(f"Scores by subject: {metric.name}", _subjects(methods, metric.name))
    yield provenance(result)


def _ranking(result: CompareResult, methods: Sequence[Method], counted: bool = True) -> Part:
    """Methods by metrics."""
    names = [metric.name for metric in result.metrics]
    first = names[0]
    context = existing_numbers(method.result.aggregate[first] for method in methods)
    compared = {(comparison.method, comparison.metric): comparison for comparison in result.comparisons}
    counted = counted and any(method.lacking for method in methods)
    numbers = [f"{first} {number.replace('_', ' ')}" for number in context]
    header = ["method", *names, *numbers, *(["subjects"] if counted else []), "copies"]
    rows = []
    for method in methods:
        scores = method.result.aggregate
        cells = [_score(method, name, compared.get((method.name, name))) for name in names]
        numbers = [figure(getattr(scores[first], number)) for number in context]
        copied = f"{method.copies:,} of {len(method.result.images):,}"
        subjects = [f"{method.result.inputs.subjects:,}"] if counted else []
        rows.append([escape(method_name(method)), *cells, *numbers, *subjects, copied])
    return table(0, header, rows, "methods")


def _score(method: Method, metric: str, comparison: Comparison | None) -> str:
    scores = method.result.aggregate[metric]
    text = score_figure(scores.score, scores.ci95)
    rank = method.ranks[metric]
    marked = f"**{text}**" if rank == 1 else f"<ins>{text}</ins>" if rank == 2 else text
    return marked if rank is None else f"{marked}{_arrow(comparison)}"


def _arrow(comparison: Comparison | None) -> str:
    """Which way a method differs from the baseline, where it does."""
    if comparison is None or not comparison.shown:
        return ""
    return " ▲" if comparison.verdict == BETTER else " ▼"


def _differences(result: CompareResult, methods: Sequence[Method]) -> Part:
    """Metric by metric, the methods in their order."""
    header = (
        "metric",
        "method",
        "verdict",
        "difference",
        "p",
        "p (adjusted)",
        "wins",
        "ties",
        "losses",
        "subjects",
    )
    places = {method.name: i for i, method in enumerate(methods)}
    metrics = [metric.name for metric in result.metrics]
    rows = [
        [
            escape(one.metric),
            escape(one.method),
            escape(one.verdict),
            f"{signed_figure(one.delta, one.ci95)}{_arrow(one)}",
            *(p_figure(p) for p in (one.p, one.p_adjusted)),
            *(f"{number:,}" for number in (one.wins, one.ties, one.losses, one.subjects)),
        ]
        for one in sorted(result.comparisons, key=lambda one: (metrics.index(one.metric), places[one.method]))
    ]
    return table(0, header, rows, "differences", texts=3)


def _agreements(result: CompareResult) -> Part:
    header = ("over", "metric", "metric", "n", "Kendall", "Spearman")
    rows = [
        [escape(a.level), escape(a.a), escape(a.b), f"{a.n:,}", figure(a.kendall), figure(a.spearman)]
        for a in result.agreements
    ]
    return table(1, header, rows, "agreements", texts=3)


def _disagreements(result: CompareResult) -> Part:
    header = ("metric", "against", "method", "generation", "rank", "rank against", "difference")
    rows = [
        [
            *(escape(text) for text in (d.metric, d.against, d.method, d.path or "all")),
            figure(d.rank),
            figure(d.rank_against),
            signed_figure(d.difference),
        ]
        for d in result.disagreements
    ]
    return table(2, header, rows, "disagreements", texts=4)


def _subjects(methods: Sequence[Method], metric: str) -> Part:
    """Subjects by methods, the scores of one metric; `-` for a subject that a method lacks."""
    scores: list[Mapping[str, float]] = [
        {subject.subject: subject.scores[metric].score for subject in method.result.subjects}
        for method in methods
    ]
    subjects = {name: None for by_subject in scores for name in by_subject}
    rows = [[escape(name), *(figure(by_subject.get(name)) for by_subject in scores)] for name in subjects]
    return table(3, ["subject", *(method_name(method) for method in methods)], rows, "subjects")
