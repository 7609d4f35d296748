"""Prompts of generations: from which place each is, and what happens where places say different things.

    a table       a manifest, metadata of an imagefolder, prompts.json, text/ of DreamBench++
    --pattern     where the user says that it is
    .txt          a file of the picture's name beside it; see `captions.py`
    names         of folders and files

The first place that has one counts. What others say is not lost: if it is something else, that is told.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from nearid_cli.layouts.dataset import Picture, SubjectPictures
from nearid_cli.results.correspondence import compared_prompt
from nearid_cli.text import count, printable

NAMES, BESIDE, PATTERN = "names", ".txt files", "--pattern"
_LATER = (PATTERN, BESIDE, NAMES)  # tables come first

_SHOWN = 60
_NUMBERED = re.compile(r"(?:prompt|text|caption|p)?[\s_-]*\d+", re.IGNORECASE)


def said(picture: Picture, prompt: str | None, place: str) -> Picture:
    """A picture with what a place says of its prompt, if it says anything.

    Args:
        picture: with what other places have said.
        prompt: None where this place says nothing.
        place: one of the names above, or that of a table.
    """
    if prompt is None:
        return picture
    if picture.prompt is None:
        return replace(picture, prompt=prompt, prompt_from=place)
    other = picture.prompt
    first = _rank(place) < _rank(picture.prompt_from)
    chosen = (prompt, place) if first else (other, picture.prompt_from)
    rival = picture.other_prompt if agree(prompt, other) else other if first else prompt
    return replace(picture, prompt=chosen[0], prompt_from=chosen[1], other_prompt=rival)


def agree(a: str, b: str) -> bool:
    """Whether two texts may be one prompt: names leave out words and signs, end early, or are but a number.

    >>> agree("a sks dog, asleep on the beach", "dog_on_the_bea"), agree("a dog", "3")
    (True, True)
    >>> agree("a dog on the beach", "in_the_snow")
    False
    """
    if is_number(a) or is_number(b):
        return True
    fewer, more = sorted((re.findall(r"\w+", compared_prompt(text)) for text in (a, b)), key=len)
    *short, last = fewer or [""]
    rest = iter(more)
    return all(word in rest for word in short) and any(word.startswith(last) for word in rest)


def is_number(text: str) -> bool:
    """Whether a text only numbers a prompt.

    >>> [is_number(text) for text in ("3", "prompt_03", "p2", "2 cats")]
    [True, True, True, False]
    """
    return _NUMBERED.fullmatch(text.strip()) is not None


def is_json(text: str) -> bool:
    """Whether a text is a list or an object, which tables keep as they are written.

    >>> is_json('["a cat", "a dog"]'), is_json("[V] cat")
    (True, False)
    """
    if text[:1] not in ("{", "["):
        return False
    try:
        return isinstance(json.loads(text), (dict, list))
    except (ValueError, RecursionError):
        return False


def _rank(place: str) -> int:
    return _LATER.index(place or NAMES) if (place or NAMES) in _LATER else -1


def disagreements(subjects: Sequence[SubjectPictures]) -> Iterator[str]:
    """A note for each two places that say different prompts of generations."""
    rivals: dict[str, list[Picture]] = {}
    for subject in subjects:
        for one in subject.generations:
            if one.other_prompt is not None:
                rivals.setdefault(one.prompt_from or NAMES, []).append(one)
    for place, pictures in rivals.items():
        first = pictures[0]
        prompt, other = (shortened(text or "") for text in (first.prompt, first.other_prompt))
        yield (
            f"{count(len(pictures), 'generation')} of which two places say different prompts; that of {place} counts: "
            f'{printable(first.name)} is "{prompt}", and not "{other}"'
        )


def places_of_prompts(subjects: Sequence[SubjectPictures]) -> str:
    """How many generations have a prompt, and from where, in words; empty if none has."""
    generations = [one for subject in subjects for one in subject.generations]
    places: dict[str, int] = {}
    for one in generations:
        if one.prompt is not None:
            place = one.prompt_from or NAMES
            places[place] = places.get(place, 0) + 1
    if not places:
        return ""
    total = sum(places.values())
    listed = ", ".join(f"{number:,} from {place}" for place, number in places.items())
    return f"{total:,} of {count(len(generations), 'generation')}: {listed}"


def shortened(text: str) -> str:
    """A prompt as a message shows it."""
    shown = printable(text)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]} ..."
