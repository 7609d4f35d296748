"""A score result as the `model-index` of a model card, which the Hub's model pages show.

huggingface_hub makes and spells it. What a page of the Hub may not tell is left out: where files lie.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from nearid_cli.errors import UsageError
from nearid_cli.reports.formats.base import FileFormat
from nearid_cli.text import count, printable

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

    from nearid_cli.reports.blocks import Document
    from nearid_cli.results import Metric, ScoreResult

_SOURCE = "https://arxiv.org/abs/2604.01973"
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_NUMBERS = ("score", "retention", "identification")


class Card(FileFormat):
    """The aggregate by each metric, with its interval and what made it."""

    extension = ".yaml"
    holds = ("score",)
    place = 8
    elsewhere = "a model card tells of one model: write it with nearid score, for each method by itself"

    def render(self, document: Document) -> str:
        """YAML for the top of a README.md, between its lines of `---`; comments name the numbers that do not exist."""
        from huggingface_hub import ModelCardData

        result: ScoreResult = document.result
        found = list(_results(result))
        if not found:
            raise UsageError("a model card needs a score, and no metric has one")
        name = printable(document.story.result.methods[0].name)
        lacking = [
            f"{one.name} {number}"
            for one in result.metrics
            for number in _NUMBERS
            if getattr(result.aggregate[one.name], number) is None
        ]
        said = (
            f"# left out, because there is no such number: {printable(', '.join(lacking))}\n"
            if lacking
            else ""
        )
        return f"{said}{ModelCardData(model_name=name, eval_results=found).to_yaml()}\n"


class CardYml(Card):
    """The same by its other name."""

    extension = ".yml"
    place = 9


def _results(result: ScoreResult) -> Iterator[EvalResult]:
    """One a metric and number, and how many generations only copy a reference, which makes scores too high."""
    from huggingface_hub import EvalResult

    from nearid_cli.reports.order import copies

    inputs = result.inputs
    references = printable(PurePath(inputs.references).name) or "references"
    pictures = (
        f"{count(inputs.reference_images, 'reference')}, {count(inputs.generation_images, 'generation')}"
    )
    common: dict[str, Any] = {
        "task_type": "text-to-image",
        "task_name": "Identity preservation",
        "dataset_type": re.sub(r"[^\w.-]+", "-", references).strip("-") or "references",
        "dataset_name": f"{references} ({count(inputs.subjects, 'subject')}, {pictures})",
        "source_name": f"{result.tool.name} {result.tool.version}",
        "source_url": _SOURCE,
    }
    for metric in result.metrics:
        scores = result.aggregate[metric.name]
        for number in _NUMBERS:
            if (value := getattr(scores, number)) is not None:
                ends = scores.ci95 if number == "score" else getattr(scores, f"{number}_ci95")
                yield EvalResult(
                    **common,
                    metric_type=printable(metric.name if number == "score" else f"{metric.name}-{number}"),
                    metric_name=printable(f"{metric.name} {number}"),
                    metric_value=value,
                    metric_args=({"ci95": list(ends)} if ends else {}) | _made_by(metric, scores.missing),
                )
    if copied := sum(copies(result).values()):
        yield EvalResult(
            **common,
            metric_type="copies",
            metric_name="generations that copy a reference",
            metric_value=copied,
        )


def _made_by(metric: Metric, missing: int) -> dict[str, Any]:
    """What decides about a number, and what must be known to read it."""
    local = metric.revision is None or not _HUB_ID.fullmatch(metric.checkpoint)
    facts = {
        "checkpoint": PurePath(metric.checkpoint).name if local else metric.checkpoint,
        "revision": metric.revision,
        "fingerprint": metric.fingerprint,
        "protocol": metric.protocol,
        "lower_is_better": True if not metric.higher_is_better else None,
        "generations_without_a_number": missing or None,
    }
    return {
        name: printable(value) if isinstance(value, str) else value for name, value in facts.items() if value
    }
