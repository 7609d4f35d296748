"""Results as GitHub Markdown, short enough for a comment on a pull request."""

from __future__ import annotations

from nearid_cli.reports.gate_markdown import gate_markdown
from nearid_cli.reports.markdown_compare import compare_parts
from nearid_cli.reports.markdown_score import score_parts
from nearid_cli.reports.markdown_text import LIMIT, Part, document
from nearid_cli.results import CompareResult, GateResult, ScoreResult


def to_markdown(
    result: ScoreResult | CompareResult,
    sort: str | None = None,
    baseline: ScoreResult | None = None,
    gate: GateResult | None = None,
) -> str:
    """The result as a GitHub Markdown document of at most `markdown_text.LIMIT` characters.

    What a reader must see comes first; what each subject scored, and what made the numbers, is folded away.
    A document that would be too long loses rows of its longest tables and says how many.

    Args:
        result: what to show.
        sort: order of subjects as in `sorted_subjects`; of methods, for a comparison, as in `sorted_methods`.
        baseline: an earlier run; the changes since are shown. Not for a comparison, which has its own baseline.
        gate: verdicts on this result, shown first.

    Raises:
        UsageError: `sort` names nothing to sort by.
    """
    # A gate may have a verdict for every subject: it leaves half of the room to the scores.
    parts = [Part(0, (*gate_markdown(gate, LIMIT // 2).splitlines(), ""))] if gate else []
    if isinstance(result, CompareResult):
        parts += compare_parts(result, sort)
    else:
        parts += score_parts(result, sort, baseline)
    return document(parts)
