"""Margins over distractors, against plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nearid_cli.metrics.distractors import distractor_scores


def cosine(a, b):
    return float(np.dot(a, b) / np.linalg.norm(a) / np.linalg.norm(b))


def by_loops(references, generations, distractors):
    """Lists of vectors by subject -> margins by subject, then wins, trials and samples won by the references."""
    margins, won, trials, samples = [], 0, 0, []
    for refs, gens, alike in zip(references, generations, distractors, strict=True):
        margins.append(
            [
                np.mean([cosine(g, r) for r in refs]) - max(cosine(g, d) for d in alike) if alike else None
                for g in gens
            ]
        )
        mine = [
            cosine(refs[i], refs[j]) - cosine(refs[end], d)
            for i in range(len(refs))
            for j in range(i + 1, len(refs))
            for d in alike
            for end in (i, j)
        ]
        won += sum(margin > 0 for margin in mine)
        trials += len(mine)
        samples += [all(margin > 0 for margin in mine)] if mine else []
    return margins, won, trials, samples


def scored(references, generations, distractors):
    def stacked(groups):
        rows = [row for group in groups for row in group]
        numbers = [i for i, group in enumerate(groups) for _ in group]
        return np.array(rows), np.array(numbers)

    own = [
        np.mean([cosine(g, r) for r in refs])
        for refs, gens in zip(references, generations, strict=True)
        for g in gens
    ]
    return distractor_scores(
        *stacked(references), *stacked(generations), np.array(own), *stacked(distractors)
    )


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(0, 3)), min_size=1, max_size=4
    ).filter(lambda sizes: any(size[2] for size in sizes)),
    st.integers(0, 999),
)
def test_it_equals_plain_loops(sizes, seed):
    random = np.random.default_rng(seed)
    references, generations, distractors = (
        [list(random.normal(size=(size[role], 5))) for size in sizes] for role in range(3)
    )
    found = scored(references, generations, distractors)
    margins, won, trials, samples = by_loops(references, generations, distractors)
    flat = [np.nan if m is None else m for own in margins for m in own]
    np.testing.assert_allclose(found.margins, flat, atol=1e-12)
    for subject, own in enumerate(margins):
        if own[0] is None:
            assert np.isnan(found.margin[subject])
            assert np.isnan(found.positive[subject])
        else:
            assert found.margin[subject] == pytest.approx(np.mean(own), abs=1e-12)
            assert found.positive[subject] == np.mean([m > 0 for m in own])
    assert found.references.trials == trials
    assert found.references.samples == len(samples)
    if trials:
        assert found.references.pa == won / trials
        assert found.references.ssr == np.mean(samples)


def test_a_tie_is_lost():
    axis = np.array([[1.0, 0.0]])
    both = np.repeat(axis, 2, axis=0)
    none = np.array([0])
    found = distractor_scores(both, np.array([0, 0]), axis, none, np.array([1.0]), 3 * axis, none)
    assert found.margins.tolist() == [0.0]
    assert found.positive.tolist() == [0.0]
    assert (found.references.ssr, found.references.pa, found.references.trials) == (0.0, 0.0, 2)
