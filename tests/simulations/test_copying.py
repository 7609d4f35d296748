"""Claims about near copies and odd references, on pictures whose truth is known."""

import numpy as np
import pytest

from nearid_cli.metrics.closeness import chance_of_near_copy, chance_of_shares
from nearid_cli.metrics.identity import identity_scores

pytestmark = pytest.mark.torture  # minutes of worlds, of statistics that change seldom

DIMENSIONS = 40


def pictures(random, kind, subjects, number):
    """[S, N, D], pictures of subjects with an identity each, that differ in pose, quality, or come in bursts."""
    noise = random.normal(size=(subjects, number, DIMENSIONS))
    if kind == "unequal":  # some pictures show less of the subject
        noise *= np.exp(0.4 * random.normal(size=(subjects, number, 1)))
    if kind == "poses":
        noise = 0.6 * noise
        noise[..., :2] = random.uniform(-3.4, 3.4, size=(subjects, number, 2))
    if kind == "bursts":  # few scenes, and several nearly alike pictures of each
        scenes = random.normal(size=(subjects, 3, DIMENSIONS))
        which = random.integers(3, size=(subjects, number, 1))
        noise = np.take_along_axis(scenes, which, axis=1) + 0.3 * noise
    return noise + 2 * random.normal(size=(subjects, 1, DIMENSIONS))


def closeness(references, generations):
    """Of arrays [S, N, D]."""
    sides = [
        (one.reshape(-1, DIMENSIONS), np.repeat(np.arange(len(one)), one.shape[1]))
        for one in (references, generations)
    ]
    return identity_scores(*sides[0], *sides[1]).closeness


KINDS = ("alike", "unequal", "poses", "bursts")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("references", [2, 3, 5, 10])
def test_near_copies_by_chance(kind, references):
    random = np.random.default_rng(references)
    found = pictures(random, kind, 3000, references + 1)
    near = closeness(found[:, 1:], found[:, :1]).near
    expected = chance_of_near_copy(references)
    assert near.mean() == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / 3000))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("subjects", "references"), [(1, 10), (3, 5), (8, 3), (30, 5)])
def test_more_than_chance_is_rarely_said_of_further_pictures(kind, subjects, references):
    random = np.random.default_rng(subjects)
    runs, chances = 400, np.full(subjects, chance_of_near_copy(references))
    found = pictures(random, kind, runs * subjects, references + 8)
    near = closeness(found[:, 8:], found[:, :8]).near.reshape(runs, subjects, 8)
    said = [chance_of_shares(own.mean(axis=1), chances) < 0.05 for own in near]
    assert np.mean(said) <= 0.05


@pytest.mark.parametrize(("subjects", "references"), [(3, 5), (5, 3), (8, 2)])
def test_more_than_chance_is_rarely_said_even_if_subjects_are_all_or_nothing(subjects, references):
    random = np.random.default_rng(references)
    chances = np.full(subjects, chance_of_near_copy(references))
    hits = random.random((4000, subjects)) < chances
    said = np.mean([chance_of_shares(one.astype(float), chances) < 0.05 for one in hits])
    assert said <= 0.05
    assert chance_of_shares(np.ones(subjects), chances) < 0.05  # so it may be said at all


def test_copies_of_most_are_more_than_chance():
    random = np.random.default_rng(0)
    found = pictures(random, "alike", 100 * 6, 5)
    copied = found[:, [0, 1, 2, 3, 4, 0, 1, 2]] + 0.3 * random.normal(size=(600, 8, DIMENSIONS))
    near = closeness(found, copied).near.reshape(100, 6, 8)
    chances = np.full(6, chance_of_near_copy(5))
    assert np.mean([chance_of_shares(own.mean(axis=1), chances) < 0.05 for own in near]) >= 0.95


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("references", [4, 5, 6, 8, 10])
def test_a_reference_is_rarely_odd_by_chance_and_mostly_if_it_shows_another_subject(kind, references):
    random = np.random.default_rng(references)
    subjects = 400
    found = pictures(random, kind, subjects, references)
    odd = closeness(found, found).references.odd.reshape(subjects, references)
    assert odd.any(axis=1).mean() <= 0.05
    foreign = found.copy()
    spoilt = np.arange(0, subjects, 20)
    foreign[spoilt, 0] = found[spoilt + 7, 0]
    named = closeness(foreign, found).references.odd.reshape(subjects, references)
    assert named[spoilt, 0].mean() >= 0.8
    assert not named[spoilt, 1:].any()


@pytest.mark.parametrize("kind", ["alike", "poses"])
def test_a_foreign_reference_of_the_only_subject_is_named(kind):
    random = np.random.default_rng(0)
    said, named = [], []
    for _ in range(200):
        own, other = pictures(random, kind, 2, 6)
        said.append(closeness(own[None], own[None]).references.odd.any())
        own[0] = other[0]
        named.append(closeness(own[None], own[None]).references.odd[0])
    assert np.mean(said) <= 0.05
    assert np.mean(named) >= 0.8
