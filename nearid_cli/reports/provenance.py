"""What made the numbers, in words: a line a fact, for every format that people read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nearid_cli.results import CompareResult, Inputs, MasksUsed, Metric, ScoreResult, Tool
from nearid_cli.text import count

_ALWAYS = ("checkpoint", "revision", "fingerprint", "readout", "dtype", "engine", "preprocessing", "protocol")


def made_by(result: ScoreResult | CompareResult, inputs: Iterable[str]) -> Iterator[str]:
    """The facts, most important first. Names are as in the result: escape the lines for where they go.

    Args:
        result: whose.
        inputs: the facts of what was scored, which come between those of the tool and of the metrics.
    """
    yield about_tool(result.tool, result.created)
    if result.outdated:
        yield f"schema: {result.schema}, of an older release, in which some numbers meant something else"
    yield from inputs
    yield from map(about_metric, result.metrics)


def about_inputs(inputs: Inputs) -> Iterator[str]:
    """What was scored, a line a fact."""
    yield f"references: {inputs.references} ({count(inputs.reference_images, 'picture')})"
    yield f"generations: {inputs.generations} ({count(inputs.generation_images, 'picture')})"
    if inputs.distractors is not None:
        paired = f", paired with references {inputs.pairing}" if inputs.pairing else ""
        yield f"distractors: {inputs.distractors} ({count(inputs.distractor_images, 'picture')}){paired}"
    if inputs.masks is not None:
        yield f"masks: {', '.join(_about_masks(inputs.masks))}"
    yield f"layout: {inputs.layout}, {count(inputs.subjects, 'subject')}"


def _about_masks(used: MasksUsed) -> Iterator[str]:
    yield used.source
    yield f"keep {used.keep}"
    yield f"fill {used.fill}"
    if used.clean:
        yield "cleaned"
    if used.unmasked:
        yield f"{count(used.unmasked, 'picture')} whole for want of a mask"


def about_tool(tool: Tool, created: str) -> str:
    """Which program made it, and when."""
    return f"tool: {tool.name} {tool.version}, {created}"


def about_metric(metric: Metric) -> str:
    """All that is known of a metric; of what nearly all have in common, what is otherwise."""
    facts = [f"{key} {value}" for key, value in vars(metric).items() if key in _ALWAYS and value]
    if metric.kind != Metric.kind:
        facts.append(f"kind {metric.kind}")
    if metric.range != Metric.range:
        facts.append(f"range {_between(*metric.range)}")
    if not metric.higher_is_better:
        facts.append("lower is better")
    if not metric.symmetric:
        facts.append("not symmetric")
    if metric.against != Metric.against:
        facts.append(f"against {metric.against or 'nothing known'}")
    return f"metric {metric.name}: {'; '.join(facts)}"


def _between(low: float | None, high: float | None) -> str:
    """A range in words.

    >>> _between(0.0, 1.0), _between(0.0, None), _between(None, 10.0), _between(None, None)
    ('0 to 1', 'from 0', 'up to 10', 'without ends')
    """
    if low is None:
        return "without ends" if high is None else f"up to {high:g}"
    return f"from {low:g}" if high is None else f"{low:g} to {high:g}"
