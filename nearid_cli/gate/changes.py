"""What a new baseline changes against the old one."""

from __future__ import annotations

from nearid_cli.gate.both import Both
from nearid_cli.gate.drops import drop_of_all
from nearid_cli.gate.numbers import Result, metrics, parts
from nearid_cli.text import printable


def changes(run: Result, old: Result) -> list[str]:
    """One line for each metric and method: the score before and now, and the subjects that fell most."""
    before, known = parts(old), metrics(old)
    lines = []
    for metric, made in metrics(run).items():
        for method, numbers in parts(run).items():
            name = printable(metric if method is None else f"{metric}, method {method}")
            now = numbers.number(metric, "score")
            past = before.get(method)
            then = past.number(metric, "score") if past and metric in known else None
            if now is None or then is None or past is None:
                lines.append(f"{name}: new")
                continue
            other = " (another checkpoint)" if known[metric].fingerprint != made.fingerprint else ""
            if known[metric].outdated and not made.outdated:
                other += " (before by an older nearid, whose numbers meant something else)"
            drop = drop_of_all(Both(numbers, past), metric, "score")
            fell = ", ".join(f"{printable(one.subject)} {one.delta:+.3f}" for one in drop.moved)
            about = "; ".join([*drop.problems, *([f"fell most: {fell}"] if fell else [])])
            lines.append(f"{name}: score {then:.3f} -> {now:.3f}{other}" + (f"; {about}" if about else ""))
    return lines
