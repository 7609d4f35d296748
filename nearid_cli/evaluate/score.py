"""`nearid score`: how well each subject's generations keep its identity, of one method or of several."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from nearid_cli.activity import doing
from nearid_cli.evaluate.embedding import requested
from nearid_cli.evaluate.scoring import Scorer, refuse_unmatched
from nearid_cli.layouts import Dataset, find
from nearid_cli.layouts.found import Side
from nearid_cli.options import LayoutOptions, Options
from nearid_cli.results import ScoreResult
from nearid_cli.text import count, few

logger = logging.getLogger(__name__)


def score(
    references: Side,
    generations: Side | None = None,
    options: Options | None = None,
    *,
    layout: str | LayoutOptions = "auto",
    allow_unmatched: bool = False,
    skip_bad: bool = False,
    distractors: Side | None = None,
) -> ScoreResult:
    """Score the generations of each subject against its references.

    Args:
        references: folder of references, or a manifest of everything, or what `read_side` made of pictures.
        generations: folder of generations, or a manifest, or likewise; None when `references` is a manifest of both.
        options: metrics, device, cache, ...
        layout: how the folders are laid out; see docs/reference/layouts.md.
        allow_unmatched: go on without the subjects that lack references or generations.
        skip_bad: go on without pictures that cannot be read.
        distractors: folder or manifest of each subject's look-alikes, or likewise.

    Raises:
        NearIDError: the job cannot be done; see `nearid_cli.errors` for the kinds.
    """
    options = options or Options()
    requested(options)  # a wrong metric is said before any folder is walked
    with doing("looking for pictures"):
        dataset = find(references, generations, layout, distractors)
    _report_found(dataset)
    _say_once(dataset.notes)
    refuse_unmatched(dataset.unmatched, allow_unmatched)
    return Scorer([dataset], options, skip_bad).score(dataset, allow_unmatched)


def score_methods(
    datasets: Mapping[str, Dataset],
    options: Options | None = None,
    *,
    allow_unmatched: bool = False,
    skip_bad: bool = False,
) -> dict[str, ScoreResult]:
    """Score several methods, embedding all of their pictures in one go.

    A subject that only has references is no error here: methods may lack subjects. It is recorded as unmatched, and
    its references are those of a stranger to the method's own subjects, so that a method which lacks it has the same
    floor and no easier identification than one which has it.

    Args:
        datasets: by method.
        options: metrics, device, cache, ...
        allow_unmatched: go on without generations that have no references.
        skip_bad: go on without pictures that cannot be read.

    Raises:
        NearIDError: the job cannot be done; see `nearid_cli.errors` for the kinds.
    """
    options = options or Options()
    requested(options)
    unmatched: dict[str, list[str]] = {}
    for name, dataset in datasets.items():
        _report_found(dataset, f"{name}: ")
        lacking = set(dataset.ungenerated)
        for line in dataset.unmatched:
            if line not in lacking:
                unmatched.setdefault(line, []).append(name)
    _say_once(line for dataset in datasets.values() for line in dataset.notes)
    refuse_unmatched(
        [
            f"{name}: {line}"
            for line, names in unmatched.items()
            for name in (["every method"] if len(names) == len(datasets) > 1 else names)
        ],
        allow_unmatched,
    )
    scorer = Scorer(list(datasets.values()), options, skip_bad, strangers=True)
    results = {name: scorer.score(dataset, allow_unmatched=True) for name, dataset in datasets.items()}
    without: dict[tuple[str, ...], list[str]] = {}
    for name, result in results.items():
        if result.inputs.strangers:
            without.setdefault(result.inputs.strangers, []).append(name)
    for strangers, names in without.items():
        logger.info(
            "%s: no generations of %s; its references count as those of strangers: %s"
            if len(strangers) == 1
            else "%s: no generations of %s; their references count as those of strangers: %s",
            "every method" if len(names) == len(datasets) > 1 else few(names),
            count(len(strangers), "subject"),
            few(list(strangers)),
        )
    return results


def _say_once(lines: Iterable[str]) -> None:
    for line in dict.fromkeys(lines):
        logger.info(line)


def _report_found(dataset: Dataset, start: str = "") -> None:
    references = sum(len(subject.references) for subject in dataset.subjects)
    generations = sum(len(subject.generations) for subject in dataset.subjects)
    distractors = sum(len(subject.distractors) for subject in dataset.subjects)
    logger.info(
        "%slayout %s: %s, %s, %s%s%s",
        start,
        dataset.layout,
        count(len(dataset.subjects), "subject"),
        count(references, "reference"),
        count(generations, "generation"),
        f", {count(distractors, 'distractor')}" if distractors else "",
        f"; left out: {dataset.left_out.summary()}" if dataset.left_out else "",
    )
    steps = {
        one.labels["step"]: None
        for subject in dataset.subjects
        for one in subject.generations
        if one.labels and "step" in one.labels
    }
    if len(steps) > 1:
        logger.info(
            "%sgenerations of %s are scored together: %s", start, count(len(steps), "step"), few(list(steps))
        )
    for line in dataset.left_out.lines() if logger.isEnabledFor(logging.DEBUG) else ():
        logger.debug(line)
