"""A comparison in a terminal: who is best, whether that is real, and whether the metrics agree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from nearid_cli.reports.against import about_trials
from nearid_cli.reports.columns import GAP, Column, pages, room_beside, say, show, table
from nearid_cli.reports.conclusion import conclusion_line
from nearid_cli.reports.figures import (
    CONTEXT,
    DISTRACTORS,
    figure,
    method_name,
    p_figure,
    score_figure,
    signed_figure,
)
from nearid_cli.reports.ground import apart, ground, over_common
from nearid_cli.reports.missing import missing_agreements, missing_differences, missing_of_methods
from nearid_cli.reports.order import sorted_methods
from nearid_cli.reports.pairing import how_paired
from nearid_cli.reports.table import GLUE
from nearid_cli.reports.verdict import compare_findings
from nearid_cli.results import Agreement, CompareResult, Comparison, Disagreement, Method
from nearid_cli.text import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_MARKS = {1: ("*", "bold"), 2: ("+", "underline")}
_WORDS = 34  # the verdict folds beyond this,
_FEW_WORDS = 16  # and has no column of its own below this
_AGREEMENT = "Do the metrics agree? Rank correlation, 1: the same order, 0: unrelated, -1: the opposite order"
_SHOWN = 3  # disagreements of a metric shown in each direction


def render_compare(result: CompareResult, console: Console, sort: str | None = None) -> None:
    """Print the methods by metrics, their differences from the baseline, how far the metrics agree, and who won.

    Args:
        result: what to show.
        console: where to; its width decides what stands side by side.
        sort: order of methods as in `sorted_methods`; None for the best by the first metric first.

    Raises:
        UsageError: `sort` names neither `method` nor a metric.
    """
    by = sort or result.metrics[0].name
    methods = sorted_methods(result, by)
    ranked, own = over_common(result), apart(result)
    show(console, _score_tables(ranked, sorted_methods(ranked, by), console.width, counted=own is None))
    _say(console, *missing_of_methods(ranked))
    _say(console, _legend(result))
    if own:
        _say(console, "Each method over its own subjects and generations, not ranked:")
        show(console, _score_tables(own, [own.methods[one.name] for one in methods], console.width))
        _say(console, *missing_of_methods(own))
    _say(console, *about_trials(result))
    _say(console, *_against(result))
    show(console, _difference_tables(result, methods, console.width))
    _say(console, *missing_differences(result))
    if len(result.metrics) > 1:
        _say(console, _AGREEMENT)
        show(console, _agreement_tables(result, console.width))
        _say(console, *missing_agreements(result))
        show(console, _disagreement_tables(result, console.width))
    say(console, *compare_findings(result), conclusion_line(result))


def _say(console: Console, *lines: str) -> None:
    """A paragraph of its own."""
    if lines:
        say(console, *lines, "")


def _legend(result: CompareResult) -> str:
    if not any(rank for method in result.methods for rank in method.ranks.values()):
        return "In brackets: 95 % intervals over subjects."
    over = f", over the {ground(result)}" if apart(result) else ""
    out = len(result.ranked) < len(result.methods)
    unranked = "; a method that copies references is not ranked" if out else ""
    return f"* best, + second{over}{unranked}. In brackets: 95 % intervals over subjects."


def _against(result: CompareResult) -> tuple[str, str]:
    """What the differences are differences from, and over what."""
    why = "" if result.baseline_named else f" (best by {printable(result.metrics[0].name)})"
    over = ""
    if _alike(result.comparisons):
        over = f", {how_paired(result.comparisons[0])}"
    return (
        f"Is the difference real? Each method minus {printable(result.baseline)}{why}{over}",
        f"p: how often chance alone would differ as much; (adjusted): for {_adjusted_for(result)}",
    )


def _adjusted_for(result: CompareResult) -> str:
    """What makes a difference look surer than it is, so far as it does here."""
    ranked = len(result.ranked)
    reasons = ["a mean that rests on few subjects"]
    if ranked > 2:
        reasons.insert(0, "comparing several methods")
        if not result.baseline_named:
            reasons.append("a baseline chosen as the best")
    return f"{', '.join(reasons[:-1])} and {reasons[-1]}" if reasons[1:] else reasons[0]


def _alike(comparisons: Sequence[Comparison]) -> bool:
    return len({(one.subjects, how_paired(one)) for one in comparisons}) == 1


def _score_tables(
    result: CompareResult, methods: Sequence[Method], width: int, counted: bool = True
) -> list[Table]:
    names = [printable(method_name(method)) for method in methods]
    first = result.metrics[0].name
    return [
        one
        for header, groups in (
            ("method", _score_columns(result, methods, counted)),
            (f"by {printable(first)}", _context_columns(first, methods)),
        )
        for one in _tables(header, names, groups, width)
    ]


def _tables(
    header: str, names: Sequence[str], groups: Iterable[Sequence[Column]], width: int, whole: bool = False
) -> list[Table]:
    """One row a name; what does not fit a width goes on in further tables. The header needs room like a name.

    With `whole`, names are not shortened.
    """
    room = None if whole else width
    return [table(header, names, page, width=room) for page in pages(groups, [header, *names], width)]


def _score_columns(result: CompareResult, methods: Sequence[Method], counted: bool) -> Iterator[list[Column]]:
    """Counts where they say something, and a column a metric."""
    counts = []
    if counted:
        if any(method.lacking for method in methods):
            counts.append(Column("subjects", [f"{method.result.inputs.subjects:,}" for method in methods]))
        counts.append(Column("gens", [f"{len(method.result.images):,}" for method in methods]))
    if any(method.copies for method in methods):
        counts.append(Column("copies", [f"{method.copies:,}" for method in methods]))
    for i, metric in enumerate(result.metrics):
        column = _marked(metric.name, methods)
        yield [column] if i else [*counts, column]


def _context_columns(metric: str, methods: Sequence[Method]) -> Iterator[list[Column]]:
    """What puts the scores of a metric into context, so far as it exists."""
    for numbers in (CONTEXT, DISTRACTORS):
        columns = []
        for number in numbers:
            values = [getattr(method.result.aggregate[metric], number) for method in methods]
            if any(value is not None for value in values):
                columns.append(Column(number.replace("_", "\n"), [figure(value) for value in values]))
        if columns:
            yield columns


def _marked(metric: str, methods: Sequence[Method]) -> Column:
    """Scores by one metric, the best two with a mark."""
    from rich.text import Text

    cells = []
    for method in methods:
        scores = method.result.aggregate[metric]
        mark, style = _MARKS.get(method.ranks[metric] or 0, (" ", ""))
        cells.append(Text.assemble((score_figure(scores.score, scores.ci95), style), f" {mark}"))
    return Column(f"{printable(metric)}  ", cells)


def _difference_tables(result: CompareResult, methods: Sequence[Method], width: int) -> list[Table]:
    compared = {(one.metric, one.method): one for one in result.comparisons}
    others = [method.name for method in methods if method.name != result.baseline]
    names = [printable(name) for name in others]
    tables = []
    for metric in result.metrics:
        rows = [compared[metric.name, name] for name in others]
        header = f"by {printable(metric.name)}"
        groups = _difference_columns(rows, counted=not _alike(result.comparisons))
        said = [one.verdict for one in rows]
        tables += _tables(header, names, _with_verdicts(groups, said, [header, *names], width), width)
    return tables


def _with_verdicts(
    groups: list[list[Column]], said: Sequence[str], names: Sequence[str], width: int
) -> list[list[Column]]:
    """The verdicts at the end of the rows, or as near to the differences as the width allows."""
    verdicts = Column("", said, room=_WORDS, justify="left")
    if len(pages([*groups, [verdicts]], names, width)) == 1:
        return [*groups, [verdicts]]
    (difference,), *more = groups
    rest = [column for group in more for column in group]
    room = room_beside(names, width) - difference.width - 2 * GAP
    if room >= _FEW_WORDS:
        return [[difference, replace(verdicts, room=min(room, _WORDS))], rest]
    below = [f"{cell}\n{verdict}" for cell, verdict in zip(difference.cells, said, strict=True)]
    return [[replace(difference, cells=below, room=difference.width)], rest]


def _difference_columns(rows: Sequence[Comparison], counted: bool) -> list[list[Column]]:
    groups = [
        [Column("difference", [signed_figure(one.delta, one.ci95) for one in rows])],
        [
            Column("p", [p_figure(one.p) for one in rows]),
            Column("p\n(adjusted)", [p_figure(one.p_adjusted) for one in rows]),
        ],
        [Column("wins/ties\n/losses", [f"{one.wins:,}/{one.ties:,}/{one.losses:,}" for one in rows])],
    ]
    if counted:
        groups.append(
            [
                Column("subjects", [f"{one.subjects:,}" for one in rows]),
                *(
                    Column(kind, [f"{getattr(one, kind):,}" for one in rows])
                    for kind in ("prompts", "pairs")
                    if any(getattr(one, kind) for one in rows)
                ),
            ]
        )
    return groups


def _agreement_tables(result: CompareResult, width: int) -> list[Table]:
    """One row a pair of metrics, the levels beside each other."""
    pairs = list(dict.fromkeys((one.a, one.b) for one in result.agreements))
    levels: dict[str, list[Agreement]] = {}
    for one in result.agreements:
        levels.setdefault(one.level, []).append(one)
    names = [f"{printable(a)}, {printable(b)}" for a, b in pairs]
    groups = [
        [
            Column(f"{found[0].n:,}{GLUE}{level}\nKendall", [figure(one.kendall) for one in found]),
            Column("\nSpearman", [figure(one.spearman) for one in found]),
        ]
        for level, found in levels.items()
    ]
    return _tables("metrics", names, groups, width)


def _disagreement_tables(result: CompareResult, width: int) -> list[Table]:
    """For each further metric what it ranks most differently: methods, then generations in both directions."""
    first, *others = [metric.name for metric in result.metrics]
    tables = []
    for metric in others:
        apart = [one for one in result.disagreements if one.metric == metric]
        shown = [one for one in apart if one.level == "methods"][:_SHOWN]
        for sign in (1, -1):
            images = [one for one in apart if one.level == "images" and sign * one.difference > 0]
            shown += images[:_SHOWN]
        if not shown:
            continue
        names = [_disagreeing(one) for one in shown]
        columns = [
            Column(f"rank{GLUE}by\n{printable(metric)}", [figure(one.rank) for one in shown]),
            Column(f"rank{GLUE}by\n{printable(first)}", [figure(one.rank_against) for one in shown]),
            Column("\ndifference", [signed_figure(one.difference) for one in shown]),
        ]
        tables += _tables("most apart (0 lowest, 1 highest)", names, [columns], width, whole=True)
    return tables


def _disagreeing(one: Disagreement) -> str:
    name = printable(one.method)
    return f"{name} as a whole" if one.path is None else f"{name}: {printable(one.path)}"
