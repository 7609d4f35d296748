"""Results of `nearid score` made from nothing but the scores of generations."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

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

METRICS = ("nearid", "hog")


def metric(name: str, **changes: Any) -> Metric:
    known = {
        "checkpoint": f"org/{name}",
        "revision": None,
        "fingerprint": name * 3,
        "readout": "pooled",
        "dtype": "float32",
        "preprocessing": "384 px",
        "protocol": "all pairs",
    }
    return Metric(name, **known | changes)


def by_name(subject: str, i: int) -> dict[str, Any]:
    return {"path": f"{subject}/{i}.png"}


def scored(
    generations: Mapping[str, Any],
    metrics: Sequence[str] = METRICS,
    *,
    image: Callable[[str, int], dict[str, Any]] = by_name,
    copied: int = 0,
    references: int = 4,
    unmatched: Sequence[str] = (),
) -> ScoreResult:
    """`generations` maps a subject to the scores of its generations: [G] for all metrics, or [G, M].

    The first `copied` generations of all are copies.
    """
    subjects, images = [], []
    for name, scores in generations.items():
        values = np.asarray(scores, dtype=float)
        if values.ndim == 1:
            values = np.repeat(values[:, None], len(metrics), axis=1)
        images += [
            Image(
                subject=name,
                copy_of=f"{name}/1.jpg" if len(images) + i < copied else None,
                scores=dict(zip(metrics, row.tolist(), strict=True)),
                **image(name, i),
            )
            for i, row in enumerate(values)
        ]
        means = dict(zip(metrics, values.mean(axis=0).tolist(), strict=True))
        subjects.append(
            Subject(
                name,
                references,
                len(values),
                {
                    m: SubjectScores(mean, 0.1, None, mean, mean, 0.9, 0.1, 0.5, 1.0)
                    for m, mean in means.items()
                },
            )
        )
    every = {m: float(np.mean([subject.scores[m].score for subject in subjects])) for m in metrics}
    return ScoreResult(
        tool=Tool("nearid-cli", "0.1.0"),
        created="2026-04-02T10:00:00+00:00",
        inputs=Inputs(
            "refs",
            "gens",
            "folders",
            len(subjects),
            references * len(subjects),
            len(images),
            (),
            tuple(unmatched),
        ),
        metrics=tuple(metric(name) for name in metrics),
        subjects=tuple(subjects),
        aggregate={
            m: AggregateScores(mean, (mean - 0.1, mean + 0.1), mean, 0.9, 0.1, (mean - 0.1) / 0.8, 1.0)
            for m, mean in every.items()
        },
        images=tuple(images),
    )


def random_methods(biases: Mapping[str, float], subjects: int = 10, seed: int = 0) -> dict[str, ScoreResult]:
    """Methods that differ by their biases, on subjects that are easy or hard for all of them."""
    random = np.random.default_rng(seed)
    base = random.normal(0.6, 0.1, (subjects, 1, 1))
    return {
        name: scored(
            {
                f"subject {i}": one
                for i, one in enumerate(base + bias + random.normal(0, 0.02, (subjects, 4, len(METRICS))))
            }
        )
        for name, bias in biases.items()
    }


def unscored(
    result: ScoreResult, paths: Collection[str], names: Sequence[str] = METRICS, reason: str = "no face"
) -> ScoreResult:
    """The result as if metrics had no number of the generations at these paths."""
    images = tuple(
        replace(
            image,
            scores={**image.scores, **dict.fromkeys(names)},
            reasons={**image.reasons, **dict.fromkeys(names, reason)},
        )
        if image.path in paths
        else image
        for image in result.images
    )
    subjects = tuple(
        replace(one, scores={**one.scores, **{name: _over_known(one, name, images) for name in names}})
        for one in result.subjects
    )
    aggregate = {}
    for name in names:
        known = [s for one in subjects if (s := one.scores[name].score) is not None]
        mean = float(np.mean(known)) if known else None
        missing = sum(one.scores[name].missing for one in subjects)
        aggregate[name] = replace(result.aggregate[name], score=mean, pair_mean=mean, missing=missing)
    return replace(result, images=images, subjects=subjects, aggregate={**result.aggregate, **aggregate})


def _over_known(subject: Subject, name: str, images: Sequence[Image]) -> SubjectScores:
    own = [image.scores[name] for image in images if image.subject == subject.subject]
    known = [score for score in own if score is not None]
    found = replace(subject.scores[name], missing=len(own) - len(known))
    if not known:
        return replace(found, score=None, std=None, min=None, max=None, retention=None)
    return replace(found, score=float(np.mean(known)), min=min(known), max=max(known))


def mirrored(result: ScoreResult) -> ScoreResult:
    """The result with every number on the scale of a metric negated, and metrics that are better when lower."""

    def number(value: float | None) -> float | None:
        return None if value is None else -value

    def numbers(scores: Any) -> Any:
        names = {"score", "ceiling", "floor", "pair_mean", "margin"} & vars(scores).keys()
        turned = {name: number(getattr(scores, name)) for name in names}
        if isinstance(scores, SubjectScores):
            turned |= {"min": number(scores.max), "max": number(scores.min)}
        ends = scores.ci95 and (-scores.ci95[1], -scores.ci95[0])
        return replace(scores, ci95=ends, **turned)

    return replace(
        result,
        metrics=tuple(
            replace(one, higher_is_better=not one.higher_is_better, range=(-1.0, 1.0))
            for one in result.metrics
        ),
        subjects=tuple(
            replace(one, scores={name: numbers(own) for name, own in one.scores.items()})
            for one in result.subjects
        ),
        aggregate={name: numbers(own) for name, own in result.aggregate.items()},
        images=tuple(
            replace(
                one,
                scores={name: number(own) for name, own in one.scores.items()},
                margins=one.margins and {name: -own for name, own in one.margins.items()},
            )
            for one in result.images
        ),
    )
