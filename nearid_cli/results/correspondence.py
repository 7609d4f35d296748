"""Which generations of two runs correspond: of one prompt, of one name, or all of a subject. Scores play no part.

Two runs may differ in what they were asked for: a run without the hard prompt scores higher without being better. So
prompts decide, where they are known. Names decide only where they correspond nearly everywhere, because counters
(`0.png`, `1.png`) coincide by accident. Failing both, a subject's generations are compared as they are, all of them.

The methods of a study are mostly called alike, file by file, and each is compared with every other one. So what
corresponds is told by places among the generations of a run, and found once for all runs that are called alike.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal, NamedTuple, Protocol, TypeVar

from nearid_cli.results.images import Images
from nearid_cli.results.score import is_in_memory

How = Literal["prompts", "names", "all"]

NEARLY_ALL = 0.9
"""Prompts are known, and names correspond, where they do for so large a share of the generations."""

HALF = 0.5
"""Of the run with more generations, and of each subject, at least so many must correspond by name."""

_KEPT = 4  # so many runs, and so many pairs of them: methods of two kinds make four pairs

_SPACES = re.compile(r"[\s_-]+")


class Called(Protocol):
    """What of a generation decides what it corresponds to."""

    @property
    def path(self) -> str:
        """Its file."""

    @property
    def subject(self) -> str:
        """Whose it is."""

    @property
    def prompt(self) -> str | None:
        """None where it is not known."""

    @property
    def seed(self) -> str | None:
        """Likewise."""


One = TypeVar("One", bound=Called)

ByPrompt = dict[str, list[One]]
"""Generations of one subject by prompt, as prompts are compared."""

_Name = tuple[str, str]
_ByName = dict[_Name, One]
"""Generations of one subject by their names below its folder."""


class Call(NamedTuple):
    """What a generation is called, and its place among those of its run."""

    place: int
    path: str
    subject: str
    prompt: str | None
    seed: str | None


class Calls:
    """The generations of a run by subject, of one or of many runs that are called alike: see `calls_of`."""

    def __init__(self, calls: Iterable[Call]) -> None:
        self._own = {subject: _Own(own) for subject, own in by_subject(calls).items()}

    def of(self, subject: str) -> _Own:
        """Those of a subject, which may have none."""
        return self._own.get(subject) or _Own(())


class _Own:
    """The generations of one subject in one run, by path, so that nothing depends on the order given."""

    def __init__(self, calls: Iterable[Call]) -> None:
        self.calls = sorted(calls, key=lambda call: call.path)

    @cached_property
    def prompts(self) -> ByPrompt[Call] | None:
        return by_prompt(self.calls)

    @cached_property
    def named(self) -> _ByName[Call]:
        return _named_once(self.calls)


class Together(NamedTuple):
    """Generations of one subject that are compared, by their places: those of one run with those of the other."""

    name: str
    a: tuple[int, ...]
    b: tuple[int, ...]


@dataclass(frozen=True)
class Corresponding:
    """One subject of two runs: as `Matched`, by places.

    Attributes:
        unheeded_prompts: whether some prompts are known, and decide nothing.
    """

    subject: str
    how: How
    groups: tuple[Together, ...]
    lacking_a: tuple[str, ...] = ()
    lacking_b: tuple[str, ...] = ()
    alone_a: tuple[int, ...] = ()
    alone_b: tuple[int, ...] = ()
    unheeded_prompts: bool = False

    @property
    def takes_part(self) -> bool:
        """Whether there is anything to compare: where prompts are known, one that both have."""
        return self.how != "prompts" or bool(self.groups)

    @cached_property
    def pairs(self) -> Sequence[tuple[int, int]] | None:
        """The groups, where each is of one generation and one other; None where some are of more."""
        single = self.how != "all" and all(len(one.a) == len(one.b) == 1 for one in self.groups)
        return [(one.a[0], one.b[0]) for one in self.groups] if single else None


@dataclass(frozen=True)
class Correspondence:
    """The subjects that two runs have in common: as `Matching`, by places."""

    subjects: tuple[Corresponding, ...]
    coinciding: int
    prompts_differ: bool
    placeholders: tuple[str, ...]


def calls_of(images: Images) -> Calls:
    """What the generations of a run are called; the same object for runs that are called alike."""
    columns = (images.column(name) for name in ("path", "subject", "prompt", "seed"))
    return _calls(tuple(map(Call, range(len(images)), *columns)))


_calls = lru_cache(maxsize=_KEPT)(Calls)


@lru_cache(maxsize=_KEPT)
def correspondence(a: Calls, b: Calls, common: tuple[str, ...]) -> Correspondence:
    """What of two runs corresponds, subject by subject of those that both have; see `match_runs`."""
    both = {name: (a.of(name), b.of(name)) for name in common}
    known: dict[str, tuple[ByPrompt[Call], ByPrompt[Call]]] = {}
    placeholders: set[str] = set()
    for name, (mine, others) in both.items():
        if mine.prompts and others.prompts:
            bare_a, bare_b, words = _without_placeholders(mine.prompts, others.prompts)
            known[name] = bare_a, bare_b
            placeholders |= words
    shared = any(bare_a.keys() & bare_b.keys() for bare_a, bare_b in known.values())
    rest = [name for name in both if name not in known]
    pairs = {name: _paired(both[name][0].named, both[name][1].named) for name in rest}
    coinciding = sum(map(len, pairs.values()))
    by_name = _enough(coinciding, *(sum(len(both[name][side].calls) for name in rest) for side in (0, 1)))
    subjects = []
    for name, (mine, others) in both.items():
        of_a, of_b = mine.calls, others.calls
        if name in known and shared:
            subjects.append(_by_prompts(name, of_a, of_b, *known[name]))
        elif by_name and name in pairs and len(pairs[name]) >= HALF * max(len(of_a), len(of_b), 1):
            groups = [
                Together("/".join(filter(None, key)), (x.place,), (y.place,)) for key, x, y in pairs[name]
            ]
            subjects.append(_grouped(name, "names", of_a, of_b, groups))
        else:
            everything = (Together("", _places(of_a), _places(of_b)),) if of_a and of_b else ()
            unheeded = bool(everything) and _any_prompt(of_a, of_b)
            subjects.append(Corresponding(name, "all", everything, unheeded_prompts=unheeded))
    return Correspondence(
        tuple(subjects), coinciding, bool(known) and not shared, tuple(sorted(placeholders))
    )


def by_prompt(images: Sequence[One]) -> ByPrompt[One] | None:
    """The generations of a subject by prompt, as prompts are compared; None where too few of them are known.

    A generation whose prompt is not known is in no group.
    """
    found: ByPrompt[One] = {}
    for image in images:
        if image.prompt is not None:
            found.setdefault(compared_prompt(image.prompt), []).append(image)
    enough = sum(map(len, found.values())) >= NEARLY_ALL * len(images)
    return found if found and enough else None


def number_of_prompts(prompts: Sequence[str | None]) -> int:
    """How many groups `by_prompt` makes of generations with these prompts; 0 where it makes none."""
    known = [prompt for prompt in prompts if prompt is not None]
    return len(set(map(compared_prompt, known))) if len(known) >= NEARLY_ALL * len(prompts) else 0


@lru_cache(maxsize=10_000)
def compared_prompt(prompt: str) -> str:
    """A prompt as prompts are compared: without case, final punctuation and kind of spacing.

    Folders and files are named after prompts, with `_` or `-` for spaces.

    >>> compared_prompt("On the  beach."), compared_prompt("on_the-beach")
    ('on the beach', 'on the beach')
    """
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", prompt).casefold())
    spaced = _SPACES.sub(" ", folded).strip()
    return spaced.rstrip(" .,;:!?") or spaced


def _without_placeholders(
    a: ByPrompt[Call], b: ByPrompt[Call]
) -> tuple[ByPrompt[Call], ByPrompt[Call], set[str]]:
    """The prompts of a subject without the words that only one run calls it by ("a sks dog", "a <v> dog"), and these.

    Such a word is in all prompts of its run and in none of the other's; so there is none where any prompt is in both.
    Prompts stay as they are where a run has but one (each word is then in all), where two of a run would become one, or
    where less than half of the prompts of the run that has fewer would be in both: words differ for another reason.
    """
    if min(len(a), len(b)) < 2:
        return a, b, set()
    of_a, of_b = _own_words(a, b), _own_words(b, a)
    bare_a, bare_b = _without(a, of_a), _without(b, of_b)
    whole = len(bare_a) == len(a) and len(bare_b) == len(b)
    enough = len(bare_a.keys() & bare_b.keys()) >= HALF * min(len(a), len(b))
    return (bare_a, bare_b, of_a | of_b) if whole and enough else (a, b, set())


def _own_words(prompts: Iterable[str], others: Iterable[str]) -> set[str]:
    """The words that all prompts have and none of the others."""
    return set.intersection(*(set(prompt.split()) for prompt in prompts)).difference(
        *(prompt.split() for prompt in others)
    )


def _without(prompts: ByPrompt[Call], words: Collection[str]) -> ByPrompt[Call]:
    """The prompts without words; one of nothing else stays as it is, for no words say what it asks."""
    return {
        " ".join(word for word in prompt.split() if word not in words) or prompt: images
        for prompt, images in prompts.items()
    }


def by_subject(images: Iterable[One]) -> dict[str, list[One]]:
    """The generations of each subject, in their order."""
    found: dict[str, list[One]] = {}
    for image in images:
        found.setdefault(image.subject, []).append(image)
    return found


def paired_images(a: Sequence[One], b: Sequence[One]) -> list[tuple[One, One]]:
    """The generations of one subject in two runs that correspond by name.

    Their paths below the subject's folder are equal but for the extension. Those whose prompts or seeds are known to
    differ do not correspond, and neither do those of a name that two generations of one run share.

    Returns:
        Pairs in the order of their names; no generation is in two of them.

    >>> from nearid_cli.results import Image
    >>> def image(path, prompt=None, seed=None):
    ...     return Image(path, "cat", None, {}, prompt, seed)
    >>> [(x.path, y.path) for x, y in paired_images([image("cat/0.png")], [image("out/cat/0.jpg")])]
    [('cat/0.png', 'out/cat/0.jpg')]
    >>> paired_images([image("cat/0.png", "on a beach", "1")], [image("cat/0.png", "on a beach", "2")])
    []
    """
    return [(one, other) for _, one, other in _paired(_named_once(a), _named_once(b))]


def _paired(a: _ByName[One], b: _ByName[One]) -> list[tuple[_Name, One, One]]:
    """The same with the names, of generations by these."""
    return [
        (name, a[name], b[name]) for name in sorted(a.keys() & b.keys()) if _may_correspond(a[name], b[name])
    ]


def _by_prompts(
    subject: str,
    mine: Sequence[Call],
    others: Sequence[Call],
    prompts_a: Mapping[str, Sequence[Call]],
    prompts_b: Mapping[str, Sequence[Call]],
) -> Corresponding:
    groups = [
        Together(
            _written([*prompts_a[prompt], *prompts_b[prompt]]),
            _places(prompts_a[prompt]),
            _places(prompts_b[prompt]),
        )
        for prompt in sorted(prompts_a.keys() & prompts_b.keys())
    ]
    lacking_a, lacking_b = (
        tuple(_written(theirs[prompt]) for prompt in sorted(theirs.keys() - own.keys()))
        for own, theirs in ((prompts_a, prompts_b), (prompts_b, prompts_a))
    )
    return _grouped(subject, "prompts", mine, others, groups, lacking_a, lacking_b)


def _grouped(
    subject: str,
    how: How,
    mine: Sequence[Call],
    others: Sequence[Call],
    groups: Sequence[Together],
    lacking_a: tuple[str, ...] = (),
    lacking_b: tuple[str, ...] = (),
) -> Corresponding:
    """The subject with these groups, and whatever is in none of them."""
    inside_a, inside_b = ({place for group in groups for place in group[side]} for side in (1, 2))
    alone_a = tuple(one.place for one in mine if one.place not in inside_a)
    alone_b = tuple(one.place for one in others if one.place not in inside_b)
    unheeded = how != "prompts" and _any_prompt(mine, others)
    return Corresponding(subject, how, tuple(groups), lacking_a, lacking_b, alone_a, alone_b, unheeded)


def _any_prompt(mine: Sequence[Call], others: Sequence[Call]) -> bool:
    """Whether any is known."""
    return any(call.prompt is not None for call in (*mine, *others))


def _places(calls: Iterable[Call]) -> tuple[int, ...]:
    return tuple(call.place for call in calls)


def _named_once(images: Sequence[One]) -> _ByName[One]:
    names = [_name_below_subject(image) for image in images]
    often = Counter(names)
    return {name: image for name, image in zip(names, images, strict=True) if name and often[name] == 1}


def _may_correspond(a: Called, b: Called) -> bool:
    """Whether neither their prompts nor their seeds are known to differ."""
    prompts = None in (a.prompt, b.prompt) or compared_prompt(a.prompt or "") == compared_prompt(
        b.prompt or ""
    )
    return prompts and (None in (a.seed, b.seed) or a.seed == b.seed)


def _enough(pairs: int, of_a: int, of_b: int) -> bool:
    """Whether so many of the generations of two runs correspond by name that it is no accident."""
    fewer, more = sorted((of_a, of_b))
    return pairs > 0 and pairs >= NEARLY_ALL * fewer and pairs >= HALF * more


def _written(images: Sequence[Call]) -> str:
    """One of the ways in which a prompt is written, the same one in any order."""
    return min(image.prompt for image in images if image.prompt is not None)


def _name_below_subject(image: Called) -> tuple[str, str] | None:
    if is_in_memory(image.path):
        return None  # a place in a list is no name: pairing by it would pair by accident
    folder, _, file = image.path.rpartition("/")
    return _folder_below_subject(folder, image.subject), _stem(file)


@lru_cache(maxsize=10_000)
def _folder_below_subject(folder: str, subject: str) -> str:
    folders, wanted = folder.split("/"), _letters(subject)
    below = next((i + 1 for i, one in enumerate(folders) if _letters(one) == wanted), 0)
    return "/".join(folders[below:])


def _stem(file: str) -> str:
    """A file name without its extension: `PurePosixPath(file).stem`, which takes ten times as long."""
    dot = file.rfind(".")
    return file[:dot] if 0 < dot < len(file) - 1 else file


def _letters(name: str) -> str:
    """A name as subjects are matched by it: without case, spaces and punctuation."""
    folded = unicodedata.normalize("NFC", name.casefold())
    return "".join(filter(str.isalnum, folded)) or folded
