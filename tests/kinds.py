"""Results by metrics of all four kinds, some of whose scores do not exist, made from nothing but scores."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev

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
from tests.comparing import metric

COSINES = metric("nearid", protocol="mean cosine similarity of all pairs")
FACE = metric("face", protocol="mean cosine similarity of all pairs of faces")
VSM = metric(
    "vsm",
    protocol="mean over all pairs of the share of matched points that look alike",
    kind="pairwise",
    range=(0.0, 1.0),
    symmetric=False,
)
CLIP_T = metric("clip-t", protocol="cosine similarity of prompt and picture", kind="text", against="prompts")
LPIPS = metric(
    "lpips",
    protocol="numbers of lpips.csv",
    kind="given",
    range=(0.0, None),
    higher_is_better=False,
    against="",
)
PSNR = metric("psnr", protocol="numbers of psnr.csv", kind="given", range=(None, None), against="")

KINDS = (COSINES, FACE, VSM, CLIP_T, LPIPS, PSNR)
SUBJECTS = ("cat", "dog", "mug", "red car")

_MIDDLES = {"nearid": 0.7, "face": 0.6, "vsm": 0.5, "clip-t": 0.28, "lpips": 0.4, "psnr": 24.0}
_SPREADS = {"nearid": 0.03, "face": 0.03, "vsm": 0.05, "clip-t": 0.01, "lpips": 0.03, "psnr": 1.5}
_ABSENT = {"face": {"mug": "no face", "dog": "no face"}, "clip-t": {"red car": "no prompt"}}
"""By metric, subjects of which generations have no score: all of the mug and the car, the first of the dog."""


def result_of(
    metrics: Sequence[Metric] = KINDS,
    *,
    quality: float = 0.0,
    seed: int = 0,
    subjects: Sequence[str] = SUBJECTS,
    absent: Mapping[str, Mapping[str, str]] = _ABSENT,
    per_subject: int = 3,
    **inputs: object,
) -> ScoreResult:
    """Every subject with so many generations; better ones with more `quality`, which counts in spreads of the metric.

    A metric with a floor has a ceiling; by vsm and lpips there is no floor, by clip-t and psnr neither.
    """
    random = np.random.default_rng(seed)
    images = [
        Image(
            f"{subject}/{i}.png",
            subject,
            None,
            {
                one.name: None if _reason(absent, one.name, subject, i) else _score(one, quality, random)
                for one in metrics
            },
            prompt=f"a photo of a {subject}, {i}",
            seed=f"{i}",
            reasons={
                one.name: reason for one in metrics if (reason := _reason(absent, one.name, subject, i))
            },
        )
        for subject in subjects
        for i in range(per_subject)
    ]
    made = [
        Subject(
            name,
            2,
            per_subject,
            {one.name: _of_subject(one, [i for i in images if i.subject == name]) for one in metrics},
            (f"{name}/0.jpg", f"{name}/1.jpg"),
        )
        for name in subjects
    ]
    counts = (len(subjects), 2 * len(subjects), len(images))
    given = dataclasses.replace(Inputs("refs", "gens", "folders", *counts, (), ()), **inputs)
    return ScoreResult(
        Tool("nearid-cli", "0.1.0"),
        "2026-04-02T10:00:00+00:00",
        given,
        tuple(metrics),
        made,
        {one.name: _of_all([subject.scores[one.name] for subject in made]) for one in metrics},
        tuple(images),
    )


def _reason(absent: Mapping[str, Mapping[str, str]], name: str, subject: str, i: int) -> str:
    reason = absent.get(name, {}).get(subject, "")
    return reason if reason and (subject != "dog" or i == 0) else ""


def _score(one: Metric, quality: float, random: np.random.Generator) -> float:
    spread = _SPREADS[one.name]
    return float(_MIDDLES[one.name] + one.sign * quality * spread + random.normal(0, spread / 2))


def _of_subject(one: Metric, images: Sequence[Image]) -> SubjectScores:
    known = [score for image in images if (score := image.scores[one.name]) is not None]
    mean = fmean(known) if known else None
    ceiling = {"embedding": 0.9, "pairwise": 0.8}.get(one.kind) if known else None
    floor = 0.2 if one.kind == "embedding" and mean is not None else None
    return SubjectScores(
        mean,
        stdev(known) if len(known) > 1 else None,
        (mean - 0.02, mean + 0.02) if mean is not None and len(known) > 2 else None,
        min(known, default=None),
        max(known, default=None),
        ceiling,
        floor,
        None if mean is None or floor is None or ceiling is None else (mean - floor) / (ceiling - floor),
        None if floor is None else 1.0,
        missing=len(images) - len(known),
    )


def _of_all(scores: Sequence[SubjectScores]) -> AggregateScores:
    def mean(field: str) -> float | None:
        known = [number for one in scores if (number := getattr(one, field)) is not None]
        return fmean(known) if known else None

    score = mean("score")
    return AggregateScores(
        score,
        None if score is None else (score * 0.95, score * 1.05),
        score,
        mean("ceiling"),
        mean("floor"),
        mean("retention"),
        mean("identification"),
        missing=sum(one.missing for one in scores),
    )
