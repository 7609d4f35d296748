"""What is said of masks: which part of pictures was scored, and how much of each score is context."""

from __future__ import annotations

from collections.abc import Iterator

from nearid_cli.reports.blocks import Block, Panel
from nearid_cli.reports.gauge import directions, gauges
from nearid_cli.reports.table import SCORE, Column, Table, named
from nearid_cli.results import CompareResult, ContextShare, MasksUsed, ScoreResult
from nearid_cli.text import few, printable

_MEANING = (
    "The context share is what the background alone scores above its floor, of all that foreground and background "
    "alone score above theirs: 0 is a metric that looks at the subject only, 1 one that looks at the background only."
)
_PARTS = ("whole", "foreground", "foreground_floor", "background", "background_floor")


def about_masks(result: ScoreResult) -> list[str]:
    """Which part of pictures was scored, in a sentence or two; nothing for whole pictures."""
    used = result.inputs.masks
    if used is None:
        return []
    of = "cleaned masks" if used.clean else "masks"
    rest = f"the rest {'of its mean colour' if used.fill == 'mean' else used.fill}, by {of} ({printable(used.source)})"
    if used.keep == "both":
        return [f"Scores are of whole pictures; foreground and background alone have {rest}."]
    return [f"Scores are of the {used.keep} of pictures alone, {rest}.", *_otherwise(result, used)]


def _otherwise(result: ScoreResult, used: MasksUsed) -> Iterator[str]:
    """Which metrics see something else: masks beside whole pictures, or no pictures at all."""
    seen: dict[str, list[str]] = {}
    for metric in result.metrics:
        seen.setdefault(metric.masks, []).append(metric.name)
    for what, names in seen.items():
        if not what:
            yield f"Not so {few(names)}: no masks have a part in it."
        elif what == f"{used.keep} by mask":
            yield f"Not so {few(names)}: given whole pictures, and their masks beside them."


def context_shares(result: ScoreResult | CompareResult) -> Iterator[Block]:
    """How much of each score is context, by method and metric; nothing where that was not asked for."""
    runs = {name: one.context for name, one in result.runs.items() if one.context}
    rows = [(method, metric, run[metric]) for method, run in runs.items() for metric in run]
    if not rows:
        return
    shown = gauges(result)
    kinds = [shown[metric].score for _, metric, _ in rows]
    columns = [
        Column(
            kinds[0],
            [getattr(one, name) for *_, one in rows],
            name.replace("_", " "),
            kinds=kinds,
            paper=True,
        )
        for name in _PARTS
    ]
    columns.append(
        Column(
            SCORE,
            [one.share for *_, one in rows],
            "context share",
            intervals=[one.ci95 for *_, one in rows],
            paper=True,
        )
    )
    names = [named("metric", [shown[metric].label for _, metric, _ in rows])]
    if None not in runs:
        names.insert(0, named("method", [method for method, *_ in rows]))
    table = Table(
        tuple(names),
        tuple(columns),
        caption="Scores of whole pictures, and of the subject and its surroundings alone.",
        label="nearid-context",
        noun="metrics",
        notes=(_MEANING, *_lacking([(metric, one) for _, metric, one in rows]), *directions(shown.values())),
        brackets="95 % intervals over subjects",
    )
    yield Panel(table, paper=True)


def _lacking(rows: list[tuple[str, ContextShare]]) -> Iterator[str]:
    """Why there is no share."""
    reasons = {
        "no context share where foreground and background alone are not above their floors by 2 standard errors": [
            name for name, one in rows if one.within_noise
        ],
        "no context share without floors of both parts, which take a second subject, and a metric that compares with "
        "references (pair by pair with --pairs all)": [
            name for name, one in rows if one.share is None and not one.within_noise
        ],
    }
    for reason, names in reasons.items():
        if names:
            yield f"-: {reason}: {few(list(dict.fromkeys(names)))}"
