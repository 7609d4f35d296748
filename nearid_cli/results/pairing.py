"""What of two runs is compared with what: generations of one prompt, generations of one name, or all of a subject.

Two runs may differ in what they were asked for: a run without the hard prompt scores higher without being better. So
prompts decide, where they are known. Names decide only where they correspond nearly everywhere, because counters
(`0.png`, `1.png`) coincide by accident. Failing both, a subject's generations are compared as they are, all of them.

Nor is a run better because a metric has no number of its hard generations: what is compared by a metric is what both
runs have a number of.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from statistics import fmean
from typing import Literal

from nearid_cli.results.images import Image, Images
from nearid_cli.results.score import ScoreResult, Subject, SubjectScores, is_in_memory

How = Literal["prompts", "names", "all"]

NEARLY_ALL = 0.9
"""Prompts are known, and names correspond, where they do for so large a share of the generations."""

HALF = 0.5
"""Of the run with more generations, and of each subject, at least so many must correspond by name."""

_ByPrompt = dict[str, list[Image]]
"""Generations of one subject by prompt, as prompts are compared."""

_Name = tuple[str, str]
_ByName = dict[_Name, Image]
"""Generations of one subject by their names below its folder."""

_SPACES = re.compile(r"[\s_-]+")


@dataclass(frozen=True)
class Group:
    """Generations of one subject that are compared: `a` of one run with `b` of the other, neither empty.

    `name` is their prompt as it is written, or their name; empty for all generations of the subject.
    """

    name: str
    a: tuple[Image, ...]
    b: tuple[Image, ...]

    def difference(self, metric: str, statistic: str = "score") -> float | None:
        """Mean of `a` minus mean of `b`, over the generations that have a score by the metric.

        None where no generation of `a`, or none of `b`, has one. NaN where one has a score and no such number.
        """
        if statistic == "score" and len(self.a) == len(self.b) == 1:  # nearly always, and there are very many
            one, other = self.a[0].scores[metric], self.b[0].scores[metric]
            return None if one is None or other is None else one - other
        a, b = (_numbers(images, metric, statistic) for images in (self.a, self.b))
        return fmean(a) - fmean(b) if a and b else None

    def counts(self, metric: str) -> bool:
        """Whether generations of both have a score by the metric."""
        if len(self.a) == len(self.b) == 1:
            return self.a[0].scores[metric] is not None and self.b[0].scores[metric] is not None
        return all(any(one.scores[metric] is not None for one in images) for images in (self.a, self.b))

    def unscored(self, metric: str) -> tuple[tuple[Image, ...], tuple[Image, ...]]:
        """The generations of `a` and of `b` without a score by the metric; where those are all of one, all of both."""
        if not self.counts(metric):
            return self.a, self.b
        if len(self.a) == len(self.b) == 1:
            return (), ()
        a, b = (tuple(one for one in images if one.scores[metric] is None) for images in (self.a, self.b))
        return a, b


@dataclass(frozen=True)
class Matched:
    """One subject of two runs.

    Attributes:
        subject: its name.
        how: what its groups are: `prompts` both have, pairs by `names`, or `all` generations as one.
        a, b: the subject as each run scored it.
        groups: in the order of their names; none where prompts are known and not one is in both: the subject takes
            no part.
        lacking_a, lacking_b: prompts that `a` (or `b`) lacks and the other has, as that one writes them.
        alone_a, alone_b: generations in no group.
    """

    subject: str
    how: How
    a: Subject
    b: Subject
    groups: tuple[Group, ...]
    lacking_a: tuple[str, ...] = ()
    lacking_b: tuple[str, ...] = ()
    alone_a: tuple[Image, ...] = ()
    alone_b: tuple[Image, ...] = ()

    @property
    def takes_part(self) -> bool:
        """Whether there is anything to compare: where prompts are known, one that both have."""
        return self.how != "prompts" or bool(self.groups)

    @property
    def unheeded_prompts(self) -> bool:
        """Whether some prompts are known, and decide nothing."""
        grouped = (image for group in self.groups for image in (*group.a, *group.b))
        return self.how != "prompts" and any(
            image.prompt is not None for image in (*grouped, *self.alone_a, *self.alone_b)
        )

    def difference(self, metric: str, statistic: str = "score") -> float | None:
        """`a` minus `b`: the mean of `units`. None where there is none, or a number is missing by accident.

        Args:
            metric: the name of a metric of both.
            statistic: `score` or `margin`.
        """
        units = self.units(metric, statistic)
        mean = fmean(units) if units else math.nan
        return None if math.isnan(mean) else mean

    def units(self, metric: str, statistic: str = "score") -> list[float]:
        """`a` minus `b` of each group that both have a score of: what varies within the subject.

        NaN where a generation, or the subject, has a score and no such number.
        """
        if self.how != "all":
            differences = [group.difference(metric, statistic) for group in self.groups]
            return [one for one in differences if one is not None]
        a, b = (one.scores[metric] for one in (self.a, self.b))
        if a.score is None or b.score is None:
            return []
        return [_of_subject(a, statistic) - _of_subject(b, statistic)]

    def unscored(self, metric: str) -> tuple[tuple[Image, ...], tuple[Image, ...]]:
        """The generations of `a` and of `b` in its groups that take no part by a metric."""
        found = [group.unscored(metric) for group in self.groups]
        a, b = (tuple(image for sides in found for image in sides[side]) for side in (0, 1))
        return a, b


@dataclass(frozen=True)
class Matching:
    """The subjects that two runs have in common.

    Attributes:
        subjects: in the order of the first run.
        coinciding: how many generations of a run have one name in both, where prompts do not decide; whether that is
            enough to pair them shows in the subjects.
        prompts_differ: prompts are known, but no subject has one that is in both runs, so they decide nothing.
        placeholders: words of prompts that were left out to compare them: one run has them in all prompts of a
            subject, and the other in none.
    """

    subjects: tuple[Matched, ...]
    coinciding: int = 0
    prompts_differ: bool = False
    placeholders: tuple[str, ...] = ()


def match_runs(a: ScoreResult, b: ScoreResult) -> Matching:
    """What of two runs is compared with what.

    * Prompts: in a subject where both know the prompts of nearly all generations (90 %), each prompt that both have is
      a group, however many generations it has; they may call the subject by other placeholders ("a sks dog"). A subject
      without any takes no part. Where no subject has any, prompts decide nothing: all generations are compared.
    * Names, of the other subjects: a generation corresponds to the one with the same path below the subject's folder
      but for the extension, unless their prompts or seeds are known to differ or the name is ambiguous. Such pairs are
      the groups if 90 % of the generations of the run that has fewer are in one, and half of the other's, and half of
      the subject's own.
    * Otherwise all generations of the subject are compared.

    The order of subjects and generations does not matter, and exchanging the runs exchanges everything found.
    """
    theirs = {subject.subject: subject for subject in b.subjects}
    common = [(one, theirs[one.subject]) for one in a.subjects if one.subject in theirs]
    of_a, of_b = a.images.once(_own), b.images.once(_own)
    nothing = _Own(())
    both = {
        one.subject: (of_a.get(one.subject, nothing), of_b.get(one.subject, nothing)) for one, _ in common
    }
    own = {name: (mine.images, others.images) for name, (mine, others) in both.items()}
    known: dict[str, tuple[_ByPrompt, _ByPrompt]] = {}
    placeholders: set[str] = set()
    for name, (mine, others) in both.items():
        if mine.prompts and others.prompts:
            bare_a, bare_b, words = _without_placeholders(mine.prompts, others.prompts)
            known[name] = bare_a, bare_b
            placeholders |= words
    shared = any(bare_a.keys() & bare_b.keys() for bare_a, bare_b in known.values())
    rest = [name for name in own if name not in known]
    pairs = {name: _paired(both[name][0].named, both[name][1].named) for name in rest}
    coinciding = sum(map(len, pairs.values()))
    by_name = _enough(coinciding, *(sum(len(own[name][side]) for name in rest) for side in (0, 1)))
    subjects = []
    for one, other in common:
        name = one.subject
        of_one, of_other = own[name]
        if name in known and shared:
            subjects.append(_by_prompts(one, other, of_one, of_other, *known[name]))
        elif by_name and name in pairs and len(pairs[name]) >= HALF * max(len(of_one), len(of_other), 1):
            groups = [Group("/".join(filter(None, key)), (x,), (y,)) for key, x, y in pairs[name]]
            subjects.append(_grouped(one, other, "names", of_one, of_other, groups))
        else:
            everything = (Group("", tuple(of_one), tuple(of_other)),) if of_one and of_other else ()
            subjects.append(Matched(name, "all", one, other, everything))
    return Matching(tuple(subjects), coinciding, bool(known) and not shared, tuple(sorted(placeholders)))


class _Own:
    """The generations of one subject in one run, by path, so that nothing depends on the order given."""

    def __init__(self, images: Iterable[Image]) -> None:
        self.images = sorted(images, key=lambda image: image.path)

    @cached_property
    def prompts(self) -> _ByPrompt | None:
        return by_prompt(self.images)

    @cached_property
    def named(self) -> _ByName:
        return _named_once(self.images)


def _own(images: Images) -> dict[str, _Own]:
    """Those of each subject."""
    return {subject: _Own(own) for subject, own in by_subject(images).items()}


def by_prompt(images: Sequence[Image]) -> _ByPrompt | None:
    """The generations of a subject by prompt, as prompts are compared; None where too few of them are known.

    A generation whose prompt is not known is in no group.
    """
    found: _ByPrompt = {}
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


def _without_placeholders(a: _ByPrompt, b: _ByPrompt) -> tuple[_ByPrompt, _ByPrompt, set[str]]:
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


def _without(prompts: _ByPrompt, words: Collection[str]) -> _ByPrompt:
    """The prompts without words; one of nothing else stays as it is, for no words say what it asks."""
    return {
        " ".join(word for word in prompt.split() if word not in words) or prompt: images
        for prompt, images in prompts.items()
    }


def by_subject(images: Iterable[Image]) -> dict[str, list[Image]]:
    """The generations of each subject, in their order."""
    found: dict[str, list[Image]] = {}
    for image in images:
        found.setdefault(image.subject, []).append(image)
    return found


def paired_images(a: Sequence[Image], b: Sequence[Image]) -> list[tuple[Image, Image]]:
    """The generations of one subject in two runs that correspond by name.

    Their paths below the subject's folder are equal but for the extension. Those whose prompts or seeds are known to
    differ do not correspond, and neither do those of a name that two generations of one run share.

    Returns:
        Pairs in the order of their names; no generation is in two of them.

    >>> def image(path, prompt=None, seed=None):
    ...     return Image(path, "cat", None, {}, prompt, seed)
    >>> [(x.path, y.path) for x, y in paired_images([image("cat/0.png")], [image("out/cat/0.jpg")])]
    [('cat/0.png', 'out/cat/0.jpg')]
    >>> paired_images([image("cat/0.png", "on a beach", "1")], [image("cat/0.png", "on a beach", "2")])
    []
    """
    return [(one, other) for _, one, other in _paired(_named_once(a), _named_once(b))]


def _paired(a: _ByName, b: _ByName) -> list[tuple[_Name, Image, Image]]:
    """The same with the names, of generations by these."""
    return [
        (name, a[name], b[name]) for name in sorted(a.keys() & b.keys()) if _may_correspond(a[name], b[name])
    ]


def _by_prompts(
    a: Subject,
    b: Subject,
    mine: Sequence[Image],
    others: Sequence[Image],
    prompts_a: Mapping[str, Sequence[Image]],
    prompts_b: Mapping[str, Sequence[Image]],
) -> Matched:
    groups = [
        Group(
            _written([*prompts_a[prompt], *prompts_b[prompt]]),
            tuple(prompts_a[prompt]),
            tuple(prompts_b[prompt]),
        )
        for prompt in sorted(prompts_a.keys() & prompts_b.keys())
    ]
    lacking_a, lacking_b = (
        tuple(_written(theirs[prompt]) for prompt in sorted(theirs.keys() - own.keys()))
        for own, theirs in ((prompts_a, prompts_b), (prompts_b, prompts_a))
    )
    return _grouped(a, b, "prompts", mine, others, groups, lacking_a, lacking_b)


def _grouped(
    a: Subject,
    b: Subject,
    how: How,
    mine: Sequence[Image],
    others: Sequence[Image],
    groups: Sequence[Group],
    lacking_a: tuple[str, ...] = (),
    lacking_b: tuple[str, ...] = (),
) -> Matched:
    """The subject with these groups, and whatever is in none of them."""
    inside = {id(image) for group in groups for image in (*group.a, *group.b)}
    alone_a, alone_b = (tuple(one for one in side if id(one) not in inside) for side in (mine, others))
    return Matched(a.subject, how, a, b, tuple(groups), lacking_a, lacking_b, alone_a, alone_b)


def _named_once(images: Sequence[Image]) -> _ByName:
    names = [_name_below_subject(image) for image in images]
    often = Counter(names)
    return {name: image for name, image in zip(names, images, strict=True) if name and often[name] == 1}


def _may_correspond(a: Image, b: Image) -> bool:
    """Whether neither their prompts nor their seeds are known to differ."""
    prompts = None in (a.prompt, b.prompt) or compared_prompt(a.prompt or "") == compared_prompt(
        b.prompt or ""
    )
    return prompts and (None in (a.seed, b.seed) or a.seed == b.seed)


def _enough(pairs: int, of_a: int, of_b: int) -> bool:
    """Whether so many of the generations of two runs correspond by name that it is no accident."""
    fewer, more = sorted((of_a, of_b))
    return pairs > 0 and pairs >= NEARLY_ALL * fewer and pairs >= HALF * more


def _written(images: Sequence[Image]) -> str:
    """One of the ways in which a prompt is written, the same one in any order."""
    return min(image.prompt for image in images if image.prompt is not None)


def _numbers(images: Sequence[Image], metric: str, statistic: str) -> list[float]:
    """Of the generations that have a score."""
    if statistic == "score":
        return [score for image in images if (score := image.scores[metric]) is not None]
    scored = (image for image in images if image.scores[metric] is not None)
    return [(image.margins or {}).get(metric, math.nan) for image in scored]


def _of_subject(scores: SubjectScores, statistic: str) -> float:
    number = scores.score if statistic == "score" else scores.margin
    return math.nan if number is None else number


def _name_below_subject(image: Image) -> tuple[str, str] | None:
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
