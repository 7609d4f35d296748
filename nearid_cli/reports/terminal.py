"""Results in a terminal. Numbers are never cut: what does not fit beside goes into a table below."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nearid_cli.reports.figures import CONTEXT, figure, score_figure
from nearid_cli.reports.order import copies, sorted_subjects, worst_images
from nearid_cli.results import AggregateScores, PairResult, ScoreResult, SubjectScores
from nearid_cli.text import count, printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_GAP = 2  # spaces between columns
_FOLD = 14  # names and headers longer than this may fold to make room
_NAMED = 3  # so many findings are named; the rest is counted


@dataclass(frozen=True)
class _Column:
    """A column of numbers; `foot` is that of the aggregate row."""

    header: str
    cells: Sequence[str]
    foot: str = ""

    @property
    def width(self) -> int:
        """Wide enough for every number; a long header folds."""
        lines = self.header.split("\n")
        return max(*map(len, self.cells), len(self.foot), min(max(map(len, lines)), _FOLD))


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
    tables = score_tables(result, sort, console.width)
    if worst:
        tables += worst_tables(result, worst, console.width)
    for table in tables:
        console.print(table)
        console.print()
    for line in findings(result):
        console.print(line, soft_wrap=True, markup=False, highlight=False, emoji=False)


def score_tables(result: ScoreResult, sort: str | None = None, width: int = 100) -> list[Table]:
    """The scores as tables that fit a width: one row a subject, the aggregate as the foot.

    Counts come first, then the metrics in the order of the run, then the floor, ceiling, retention and
    identification of the first metric (those that exist). What does not fit goes on in a further table with
    the same rows.

    Args:
        result: what to show.
        sort: order of subjects as in `sorted_subjects`.
        width: columns of the terminal, at least 60 for whole numbers.

    Raises:
        UsageError: `sort` names neither `subject` nor a metric.
    """
    names = [printable(subject.subject) for subject in sorted_subjects(result, sort)]
    return [
        _table("subject", names, page, foot="aggregate")
        for page in _pages(_score_columns(result, sort), [*names, "aggregate"], width)
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
        [_Column(printable(metric.name), [figure(image.scores[metric.name]) for image in images])]
        for metric in result.metrics
    ]
    title = f"worst by {printable(result.metrics[0].name)}"
    return [_table(title, names, page) for page in _pages(columns, names, width)]


def render_pair(result: PairResult, console: Console) -> None:
    """Print how alike two pictures are, one row a metric."""
    from rich.text import Text

    console.print(Text(f"a: {printable(result.a)}\nb: {printable(result.b)}\n"))
    similarities = [f"{result.similarity[metric.name]:.4f}" for metric in result.metrics]
    names = [printable(metric.name) for metric in result.metrics]
    console.print(_table("metric", names, [_Column("similarity", similarities)]))


def _score_columns(result: ScoreResult, sort: str | None) -> Iterator[list[_Column]]:
    """The columns of the score table in groups that stay together."""
    subjects, total = sorted_subjects(result, sort), result.inputs
    counts = [
        _Column("refs", [f"{subject.references:,}" for subject in subjects], f"{total.reference_images:,}"),
        _Column("gens", [f"{subject.generations:,}" for subject in subjects], f"{total.generation_images:,}"),
    ]
    if copied := copies(result):
        cells = [f"{copied.get(subject.subject, 0):,}" for subject in subjects]
        counts.append(_Column("copies", cells, f"{sum(copied.values()):,}"))
    names = [metric.name for metric in result.metrics]
    for name in names:
        cells = [score_figure(subject.scores[name].score, subject.scores[name].ci95) for subject in subjects]
        aggregate = result.aggregate[name]
        column = _Column(printable(name), cells, score_figure(aggregate.score, aggregate.ci95))
        yield [*counts, column] if name == names[0] else [column]
    first = names[0]
    rows: list[SubjectScores | AggregateScores] = [subject.scores[first] for subject in subjects]
    rows.append(result.aggregate[first])
    context = []
    for key in CONTEXT:
        values = [getattr(row, key) for row in rows]
        if any(value is not None for value in values):
            header = key if len(names) == 1 else f"{_shortened(printable(first), max(len(key), 7))}\n{key}"
            *cells, foot = map(figure, values)
            context.append(_Column(header, cells, foot))
    if context:
        yield context


def _pages(groups: Iterable[list[_Column]], names: Sequence[str], width: int) -> list[list[_Column]]:
    """Columns dealt out to tables of a width that all begin with the names, groups whole."""
    from rich.cells import cell_len

    room = width - min(max(map(cell_len, names), default=0), _FOLD)
    pages: list[list[_Column]] = []
    left = 0
    for group in groups:
        needed = sum(column.width + _GAP for column in group)
        if not pages or needed > left:
            pages.append([])
            left = room
        pages[-1] += group
        left -= needed
    return pages


def _table(header: str, names: Sequence[str], columns: Sequence[_Column], foot: str = "") -> Table:
    """One row a name. Names fold where the width asks for it, numbers do not."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        box=box.SIMPLE,
        show_edge=False,
        pad_edge=False,
        padding=(0, _GAP - 1, 0, 0),  # the box's own divider is the other space
        show_footer=bool(foot),
        footer_style="bold",
    )
    table.add_column(Text(header), Text(foot), overflow="fold")
    for column in columns:
        table.add_column(
            Text(column.header), column.foot, justify="right", width=column.width, overflow="fold"
        )
    for i, name in enumerate(names):
        table.add_row(Text(name), *(column.cells[i] for column in columns))
    return table


def findings(result: ScoreResult) -> list[str]:
    """What a reader of the numbers must not miss: a line each for copies, skipped pictures, unmatched subjects."""
    copied = [f"{image.path} copies {image.copy_of}" for image in result.images if image.copy_of is not None]
    skipped = [f"{picture.path} ({picture.reason})" for picture in result.inputs.skipped]
    unmatched = result.inputs.unmatched
    lines = []
    if copied:
        lines.append(
            f"{count(len(copied), 'copied reference')} among the generations, scored too high: {_some(copied)}"
        )
    if skipped:
        lines.append(f"{count(len(skipped), 'picture')} skipped: {_some(skipped)}")
    if unmatched:
        lines.append(f"{len(unmatched):,} unmatched: {_some(unmatched)}")
    return lines


def _some(names: Sequence[str]) -> str:
    rest = len(names) - _NAMED
    return ", ".join(map(printable, names[:_NAMED])) + (f" and {rest:,} more" if rest > 0 else "")


def _shortened(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 2]}.."
