"""Steps of generations as methods: from trees, samples of trainers, manifests and finished results."""

from __future__ import annotations

import csv
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from PIL import Image

from nearid_cli.errors import UsageError
from nearid_cli.evaluate.methods import Contest
from nearid_cli.options import Options
from nearid_cli.results import CompareResult

SUBJECTS = ("chelsea", "coffee", "rocket")


def crop(photograph: Image.Image, edge: int, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    box = (edge, 2 * edge, photograph.width - edge, photograph.height - edge)
    photograph.crop(box).resize((96, 96)).save(path)


@pytest.fixture
def root(tmp_path: Path, photographs: Mapping[str, Image.Image]) -> Path:
    for subject in SUBJECTS:
        for view in range(3):
            crop(photographs[subject], 9 * view, tmp_path / "refs" / subject / f"{view}.png")
    return tmp_path


def generations(photographs: Mapping[str, Image.Image], root: Path, pattern: str, steps: range) -> None:
    """The later the step, the nearer to the references."""
    for subject in SUBJECTS:
        for step in steps:
            for seed in range(2):
                name = pattern.format(subject=subject, step=step, seed=seed)
                crop(photographs[subject], 60 // (step // 100) + 4 * seed + 3, root / name)


def compared(*places: Path, references: Path | None = None, **named: Path) -> CompareResult:
    contest = Contest(places, named, Options(metrics=["hog"]), asked=True)
    return contest.compare(references=references, by=["step"])


STEPS = range(100, 401, 100)


@pytest.mark.parametrize(
    "pattern",
    [
        "{subject}/step{step}_{seed}.png",
        "{subject}/step_{step}/{seed}.png",
        "checkpoint-{step}/{subject}/{seed}.png",
        "{subject}_{step:08d}_00_20240101120000_{seed}.png",
        "{subject}/samples_{step}_0f9e8d7c{seed}.png",
    ],
)
def test_the_steps_of_one_tree_are_methods(
    root: Path, photographs: Mapping[str, Image.Image], pattern: str
) -> None:
    generations(photographs, root / "runs", pattern, STEPS)
    result = compared(root / "runs", references=root / "refs")
    assert result.methods.names() == [f"step {step}" for step in STEPS]
    assert [one.number for one in result.curves[0].points] == list(STEPS)
    assert all(len(one.result.images) == 2 * len(SUBJECTS) for one in result.methods)


def test_a_step_is_scored_as_if_it_were_alone(root: Path, photographs: Mapping[str, Image.Image]) -> None:
    generations(photographs, root / "runs", "checkpoint-{step}/{subject}/{seed}.png", STEPS)
    by_folder = Contest([root / "runs"], {}, Options(metrics=["hog"]), asked=True).compare(
        references=root / "refs"
    )
    by_step = compared(root / "runs", references=root / "refs")
    for own, other in zip(by_step.methods, by_folder.methods, strict=True):
        assert own.result.aggregate == other.result.aggregate
        assert own.result.subjects == other.result.subjects


def test_references_within_are_no_generations(root: Path, photographs: Mapping[str, Image.Image]) -> None:
    generations(photographs, root / "runs", "{subject}/step{step}_{seed}.png", STEPS)
    shutil.copytree(root / "refs", root / "runs" / "refs")
    result = compared(root / "runs")
    assert sum(len(one.result.images) for one in result.methods) == len(STEPS) * 2 * len(SUBJECTS)


def test_several_methods_are_several_curves(root: Path, photographs: Mapping[str, Image.Image]) -> None:
    for method in ("lora", "dora"):
        generations(photographs, root / "runs" / method, "{subject}/step{step}_{seed}.png", STEPS)
    result = compared(root / "runs", references=root / "refs")
    assert [(one.name, len(one.points)) for one in result.curves] == [("dora", 4), ("lora", 4)]


def test_a_manifest_says_steps(root: Path, photographs: Mapping[str, Image.Image]) -> None:
    generations(photographs, root, "gens/{subject}-{step}-{seed}.png", STEPS)
    with (root / "manifest.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("path", "subject", "role", "step"))
        for path in sorted((root / "refs").rglob("*.png")):
            rows.writerow((path.relative_to(root), path.parent.name, "reference", ""))
        for path in sorted((root / "gens").iterdir()):
            subject, step, _ = path.stem.split("-")
            rows.writerow((path.relative_to(root), subject, "generation", step))
    result = compared(root / "manifest.csv")
    assert result.methods.names() == [f"step {step}" for step in STEPS]


def test_a_finished_result_has_steps_too(root: Path, photographs: Mapping[str, Image.Image]) -> None:
    import nearid_cli

    generations(photographs, root / "runs", "{subject}/step{step}_{seed}.png", STEPS)
    nearid_cli.score(root / "refs", root / "runs", metrics=["hog"]).save(root / "lora.json")
    finished = compared(root / "lora.json")
    scored = compared(root / "runs", references=root / "refs")
    assert finished.methods.names() == [f"lora/step {step}" for step in STEPS]
    for own, other in zip(finished.methods, scored.methods, strict=True):
        assert own.result.aggregate["hog"].score == pytest.approx(other.result.aggregate["hog"].score)


def test_a_subject_without_generations_of_a_step_is_a_stranger(
    root: Path, photographs: Mapping[str, Image.Image]
) -> None:
    generations(photographs, root / "runs", "{subject}/step{step}_{seed}.png", STEPS)
    for path in (root / "runs" / "rocket").glob("step100_*"):
        path.unlink()
    result = compared(root / "runs", references=root / "refs")
    assert result.methods[0].result.inputs.strangers == ("rocket",)
    assert result.methods[0].lacking == ("rocket",)


def test_what_has_no_step_is_left_out_and_said(
    root: Path, photographs: Mapping[str, Image.Image], caplog: pytest.LogCaptureFixture
) -> None:
    generations(photographs, root / "runs", "{subject}/step{step}_{seed}.png", STEPS)
    crop(photographs["chelsea"], 5, root / "runs" / "chelsea" / "first.png")
    with caplog.at_level(logging.WARNING):
        result = compared(root / "runs", references=root / "refs")
    assert "1 generation without a step left out: chelsea/first.png" in caplog.text
    assert sum(len(one.result.images) for one in result.methods) == len(STEPS) * 2 * len(SUBJECTS)


def test_where_nothing_has_a_step_it_is_refused(root: Path, photographs: Mapping[str, Image.Image]) -> None:
    generations(photographs, root / "runs", "{subject}/{seed}.png", range(100, 101))
    with pytest.raises(UsageError, match="no generation has a step"):
        compared(root / "runs", references=root / "refs")
