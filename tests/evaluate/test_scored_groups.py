"""`--by`: a group of generations is scored as if there were no others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nearid_cli.breakdown.restrict import of_group
from nearid_cli.evaluate.score import score, score_datasets
from nearid_cli.layouts.dataset import Dataset, Picture
from nearid_cli.layouts.find import find
from nearid_cli.options import LayoutOptions, Options
from nearid_cli.results import AggregateScores, ScoreResult

SUBJECTS = ("cat", "dog", "mug", "bag", "hat")
PROMPTS = ("on a beach", "in snow", "at night")
SEEDS = ("1", "2")
OPTIONS = Options(metrics=["hog"])
HOW = LayoutOptions(pattern="{category}/{subject}/{prompt}_{seed}.png")


def picture(path: Path, seed: int, near: int) -> None:
    """A picture that looks somewhat like others with the same `near`."""
    common, own = (np.random.default_rng(number).random((8, 8, 3)) for number in (near, seed))
    path.parent.mkdir(parents=True, exist_ok=True)
    mixed = ((0.7 * common + 0.3 * own) * 255).astype(np.uint8)
    Image.fromarray(mixed).resize((64, 64), Image.Resampling.NEAREST).save(path)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five subjects, two of them animals; the hat has no generation in snow, and two of the cat's are one picture."""
    root = tmp_path_factory.mktemp("pictures")
    for number, subject in enumerate(SUBJECTS):
        for i in range(2 + number % 2):
            picture(root / f"refs/{subject}/{i}.png", 100 * number + i, number)
            picture(root / f"distractors/{subject}/{i}.png", 900 + 100 * number + i, number)
        category = "animal" if subject in ("cat", "dog") else "object"
        for p, prompt in enumerate(PROMPTS):
            for s, seed in enumerate(SEEDS):
                if (subject, prompt) != ("hat", "in snow"):
                    same = (subject, prompt) == ("cat", "at night")
                    path = root / f"gens/{category}/{subject}/{prompt}_{seed}.png"
                    picture(path, 5000 + 100 * number + 10 * p + (0 if same else s), number)
    return root


@pytest.fixture(scope="module")
def data(pictures: Path) -> Dataset:
    return find(pictures / "refs", pictures / "gens", HOW, pictures / "distractors")


def alone(data: Dataset, keep: Callable[[Picture], bool]) -> ScoreResult:
    """The score of some generations, subjects without any being strangers, as in a comparison."""
    left, strangers = [], []
    for subject in data.subjects:
        kept = tuple(filter(keep, subject.generations))
        (left if kept else strangers).append(replace(subject, generations=kept))
    rest = replace(data, subjects=tuple(left), strangers=tuple(strangers))
    return score_datasets({"method": rest}, OPTIONS)["method"]


def same(found: AggregateScores, expected: AggregateScores, without: tuple[str, ...] = ()) -> None:
    for name, value in vars(expected).items():
        if name in without:
            assert getattr(found, name) is None, name
        elif isinstance(value, float | tuple):
            assert getattr(found, name) == pytest.approx(value, abs=1e-12, rel=1e-12), name
        else:
            assert getattr(found, name) == value, name


TRIALS = tuple(
    f"{kind}{number}" for kind in ("", "all_pairs_") for number in ("ssr", "pa", "ssr_ci95", "pa_ci95")
)


DIVERSITY = tuple(f"{number}{end}" for number in ("diversity", "prompt_diversity") for end in ("", "_ci95"))


@pytest.mark.parametrize(
    ("by", "values"),
    [
        ("prompt", [["at night"], ["in snow"], ["on a beach"]]),
        ("seed", [["1"], ["2"]]),
        ("category", [["animal"], ["object"]]),
        ("Category+seed", [["animal", "1"], ["animal", "2"], ["object", "1"], ["object", "2"]]),
    ],
)
def test_a_group_equals_its_generations_scored_alone(
    data: Dataset, pictures: Path, by: str, values: list[list[str]]
) -> None:
    whole = score(
        pictures / "refs",
        pictures / "gens",
        OPTIONS,
        layout=HOW,
        distractors=pictures / "distractors",
        by=[by],
    )
    assert [list(group.labels.values()) for group in whole.groups] == values
    assert sum(group.generations for group in whole.groups) == len(whole.images) == 28
    for group in whole.groups:

        def belongs(one: Picture, labels: Any = group.labels) -> bool:
            known = {"prompt": one.prompt, "seed": one.seed, **one.labels}
            return all(known[label] == value for label, value in labels.items())

        expected = alone(data, belongs)
        assert (group.subjects, group.generations) == (len(expected.subjects), len(expected.images))
        assert expected.aggregate["hog"].retention is not None
        # What the references win against distractors is no matter of generations.
        same(group.aggregate["hog"], expected.aggregate["hog"], (*TRIALS, *DIVERSITY))
        restricted = of_group(whole, group.labels)
        assert restricted.aggregate == group.aggregate
        assert restricted.subjects.names() == expected.subjects.names()
        for one, other in zip(restricted.subjects, expected.subjects, strict=True):
            for name in ("score", "std", "min", "max", "ceiling", "margin", "positive_margins", "missing"):
                mine, theirs = (getattr(subject.scores["hog"], name) for subject in (one, other))
                assert mine == pytest.approx(theirs, abs=1e-12), name
            if one.subject != "cat":
                assert one.scores["hog"].ci95 == pytest.approx(other.scores["hog"].ci95, abs=1e-12)


def test_a_result_without_by_has_no_groups_and_by_changes_nothing_else(pictures: Path) -> None:
    plain, broken = (
        score(pictures / "refs", pictures / "gens", OPTIONS, layout=HOW, by=by)
        for by in ([], ["seed,prompt"])
    )
    assert "groups" not in plain.to_dict()
    assert [len(group.labels) for group in broken.groups] == [1] * 5
    assert replace(broken, groups=(), created=plain.created) == plain
