"""A score result as GitHub Markdown: the table, the aggregate, and what made it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from nearid_cli.reports.figures import CONTEXT, figure, score_figure
from nearid_cli.reports.order import copies, sorted_subjects
from nearid_cli.results import AggregateScores, ScoreResult, SubjectScores
from nearid_cli.text import count, printable

# What begins an inline element anywhere, and what begins a heading or list at the start of a line.
_SPECIAL = re.compile(r"[\\`*_\[\]<>~&$]|^[-+#=]|(?<=\d)[.)](?=\s|$)")


def to_markdown(result: ScoreResult, sort: str | None = None) -> str:
    """The result as a GitHub Markdown document.

    Raises:
        UsageError: `sort` names neither `subject` nor a metric.
    """
    subjects = sorted_subjects(result, sort)
    names = [metric.name for metric in result.metrics]
    first = names[0]
    header = ["subject", "refs", "gens", *names, *(f"{first} {number}" for number in CONTEXT)]
    inputs = result.inputs
    totals = [f"{inputs.reference_images}", f"{inputs.generation_images}"]
    aggregate = ["aggregate", *totals, *_cells(result.aggregate, names)]
    lines = [
        "# nearid score",
        "",
        _row(escape(cell) for cell in header),
        _row(["---", *["---:"] * (len(header) - 1)]),
        *(
            _row(
                [
                    escape(subject.subject),
                    f"{subject.references}",
                    f"{subject.generations}",
                    *_cells(subject.scores, names),
                ]
            )
            for subject in subjects
        ),
        _row(f"**{cell}**" for cell in aggregate),
        "",
        "Scores are mean cosine similarities, in brackets the 95 % bootstrap interval. "
        "The aggregate is the unweighted mean over subjects.",
        "",
        *_findings(result),
        "## What made it",
        "",
        f"- tool: {escape(result.tool.name)} {escape(result.tool.version)}, {escape(result.created)}",
        f"- references: {escape(inputs.references)} ({count(inputs.reference_images, 'picture')})",
        f"- generations: {escape(inputs.generations)} ({count(inputs.generation_images, 'picture')})",
        f"- layout: {escape(inputs.layout)}, {count(inputs.subjects, 'subject')}",
    ]
    for metric in result.metrics:
        facts = {key: value for key, value in vars(metric).items() if key != "name" and value}
        lines.append(
            f"- metric {escape(metric.name)}: "
            + "; ".join(f"{key} {escape(value)}" for key, value in facts.items())
        )
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    r"""Text that Markdown shows as it is, in a table cell too.

    >>> print(escape("<script> a|b `c`\n"))
    \<script\> a&#124;b \`c\`\\n
    """
    # The pipe is an entity because renderers disagree about a backslash before an escaped pipe.
    return _SPECIAL.sub(r"\\\g<0>", printable(text)).replace("|", "&#124;")


def _cells(
    scores: Mapping[str, SubjectScores] | Mapping[str, AggregateScores], names: list[str]
) -> list[str]:
    first = scores[names[0]]
    return [
        *(score_figure(scores[name].score, scores[name].ci95) for name in names),
        *(figure(getattr(first, number)) for number in CONTEXT),
    ]


def _findings(result: ScoreResult) -> list[str]:
    """Copies, skipped pictures and unmatched subjects, each as a list under its heading."""
    copied = sum(copies(result).values())
    sections = {
        f"{count(copied, 'generation')} copying a reference": [
            f"{escape(image.path)} = {escape(image.copy_of)}"
            for image in result.images
            if image.copy_of is not None
        ],
        f"{count(len(result.inputs.skipped), 'picture')} skipped": [
            f"{escape(skipped.path)}: {escape(skipped.reason)}" for skipped in result.inputs.skipped
        ],
        f"{len(result.inputs.unmatched):,} unmatched": [escape(name) for name in result.inputs.unmatched],
    }
    return [
        line
        for title, entries in sections.items()
        if entries
        for line in (f"## {title}", "", *(f"- {entry}" for entry in entries), "")
    ]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
