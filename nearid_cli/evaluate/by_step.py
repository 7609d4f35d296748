"""The steps of methods as methods of their own: what `nearid compare --by step` compares.

Names are such that they are known as checkpoints of one training again: `step 500`, and `lora/step 500` of several.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace

from nearid_cli.breakdown.labels import Breakdown, Labelled
from nearid_cli.breakdown.restrict import split
from nearid_cli.errors import UsageError
from nearid_cli.layouts.dataset import Dataset
from nearid_cli.results import ScoreResult
from nearid_cli.text import count, few, printable

logger = logging.getLogger(__name__)

STEP = "step"
"""The label that says the step or epoch of a generation."""


def without_step(by: Iterable[str]) -> tuple[bool, list[str]]:
    """Whether `--by` asks for steps by themselves, and what else it asks for.

    >>> without_step(["category,step", "seed"]), without_step(["category+step"])
    ((True, ['category', 'seed']), (False, ['category+step']))
    """
    asked, rest = False, []
    for one in by:
        items = one.split(",")
        kept = [item for item in items if item.strip().casefold() != STEP]
        asked |= len(kept) < len(items)
        rest += [",".join(kept)] if kept else []
    return asked, rest


def by_step(
    datasets: Mapping[str, Dataset], results: Mapping[str, ScoreResult]
) -> tuple[dict[str, Dataset], dict[str, ScoreResult]]:
    """Methods with each step in the place of the method; one without steps stays as it is.

    Generations without a step, beside such that have one, are left out, which a line says.

    Args:
        datasets: by method; one that has no name is `""`.
        results: finished ones, likewise. Their steps have no floors, which take the references themselves.

    Raises:
        UsageError: no generation has a step.
    """
    found: dict[str, Dataset] = {}
    for name, dataset in datasets.items():
        generations = [one for subject in dataset.subjects for one in subject.generations]
        steps = _steps(generations)
        _report_without(name, [one.name for one in generations if steps and STEP not in one.labels])
        found |= {_name(name, step): _at_step(dataset, step) for step in steps} or {name: dataset}
    finished: dict[str, ScoreResult] = {}
    for name, result in results.items():
        steps = _steps(result.images)
        _report_without(name, [one.path for one in result.images if steps and STEP not in one.labels])
        finished |= {
            _name(name, step): own
            for labels, own in (split(result, Breakdown((STEP,))) if steps else ())
            if (step := labels[STEP]) is not None
        } or {name: result}
    if [*found, *finished] == [*datasets, *results]:
        raise UsageError(
            "--by step: no generation has a step; nearid layout shows what names say, and a manifest's column step, or "
            "--pattern with {step}, says it"
        )
    return found, finished


def _steps(generations: Iterable[Labelled]) -> list[str]:
    """In the order of the checkpoints that they are."""
    return [
        step
        for labels in Breakdown((STEP,)).groups(generations).values()
        if (step := labels[STEP]) is not None
    ]


def _name(method: str, step: str) -> str:
    """`step 500`, `epoch 3`, or whatever else is called a step, below its method."""
    own = f"step {step}" if step.isdecimal() else step
    return f"{method}/{own}" if method else own


def _report_without(method: str, names: list[str]) -> None:
    if names:
        whose = f"{printable(method)}: " if method else ""
        logger.warning(f"{whose}{count(len(names), 'generation')} without a step left out: {few(names)}")


def _at_step(dataset: Dataset, step: str) -> Dataset:
    """With the generations of one step; subjects that have none then are strangers, with their references."""
    own = [
        replace(one, generations=tuple(g for g in one.generations if g.labels.get(STEP) == step))
        for one in dataset.subjects
    ]
    lacking = [one for one in own if not one.generations]
    lines = [f"{one.name}: {count(len(one.references), 'reference')}, no generations" for one in lacking]
    return replace(
        dataset,
        subjects=tuple(one for one in own if one.generations),
        strangers=(*dataset.strangers, *(replace(one, distractors=()) for one in lacking)),
        unmatched=(*dataset.unmatched, *lines),
        ungenerated=(*dataset.ungenerated, *lines),
    )
