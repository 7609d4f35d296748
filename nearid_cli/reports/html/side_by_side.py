"""Which generations of several methods stand beside each other: the rows of the page's grid.

The columns are the methods. What corresponds is decided as for comparisons, in `results/pairing.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

from nearid_cli.results import Image, Method
from nearid_cli.results.pairing import (
    Matched,
    by_prompt,
    by_subject,
    compared_prompt,
    match_runs,
    paired_images,
)


@dataclass(frozen=True)
class Row:
    """One row of the grid: what several methods made of one subject, and were asked for in the same way.

    Attributes:
        subject: whose.
        name: the prompt that its generations have, or the name; None where neither says what belongs together: the
            row has what comes first (second, third, ...) of each method.
        images: pairs of a method's number and a generation; several of one method are seeds of the prompt.
    """

    subject: str
    name: str | None
    images: list[tuple[int, Image]] = field(default_factory=list)


def side_by_side(methods: Sequence[Method]) -> list[Row]:
    """Every generation of all methods in one row each, subject by subject.

    * By prompt where every method that has the subject knows its prompts.
    * By name where generations correspond to those of the first method that has the subject.
    * Otherwise by their places.
    """
    images = [by_subject(method.result.images) for method in methods]

    @cache
    def matched(first: int, other: int) -> Mapping[str, Matched]:
        found = match_runs(methods[first].result, methods[other].result).subjects
        return {one.subject: one for one in found}

    rows: list[Row] = []
    for subject in dict.fromkeys(subject for own in images for subject in own):
        having = {number: own[subject] for number, own in enumerate(images) if subject in own}
        first, *others = having
        beside = {number: matched(first, number).get(subject) for number in others}
        if all(by_prompt(own) for own in having.values()):
            rows += _by_prompts(subject, having, beside)
        elif all(one and one.how == "names" for one in beside.values()):
            rows += _by_names(subject, having)
        else:
            rows += _by_places(subject, having)
    return rows


_Having = Mapping[int, Sequence[Image]]
"""A subject's generations by the numbers of the methods that have it."""


def _by_prompts(subject: str, having: _Having, beside: Mapping[int, Matched | None]) -> Iterator[Row]:
    rows: dict[str, Row] = {}
    for number, images in having.items():
        matched = beside.get(number)
        groups = matched.groups if matched and matched.how == "prompts" else ()
        # Two methods may call one subject by different words ("a sks dog"): the pairing knows that these are one.
        known = {id(image): group.a[0].prompt for group in groups for image in group.b}
        for image in images:
            prompt = known.get(id(image), image.prompt)
            key = f"{number}/{image.path}" if prompt is None else compared_prompt(prompt)
            name = _below(subject, image.path) if prompt is None else prompt
            rows.setdefault(key, Row(subject, name)).images.append((number, image))
    yield from rows.values()


def _by_names(subject: str, having: _Having) -> Iterator[Row]:
    rows: dict[int, Row] = {}
    heads: list[Image] = []  # of each row the generation that it is named after
    for number, images in having.items():
        pairs = {id(image): id(head) for head, image in paired_images(heads, images)}
        for image in images:
            if id(image) not in pairs:
                heads.append(image)
            row = rows.setdefault(pairs.get(id(image), id(image)), Row(subject, _below(subject, image.path)))
            row.images.append((number, image))
    for row in rows.values():  # a head without a prompt corresponds to generations of several
        prompts = {compared_prompt(image.prompt) for _, image in row.images if image.prompt is not None}
        yield replace(row, name=None) if len(prompts) > 1 else row


def _by_places(subject: str, having: _Having) -> Iterator[Row]:
    for place in range(max(map(len, having.values()))):
        yield Row(subject, None, [(number, own[place]) for number, own in having.items() if place < len(own)])


def _below(subject: str, path: str) -> str:
    """The name of a generation without the folder of its subject, where it is that."""
    return path.removeprefix(f"{subject}/")
