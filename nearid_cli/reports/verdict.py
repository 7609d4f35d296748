"""What a comparison says, in plain words, and what nobody must miss about the methods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import count as count_from

from nearid_cli.reports.figures import SIGNIFICANT, figure, some
from nearid_cli.reports.terminal import findings
from nearid_cli.results import CompareResult, Comparison, Method
from nearid_cli.text import count, printable


def verdict(comparison: Comparison, tested: int, copies: bool = False) -> str:
    """Whether a method is better or worse than the baseline, and what speaks against knowing it.

    Args:
        comparison: of the method with the baseline.
        tested: how many comparisons by this metric were adjusted together.
        copies: the method is not ranked, because it copies references.
    """
    if comparison.delta is None or comparison.p is None or comparison.p_holm is None:
        return "no subject in common"
    if copies:
        return "not judged: it copies"
    if not comparison.wins and not comparison.losses:
        return "the same on every subject"
    if comparison.p_holm < SIGNIFICANT:
        return "better" if comparison.delta > 0 else "worse"
    if comparison.exact and tested * 2.0 ** (1 - comparison.subjects) >= SIGNIFICANT:
        return f"too few subjects to show a difference; it takes {_needed(tested)}"
    if comparison.p < SIGNIFICANT:
        return f"not shown: one of {tested} comparisons may look so by chance"
    if comparison.detectable is None or abs(comparison.delta) >= comparison.detectable:
        return "no difference shown"
    return f"no difference shown; {count(comparison.subjects, 'subject')} would show {figure(comparison.detectable)}"


def verdicts(result: CompareResult) -> Mapping[tuple[str, str], str]:
    """By metric and method."""
    found = {}
    copying = {method.name for method in result.methods if None in method.ranks.values()}
    for metric in result.metrics:
        compared = [one for one in result.comparisons if one.metric == metric.name]
        tested = sum(one.p_holm is not None for one in compared)
        found.update(
            {(one.metric, one.method): verdict(one, tested, one.method in copying) for one in compared}
        )
    return found


def compare_findings(result: CompareResult) -> list[str]:
    """A line each for copied references, subjects that a method lacks, skipped pictures and unmatched names."""
    whose: dict[str, list[str]] = {}
    for method in result.methods:
        for line in _about(method):
            whose.setdefault(line, []).append(method.name)
    return [
        f"every method: {line}" if len(names) == len(result.methods) else f"{some(names)}: {line}"
        for line, names in whose.items()
    ]


def _about(method: Method) -> list[str]:
    """What is to be said about one method, each fact once."""
    lines = []
    result = method.result
    if method.lacking:
        lines.append(
            f"lacks {count(len(method.lacking), 'subject')}, so its scores are over fewer: {some(method.lacking)}"
        )
        lacking = set(map(printable, method.lacking))
        rest = [
            line for line in result.inputs.unmatched if printable(line).rpartition(": ")[0] not in lacking
        ]
        result = replace(result, inputs=replace(result.inputs, unmatched=tuple(rest)))
    if method.copying:
        ranked = any(rank is not None for rank in method.ranks.values())
        lines.append(
            f"{method.copies:,} of {count(len(result.images), 'generation')} "
            f"{'copies' if method.copies == 1 else 'copy'} a reference, which scores high "
            f"without skill{'' if ranked else ', so it is not ranked'}"
        )
        result = replace(result, images=())
    return lines + findings(result)


def _needed(tested: int) -> int:
    """The fewest subjects of which the best outcome, all better, would show among so many comparisons."""
    return next(n for n in count_from(1) if tested * 2.0 ** (1 - n) < SIGNIFICANT)
