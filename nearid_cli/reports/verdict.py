"""What nobody must miss about the methods of a comparison."""

from __future__ import annotations

from dataclasses import replace

from nearid_cli.reports.figures import some
from nearid_cli.reports.pairing import pairing_lines
from nearid_cli.reports.terminal import input_findings
from nearid_cli.results import CompareResult, Method
from nearid_cli.text import count, printable


def compare_findings(result: CompareResult) -> list[str]:
    """A line each for what is ranked over what, copies, missing subjects and prompts, and what was left out."""
    whose: dict[str, list[str]] = {}
    paired = pairing_lines(result)
    for method in result.methods:
        for line in [*_about(method), *paired.get(method.name, [])]:
            whose.setdefault(line, []).append(method.name)
    return [*result.remarks] + [
        f"every method: {line}" if len(names) == len(result.methods) else f"{some(names)}: {line}"
        for line, names in whose.items()
    ]


def _about(method: Method) -> list[str]:
    """What is to be said about one method, each fact once."""
    lines = []
    result = method.result
    if method.lacking:
        lines.append(
            f"lacks {count(len(method.lacking), 'subject')}, so its own scores are over fewer: {some(method.lacking)}"
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
    return lines + input_findings(result)
