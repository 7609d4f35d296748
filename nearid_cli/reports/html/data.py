"""What the page's script works on: methods, subjects, references and generations as one JSON document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from nearid_cli.layouts.dataset import Masked
from nearid_cli.reports.document import document
from nearid_cli.reports.gauge import Gauge, gauges
from nearid_cli.reports.html.chosen import Chosen, chosen, worse
from nearid_cli.reports.html.failed import failed
from nearid_cli.reports.html.pictures import Gallery
from nearid_cli.reports.labels import NAME, apart
from nearid_cli.reports.locations import below, generation_file, map_file, parts_of, reference_file
from nearid_cli.results import CompareResult, GateResult, Image, Method, ScoreResult, SubjectScores
from nearid_cli.results.score import is_in_memory
from nearid_cli.text import count, printable

STRIP = 24
"""So many pictures a strip of the page shows before one asks for more."""

_DIGITS = 3  # of a score, beyond those that are shown


def subjects_of(methods: Sequence[Method]) -> list[str]:
    """Every subject that some method has, in the order in which they come."""
    return list({subject.subject: None for method in methods for subject in method.result.subjects})


def references_of(methods: Sequence[Method]) -> dict[str, dict[Path, str]]:
    """By subject the reference files of all methods with their names; most often all methods have the same."""
    found: dict[str, dict[Path, str]] = {}
    for method in methods:
        root = reference_file(method.result, "")
        for subject in method.result.subjects:
            files = found.setdefault(subject.subject, {})
            for name in subject.reference_paths:
                files.setdefault(below(root, name), name)
    return found


def page_files(result: ScoreResult | CompareResult) -> list[Path]:
    """The distinct picture files that the page wants, most important first, for a page that cannot show all.

    First what the page shows first: the worst generations, suspected copies beside their references, and what
    metrics disagree about. Then every subject in turn: a reference and the worst generation of each method, a second
    reference and the second worst, and so on; generations without a score come after those that have one. Pictures
    that a program gave from its memory are no files.
    """
    result = document(result).story.result
    methods = result.methods
    first = result.metrics[0]
    roots = {method.name: generation_file(method.result, "") for method in methods}
    those = chosen(result).images
    generations = [
        (method, image) for method in methods for image in method.result.images if id(image) in those
    ]
    generations.sort(key=lambda one: (one[1].scores[first.name] is None, worse(one[1], first)))
    files = [below(roots[method.name], image.path) for method, image in generations[:STRIP]]
    for method, image in generations:
        if image.copy_of is not None:
            files += [below(roots[method.name], image.path), reference_file(method.result, image.copy_of)]
    files += [below(roots[one.method], one.path) for one in result.disagreements if one.path is not None]
    rows = {subject: [list(names)] for subject, names in references_of(methods).items()}
    cells: dict[tuple[str, str], list[Path]] = {}
    for method, image in generations:
        cells.setdefault((image.subject, method.name), []).append(below(roots[method.name], image.path))
    for (subject, _), worst_first in cells.items():
        rows.setdefault(subject, []).append(worst_first)
    for turn in zip_longest(*(row for subject in rows.values() for row in subject)):
        files += [path for path in turn if path is not None]
    held = set(_in_memory(methods))
    maps: dict[Path, list[Path]] = {}
    for method, image in generations:
        own = [map_file(method.result, name) for name in image.maps.values()]
        maps.setdefault(below(roots[method.name], image.path), []).extend(own)
    beside = (one for path in dict.fromkeys(files) for one in (path, *maps.get(path, ())))
    return [path for path in dict.fromkeys(beside) if path not in held]


def page_masks(result: ScoreResult | CompareResult) -> dict[Path, Masked]:
    """Which part of the picture files that the page wants counts, by file; those of several parts have no entry."""
    found: dict[Path, Masked] = {}
    several = set()
    for run in result.runs.values():
        for path, part in parts_of(run).items():
            if found.setdefault(path, part) != part:
                several.add(path)
    return {path: part for path, part in found.items() if path not in several}


def memory_note(methods: Sequence[Method]) -> str:
    """What the page says of pictures that a program gave from its memory; nothing where there are none."""
    held = len(_in_memory(methods))
    return f"; {count(held, 'picture')} from memory, not shown" if held else ""


def _in_memory(methods: Sequence[Method]) -> list[Path]:
    """Where the pictures from memory would be if they were files: references that methods share once."""
    references = [
        path
        for named in references_of(methods).values()
        for path, name in named.items()
        if is_in_memory(name)
    ]
    generations = [
        generation_file(method.result, image.path)
        for method in methods
        for image in method.result.images
        if is_in_memory(image.path)
    ]
    return references + generations


def page_data(
    result: CompareResult, pictures: Gallery, gate: GateResult | None = None, those: Chosen | None = None
) -> dict[str, Any]:
    """All that the scripts show, JSON-ready.

    A generation is a row `[method, subject, name, picture, copy_of, prompt, seed, scores, margins, labels, reasons,
    maps, near_copy_of]`, in the order of the results; methods, subjects and pictures are numbers, -1 for a picture that
    the page does not have. Maps are pairs of a metric's number and a picture's, near copies of a metric's number and a
    reference. A row ends before what it and all after it have nothing of.

    The grid has `rows`, pairs of a subject's number and a name or None, and `cells`, for each generation its row there.
    Of a subject, `ends` are by method and metric `[floor, ceiling]` with a third entry where these are no farther apart
    than chance may put them. Disagreements and `failed` are numbers of generations.

    Args:
        result: methods in the order in which the page has them.
        pictures: that it can show.
        gate: verdicts on the result.
        those: the generations that the page has room for, if they are known already.
    """
    methods = result.methods
    subjects = subjects_of(methods)
    shown = gauges(result)
    metrics = list(shown)
    places = {subject: place for place, subject in enumerate(subjects)}
    roots = [generation_file(method.result, "") for method in methods]
    references = references_of(methods)
    by_subject = [
        {subject.subject: subject.scores for subject in method.result.subjects} for method in methods
    ]
    # One picture may be a generation of two subjects.
    rows = (those or chosen(result)).rows
    in_rows = {id(image): place for place, row in enumerate(rows) for _, image in row.images}
    images = [
        (number, image)
        for number, method in enumerate(methods)
        for image in method.result.images
        if id(image) in in_rows
    ]
    numbers = {
        (methods[method].name, image.subject, image.path): number
        for number, (method, image) in enumerate(images)
    }
    generations = [
        _row(
            number,
            places[image.subject],
            image,
            pictures.index.get(below(roots[number], image.path), -1),
            shown,
            {
                name: pictures.index.get(map_file(methods[number].result, file))
                for name, file in image.maps.items()
            },
        )
        for number, image in images
    ]
    return {
        "metrics": [printable(name) for name in metrics],
        "lower": [gauge.lower for gauge in shown.values()],
        "decimals": [gauge.decimals for gauge in shown.values()],
        "methods": [printable(method.name) for method in methods],
        "labels": apart([method.name for method in methods], NAME),
        "roots": [_folder(root) for root in roots],
        "subjects": [
            {
                "name": printable(subject),
                "references": [
                    [printable(name), printable(path), pictures.index.get(path, -1)]
                    for path, name in references.get(subject, {}).items()
                ],
                "scores": [
                    _rounded({name: own[subject][name].score for name in metrics}, shown)
                    if subject in own
                    else None
                    for own in by_subject
                ],
                "ends": [_ends(own.get(subject), shown) for own in by_subject],
            }
            for subject in subjects
        ],
        "generations": generations,
        "rows": [[places[row.subject], None if row.name is None else printable(row.name)] for row in rows],
        "cells": [in_rows[id(image)] for _, image in images],
        "disagreements": _disagreements(result, metrics, numbers),
        "failed": [] if gate is None else [numbers[one] for one in failed(gate, result) if one in numbers],
        "strip": STRIP,
        "thumbnails": [shown.thumbnail for shown in pictures.shown],
        "full": [shown.full for shown in pictures.shown if shown.full is not None],
        "masks": [shown.mask for shown in pictures.shown] if pictures.masked else [],
    }


def _row(
    method: int,
    subject: int,
    image: Image,
    picture: int,
    shown: Mapping[str, Gauge],
    maps: Mapping[str, int | None],
) -> list[Any]:
    copied, prompt, seed = (
        None if name is None else printable(name) for name in (image.copy_of, image.prompt, image.seed)
    )
    further = [
        _rounded(image.margins, shown) if image.margins else None,
        [[printable(name), printable(value)] for name, value in image.labels.items()] or None,
        [printable(image.reasons[name]) if name in image.reasons else None for name in shown]
        if image.reasons
        else None,
        [[place, maps[name]] for place, name in enumerate(shown) if maps.get(name) is not None] or None,
        [
            [place, printable(image.near_copy_of[name])]
            for place, name in enumerate(shown)
            if name in image.near_copy_of
        ]
        or None,
    ]
    while further and further[-1] is None:
        further.pop()
    return [
        method,
        subject,
        printable(image.path),
        picture,
        copied,
        prompt,
        seed,
        _rounded(image.scores, shown),
        *further,
    ]


def _ends(
    scores: Mapping[str, SubjectScores] | None, shown: Mapping[str, Gauge]
) -> list[list[float] | None] | None:
    """Floor and ceiling by each metric that has both; None where none has."""
    if scores is None:
        return None
    found: list[list[float] | None] = []
    for name, gauge in shown.items():
        one, digits = scores[name], gauge.decimals + _DIGITS
        if one.floor is None or one.ceiling is None:
            found.append(None)
        else:
            found.append([round(one.floor, digits), round(one.ceiling, digits), *[1] * one.within_noise])
    return found if any(found) else None


def _rounded(numbers: Mapping[str, float | None], shown: Mapping[str, Gauge]) -> list[float | None]:
    found = ((numbers.get(name), gauge) for name, gauge in shown.items())
    return [None if number is None else round(number, gauge.decimals + _DIGITS) for number, gauge in found]


def _folder(root: Path) -> str:
    """What comes before a generation's name in its full path."""
    text = printable(root)
    return text if text.endswith("/") else f"{text}/"


def _disagreements(
    result: CompareResult, metrics: list[str], numbers: Mapping[tuple[str, str, str], int]
) -> list[list[list[int]]]:
    """By metric the rows of the generations that it rates highest against the first metric, and lowest; worst first."""
    found: list[list[list[int]]] = [[[], []] for _ in metrics]
    for one in result.disagreements:
        row = numbers.get((one.method, one.subject or "", one.path or ""))
        if row is not None and one.metric in metrics:
            found[metrics.index(one.metric)][one.difference < 0].append(row)
    return found
