"""`nearid score`: how well each subject's generations keep its identity, of one method or of several."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from nearid_cli.activity import doing
from nearid_cli.evaluate.embedding import requested
from nearid_cli.evaluate.scoring import Scorer, refuse_unmatched
from nearid_cli.layouts.dataset import Dataset
from nearid_cli.layouts.find import find
from nearid_cli.layouts.sides import Side
from nearid_cli.options import LayoutOptions, Leniency, Options
from nearid_cli.results import ScoreResult
from nearid_cli.text import count, few

logger = logging.getLogger(__name__)


def score(
    references: Side,
    generations: Side | None = None,
    options: Options | None = None,
    *,
    layout: str | LayoutOptions = "auto",
    leniency: Leniency = Leniency(),
    distractors: Side | None = None,
) -> ScoreResult:
    """Score the generations of each subject against its references.

    Args:
        references: folder of references, or a manifest of everything, or what `read_side` made of pictures.
        generations: folder of generations, or a manifest, or likewise; None when `references` is a manifest of both.
        options: metrics, device, cache, ...
        layout: how the folders are laid out; see docs/reference/layouts.md.
        leniency: what to go on without.
        distractors: folder or manifest of each subject's look-alikes, or likewise.

    Raises:
        NearIDError: the job cannot be done; see `nearid_cli.errors` for the kinds.
    """
    options = options or Options()
    requested(options)  # a wrong metric is said before any folder is walked
    with doing("looking for pictures"):
        dataset = find(references, generations, layout, distractors)
    return score_datasets({"": dataset}, options, leniency)[""]


def score_datasets(
    datasets: Mapping[str, Dataset], options: Options, leniency: Leniency = Leniency()
) -> dict[str, ScoreResult]:
    """Score one data set, or those of several methods, embedding all of their pictures in one go.

    Of several methods, a subject that only has references is no error: methods may lack subjects. It is recorded as
    unmatched, and its references are those of a stranger to the method's own subjects, so that a method which lacks it
    has the same floor and no easier identification than one which has it.

    Args:
        datasets: by method; one that is not compared with others has the name `""`.
        options: metrics, device, cache, ...
        leniency: what to go on without.

    Raises:
        NearIDError: the job cannot be done; see `nearid_cli.errors` for the kinds.
    """
    several = "" not in datasets
    for name, dataset in datasets.items():
        _report_found(dataset, f"{name}: " if name else "")
    for note in dict.fromkeys(note for dataset in datasets.values() for note in dataset.notes):
        logger.info(note)
    refuse_unmatched(_unmatched(datasets), leniency.allow_unmatched)
    scorer = Scorer(list(datasets.values()), options, leniency.skip_bad, strangers=several)
    results = {
        name: scorer.score(dataset, several or leniency.allow_unmatched) for name, dataset in datasets.items()
    }
    _report_strangers(results)
    return results


def _unmatched(datasets: Mapping[str, Dataset]) -> list[str]:
    """What has no counterpart, each line once, with the methods that it is about; no line for lacking generations."""
    found: dict[str, list[str]] = {}
    for name, dataset in datasets.items():
        lacking = set(dataset.ungenerated) if name else set()
        for line in dataset.unmatched:
            if line not in lacking:
                found.setdefault(line, []).append(name)
    return [
        f"{name}: {line}" if name else line
        for line, names in found.items()
        for name in (["every method"] if len(names) == len(datasets) > 1 else names)
    ]


def _report_strangers(results: Mapping[str, ScoreResult]) -> None:
    without: dict[tuple[str, ...], list[str]] = {}
    for name, result in results.items():
        if result.inputs.strangers:
            without.setdefault(result.inputs.strangers, []).append(name)
    for strangers, names in without.items():
        logger.info(
            "%s: no generations of %s; its references count as those of strangers: %s"
            if len(strangers) == 1
            else "%s: no generations of %s; their references count as those of strangers: %s",
            "every method" if len(names) == len(results) > 1 else few(names),
            count(len(strangers), "subject"),
            few(list(strangers)),
        )


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
