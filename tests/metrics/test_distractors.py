"""Margins over distractors, against plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nearid_cli.metrics.distractors import distractor_scores
from nearid_cli.metrics.margins import sample_margins, success
from nearid_cli.metrics.proportions import mean_share_interval, proportion_interval


def cosine(a, b):
    return float(np.dot(a, b) / np.linalg.norm(a) / np.linalg.norm(b))


def by_loops(references, generations, distractors, shown=None, faced=None):
    """Lists of vectors by subject -> margins by subject, then wins, trials and samples won by the references.

    `shown` and `faced` are the contexts of references and distractors by subject; without them all meet all.
    """
    margins, won, trials, samples = [], 0, 0, []
    for number, (refs, gens, alike) in enumerate(zip(references, generations, distractors, strict=True)):
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
            for k, d in enumerate(alike)
            for end in (i, j)
            if shown is None or shown[number][end] == faced[number][k] >= 0
        ]
        won += sum(margin > 0 for margin in mine)
        trials += len(mine)
        samples += [all(margin > 0 for margin in mine)] if mine else []
    return margins, won, trials, samples


def scored(references, generations, distractors, shown=None, faced=None):
    def stacked(groups):
        rows = [row for group in groups for row in group]
        numbers = [i for i, group in enumerate(groups) for _ in group]
        return np.array(rows), np.array(numbers)

    def contexts(known, pictures):
        numbers = known or [[-1] * len(own) for own in pictures]
        return np.array([number for own in numbers for number in own], dtype=int)

    own = [
        np.mean([cosine(g, r) for r in refs])
        for refs, gens in zip(references, generations, strict=True)
        for g in gens
    ]
    return distractor_scores(
        *stacked(references),
        *stacked(generations),
        np.array(own),
        *stacked(distractors),
        contexts(shown, references),
        contexts(faced, distractors),
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
    shown, faced = ([list(random.integers(-1, 3, size[role])) for size in sizes] for role in (0, 2))
    found = scored(references, generations, distractors, shown, faced)
    margins, *all_pairs = by_loops(references, generations, distractors)
    _, *in_context = by_loops(references, generations, distractors, shown, faced)
    flat = [np.nan if m is None else m for own in margins for m in own]
    np.testing.assert_allclose(found.margins, flat, atol=1e-12)
    for subject, own in enumerate(margins):
        if own[0] is None:
            assert np.isnan(found.margin[subject])
            assert np.isnan(found.positive[subject])
            assert np.isnan(found.positive_ci95[subject]).all()
        else:
            assert found.margin[subject] == pytest.approx(np.mean(own), abs=1e-12)
            won = [m > 0 for m in own]
            assert found.positive[subject] == np.mean(won)
            exact = proportion_interval(sum(won), len(won)) if len(won) >= 3 else (np.nan, np.nan)
            np.testing.assert_allclose(found.positive_ci95[subject], exact, atol=1e-9)
    shares = [np.mean([m > 0 for m in own]) for own in margins if own[0] is not None]
    trials = sum(len(own) for own in margins if own[0] is not None)
    of_all = mean_share_interval(shares, trials) or (np.nan, np.nan)
    np.testing.assert_allclose(found.positive_of_all_ci95, of_all, atol=1e-9)
    for tried, (won, trials, samples) in ((found.all_pairs, all_pairs), (found.in_context, in_context)):
        assert (tried.trials, tried.samples) == (trials, len(samples))
        assert tried.pa == (won / trials if trials else None)
        assert tried.ssr == (pytest.approx(np.mean(samples)) if trials else None)


def test_a_distractor_for_each_view_is_the_protocol_of_the_paper():
    random = np.random.default_rng(5)
    views, alike = random.normal(size=(2, 30, 3, 6))
    has_view, has_alike = random.random((2, 30, 3)) < 0.8
    has_view[:, 0] = True
    expected = success(sample_margins(views, alike, has_view, has_alike))
    slots = np.tile(np.arange(3), (30, 1))
    found = scored(
        [list(views[n][has_view[n]]) for n in range(30)],
        [list(views[n][:1]) for n in range(30)],
        [list(alike[n][has_alike[n]]) for n in range(30)],
        [list(slots[n][has_view[n]]) for n in range(30)],
        [list(slots[n][has_alike[n]]) for n in range(30)],
    ).in_context
    assert (found.samples, found.trials) == (expected.samples, expected.trials)
    assert (found.ssr, found.pa) == (expected.ssr, expected.pa)
    assert (found.ssr_ci95, found.pa_ci95) == (expected.ssr_ci95, expected.pa_ci95)
    assert found.mean_margin == pytest.approx(expected.mean_margin, abs=1e-12)


def test_a_metric_that_sees_nothing_but_backgrounds_wins_across_contexts_alone():
    # Eight contexts with a background each. A distractor shows that of its reference, and the object is not seen.
    backgrounds = list(np.random.default_rng(6).normal(size=(8, 20)))
    contexts = [list(range(8))]
    found = scored([backgrounds], [backgrounds[:1]], [backgrounds], contexts, contexts)
    assert (found.in_context.ssr, found.in_context.pa) == (0.0, 0.0)
    # Of 7 other references against 8 distractors: 1 of these is never beaten, the rest as often as not.
    assert found.all_pairs.pa == 8 * 21 / (8 * 7 * 8)


def test_a_tie_is_lost():
    axis = np.array([[1.0, 0.0]])
    both = np.repeat(axis, 2, axis=0)
    none = np.array([0])
    found = distractor_scores(
        both, np.array([0, 0]), axis, none, np.array([1.0]), 3 * axis, none, np.array([0, 0]), none
    )
    assert found.margins.tolist() == [0.0]
    assert found.positive.tolist() == [0.0]
    for one in (found.in_context, found.all_pairs):
        assert (one.ssr, one.pa, one.trials) == (0.0, 0.0, 2)
