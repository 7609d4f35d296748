"""Which generations of several methods stand beside each other: the rows of the page's grid.

The columns are the methods. What corresponds is decided as for comparisons, in `results/pairing.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from nearid_cli.results import Image, Method
from nearid_cli.results.correspondence import by_prompt, by_subject, compared_prompt, paired_images
from nearid_cli.results.pairing import Matched, match_runs


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
    rows: list[Row] = []
    # Of each row the generation that others belong to: the first, or the first whose prompt is known, so that a
    # first method that knows none does not bring the prompts of the others together.
    heads: list[Image] = []
    for number, images in having.items():
        place_of = {id(head): place for place, head in enumerate(heads)}
        places = {id(image): place_of[id(head)] for head, image in paired_images(heads, images)}
        for image in images:
            place = places.get(id(image))
            if place is None or not _may_be_one_prompt(heads[place], image):
                place = len(rows)
                rows.append(Row(subject, _below(subject, image.path)))
                heads.append(image)
            elif heads[place].prompt is None:
                heads[place] = image
            rows[place].images.append((number, image))
    yield from rows


def _may_be_one_prompt(a: Image, b: Image) -> bool:
    return a.prompt is None or b.prompt is None or compared_prompt(a.prompt) == compared_prompt(b.prompt)


def _by_places(subject: str, having: _Having) -> Iterator[Row]:
    for place in range(max(map(len, having.values()))):
        yield Row(subject, None, [(number, own[place]) for number, own in having.items() if place < len(own)])


def _below(subject: str, path: str) -> str:
    """The name of a generation without the folder of its subject, where it is that."""
    return path.removeprefix(f"{subject}/")
