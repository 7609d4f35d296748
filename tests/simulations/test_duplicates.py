"""An interval of a subject's score where its generations are few pictures, each of them several times."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nearid_cli.evaluate.usable import Sameness, usable
from nearid_cli.layouts.dataset import Picture, SubjectPictures
from nearid_cli.metrics import identity_scores

WORLDS = 2_000
PICTURES = 5
# The share of worlds in which an interval of 95 % holds the truth has a standard deviation of 0.5 %.
TRUTH = 0.6


def units(repeats: np.ndarray) -> np.ndarray:
    """The units that scoring takes for generations of which picture i is there `repeats[i]` times."""
    files = [
        Picture(Path(f"{i}-{k}.png"), f"{i}-{k}.png") for i, times in enumerate(repeats) for k in range(times)
    ]
    reference = Picture(Path("r.png"), "r.png")
    digests = {one.source: one.name.partition("-")[0].encode() for one in [*files, reference]}
    subject = SubjectPictures("cat", (reference,), tuple(files))
    same = Sameness({}, {}, {})
    (found,) = usable([subject], lambda one: digests[one.source], same, strangers=False).subjects
    return np.arange(len(files)) if found.units is None else np.array(found.units)


def coverage(repeats: np.ndarray, clusters: np.ndarray | None) -> float:
    """How often the interval holds the true mean. Each world is a subject; a score is the cosine with one reference."""
    scores = np.random.default_rng(11).normal(TRUTH, 0.05, (WORLDS, PICTURES))
    values = np.repeat(scores, repeats, axis=1).ravel()
    of_world = int(repeats.sum())
    found = identity_scores(
        np.tile([[1.0, 0.0]], (WORLDS, 1)),
        np.arange(WORLDS),
        np.stack([values, np.sqrt(1 - values**2)], axis=1),
        np.repeat(np.arange(WORLDS), of_world),
        None if clusters is None else np.tile(clusters, WORLDS),
    )
    low, high = found.ci95.T
    return float(((low <= TRUTH) & (high >= TRUTH)).mean())


def test_pictures_that_are_there_several_times_are_one_unit_each() -> None:
    equally = np.full(PICTURES, 4)
    assert 0.93 <= coverage(equally, units(equally)) <= 0.99
    assert coverage(equally, None) < 0.75  # as 20 pictures: this is what the unit is for


def test_a_seed_that_was_not_changed_for_some_pictures() -> None:
    unequally = np.array([3, 3, 2, 1, 1])
    assert coverage(unequally, units(unequally)) >= 0.92
    assert coverage(unequally, None) < coverage(unequally, units(unequally)) - 0.05


def test_all_the_same_have_no_interval() -> None:
    same = units(np.array([6]))
    assert len(set(same.tolist())) == 1
