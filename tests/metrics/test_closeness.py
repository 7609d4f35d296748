"""Near copies, references beside each other, and diversity against slow loops, from vectors and from pairs."""

from itertools import combinations
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nearid_cli.metrics.closeness import chance_of_near_copy
from nearid_cli.metrics.diversity import diversity_of_groups
from nearid_cli.metrics.identity import identity_scores
from nearid_cli.metrics.scalars import pair_scores

CLOSE = {"rtol": 1e-9, "atol": 1e-9}
worlds = settings(max_examples=60, deadline=None)


def cosine(a, b):
    a, b = a.astype(float), b.astype(float)
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def world(seed, subjects, shuffled=False):
    """References, generations, their subjects and prompts; some generations are taken from references."""
    random = np.random.default_rng(seed)
    own_references = np.repeat(np.arange(subjects), random.integers(1, 7, size=subjects))
    own = np.repeat(np.arange(subjects), random.integers(1, 12, size=subjects))
    if shuffled:
        own_references, own = random.permutation(own_references), random.permutation(own)
    references = random.normal(size=(len(own_references), 5)).astype(np.float32)
    generations = random.normal(size=(len(own), 5)).astype(np.float32)
    for row in np.flatnonzero(random.random(len(own)) < 0.3):
        source = random.choice(np.flatnonzero(own_references == own[row]))
        generations[row] = references[source] * 3 + 0.2 * generations[row]
    prompts = np.where(random.random(len(own)) < 0.2, -1, own * 3 + random.integers(3, size=len(own)))
    return references, own_references, generations, own, prompts


def by_loops(references, own_references, generations, own, prompts):
    """The same, pair by pair."""
    found = {
        "nearest": [],
        "similarity": [],
        "near": [],
        "closest": [],
        "diversity": [],
        "prompt_diversity": [],
    }
    for subject in range(own.max() + 1):
        mine = references[own_references == subject]
        pairs = [cosine(a, b) for a, b in combinations(mine, 2)]
        found["closest"].append(max(pairs, default=np.nan))
        rows = np.flatnonzero(own == subject)
        apart = {(a, b): 1 - cosine(generations[a], generations[b]) for a, b in combinations(rows, 2)}
        found["diversity"].append(fmean(apart.values()) if apart else np.nan)
        means = []
        for prompt in set(prompts[rows]) - {-1}:
            inside = [v for (a, b), v in apart.items() if prompts[a] == prompts[b] == prompt]
            means += [fmean(inside)] if inside else []
        found["prompt_diversity"].append(fmean(means) if means else np.nan)
    for row, subject in enumerate(own):
        places = np.flatnonzero(own_references == subject)
        alike = [cosine(generations[row], references[place]) for place in places]
        found["nearest"].append(places[int(np.argmax(alike))])
        found["similarity"].append(max(alike))
        found["near"].append(max(alike) > found["closest"][subject] + 1e-9)
    return found


def beside_by_loops(references, own_references, subjects):
    found = []
    for subject in range(subjects):
        mine = references[own_references == subject]
        for place, one in enumerate(mine):
            others = [cosine(one, other) for i, other in enumerate(mine) if i != place]
            found.append(fmean(others) if others else np.nan)
    return found


@worlds
@given(seed=st.integers(0, 10**6), subjects=st.integers(1, 5), shuffled=st.booleans())
def test_vectors_give_what_loops_give(seed, subjects, shuffled):
    arrays = world(seed, subjects, shuffled)
    found = identity_scores(*arrays[:4], generation_prompts=arrays[4]).closeness
    for name, expected in by_loops(*arrays).items():
        np.testing.assert_allclose(getattr(found, name), expected, **CLOSE, err_msg=name)
    np.testing.assert_allclose(found.references.beside, beside_by_loops(*arrays[:2], subjects), **CLOSE)


@worlds
@given(
    seed=st.integers(0, 10**6),
    subjects=st.integers(1, 5),
    sign=st.sampled_from([1, -1]),
    both=st.booleans(),
    lost=st.sampled_from([0.0, 0.2]),
)
def test_pairs_give_what_loops_give(seed, subjects, sign, both, lost):
    """Also of a distance, where less is more alike, and where some pairs have no number."""
    references, own_references, generations, own, _ = world(seed, subjects)
    random = np.random.default_rng(seed)
    pairs = random.permutation(np.argwhere(own[:, None] == own_references))
    values = sign * np.array([cosine(generations[a], references[b]) for a, b in pairs])
    same = (own_references[:, None] == own_references) & ~np.eye(len(references), dtype=bool)
    among = random.permutation(np.argwhere(same if both else np.triu(same))).reshape(-1, 2)
    numbers = sign * np.array([cosine(references[a], references[b]) for a, b in among])
    values[random.random(len(values)) < lost] = np.nan
    numbers[random.random(len(numbers)) < lost] = np.nan
    found = pair_scores(
        pairs, values, among, numbers, own, own_references, limits=(-1.01, 1.01), higher_is_better=sign > 0
    ).closeness
    for row in range(len(own)):
        mine = [(sign * v, -b) for (a, b), v in zip(pairs, values, strict=True) if a == row and v == v]
        most, place = max(mine, default=(np.nan, 1))
        assert found.similarity[row] == pytest.approx(sign * most, nan_ok=True)
        assert found.nearest[row] == -place
        inside = [sign * v for (a, _), v in zip(among, numbers, strict=True) if own_references[a] == own[row]]
        closest = max((v for v in inside if v == v), default=np.nan)
        assert found.closest[own[row]] == pytest.approx(sign * closest, nan_ok=True)
        assert found.near[row] == (most > closest + 1e-9)
    assert np.isnan(found.diversity).all()
    assert np.isnan(found.prompt_diversity).all()
    for place, mean in enumerate(found.references.beside):
        mine = [v for pair, v in zip(among, numbers, strict=True) if place in pair and v == v]
        assert mean == pytest.approx(fmean(mine) if mine else np.nan, nan_ok=True)


@pytest.mark.parametrize("sizes", [[1, 700, 2], [512, 512], [1500]])
def test_diversity_over_many_blocks(sizes):
    random = np.random.default_rng(0)
    groups = random.permutation(np.repeat(np.arange(len(sizes)), sizes))
    vectors = random.normal(size=(len(groups), 4)) + 1
    expected = []
    for group in range(len(sizes)):
        units = vectors[groups == group]
        units = units / np.linalg.norm(units, axis=1)[:, None]
        upper = (units @ units.T)[np.triu_indices(len(units), 1)]
        expected.append(1 - upper.mean() if len(upper) else np.nan)
    np.testing.assert_allclose(diversity_of_groups(vectors, groups), expected, **CLOSE)


def test_one_picture_again_and_again_has_no_diversity():
    picture = np.random.default_rng(0).normal(size=(1, 9)).astype(np.float32)
    found = identity_scores(picture, np.array([0]), np.repeat(picture, 5, 0), np.zeros(5, int)).closeness
    assert found.diversity == pytest.approx(0, abs=1e-12)
    assert found.diversity >= 0


def test_as_near_as_references_is_no_near_copy():
    """References that are there twice, in other lengths: rounding makes none of their copies a near copy."""
    picture = np.random.default_rng(0).normal(size=(1, 1152)).astype(np.float32)
    references = np.concatenate([picture, picture * np.float32(1 / 3)])
    found = identity_scores(references, np.zeros(2, int), picture * np.float32(7), np.array([0])).closeness
    assert not found.near.any()
    assert found.nearest.tolist() == [0]


@pytest.mark.parametrize("references", [2, 3, 5, 10])
@pytest.mark.parametrize("dimensions", [2, 30])
def test_chance_of_near_copy_is_that_of_one_more_picture(references, dimensions):
    random = np.random.default_rng(references)
    subjects = 4000
    pictures = random.normal(size=(subjects, references + 1, dimensions)) + random.exponential(
        size=(subjects, 1, 1)
    )
    own = np.repeat(np.arange(subjects), references)
    near = identity_scores(
        pictures[:, 1:].reshape(-1, dimensions), own, pictures[:, 0], np.arange(subjects)
    ).closeness.near
    expected = chance_of_near_copy(references)
    error = np.sqrt(expected * (1 - expected) / subjects)
    assert near.mean() == pytest.approx(expected, abs=4 * error)
