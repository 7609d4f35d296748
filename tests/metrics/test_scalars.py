"""Scores of numbers that are no cosines: where they are, they equal the scores of vectors, and nulls are as removed."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nearid_cli.metrics import identity_scores
from nearid_cli.metrics.scalars import pair_scores, scalar_scores
from nearid_cli.metrics.similarity import unit_vectors
from tests.metrics.test_identity import data

CLOSE = {"rtol": 1e-12, "atol": 1e-12}
OF_OTHERS = ("floor", "retention", "identification", "identification_ci95")


GIVEN = ("pairs", "strangers", "identified", "ceiling_error", "closeness")


def numbers(scores):
    """Everything that scores say, by name, but for what they are made of."""
    of_subjects = {k: v for k, v in vars(scores).items() if k not in ("aggregate", *GIVEN)}
    return of_subjects | {f"aggregate {k}": v for k, v in vars(scores.aggregate).items()}


def same(found, expected, without=()):
    """Both say the same; retention is a quotient, whose error grows as the ceiling nears the floor."""
    found, expected = numbers(found), numbers(expected)
    assert found.keys() == expected.keys()
    for name in found:
        if name.removeprefix("aggregate ") in without:
            continue
        close = {"rtol": 1e-6, "atol": 1e-6} if "retention" in name else CLOSE
        left, right = (np.asarray(one[name], float) for one in (found, expected))
        np.testing.assert_allclose(left, right, **close, err_msg=name)


def pairs_of(references, reference_subjects, generations, generation_subjects, *, every=True, both=False):
    """Cosines of pairs, in random order, as `pair_scores` takes them."""
    random = np.random.default_rng(len(references))
    gens, refs = unit_vectors(generations), unit_vectors(references)
    cosines, inner = gens @ refs.T, refs @ refs.T
    there = np.ones(cosines.shape, bool) if every else generation_subjects[:, None] == reference_subjects
    pairs = random.permutation(np.argwhere(there))
    own = np.argwhere((reference_subjects[:, None] == reference_subjects) & ~np.eye(len(refs), dtype=bool))
    own = random.permutation(own if both else own[own[:, 0] < own[:, 1]])
    clip = np.clip(cosines, -1, 1), np.clip(inner, -1, 1)
    return {
        "pairs": pairs,
        "values": clip[0][*pairs.T],
        "reference_pairs": own,
        "reference_values": clip[1][*own.T],
        "generation_subjects": generation_subjects,
        "reference_subjects": reference_subjects,
        "limits": (-1, 1),
    }


worlds = settings(max_examples=60, deadline=None)


@worlds
@given(
    seed=st.integers(0, 10**6),
    subjects=st.integers(1, 6),
    references=st.sampled_from([(1, 6), (2, 3), (1, 2), (3, 5)]),
    both=st.booleans(),
    clustered=st.booleans(),
)
def test_pairs_of_cosines_give_what_the_vectors_give(seed, subjects, references, both, clustered):
    arrays = data(seed, subjects, references=references)
    clusters = np.random.default_rng(seed).integers(3, size=len(arrays[3])) if clustered else None
    expected = identity_scores(*arrays, clusters)
    all_pairs = pair_scores(**pairs_of(*arrays, both=both), clusters=clusters)
    same(all_pairs, expected)
    of_own = pair_scores(**pairs_of(*arrays, every=False, both=both), clusters=clusters)
    same(of_own, expected, without=(*OF_OTHERS, "retention_ci95", "within_noise"))
    for name in OF_OTHERS:
        assert np.isnan(getattr(of_own, name)).all()
        assert np.isnan(getattr(of_own.aggregate, name)).all()
    assert not of_own.within_noise.any()


@pytest.mark.parametrize("kept", [1, 3])
def test_subjects_without_generations_are_strangers(kept):
    references, reference_subjects, generations, generation_subjects = data(1, subjects=6)
    mine = generation_subjects < kept
    arrays = references, reference_subjects, generations[mine], generation_subjects[mine]
    same(pair_scores(**pairs_of(*arrays)), identity_scores(*arrays))


@worlds
@given(seed=st.integers(0, 10**6), subjects=st.integers(1, 6), clustered=st.booleans())
def test_numbers_of_generations_give_what_one_reference_gives(seed, subjects, clustered):
    arrays = data(seed, subjects, references=(1, 2))
    clusters = np.random.default_rng(seed).integers(3, size=len(arrays[3])) if clustered else None
    expected = identity_scores(*arrays, clusters)
    found = scalar_scores(expected.generations, arrays[3], clusters, (-1, 1))
    same(found, expected, without=(*OF_OTHERS, "retention_ci95"))
    for name in ("ceiling", "within_noise", *OF_OTHERS):
        assert not np.nan_to_num(np.asarray(getattr(found, name), float)).any()


def nulled(random, values, share):
    return np.where(random.random(values.shape) < share, np.nan, values)


@worlds
@given(seed=st.integers(0, 10**6), share=st.sampled_from([0.1, 0.5, 0.9, 1.0]), clustered=st.booleans())
def test_a_generation_without_a_number_counts_for_nothing(seed, share, clustered):
    random = np.random.default_rng(seed)
    subjects = np.concatenate([np.arange(5), random.integers(5, size=20)])
    values = nulled(random, random.random(25), share)
    clusters = random.integers(4, size=25) if clustered else None
    found = scalar_scores(values, subjects, clusters, (0, 1))
    known = ~np.isnan(values)
    np.testing.assert_array_equal(found.generations, values)
    left, numbered = np.unique(subjects[known], return_inverse=True)
    for name in ("score", "std", "min", "max", "ci95"):
        assert np.isnan(np.delete(getattr(found, name), left, axis=0)).all(), name
    if not known.any():
        assert np.isnan([found.aggregate.score, found.aggregate.pair_mean, *found.aggregate.ci95]).all()
        return
    some = scalar_scores(values[known], numbered, None if clusters is None else clusters[known], (0, 1))
    for name in ("score", "std", "min", "max", "ci95"):
        np.testing.assert_allclose(getattr(found, name)[left], getattr(some, name), **CLOSE, err_msg=name)
    for name in ("score", "pair_mean", "ci95"):
        np.testing.assert_allclose(getattr(found.aggregate, name), getattr(some.aggregate, name), **CLOSE)
    assert found.aggregate.pair_mean == pytest.approx(np.nanmean(values))


@worlds
@given(seed=st.integers(0, 10**6), clustered=st.booleans(), both=st.booleans())
def test_pictures_without_any_number_are_as_removed(seed, clustered, both):
    """Of each subject a generation and a reference lose all pairs: faces that were not found, say."""
    random = np.random.default_rng(seed)
    references, reference_subjects, generations, generation_subjects = data(
        seed, 4, references=(2, 6), generations=(2, 6)
    )
    clusters = random.integers(3, size=len(generations)) if clustered else None

    def one_of_each(subjects):
        lost = np.zeros(len(subjects), bool)
        lost[[random.choice(np.flatnonzero(subjects == s)) for s in range(4)]] = True
        return lost

    bad_references, bad_generations = one_of_each(reference_subjects), one_of_each(generation_subjects)
    arguments = pairs_of(references, reference_subjects, generations, generation_subjects, both=both)
    g, r = arguments["pairs"].T
    arguments["values"] = np.where(bad_generations[g] | bad_references[r], np.nan, arguments["values"])
    bad = bad_references[arguments["reference_pairs"]].any(axis=1)
    arguments["reference_values"] = np.where(bad, np.nan, arguments["reference_values"])
    found = pair_scores(**arguments, clusters=clusters)
    expected = identity_scores(
        references[~bad_references],
        reference_subjects[~bad_references],
        generations[~bad_generations],
        generation_subjects[~bad_generations],
        None if clusters is None else clusters[~bad_generations],
    )
    assert np.isnan(found.generations[bad_generations]).all()
    same(dataclasses.replace(found, generations=found.generations[~bad_generations]), expected)


def loops(arguments):
    """Score, ceiling, floor and identification of each subject, and the mean over pairs, one pair after another."""
    values = {tuple(p): v for p, v in zip(arguments["pairs"].tolist(), arguments["values"], strict=True)}
    generation_subjects, reference_subjects = (
        arguments["generation_subjects"],
        arguments["reference_subjects"],
    )
    sign = 1 if arguments.get("higher_is_better", True) else -1
    refs = {s: np.flatnonzero(reference_subjects == s) for s in range(reference_subjects.max() + 1)}

    def mean(found):
        found = [v for v in found if not np.isnan(v)]
        return sum(found) / len(found) if found else np.nan

    rows, every = [], []
    for s in range(generation_subjects.max() + 1):
        own, strangers, hits = [], [], []
        for g in np.flatnonzero(generation_subjects == s):
            mine = mean([values[g, r] for r in refs[s]])
            every += [values[g, r] for r in refs[s]]
            if np.isnan(mine):
                continue
            own.append(mine)
            strangers.append(mean([values[g, r] for t in refs if t != s for r in refs[t]]))
            others = [mean([values[g, r] for r in refs[t]]) for t in refs if t != s]
            others = [sign * other for other in others if not np.isnan(other)]
            hits.append(float(sign * mine > max(others) + 1e-9) if others else np.nan)
        inner = [
            v
            for (a, _), v in zip(arguments["reference_pairs"], arguments["reference_values"], strict=True)
            if reference_subjects[a] == s
        ]
        rows.append((mean(own), mean(inner), mean(strangers), mean(hits)))
    return np.array(rows), mean(every)


@worlds
@given(seed=st.integers(0, 10**6), share=st.sampled_from([0.2, 0.6, 0.95]), distance=st.booleans())
def test_pairs_without_a_number_count_for_nothing(seed, share, distance):
    random = np.random.default_rng(seed)
    arguments = pairs_of(*data(seed, 4, references=(1, 5)), both=True)
    for name in ("values", "reference_values"):
        arguments[name] = nulled(random, random.random(len(arguments[name])).round(1), share)
    arguments |= {"limits": (0, 1), "higher_is_better": not distance}
    found = pair_scores(**arguments)
    rows, pair_mean = loops(arguments)
    for name, expected in zip(("score", "ceiling", "floor", "identification"), rows.T, strict=True):
        np.testing.assert_allclose(getattr(found, name), expected, **CLOSE, err_msg=name)
        known = expected[~np.isnan(expected)]
        aggregate = getattr(found.aggregate, name)
        assert aggregate == pytest.approx(known.mean() if len(known) else np.nan, abs=1e-12, nan_ok=True)
    assert found.aggregate.pair_mean == pytest.approx(pair_mean, abs=1e-12, nan_ok=True)
    with_room = ~np.isnan(found.ceiling) & ~np.isnan(found.floor)
    assert (with_room == (found.within_noise | ~np.isnan(found.retention))).all()


@worlds
@given(seed=st.integers(0, 10**6), share=st.sampled_from([0.0, 0.3]))
def test_a_distance_is_a_similarity_with_the_sign_changed(seed, share):
    random = np.random.default_rng(seed)
    arguments = pairs_of(*data(seed, 5, references=(1, 5)))
    for name in ("values", "reference_values"):
        arguments[name] = nulled(random, arguments[name], share)
    near = pair_scores(**arguments)
    arguments |= {name: -arguments[name] for name in ("values", "reference_values")}
    far = pair_scores(**arguments, higher_is_better=False)
    unchanged = (
        "std",
        "retention",
        "within_noise",
        "identification",
        "identification_ci95",
        "pairs",
        "identified",
        "ceiling_error",
    )
    for one, other in ((near, far), (near.aggregate, far.aggregate)):
        for name, value in vars(other).items():
            if name in ("aggregate", "closeness"):  # closeness: tests/metrics/test_closeness.py
                continue
            mirrored = {"min": "max", "max": "min"}.get(name, name)
            if name in unchanged or name == "retention_ci95":
                np.testing.assert_allclose(value, getattr(one, name), rtol=1e-9, atol=1e-9, err_msg=name)
            else:
                expected = (
                    np.flip(-getattr(one, mirrored), axis=-1) if name == "ci95" else -getattr(one, mirrored)
                )
                np.testing.assert_allclose(value, expected, **CLOSE, err_msg=name)


def test_intervals_end_at_the_limits():
    values, subjects = np.array([0.0, 0.0, 0.0, 0.1, 1.0, 1.0, 0.9]), np.array([0, 0, 0, 0, 1, 1, 1])
    free = scalar_scores(values, subjects)
    assert free.ci95[0, 0] < 0 < free.score[0]
    assert free.ci95[1, 1] > 1
    held = scalar_scores(values, subjects, limits=(0, 1))
    np.testing.assert_allclose(held.ci95, np.clip(free.ci95, 0, 1))
    assert scalar_scores(values, subjects, limits=(0, None)).ci95[0, 0] == 0
    assert scalar_scores(values, subjects, limits=(0, None)).ci95[1, 1] == free.ci95[1, 1]


def test_without_a_jackknife_the_ceiling_is_as_unsure_as_pairs_of_generations():
    """Of three references only two pairs have a number, and both hold reference 0: as little as two references show."""
    pairs = np.argwhere(np.ones((3, 4)))
    values = np.tile([0.8, 0.9, 0.7, 0.1], 3)
    values[[8, 9, 10, 11]] = 0.2, 0.1, 0.3, 0.6  # the third generation is of the other subject
    arguments = {
        "pairs": pairs,
        "values": values,
        "reference_pairs": np.array([[0, 1], [0, 2], [1, 2]]),
        "generation_subjects": np.array([0, 0, 1]),
        "reference_subjects": np.array([0, 0, 0, 1]),
        "limits": (0, 1),
    }
    sure = pair_scores(**arguments, reference_values=np.array([0.5, 0.5, np.nan]))
    assert sure.ceiling[0] == 0.5
    assert sure.retention[0] == pytest.approx((0.8 - 0.1) / (0.5 - 0.1))  # 0.4 is above 2 x sd 0.089
    unsure = pair_scores(**arguments, reference_values=np.array([0.27, 0.27, np.nan]))
    assert np.isnan(unsure.retention[0])  # 0.17 is not
    assert unsure.within_noise[0]


def test_a_ceiling_of_which_nothing_shows_how_sure_it_is_gives_no_retention():
    scores = pair_scores(
        np.argwhere(np.ones((2, 3))),
        np.array([0.9, np.nan, 0.1, 0.1, 0.1, 0.9]),
        np.array([[0, 1]]),
        np.array([0.9]),
        np.array([0, 1]),
        np.array([0, 0, 1]),
    )
    assert (scores.ceiling[0], scores.floor[0]) == (0.9, 0.1)
    assert np.isnan(scores.retention[0])
    assert scores.within_noise[0]
    assert np.isnan(scores.aggregate.retention)


def test_a_subject_without_numbers_keeps_its_ceiling():
    scores = pair_scores(
        np.array([[0, 0], [0, 1], [1, 2]]),
        np.array([np.nan, np.nan, 0.4]),
        np.array([[0, 1]]),
        np.array([0.7]),
        np.array([0, 1]),
        np.array([0, 0, 1]),
    )
    np.testing.assert_array_equal(scores.score, [np.nan, 0.4])
    np.testing.assert_array_equal(scores.ceiling, [0.7, np.nan])
    assert (scores.aggregate.score, scores.aggregate.pair_mean, scores.aggregate.ceiling) == (0.4, 0.4, 0.7)


PAIRS, VALUES, BETWEEN = np.array([[0, 0], [0, 1], [1, 2]]), np.full(3, 0.5), np.array([[0, 1]])
GENERATED, REFERENCED = np.array([0, 1]), np.array([0, 0, 1])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"pairs": PAIRS[:2], "values": VALUES[:2]}, r"`pairs` to hold 3 pairs .* but got 2"),
        ({"pairs": PAIRS[[0, 1, 1]]}, r"`pairs` to hold each pair once"),
        (
            {"pairs": np.concatenate([PAIRS, [[1, 0]]]), "values": np.full(4, 0.5)},
            r"`pairs` to hold 6 pairs of 2 generations and 3 references but got 4",
        ),
        (
            {"pairs": PAIRS + 1},
            r"`pairs` to hold pairs from \(0, 0\) to \(1, 2\) but got \[1, 1\] to \[2, 3\]",
        ),
        ({"pairs": PAIRS - 1}, r"but got \[-1, -1\]"),
        ({"pairs": PAIRS[:, 0]}, r"`pairs` to be an integer array \[N, 2\]"),
        ({"pairs": PAIRS * 1.0}, r"`pairs` to be an integer array \[N, 2\] but got float64"),
        (
            {"values": VALUES[:2]},
            r"`values` to be a float array of shape \(3,\) but got float64 of shape \(2,\)",
        ),
        ({"values": VALUES.astype(int)}, r"`values` to be a float array"),
        ({"values": VALUES * np.inf}, r"`values` to hold numbers .* but got 3 others, first inf"),
        (
            {"values": VALUES * 3},
            r"`values` to hold numbers from 0 to 1 and NaN but got 3 others, first 1\.5",
        ),
        ({"values": -VALUES}, r"but got 3 others, first -0\.5"),
        ({"reference_values": np.array([2.0])}, r"`reference_values` to hold numbers from 0 to 1"),
        ({"reference_pairs": np.array([[0, 2]])}, r"two references of one subject each but got \[0, 2\]"),
        ({"reference_pairs": np.array([[1, 1]])}, r"two references of one subject each but got \[1, 1\]"),
        ({"reference_pairs": np.array([[0, 3]])}, r"`reference_pairs` to hold pairs"),
        ({"generation_subjects": np.array([0, 2])}, r"`generation_subjects` to hold every number"),
        ({"reference_subjects": np.array([0, 0, 0])}, r"but got 2 subjects, and references of 1"),
        ({"clusters": np.array([0])}, r"`clusters` to be an integer array of shape \(2,\)"),
    ],
)
def test_wrong_pairs_say_what_was_expected(changed, message):
    arguments = {
        "pairs": PAIRS,
        "values": VALUES,
        "reference_pairs": BETWEEN,
        "reference_values": np.array([0.5]),
        "generation_subjects": GENERATED,
        "reference_subjects": REFERENCED,
        "limits": (0, 1),
    }
    assert pair_scores(**arguments).score.tolist() == [0.5, 0.5]
    with pytest.raises(ValueError, match=message):
        pair_scores(**arguments | changed)


@pytest.mark.parametrize(
    ("values", "subjects", "clusters", "message"),
    [
        (VALUES, np.array([0, 2, 2]), None, r"`subjects` to hold every number from 0 to its highest"),
        (VALUES[:2], np.array([0, 1, 1]), None, r"`values` to be a float array of shape \(3,\)"),
        (VALUES, np.array([0, 1, 1]), np.array([0]), r"`clusters` to be an integer array of shape \(3,\)"),
        (VALUES + 1, np.array([0, 1, 1]), None, r"`values` to hold numbers from 0 to 1 and NaN but got 3"),
    ],
)
def test_wrong_numbers_say_what_was_expected(values, subjects, clusters, message):
    with pytest.raises(ValueError, match=message):
        scalar_scores(values, subjects, clusters, (0, 1))
