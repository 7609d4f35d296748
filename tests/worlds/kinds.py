"""The kinds of worlds: what is planted in each, and what a method must not be praised or blamed for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain

import numpy as np

from tests.worlds.planting import PLACEHOLDERS, PROMPTS, SPREAD, Method, World, draw, without_prompts

SMALL, MEDIUM, LARGE = (size * SPREAD for size in (0.5, 1.0, 2.0))

HARD, EASY = PROMPTS[0], PROMPTS[1]

Random = np.random.Generator


@dataclass(frozen=True)
class Kind:
    """How to make a world of a kind from random numbers, and what is planted in it."""

    name: str
    planted: str
    make: Callable[[Random], World]

    def world(self, seed: int) -> World:
        """The world of this kind with a number; the same one each time."""
        return self.make(np.random.default_rng([seed, *self.name.encode()]))


def two(random: Random, kind: str, effect: float = 0.0, **how: object) -> World:
    """A baseline `a` and a method `b` that is better by an effect."""
    quality = {"a": 0.0, "b": effect}
    return World(kind, draw(random, quality, **how), "a", quality)  # type: ignore[arg-type]


def many(random: Random, kind: str, effects: Sequence[float], named: bool, **how: object) -> World:
    """Several methods, the first of which is the baseline if one is named."""
    quality = {f"m{i}": effect for i, effect in enumerate(effects)}
    return World(kind, draw(random, quality, **how), "m0" if named else None, quality)  # type: ignore[arg-type]


def reseeded(method: Method) -> Method:
    """The generations with seeds and names that no other method has."""
    return [replace(one, seed=f"9{one.seed}", path=one.path.replace(".png", "-new.png")) for one in method]


def changed(world: World, method: str, generations: Method) -> World:
    """The world with other generations of a method."""
    return replace(world, methods={**world.methods, method: generations})


def lacks_prompt(random: Random, kind: str, prompt: str, effect: float, subjects: int = 12) -> World:
    """For so many of 12 subjects `b` has no picture of a prompt; its seeds are others than those of `a`."""
    world = two(random, kind, effect)
    without = {f"subject {i}" for i in range(subjects)}
    left = [one for one in world.methods["b"] if one.prompt != prompt or one.subject not in without]
    return changed(world, "b", reseeded(left))


def other_prompts(random: Random, kind: str, subjects: int, effect: float) -> World:
    """For some of 14 subjects `b` has the easy prompt alone and `a` the others."""
    world = two(random, kind, effect, subjects=14)
    odd = {f"subject {i}" for i in range(subjects)}
    a = [one for one in world.methods["a"] if one.subject not in odd or one.prompt != EASY]
    b = [one for one in world.methods["b"] if one.subject not in odd or one.prompt == EASY]
    return changed(changed(world, "a", a), "b", b)


def disjoint_prompts(random: Random, kind: str) -> World:
    """`a` has the hard prompt and two others, `b` the easy one and two others: none is in both, in any subject."""
    world = two(random, kind, prompts=len(PROMPTS))
    asked = {name: PROMPTS[start::2] for start, name in enumerate("ab")}
    for name, prompts in asked.items():
        world = changed(world, name, [one for one in world.methods[name] if one.prompt in prompts])
    return world


def other_placeholders(random: Random, kind: str, effect: float) -> World:
    """Each has its own word for the subject in every prompt, and `b` lacks the hard one."""
    world = lacks_prompt(random, kind, HARD, effect)
    for name, word in zip("ab", PLACEHOLDERS, strict=True):
        called = [replace(one, prompt=f"a {word} toy {one.prompt}") for one in world.methods[name]]
        world = changed(world, name, called)
    return world


def spelled_otherwise(random: Random, kind: str, effect: float) -> World:
    """`b` writes its prompts in capitals, with wide spaces and a full stop, and lacks the hard one."""
    world = lacks_prompt(random, kind, HARD, effect)
    spelled = [
        replace(one, prompt=f"{(one.prompt or '').capitalize().replace(' ', '  ')}.")
        for one in world.methods["b"]
    ]
    return changed(world, "b", spelled)


def unequal_seeds(random: Random, kind: str, effect: float) -> World:
    """`a` has six seeds of the hard prompt and one of the others; `b` the other way round."""
    world = two(random, kind, effect, seeds=6)
    a = [one for one in world.methods["a"] if one.prompt == HARD or one.seed == "0"]
    b = [one for one in world.methods["b"] if one.prompt != HARD or one.seed == "0"]
    return changed(changed(world, "a", a), "b", reseeded(b))


def some_prompts_unknown(random: Random, kind: str, effect: float) -> World:
    """One of 20 generations does not say its prompt."""
    world = two(random, kind, effect, seeds=7)
    for name, method in world.methods.items():
        blank = [replace(one, prompt=None) if i % 21 == 20 else one for i, one in enumerate(method)]
        world = changed(world, name, blank)
    return world


def lacks_subjects(
    random: Random, kind: str, which: str, effect: float, common: int, others: int = 0
) -> World:
    """`b` lacks the hardest or the easiest of 14 subjects, or any; so many are left.

    With other methods no baseline is named.
    """
    quality = {"a": 0.0, "b": effect} | {f"other {i}": 0.0 for i in range(others)}
    methods = draw(random, quality, subjects=14)
    scores: dict[str, list[float]] = {}
    for one in chain(*methods.values()):  # of all: none is favoured by the choice
        scores.setdefault(one.subject, []).append(one.score)
    mean = {name: np.mean(values) for name, values in scores.items()}
    order = sorted(mean, key=lambda name: mean[name])
    kept = {"hard": order[-common:], "easy": order[:common], "any": list(mean)[:common]}[which]
    world = World(kind, methods, None if others else "a", quality)
    return changed(world, "b", [one for one in methods["b"] if one.subject in kept])


def named_apart(random: Random, kind: str, alike: int, effect: float, flattering: bool = False) -> World:
    """No prompts are known, and for each subject so many of 8 names of `b` are names of `a`.

    Where `flattering`, the best pictures of `b` are named like the worst of `a`.
    """
    world = two(random, kind, effect, prompts=4)
    a, b = without_prompts(world.methods["a"]), without_prompts(world.methods["b"], "x")
    renamed = []
    for subject in dict.fromkeys(one.subject for one in a):
        theirs = [one for one in a if one.subject == subject]
        ours = [one for one in b if one.subject == subject]
        if flattering:
            theirs.sort(key=lambda one: one.score)
            ours.sort(key=lambda one: -one.score)
        renamed += [replace(one, path=theirs[i].path) if i < alike else one for i, one in enumerate(ours)]
    return changed(changed(world, "a", a), "b", renamed)


def unequal_numbers(random: Random, kind: str, effect: float) -> World:
    """No prompts are known; `b` has a quarter of the pictures of `a`, by other names."""
    world = two(random, kind, effect, prompts=4, seeds=4)
    a, b = without_prompts(world.methods["a"]), without_prompts(world.methods["b"], "x")
    return changed(changed(world, "a", a), "b", [one for i, one in enumerate(b) if i % 4 == 0])


def same_picture(random: Random, kind: str, effect: float) -> World:
    """The seed was never changed: all generations of a prompt are one picture."""
    world = two(random, kind, effect, seeds=4)
    for name in world.methods:
        first = {(one.subject, one.prompt): one.score for one in world.methods[name] if one.seed == "0"}
        world = changed(
            world,
            name,
            [replace(one, score=first[one.subject, one.prompt]) for one in world.methods[name]],
        )
    return world


def copiers(random: Random, kind: str, copying: int, share: float, effect: float, subjects: int) -> World:
    """A baseline, an honest method, and methods that copy references in a share of their pictures."""
    quality = {"a": 0.0, "b": effect} | {f"copier {i}": 0.0 for i in range(copying)}
    methods = draw(random, quality, subjects=subjects)
    for name in list(methods)[2:]:
        copied = set(random.permutation(len(methods[name]))[: round(share * len(methods[name]))].tolist())
        methods[name] = [
            replace(one, score=0.97, copy=True) if i in copied else one for i, one in enumerate(methods[name])
        ]
    return World(kind, methods, "a", quality)


def few(random: Random, kind: str, effect: float) -> World:
    """Two to five subjects."""
    return two(random, kind, effect, subjects=int(random.integers(2, 6)))


def ties(random: Random, kind: str, tied: int, constant: float = 0.0) -> World:
    """On so many of 12 subjects `b` scores as `a` does, generation by generation, but for a constant."""
    world = two(random, kind, constant)
    alike = {f"subject {i}" for i in range(tied)}
    b = [
        replace(theirs, score=ours.score + constant) if theirs.subject in alike else theirs
        for ours, theirs in zip(world.methods["a"], world.methods["b"], strict=True)
    ]
    return changed(world, "b", b)


def _kind(make: Callable[..., World], name: str, planted: str, **how: object) -> Kind:
    return Kind(name, planted, partial(make, kind=name, **how))


KINDS = (
    _kind(two, "small effect", "better by half a spread", effect=SMALL),
    _kind(two, "medium effect", "better by a spread", effect=MEDIUM),
    _kind(two, "large effect", "better by two spreads", effect=LARGE),
    _kind(two, "large harm", "worse by two spreads", effect=-LARGE),
    _kind(two, "medium effect, 8 subjects", "better by a spread", effect=MEDIUM, subjects=8),
    _kind(two, "small effect, 40 subjects", "better by half a spread", effect=SMALL, subjects=40, prompts=2),
    _kind(two, "null", "nothing; 12 subjects"),
    _kind(two, "null, 7 subjects", "nothing", subjects=7),
    _kind(two, "null, 40 subjects", "nothing", subjects=40, prompts=2),
    _kind(two, "null, heavy tails", "nothing; differences like Student's t with 5 df", shape="heavy"),
    _kind(lacks_prompt, "hard prompt missing", "nothing", prompt=HARD, effect=0.0),
    _kind(lacks_prompt, "easy prompt missing", "nothing", prompt=EASY, effect=0.0),
    _kind(lacks_prompt, "hard prompt missing, harm", "worse by two spreads", prompt=HARD, effect=-LARGE),
    _kind(lacks_prompt, "easy prompt missing, effect", "better by two spreads", prompt=EASY, effect=LARGE),
    _kind(
        lacks_prompt,
        "hard prompt missing here and there",
        "nothing; in 5 of 12 subjects",
        prompt=HARD,
        effect=0.0,
        subjects=5,
    ),
    _kind(other_prompts, "no prompt in common", "nothing; in 5 of 14 subjects", subjects=5, effect=0.0),
    _kind(
        disjoint_prompts,
        "no prompt in common at all",
        "nothing; in no subject, and one has the hard prompt, one the easy",
    ),
    _kind(
        other_placeholders,
        "other placeholders",
        "better by two spreads; hard prompt missing",
        effect=LARGE,
    ),
    _kind(other_placeholders, "other placeholders, null", "nothing; hard prompt missing", effect=0.0),
    _kind(
        spelled_otherwise,
        "prompts spelled otherwise",
        "better by two spreads; hard prompt missing",
        effect=LARGE,
    ),
    _kind(spelled_otherwise, "prompts spelled otherwise, null", "nothing; hard prompt missing", effect=0.0),
    _kind(some_prompts_unknown, "some prompts unknown", "nothing; 1 of 21 generations", effect=0.0),
    _kind(
        unequal_seeds,
        "unequal seeds",
        "nothing; one has 6 seeds of the hard prompt, one of the others",
        effect=0.0,
    ),
    _kind(
        lacks_subjects, "hard subjects missing", "nothing; 10 of 14 left", which="hard", effect=0.0, common=10
    ),
    _kind(
        lacks_subjects,
        "easy subjects missing",
        "better by two spreads; 10 of 14 left",
        which="easy",
        effect=LARGE,
        common=10,
    ),
    _kind(
        lacks_subjects, "many subjects missing", "nothing; 7 of 14 left", which="any", effect=0.0, common=7
    ),
    _kind(
        lacks_subjects,
        "hard subjects missing, best as baseline",
        "nothing; one of 4 methods has 10 of 14",
        which="hard",
        effect=0.0,
        common=10,
        others=2,
    ),
    _kind(
        named_apart,
        "few names coincide",
        "worse by two spreads; 12 of 96, the flattering ones",
        alike=1,
        effect=-LARGE,
        flattering=True,
    ),
    _kind(
        named_apart,
        "half of the names coincide",
        "nothing; the flattering half",
        alike=4,
        effect=0.0,
        flattering=True,
    ),
    _kind(named_apart, "no name coincides", "nothing", alike=0, effect=0.0),
    _kind(named_apart, "all names coincide", "better by a spread", alike=8, effect=MEDIUM),
    _kind(unequal_numbers, "unequal numbers", "nothing; one has a quarter of the pictures", effect=0.0),
    _kind(
        two,
        "skewed to the right",
        "nothing; skewness 1.5, 8 subjects",
        shape="right 1.5",
        subjects=8,
        erratic=True,
    ),
    _kind(
        two,
        "skewed to the left",
        "nothing; skewness 1.5, 8 subjects",
        shape="left 1.5",
        subjects=8,
        erratic=True,
    ),
    _kind(two, "very skewed", "nothing; skewness 2, 12 subjects", shape="left 2", erratic=True),
    _kind(
        two,
        "skewed effect",
        "better by two spreads; skewness 1.5",
        shape="left 1.5",
        erratic=True,
        effect=LARGE,
    ),
    _kind(two, "one outlier", "nothing; one subject 8 spreads off", shape="outlier", erratic=True),
    _kind(
        two,
        "prompts as clusters",
        "nothing; 3 prompts of 10 seeds, half of the variance between prompts",
        seeds=10,
        between=0.05,
        within=0.05,
    ),
    _kind(
        same_picture, "identical generations", "nothing; all seeds of a prompt are one picture", effect=0.0
    ),
    _kind(
        copiers,
        "a copier",
        "worse by two spreads; 6 subjects; a third method copies",
        copying=1,
        share=1.0,
        effect=-LARGE,
        subjects=6,
    ),
    _kind(
        copiers,
        "several copiers",
        "nothing; three more methods copy in 60 %",
        copying=3,
        share=0.6,
        effect=0.0,
        subjects=12,
    ),
    _kind(
        copiers,
        "few copies",
        "nothing; a third method copies in 3 %",
        copying=1,
        share=0.03,
        effect=0.0,
        subjects=12,
    ),
    _kind(many, "5 methods", "nothing; baseline named", effects=[0.0] * 5, named=True),
    _kind(
        many,
        "5 methods, skewed",
        "nothing; baseline named; skewness 1.5",
        effects=[0.0] * 5,
        named=True,
        shape="left 1.5",
        erratic=True,
    ),
    _kind(
        many,
        "4 methods, one better",
        "better by two spreads; baseline named",
        effects=[0.0, LARGE, 0.0, 0.0],
        named=True,
    ),
    _kind(many, "3 methods, best as baseline", "nothing", effects=[0.0] * 3, named=False),
    _kind(many, "5 methods, best as baseline", "nothing", effects=[0.0] * 5, named=False),
    _kind(many, "7 methods, best as baseline", "nothing", effects=[0.0] * 7, named=False),
    _kind(
        many,
        "5 methods, the best is better",
        "by two spreads; best as baseline",
        effects=[0.0, 0.0, LARGE, 0.0, 0.0],
        named=False,
    ),
    _kind(few, "few subjects", "better by two spreads; 2 to 5 subjects", effect=LARGE),
    _kind(ties, "ties", "nothing; 6 of 12 subjects are equal", tied=6),
    _kind(ties, "all ties", "nothing; all subjects are equal", tied=12),
    _kind(ties, "constant differences", "better by half a spread on every subject", tied=12, constant=SMALL),
)
