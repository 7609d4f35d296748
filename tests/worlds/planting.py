"""Worlds whose truth is known: methods that are equally good, better or worse, told by what their pictures score.

A world is drawn from a plain model. The score of a generation is 0.6, plus how easy its subject is, plus how easy its
prompt is, plus how good its method is, plus how well the method does on just this subject and on just this prompt of
it, plus noise. Truth is the difference of how good two methods are: what infinitely many subjects of the kind would
show, each with the prompts that both methods have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from nearid_cli.results import (
    AggregateScores,
    Image,
    Inputs,
    Metric,
    ScoreResult,
    Subject,
    SubjectScores,
    Tool,
)

Floats = npt.NDArray[np.float64]

SPREAD = 0.03
"""Standard deviation, over subjects, of how much better a method does on a subject than another does."""

PROMPTS = ("in a drawer", "on a beach", "at night", "in the rain", "held by a child", "on the moon")
EASE = (-0.15, 0.10, 0.05, 0.0, 0.0, 0.0)  # of each prompt: the first one is hard, the second easy

PLACEHOLDERS = ("sks", "<v>")
"""Words for the subject in the prompts of `a` and of `b`, where they have such."""

METRIC = Metric("nearid", "org/nearid", None, "f" * 40, "map", "float32", "384 px", "planted")


@dataclass(frozen=True)
class Generation:
    """One picture: what it shows, what it was asked for, its file and its score."""

    subject: str
    prompt: str | None
    seed: str | None
    path: str
    score: float
    copy: bool = False


Method = list[Generation]


@dataclass(frozen=True)
class World:
    """Some methods, which of them is the baseline (None: whichever is best), and how good each truly is."""

    kind: str
    methods: Mapping[str, Method]
    baseline: str | None
    quality: Mapping[str, float]

    def truth(self, method: str, baseline: str) -> float:
        """How much better a method truly is than another, 0 for rounding."""
        difference = self.quality[method] - self.quality[baseline]
        return 0.0 if abs(difference) < 1e-12 else difference


def deviations(random: np.random.Generator, shape: str, size: int) -> Floats:
    """Draws with mean 0 and standard deviation 1: `normal`, `outlier`, `heavy`, or `right 2`, skewed by that much."""
    if shape == "normal":
        return random.normal(size=size)
    if shape == "heavy":
        return random.standard_t(5, size) / np.sqrt(5 / 3)
    if shape == "outlier":  # one subject, far above or below all others
        values = random.normal(size=size)
        values[random.integers(size)] = 8 * random.choice([-1.0, 1.0])
        return values
    side, skewness = shape.split()
    form = (2 / float(skewness)) ** 2
    values = (random.gamma(form, size=size) - form) / np.sqrt(form)
    return values if side == "right" else -values


def draw(
    random: np.random.Generator,
    quality: Mapping[str, float],
    *,
    subjects: int = 12,
    prompts: int = 3,
    seeds: int = 2,
    spread: float = SPREAD,
    shape: str = "normal",
    erratic: bool = False,
    between: float = 0.02,
    within: float = 0.03,
) -> dict[str, Method]:
    """Methods that differ by their quality alone.

    Args:
        random: where chance comes from.
        quality: of each method.
        subjects, prompts, seeds: how many; each method has every combination.
        spread: standard deviation over subjects of the difference of two methods.
        shape: of the methods' deviations over subjects.
        erratic: all deviations are those of the methods after the first, so that differences have their shape.
        between: standard deviation of a method's scores between prompts of a subject, beyond the prompts' ease.
        within: standard deviation between seeds.
    """
    names = [f"subject {i}" for i in range(subjects)]
    ease = 0.6 + random.normal(0, 0.06, subjects)
    found = {}
    for number, (method, good) in enumerate(quality.items()):
        if erratic:
            own = spread * deviations(random, shape, subjects) if number else np.zeros(subjects)
        else:
            own = spread / np.sqrt(2) * deviations(random, shape, subjects)
        scores = (
            (ease + own + good)[:, None, None]
            + np.array(EASE[:prompts])[None, :, None]
            + random.normal(0, between, (subjects, prompts, 1))
            + random.normal(0, within, (subjects, prompts, seeds))
        ).clip(-1, 1)
        found[method] = [
            Generation(name, PROMPTS[p], str(j), f"{name}/{PROMPTS[p]}/{j}.png", float(scores[s, p, j]))
            for s, name in enumerate(names)
            for p in range(prompts)
            for j in range(seeds)
        ]
    return found


def without_prompts(method: Sequence[Generation], stem: str = "") -> Method:
    """As from a folder that says nothing of prompts: files `<stem><number>.png` for each subject."""
    count: dict[str, int] = {}
    found = []
    for one in method:
        number = count[one.subject] = count.get(one.subject, -1) + 1
        path = f"{one.subject}/{stem}{number}.png"
        found.append(replace(one, prompt=None, seed=None, path=path))
    return found


def result(method: Sequence[Generation]) -> ScoreResult:
    """What `nearid score` would have made of a method's generations."""
    owned: dict[str, list[float]] = {}
    for one in method:
        owned.setdefault(one.subject, []).append(one.score)
    rows = tuple(
        Subject(name, 3, len(scores), {METRIC.name: _scores(np.array(scores))})
        for name, scores in owned.items()
    )
    mean = float(np.mean([row.scores[METRIC.name].score for row in rows]))
    images = tuple(
        Image(
            one.path,
            one.subject,
            f"{one.subject}/0.jpg" if one.copy else None,
            {METRIC.name: one.score},
            one.prompt,
            one.seed,
        )
        for one in method
    )
    return ScoreResult(
        tool=Tool("planted", "1"),
        created="2026-04-02T10:00:00+00:00",
        inputs=Inputs("refs", "gens", "folders", len(rows), 3 * len(rows), len(images), (), ()),
        metrics=(METRIC,),
        subjects=rows,
        aggregate={METRIC.name: AggregateScores(mean, None, mean, None, None, None, None)},
        images=images,
    )


def _scores(values: Floats) -> SubjectScores:
    score = float(values.mean())
    std = float(values.std(ddof=1)) if len(values) > 1 else None
    low, high = float(values.min()), float(values.max())
    return SubjectScores(score, std, None, low, high, None, None, None, None)
