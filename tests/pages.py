"""Comparisons with pictures on disk, for the tests of the HTML report."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image as Picture

from nearid_cli.evaluate.compare import compare
from nearid_cli.reports.document import document
from nearid_cli.reports.html import Gallery, to_html
from nearid_cli.results import CompareResult, GateResult, ScoreResult
from tests.comparing import METRICS, scored

ATTACK = "<script>alert(1)</script>.png"
"""A file of this name is one in a folder `<script>alert(1)<`: a name has no slash."""

SUBJECTS = ("mug", "red dog", "\"><img src=x onerror=alert('s')>")
METHODS = ("lora", "adapter & <b>co</b>")


def with_pictures(root: Path, **changes: object) -> dict[str, ScoreResult]:
    """Two methods of three subjects, with every picture on disk, awkward names, prompts and seeds.

    The second method is worse by the first metric. The first subject's first generation has the name `ATTACK`.
    """
    random = np.random.default_rng(1)
    results = {}
    for number, method in enumerate(METHODS):
        scores = {
            subject: random.uniform(0.5, 0.6, (4, len(METRICS))) + 0.1 * place - [0.2 * number, 0]
            for place, subject in enumerate(SUBJECTS)
        }
        names = {subject: _names(subject, place == 0) for place, subject in enumerate(SUBJECTS)}
        result = scored(
            scores,
            image=lambda subject, i, names=names: {
                "path": names[subject][i],
                "prompt": f"a photo of a {subject} & <i>prompt {i}</i>",
                "seed": str(i),
                "margins": dict.fromkeys(METRICS, 0.1 * i - 0.05),
                "labels": {"step": "500", "<i>note</i>": f"no. {i} & <b>more</b>"},
            },
            copied=1 if number else 0,
            references=2,
        )
        generations = root / f"method {number}"
        subjects = tuple(
            dataclasses.replace(one, reference_paths=tuple(f"{one.subject}/{i}.jpg" for i in range(2)))
            for one in result.subjects
        )
        inputs = dataclasses.replace(
            result.inputs, references=str(root / "refs"), generations=str(generations)
        )
        result = dataclasses.replace(result, inputs=inputs, subjects=subjects, **changes)
        for i, image in enumerate(result.images):
            _save(generations / image.path, (200 * number, 20 * i, 120))
        for i, name in enumerate(name for one in subjects for name in one.reference_paths):
            _save(root / "refs" / name, (255, 40 * i, 0))
        results[method] = result
    return results


def comparison(root: Path) -> CompareResult:
    return compare(with_pictures(root))


def page_of(result: ScoreResult | CompareResult, pictures: Gallery, gate: GateResult | None = None) -> str:
    """The HTML report, with verdicts of a gate where they are given."""
    return to_html(document(result, gate=gate), pictures)


def _names(subject: str, attack: bool) -> Sequence[str]:
    return [f"{subject}/{ATTACK}" if attack and i == 0 else f"{subject}/{i}.png" for i in range(4)]


def _save(path: Path, colour: tuple[int, int, int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Picture.new("RGB", (80, 60), colour).save(path)


def many(root: Path, *, methods: int, subjects: int, prompts: int) -> dict[str, ScoreResult]:
    """Results of so many generations, each with its picture and prompt; the later the method, the worse."""
    random = np.random.default_rng(5)
    names = [f"subject {s:02}" for s in range(subjects)]
    for s, name in enumerate(names):
        for i in range(2):
            _save(root / "refs" / name / f"{i}.jpg", (255, 8 * s, 100 * i))
    base = {name: random.uniform(0.3, 0.9, (prompts, len(METRICS))) for name in names}
    results = {}
    for number in range(methods):
        made = scored(
            {name: scores - 0.02 * number for name, scores in base.items()},
            image=lambda subject, i: {
                "path": f"{subject}/{i}.png",
                "prompt": f"a photo of {subject}, {i}",
                "seed": "0",
            },
            references=2,
        )
        folder = root / f"method {number}"
        for i, image in enumerate(made.images):
            _save(folder / image.path, (30 * number, i % 256, 10 * (i % prompts)))
        results[f"method {number}"] = dataclasses.replace(
            made,
            inputs=dataclasses.replace(made.inputs, references=str(root / "refs"), generations=str(folder)),
            subjects=tuple(
                dataclasses.replace(one, reference_paths=tuple(f"{one.subject}/{i}.jpg" for i in range(2)))
                for one in made.subjects
            ),
        )
    return results
