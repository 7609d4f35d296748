"""Results in a terminal. Numbers are never cut: what does not fit beside goes into a table below."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nearid_cli.reports.against import about_trials, against_distractors
from nearid_cli.reports.columns import Column, pages, say, show, table
from nearid_cli.reports.figures import CONTEXT, figure, number_figure, score_figure, some
from nearid_cli.reports.missing import missing_scores
from nearid_cli.reports.order import copies, sorted_subjects, worst_images
from nearid_cli.reports.repeats import repeats
from nearid_cli.reports.rough import rough_intervals
from nearid_cli.results import AggregateScores, PairResult, ScoreResult, SubjectScores
from nearid_cli.text import count, printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def render_score(result: ScoreResult, console: Console, sort: str | None = None, worst: int = 0) -> None:
    """Print the score tables, the worst generations if asked for, and what a reader must not miss.

    Args:
        result: what to show.
        console: where to; its width decides how many metrics stand side by side.
        sort: order of subjects as in `sorted_subjects`.
        worst: how many of the worst generations to show; 0 for none.

    Raises:
        UsageError: `sort` names neither `subject` nor a metric, or `worst` is negative.
    """
    show(console, score_tables(result, sort, console.width))
    if line := _of_all(result):
        say(console, line, "")
    if missing := missing_scores(result):
        say(console, *missing, "")
    if any(scores.margin is not None for scores in result.aggregate.values()):
        show(console, against_distractors(result, console.width))
        if about := about_trials(result):
            say(console, *about, "")
    if worst:
        show(console, worst_tables(result, worst, console.width))
    for line in findings(result):
        say(console, line)


def score_tables(result: ScoreResult, sort: str | None = None, width: int = 100) -> list[Table]:
    """The scores as tables that fit a width: one row a subject, the aggregate as the foot.

    Counts come first, then the metrics in the order of the run. The floor, ceiling, retention, identification and
    margin of the first metric (those that exist) follow, in a table of their own if there are several metrics. What
    does not fit goes on in a further table with the same rows.

    Args:
        result: what to show.
        sort: order of subjects as in `sorted_subjects`.
        width: columns of the terminal, at least 60 for whole numbers.

    Raises:
        UsageError: `sort` names neither `subject` nor a metric.
    """
    names = [printable(subject.subject) for subject in sorted_subjects(result, sort)]
    scores, context = list(_score_columns(result, sort)), _context_columns(result, sort)
    first = printable(result.metrics[0].name)
    if len(result.metrics) == 1:
        parts = [("subject", [*scores, context])]
    else:
        parts = [("subject", scores), (f"by {first}", [context])]
    return [
        table(header, names, page, foot="aggregate", width=width)
        for header, groups in parts
        for page in pages([group for group in groups if group], [*names, "aggregate"], width)
    ]


def worst_tables(result: ScoreResult, n: int, width: int = 100) -> list[Table]:
    """The n worst generations by the first metric, worst first, with the scores of all metrics.

    More than one table only where the metrics do not fit the width.

    Raises:
        UsageError: n is below 1.
    """
    images = worst_images(result, n)
    names = [printable(image.path) for image in images]
    columns = [
        [Column(printable(metric.name), [figure(image.scores[metric.name]) for image in images])]
        for metric in result.metrics
    ]
    title = f"worst by {printable(result.metrics[0].name)}"
    return [table(title, names, page) for page in pages(columns, names, width)]


def render_pair(result: PairResult, console: Console) -> None:
    """Print how alike two pictures are, one row a metric."""
    from rich.text import Text

    say(console, Text(f"a: {printable(result.a)}\nb: {printable(result.b)}\n"))
    similarities = [f"{result.similarity[metric.name]:.4f}" for metric in result.metrics]
    names = [printable(metric.name) for metric in result.metrics]
    console.print(table("metric", names, [Column("similarity", similarities)]), soft_wrap=False)


def _score_columns(result: ScoreResult, sort: str | None) -> Iterator[list[Column]]:
    """The columns of the score table in groups that stay together."""
    subjects, total = sorted_subjects(result, sort), result.inputs
    counts = [
        Column("refs", [f"{subject.references:,}" for subject in subjects], f"{total.reference_images:,}"),
        Column("gens", [f"{subject.generations:,}" for subject in subjects], f"{total.generation_images:,}"),
    ]
    if copied := copies(result):
        cells = [f"{copied.get(subject.subject, 0):,}" for subject in subjects]
        counts.append(Column("copies", cells, f"{sum(copied.values()):,}"))
    names = [metric.name for metric in result.metrics]
    for name in names:
        cells = [score_figure(subject.scores[name].score, subject.scores[name].ci95) for subject in subjects]
        aggregate = result.aggregate[name]
        column = Column(printable(name), cells, score_figure(aggregate.score, aggregate.ci95))
        yield [*counts, column] if name == names[0] else [column]


def _context_columns(result: ScoreResult, sort: str | None) -> list[Column]:
    """The numbers that put the first metric's scores into context."""
    first = result.metrics[0].name
    rows: list[SubjectScores | AggregateScores] = [
        *(subject.scores[first] for subject in sorted_subjects(result, sort)),
        result.aggregate[first],
    ]
    columns = []
    for key in (*CONTEXT, "margin"):
        values = [getattr(row, key) for row in rows]
        if any(value is not None for value in values):
            *cells, foot = map(figure, values)
            columns.append(Column(key, cells, foot))
    return columns


def _of_all(result: ScoreResult) -> str:
    """The intervals for which the tables have no room: of the aggregate's further numbers, by the first metric."""
    first = result.metrics[0].name
    scores = result.aggregate[first]
    found = [
        f"{number} {number_figure(scores, number)}"
        for number in ("retention", "identification")
        if getattr(scores, f"{number}_ci95") is not None
    ]
    return (
        f"Aggregate by {printable(first)}, 95 % intervals over subjects: {', '.join(found)}." if found else ""
    )


def findings(result: ScoreResult) -> list[str]:
    """What a reader of the numbers must not miss, a line each: what `input_findings` says, and rough intervals."""
    return [*input_findings(result), *rough_intervals(result)]


def input_findings(result: ScoreResult) -> list[str]:
    """What was wrong with the pictures: a line each for copies, skipped pictures, unmatched subjects."""
    copied = [f"{image.path} copies {image.copy_of}" for image in result.images if image.copy_of is not None]
    skipped = [f"{picture.path} ({picture.reason})" for picture in result.inputs.skipped]
    unmatched = result.inputs.unmatched
    lines = []
    if copied:
        lines.append(
            f"{count(len(copied), 'copied reference')} among the generations, scored too high: {some(copied)}"
        )
    if skipped:
        lines.append(f"{count(len(skipped), 'picture')} skipped: {some(skipped)}")
    lines += repeats(result.inputs)
    lines += _unlike_themselves(result)
    if unmatched:
        lines.append(f"{len(unmatched):,} unmatched: {some(unmatched)}")
    return lines


def _unlike_themselves(result: ScoreResult) -> list[str]:
    """Subjects whose references are no more alike than their generations are to strangers."""
    lines = []
    for metric in result.metrics:
        found = [
            f"{subject.subject} (ceiling {scores.ceiling:.3f}, floor {scores.floor:.3f})"
            for subject in result.subjects
            if (scores := subject.scores[metric.name]).ceiling is not None
            and scores.floor is not None
            and scores.ceiling <= scores.floor
        ]
        if found:
            lines.append(
                f"by {metric.name}, the references of {count(len(found), 'subject')} are no more alike than those of "
                f"strangers: {some(found)}; several subjects may lie in one folder (nearid layout shows how folders "
                "are read), or the metric cannot tell these apart"
            )
    return lines
