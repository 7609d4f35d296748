"""A method is not better because a metric has no number of its hard pictures: worlds in which two methods are equally
good, and lose scores by chance or where it is hard, both alike or one of them only.

All worlds of a kind have the same files, so they are the metrics of one pair of results and are matched once.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from nearid_cli.evaluate.differences import Unjudged, comparisons, judged
from nearid_cli.metrics.paired import sign_flip_test
from nearid_cli.results import Comparison, Method, ScoreResult
from tests.comparing import scored

pytestmark = pytest.mark.torture  # minutes of worlds, of statistics that change seldom

Floats = npt.NDArray[np.float64]

WORLDS = 500  # a share of 5 % is then known to 1.0 %
METRICS = tuple(map(str, range(WORLDS)))
SUBJECTS, PROMPTS, SEEDS = 12, 4, 3
HARD = np.array([0.0, 0.0, 0.0, -0.5])  # what a prompt does to every method

LOST = {
    "by chance": ([0.25] * 4, [0.25] * 4),
    "by chance, of one more often": ([0.05] * 4, [0.4] * 4),
    "of the hard prompt, of one": ([0.0] * 4, [0.0, 0.0, 0.0, 0.8]),
    "of the hard prompt, of both": ([0.1, 0.1, 0.1, 0.2], [0.1, 0.1, 0.1, 0.8]),
}
"""How many of the scores of each prompt are lost: of a, and of b."""


def by_prompt(_: str, i: int) -> dict[str, Any]:
    return {"prompt": f"prompt {i // SEEDS}", "seed": str(i % SEEDS)}


def by_name(*_: object) -> dict[str, Any]:
    return {}


def drawn(
    lost: list[float], random: np.random.Generator, image: Any, hard: Floats, bias: float = 0.0
) -> ScoreResult:
    """A method as good as any, plus `bias`; `hard` is what each picture [S, P, K, 1] does to every method."""
    shape = (SUBJECTS, PROMPTS, SEEDS, WORLDS)
    subjects = random.normal(0.6 + bias, 0.03, (SUBJECTS, 1, 1, WORLDS))
    values = subjects + hard + random.normal(0, 0.03, shape)
    known = random.random(shape) >= np.array(lost)[:, None, None]
    result = scored(
        {f"s{i}": own.reshape(-1, WORLDS) for i, own in enumerate(values)},
        METRICS,
        image=lambda s, i: {"path": f"{s}/{i}.png", **image(s, i)},
    )
    images = [
        replace(one, scores={m: v if k else None for (m, v), k in zip(one.scores.items(), own, strict=True)})
        for one, own in zip(result.images, known.reshape(-1, WORLDS).tolist(), strict=True)
    ]
    return replace(result, images=tuple(images))


def compared(kind: str, image: Any, bias: float = 0.0) -> tuple[list[Comparison], Floats]:
    """`b` against `a` in each world, and the differences [S, worlds] of the means of what each has a number of."""
    random = np.random.default_rng(list(LOST).index(kind))
    hard = HARD[:, None, None] + random.normal(0, 0.03, (SUBJECTS, PROMPTS, SEEDS, 1))
    a, b = (drawn(lost, random, image, hard, own) for lost, own in zip(LOST[kind], (0.0, bias), strict=True))
    first, second = (Method(name, one, 0, False, (), {}) for name, one in (("a", a), ("b", b)))
    found = comparisons([first, second], first)
    means = [
        np.nanmean(
            np.array([list(image.scores.values()) for image in one.images], float).reshape(
                SUBJECTS, -1, WORLDS
            ),
            axis=1,
        )
        for one in (b, a)
    ]
    return [judged([*map(Unjudged, found[metric])])[0] for metric in METRICS], means[0] - means[1]


@pytest.mark.parametrize("image", [by_prompt, by_name])
@pytest.mark.parametrize("kind", LOST)
def test_equal_methods_are_called_different_in_one_of_twenty_worlds_at_most(kind: str, image: Any) -> None:
    found, known = compared(kind, image)
    assert sum(one.shown for one in found) <= (0.05 + 3 * 0.010) * WORLDS
    held = np.mean([one.ci95[0] <= 0 <= one.ci95[1] for one in found])
    assert 0.93 - 3 * 0.010 <= held <= 0.97 + 3 * 0.010
    if "hard" in kind:
        assert sum(sign_flip_test(world).p < 0.05 for world in known.T[:50]) > 0.9 * 50, (
            "by all that is known"
        )
        assert min(one.unscored + one.baseline_unscored for one in found) > 0


@pytest.mark.parametrize("image", [by_prompt, by_name])
def test_a_worse_method_is_called_worse_and_never_better(image: Any) -> None:
    """By 0.04. By the means of all that is known it looks better, since its hard pictures have no number."""
    found, known = compared("of the hard prompt, of one", image, bias=-0.04)
    said = [one.verdict for one in found]
    assert "better" not in said
    assert said.count("worse") > 0.6 * WORLDS
    assert (known.mean(axis=0) > 0).mean() > 0.9
