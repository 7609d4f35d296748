"""A difference is one of methods, not of what they were asked for: worlds in which two methods are equally good, but
have other prompts, other numbers of seeds, or names that coincide by accident.

All worlds of a kind have the same files, so they are the metrics of one pair of results and are matched once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pytest

from nearid_cli.evaluate.differences import Unjudged, comparisons, judged
from nearid_cli.metrics.intervals import mean_intervals
from nearid_cli.metrics.paired import sign_flip_test
from nearid_cli.results import Image, Method, ScoreResult
from nearid_cli.results.correspondence import by_subject
from nearid_cli.results.pairing import match_runs
from tests.comparing import scored

pytestmark = pytest.mark.torture  # minutes of worlds, of statistics that change seldom

Floats = npt.NDArray[np.float64]

WORLDS = 500  # a share of 5 % is then known to 1.0 %
METRICS = tuple(map(str, range(WORLDS)))
SUBJECTS = 12
EASY, HARD = 0.0, -0.3  # what a prompt does to every method
PROMPTS = {"beach": EASY, "snow": EASY, "space": HARD}

Generation = tuple[str, str, str | None, str | None]
"""The prompt that it shows; its file's name; the prompt and the seed that are known."""


def drawn(
    asked: Callable[[int], Sequence[Generation]], random: np.random.Generator, bias: float = 0.0
) -> ScoreResult:
    """A method that is as good as any, plus `bias`: subjects, prompts of subjects and generations vary by chance."""
    files = {f"s{i}": asked(i) for i in range(SUBJECTS)}
    scores = {}
    for name, own in files.items():
        subject = 0.6 + bias + random.normal(0, 0.03, WORLDS)
        prompts = {prompt: PROMPTS[prompt] + random.normal(0, 0.03, WORLDS) for prompt, *_ in own}
        scores[name] = np.stack(
            [subject + prompts[prompt] + random.normal(0, 0.03, WORLDS) for prompt, *_ in own]
        )

    def image(name: str, i: int) -> dict[str, str | None]:
        _, file, prompt, seed = files[name][i]
        return {"path": f"{name}/{file}.png", "prompt": prompt, "seed": seed}

    return scored(scores, METRICS, image=image)


def prompted(seeds: Mapping[str, int], start: int) -> Callable[[int], list[Generation]]:
    """So many seeds of each prompt, both known; `start` tells the seeds of two methods apart."""
    return lambda _: [
        (prompt, f"{prompt}/{start + i}", prompt, str(start + i))
        for prompt, many in seeds.items()
        for i in range(many)
    ]


def named(order: Sequence[str], prefix: str, known: bool = False) -> Callable[[int], list[Generation]]:
    """A file a prompt. The first is called `0` by every method, whatever it shows; the others have own names."""
    return lambda _: [
        (prompt, f"{prefix}-{i}" if i else "0", prompt if known else None, None)
        for i, prompt in enumerate(order)
    ]


KINDS: dict[str, tuple[Callable[[int], list[Generation]], Callable[[int], list[Generation]]]] = {
    "b lacks the hard prompt": (
        prompted({"beach": 2, "snow": 2, "space": 2}, 0),
        prompted({"beach": 2, "snow": 2}, 100),
    ),
    "b has fewer seeds of the hard prompt": (
        prompted({"beach": 2, "snow": 2, "space": 4}, 0),
        prompted({"beach": 3, "snow": 3, "space": 1}, 100),
    ),
    "a few names coincide, of other prompts": (
        named(("space", "beach", "snow") * 2, "a"),
        named(("beach", "space", "snow") * 2, "b"),
    ),
    "the same, and a knows its prompts": (
        named(("space", "beach", "snow") * 2, "a", known=True),
        named(("beach", "space", "snow") * 2, "b"),
    ),
}


def methods(kind: str, bias: float = 0.0) -> tuple[ScoreResult, ScoreResult]:
    random = np.random.default_rng(list(KINDS).index(kind))
    a, b = KINDS[kind]
    return drawn(a, random), drawn(b, random, bias)


def verdicts(a: ScoreResult, b: ScoreResult) -> list[str]:
    """What is said of `b` against `a`, in each world."""
    first, second = (Method(name, one, 0, False, (), {}) for name, one in (("a", a), ("b", b)))
    found = comparisons([first, second], first)
    return [judged([*map(Unjudged, found[metric])])[0].verdict for metric in METRICS]


def by_the_old_rule(a: ScoreResult, b: ScoreResult) -> Floats:
    """Differences [subjects, worlds]: of pairs of one prompt and seed or else of one name, or else of the scores."""

    def keys(image: Image) -> list[object]:
        known = [(image.prompt, image.seed)] if image.prompt and image.seed else []
        return [*known, image.path.rpartition(".")[0]]

    def values(images: Sequence[Image]) -> Floats:
        return np.array([list(image.scores.values()) for image in images])

    found = []
    others = by_subject(b.images)
    for subject, mine in by_subject(a.images).items():
        at = {key: image for image in others[subject] for key in keys(image)}
        pairs = [(one, at[key]) for one in mine for key in keys(one)[:1] if key in at] or [
            (one, at[keys(one)[-1]]) for one in mine if keys(one)[-1] in at
        ]
        if pairs:
            found.append(np.mean([values([y])[0] - values([x])[0] for x, y in pairs], axis=0))
        else:
            found.append(values(others[subject]).mean(axis=0) - values(mine).mean(axis=0))
    return np.array(found)


@pytest.mark.parametrize("kind", KINDS)
def test_equal_methods_are_called_different_in_one_of_twenty_worlds_at_most(kind: str) -> None:
    a, b = methods(kind)
    said = verdicts(a, b)
    assert sum(one in ("better", "worse") for one in said) <= (0.05 + 3 * 0.010) * WORLDS
    old = by_the_old_rule(a, b)
    assert sum(sign_flip_test(world).p < 0.05 for world in old.T[:50]) > 0.9 * 50, (
        "which the old rule called better"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_worse_method_is_called_worse_and_never_better(kind: str) -> None:
    """By 0.06. On the files of the old rule b looks better in most of these worlds."""
    a, b = methods(kind, bias=-0.06)
    said = verdicts(a, b)
    assert "better" not in said
    assert said.count("worse") > 0.75 * WORLDS
    assert (by_the_old_rule(a, b).mean(axis=0) > 0).mean() > 0.75


@pytest.mark.parametrize(("prompts", "seeds"), [(3, 10), (6, 5)])
def test_the_interval_of_a_subject_has_prompts_for_units(prompts: int, seeds: int) -> None:
    """Half of the variance of a generation's difference is that of its prompt: pairs for units would hold 53 %."""
    random = np.random.default_rng(prompts)
    worlds = 4000  # 95 % is then known to 0.3 %
    metrics = tuple(map(str, range(worlds)))
    a, b = (
        scored(
            {
                "cat": (
                    random.normal(0, 1, (prompts, 1, worlds)) + random.normal(0, 1, (prompts, seeds, worlds))
                ).reshape(-1, worlds)
            },
            metrics,
            image=lambda _, i: {"path": f"cat/{i}.png", "prompt": f"prompt {i // seeds}", "seed": str(i)},
        )
        for _ in "ab"
    )
    (cat,) = match_runs(a, b).subjects
    units = np.array([cat.units(metric) for metric in metrics]).T
    assert len(units) == prompts
    assert 0.93 - 3 * 0.003 <= holds(units) <= 0.97 + 3 * 0.003
    values = [np.array([list(image.scores.values()) for image in one.images]) for one in (a, b)]
    assert holds(values[0] - values[1]) < 0.80


def test_the_interval_over_subjects_with_prompts() -> None:
    """8 subjects with 3 prompts of 10 seeds each, half of the variance between prompts."""
    random = np.random.default_rng(8)
    worlds = 8000  # 95 % is then known to 0.24 %
    prompts = random.normal(0, 1, (8, 3, worlds))
    deltas = prompts + random.normal(0, 1, (8, 3, 10, worlds)).mean(axis=2)
    assert 0.93 <= holds(deltas.mean(axis=1)) <= 0.97


def holds(units: Floats) -> float:
    """The share of worlds in which the interval of the mean of [n, worlds] holds 0."""
    low, high = mean_intervals(units).T
    return float(((low <= 0) & (high >= 0)).mean())
