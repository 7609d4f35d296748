"""Identity scores against a plain double loop, worked examples, and what must always hold."""

import math
import statistics
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nearid_cli.metrics import identity, identity_scores
from nearid_cli.metrics.intervals import mean_interval, ratio_interval
from nearid_cli.metrics.proportions import mean_share_interval, share_interval
from nearid_cli.metrics.similarity import RESOLUTION
from nearid_cli.metrics.units import contributions
from tests.retaining import cosine, room_errors

NUMBERS = ("score", "std", "min", "max", "ceiling", "floor", "retention", "identification")
INTERVALS = ("ci95", "identification_ci95", "within_noise")
LIMITS = {"ci95": (-1, 1)}


def data(seed, subjects=5, dimension=16, references=(1, 6), generations=(1, 9), noise=1.0):
    """Clustered unit vectors in random order: (references, their subjects, generations, their subjects)."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((subjects, dimension))

    def pictures(least, most):
        subject = np.repeat(np.arange(subjects), random.integers(least, most, size=subjects))
        random.shuffle(subject)
        rows = centres[subject] + noise * random.standard_normal((len(subject), dimension))
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), subject

    return (*pictures(*references), *pictures(*generations))


def mean_or_nan(values):
    return statistics.fmean(values) if values else math.nan


def naive(references, reference_subjects, generations, generation_subjects, clusters=None):
    """The definitions of docs/reference/numbers.md, pair by pair."""
    subjects = range(max(reference_subjects) + 1)
    refs = {s: [r for r, t in zip(references, reference_subjects, strict=True) if t == s] for s in subjects}
    gens = {s: [g for g, t in zip(generations, generation_subjects, strict=True) if t == s] for s in subjects}
    clusters = list(range(len(generations))) if clusters is None else clusters.tolist()
    units = {s: [c for c, t in zip(clusters, generation_subjects, strict=True) if t == s] for s in subjects}
    errors = room_errors(list(refs.values()), list(gens.values()), list(units.values()))
    rows, pairs = [], []
    for s in subjects:
        pairs += [cosine(g, r) for g in gens[s] for r in refs[s]]
        own = [mean_or_nan([cosine(g, r) for r in refs[s]]) for g in gens[s]]
        hits = [
            all(value > mean_or_nan([cosine(g, r) for r in refs[t]]) for t in subjects if t != s)
            for g, value in zip(gens[s], own, strict=True)
        ]
        inner = [cosine(a, b) for i, a in enumerate(refs[s]) for b in refs[s][i + 1 :]]
        row = {
            "score": mean_or_nan([cosine(g, r) for g in gens[s] for r in refs[s]]),
            "std": statistics.stdev(own) if len(own) > 1 else math.nan,
            "min": min(own),
            "max": max(own),
            "ceiling": mean_or_nan(inner),
            "floor": mean_or_nan(
                [cosine(g, r) for g in gens[s] for t in subjects if t != s for r in refs[t]]
            ),
            "retention": math.nan,
            "identification": mean_or_nan(hits if len(refs) > 1 else []),
            "ci95": mean_interval(contributions(own, units[s])) or (math.nan, math.nan),
            "identification_ci95": (share_interval(*wins(hits, units[s])) if len(refs) > 1 else None)
            or (math.nan, math.nan),
        }
        room = row["ceiling"] - row["floor"]
        if room > 2 * errors[s]:
            row["retention"] = (row["score"] - row["floor"]) / room
        row["within_noise"] = room <= 2 * errors[s]
        rows.append(row)
    table = {name: [row[name] for row in rows] for name in (*NUMBERS, *INTERVALS)}
    means = {
        name: mean_or_nan([value for value in table[name] if not math.isnan(value)])
        for name in ("score", "ceiling", "floor", "identification")
    }
    whole = [(row, error) for row, error in zip(rows, errors, strict=True) if not math.isnan(error)]
    gains = [row["score"] - row["floor"] for row, _ in whole]
    rooms = [row["ceiling"] - row["floor"] for row, _ in whole]
    none = (math.nan, math.nan)
    retention, retention_ci95 = math.nan, none
    if whole:
        noise = 2 * math.sqrt(sum(error**2 for _, error in whole)) / len(whole)
        spread = statistics.stdev(rooms) / math.sqrt(len(rooms)) if len(rooms) > 1 else 0
        if statistics.fmean(rooms) > max(noise, spread):
            retention = statistics.fmean(gains) / statistics.fmean(rooms)
            retention_ci95 = ratio_interval(gains, rooms) or none
    return table, {
        **means,
        "ci95": np.clip(mean_interval(table["score"]) or none, -1, 1),
        "pair_mean": mean_or_nan(pairs),
        "retention": retention,
        "retention_ci95": retention_ci95,
        "identification_ci95": (
            mean_share_interval(table["identification"], len(generations)) if len(refs) > 1 else None
        )
        or none,
    }


def wins(hits, clusters):
    """Won and tried by cluster."""
    names = sorted(set(clusters))
    pairs = list(zip(hits, clusters, strict=True))
    return (
        [sum(hit for hit, c in pairs if c == name) for name in names],
        [sum(c == name for c in clusters) for name in names],
    )


@pytest.mark.parametrize("noise", [0.8, 3.0])
@pytest.mark.parametrize("clustered", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_equals_the_double_loop(seed, clustered, noise):
    arrays = data(seed, subjects=1 + seed, noise=noise)
    if clustered:
        arrays += (np.random.default_rng(seed).integers(4, size=len(arrays[3])),)
    table, aggregate = naive(*arrays)
    scores = identity_scores(*arrays)
    for name in (*NUMBERS, *INTERVALS):
        np.testing.assert_allclose(
            getattr(scores, name),
            np.clip(table[name], *LIMITS.get(name, (-np.inf, np.inf))),
            rtol=1e-9,
            atol=1e-9,
            err_msg=name,
        )
    for name, value in aggregate.items():
        np.testing.assert_allclose(getattr(scores.aggregate, name), value, rtol=1e-9, atol=1e-9, err_msg=name)
    for value, row, subject in zip(scores.generations, arrays[2], arrays[3], strict=True):
        own = [cosine(row, r) for r, t in zip(arrays[0], arrays[1], strict=True) if t == subject]
        assert value == pytest.approx(statistics.fmean(own), abs=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_two_references_of_each_subject_show_the_noise_of_their_ceiling(seed):
    arrays = data(seed, subjects=8, references=(2, 3), generations=(1, 4))
    table, _ = naive(*arrays)
    scores = identity_scores(*arrays)
    assert scores.within_noise.tolist() == table["within_noise"]
    np.testing.assert_allclose(scores.retention, table["retention"], rtol=1e-9)


def test_more_generations_than_one_block_equal_each_on_its_own():
    references, reference_subjects, generations, generation_subjects = data(1, generations=(200, 400))
    assert len(generations) > 1000
    scores = identity_scores(references, reference_subjects, generations, generation_subjects)
    for g in range(0, len(generations), 97):
        own = references[reference_subjects == generation_subjects[g]]
        assert scores.generations[g] == pytest.approx(
            np.mean([cosine(generations[g], r) for r in own]), abs=1e-12
        )


def test_worked_example_by_hand():
    # Two subjects in the plane. Angles: cat's references at 0 and 60 degrees, its generations at 0 and 90;
    # mug's reference at 90, its generation at 90.
    def at(*degrees):
        return np.array([[math.cos(math.radians(d)), math.sin(math.radians(d))] for d in degrees])

    scores = identity_scores(at(0, 60, 90), np.array([0, 0, 1]), at(0, 90, 90), np.array([0, 0, 1]))
    root = math.sqrt(3) / 2
    assert scores.generations == pytest.approx([0.75, root / 2, 1])  # (1 + 1/2)/2, (0 + √3/2)/2, 1
    assert scores.score == pytest.approx([(0.75 + root / 2) / 2, 1])
    assert scores.ceiling == pytest.approx([0.5, math.nan], nan_ok=True)
    assert scores.floor == pytest.approx([0.5, root / 2])  # (0 + 1)/2; (0 + √3/2)/2
    assert np.isnan(
        scores.retention
    ).all()  # the cat's ceiling is not above its floor, the mug has no ceiling
    assert scores.identification.tolist() == [0.5, 1.0]
    assert scores.aggregate.pair_mean == pytest.approx((1 + 0.5 + 0 + root + 1) / 5)
    assert math.isnan(scores.aggregate.retention)


@pytest.mark.parametrize("seed", range(4))
def test_subjects_without_generations_are_strangers(seed):
    """The numbers of the others are those of the double loop over all references, and it has no others."""
    references, reference_subjects, generations, generation_subjects = data(seed, subjects=6, noise=3.0)
    kept = 1 + seed  # of one subject alone, too: then all strangers have references only
    mine = generation_subjects < kept
    table, _ = naive(references, reference_subjects, generations, generation_subjects)
    scores = identity_scores(references, reference_subjects, generations[mine], generation_subjects[mine])
    for name in NUMBERS:
        if name != "retention":  # by its own rule
            found = getattr(scores, name)
            np.testing.assert_allclose(found, table[name][:kept], rtol=0, atol=1e-12, err_msg=name)
            if hasattr(scores.aggregate, name):
                expected = mean_or_nan([value for value in table[name][:kept] if not math.isnan(value)])
                assert getattr(scores.aggregate, name) == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_one_subject_has_no_strangers():
    scores = identity_scores(*data(0, subjects=1, references=(3, 4), generations=(4, 5)))
    assert np.isnan([scores.floor[0], scores.retention[0], scores.identification[0]]).all()
    assert np.isfinite([scores.score[0], scores.std[0], scores.ceiling[0], *scores.ci95[0]]).all()
    assert np.isnan([scores.aggregate.floor, scores.aggregate.identification, *scores.aggregate.ci95]).all()


def test_one_picture_each():
    scores = identity_scores(*data(0, subjects=4, references=(1, 2), generations=(1, 2)))
    assert np.isnan(scores.std).all()
    assert np.isnan(scores.ceiling).all()
    assert np.isnan(scores.retention).all()
    assert np.isnan(scores.ci95).all()
    assert np.isfinite(scores.aggregate.ci95).all()
    assert (scores.score == scores.min).all()
    assert (scores.score == scores.max).all()


def test_a_tie_with_another_subject_is_no_identification():
    # Both subjects have the same references, in another order: float64 sums may differ in their last bits.
    references, _, generations, _ = data(
        3, subjects=1, dimension=300, references=(9, 10), generations=(50, 51)
    )
    scores = identity_scores(
        np.concatenate([references, references[::-1]]),
        np.repeat([0, 1], 9),
        np.concatenate([generations, generations]),
        np.repeat([0, 1], 50),
    )
    assert scores.identification.tolist() == [0, 0]


def identified(references, generations, owners):
    """Which generations are nearer to the one reference of their subject than to any other, in float64."""
    units, centres = (
        rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (generations, references)
    )
    similarity = units @ centres.T
    places = np.arange(len(generations)), owners
    own = similarity[places].copy()
    similarity[places] = -np.inf
    return own - similarity.max(axis=1) > RESOLUTION


@pytest.mark.parametrize("exponent", range(-13, 0))
def test_subjects_apart_by_less_than_float32_can_tell(exponent):
    """Leads from far below to far above what numbers of seven digits show, both ways, and through ties."""
    random = np.random.default_rng(-exponent)
    one = random.standard_normal(300)
    references = one + 10.0**exponent * random.standard_normal((12, 300))
    subjects = np.arange(12)
    generations = np.repeat(one[None], 120, axis=0) + 10.0**exponent * random.standard_normal((120, 300))
    owners = np.arange(120) % 12
    found = identity_scores(references, subjects, generations, owners).identified
    np.testing.assert_array_equal(found, identified(references, generations, owners))


@pytest.mark.parametrize("noise", [0.5, 3.0, 6.0])
def test_identification_among_hundreds_of_subjects(noise):
    """From nearly all to nearly none, refuted by the first of the others or by the last."""
    random = np.random.default_rng(7)
    references = random.standard_normal((300, 64))
    owners = np.repeat(np.arange(300), 3)
    generations = references[owners] + noise * random.standard_normal((900, 64))
    found = identity_scores(references, np.arange(300), generations, owners).identified
    np.testing.assert_array_equal(found, identified(references, generations, owners))
    assert 0 < found.mean() <= 1


@pytest.mark.parametrize("scale", [1e-30, 1e30, 1e100])
def test_identification_of_embeddings_that_float32_does_not_hold(scale):
    references, reference_subjects, generations, generation_subjects = data(3)
    references, generations = references.astype(np.float64), generations.astype(np.float64)
    expected = identity_scores(references, reference_subjects, generations, generation_subjects).identified
    found = identity_scores(references * scale, reference_subjects, generations * scale, generation_subjects)
    np.testing.assert_array_equal(found.identified, expected)


def test_a_ceiling_that_equals_the_floor_gives_no_retention():
    row = np.random.default_rng(0).standard_normal(300).astype(np.float32)
    scores = identity_scores(
        np.stack([row] * 7), np.array([0, 0, 0, 0, 1, 1, 1]), np.stack([row, row]), np.array([0, 1])
    )
    assert np.isnan(scores.retention).all()


def test_retention_is_1_when_generations_are_as_alike_as_the_references():
    # Three references and a generation as corners of a regular simplex: every own pair has one similarity.
    corners = np.eye(4) - 0.1
    stranger = np.array([[1.0, -1.0, 1.0, -1.0]])
    scores = identity_scores(
        np.concatenate([corners[:3], stranger]),
        np.array([0, 0, 0, 1]),
        np.concatenate([corners[3:], corners[3:], stranger]),
        np.array([0, 0, 1]),
    )
    assert scores.score[0] == pytest.approx(scores.ceiling[0], abs=1e-12)
    assert scores.retention[0] == pytest.approx(1, abs=1e-12)


def test_retention_is_0_for_generations_as_alike_as_strangers_and_negative_below():
    references = np.array([[1.0, 0.1, 0], [1, -0.1, 0], [0, 1, 0]])  # ceiling of the first subject: 0.98
    orthogonal_to_all, nearer_to_the_stranger = [[0.0, 0, 1]] * 2, [[-1.0, 1, 2]] * 2
    subjects, generation_subjects = np.array([0, 0, 1]), np.array([0, 0, 1])
    other = [[0.0, 1, 0]]
    scores = identity_scores(references, subjects, np.array(orthogonal_to_all + other), generation_subjects)
    assert scores.retention[0] == 0
    scores = identity_scores(
        references, subjects, np.array(nearer_to_the_stranger + other), generation_subjects
    )
    assert scores.floor[0] > scores.score[0]
    assert scores.retention[0] < 0


def test_embeddings_need_not_be_of_length_1():
    references, reference_subjects, generations, generation_subjects = data(4)
    plain = identity_scores(references, reference_subjects, generations, generation_subjects)
    scaled = identity_scores(
        references * 8, reference_subjects, generations * np.float32(0.25), generation_subjects
    )
    np.testing.assert_allclose(plain.score, scaled.score, rtol=0, atol=1e-15)


def test_a_copied_reference_scores_1_and_never_more():
    references, reference_subjects, *_ = data(5, subjects=40, dimension=700, references=(1, 2))
    scores = identity_scores(references, reference_subjects, references, reference_subjects)
    assert (scores.generations <= 1).all()
    assert scores.generations == pytest.approx(1, abs=1e-15)
    assert scores.aggregate.score <= 1


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6), subjects=st.integers(1, 6), dimension=st.integers(2, 12))
def test_invariants(seed, subjects, dimension):
    references, reference_subjects, generations, generation_subjects = data(seed, subjects, dimension)
    scores = identity_scores(references, reference_subjects, generations, generation_subjects)
    assert (scores.min >= -1).all()
    assert (scores.min <= scores.score).all()
    assert (scores.score <= scores.max).all()
    assert (scores.max <= 1).all()
    for bounded in (scores.ceiling, scores.floor):
        assert (np.isnan(bounded) | (np.abs(bounded) <= 1)).all()
    low, high = scores.ci95.T
    assert (
        np.isnan(low) | ((low >= -1) & (low <= scores.score) & (scores.score <= high) & (high <= 1))
    ).all()
    assert (np.isnan(low) == (np.bincount(generation_subjects) < 3)).all()
    assert (np.isnan(scores.std) == (np.bincount(generation_subjects) == 1)).all()

    random = np.random.default_rng(seed)
    shuffled_references = random.permutation(len(references))
    shuffled_generations = random.permutation(len(generations))
    relabel = random.permutation(subjects)
    again = identity_scores(
        references[shuffled_references],
        relabel[reference_subjects[shuffled_references]],
        generations[shuffled_generations],
        relabel[generation_subjects[shuffled_generations]],
    )
    close = {"rtol": 1e-12, "atol": 1e-12}
    np.testing.assert_allclose(again.generations, scores.generations[shuffled_generations], **close)
    for name in (*NUMBERS, "ci95"):
        if name != "retention":  # a quotient: its error grows as the ceiling nears the floor
            np.testing.assert_allclose(
                getattr(again, name)[relabel], getattr(scores, name), **close, err_msg=name
            )
    np.testing.assert_allclose(again.aggregate.score, scores.aggregate.score, **close)
    np.testing.assert_allclose(again.aggregate.ci95, scores.aggregate.ci95, **close)
    np.testing.assert_allclose(again.aggregate.pair_mean, scores.aggregate.pair_mean, **close)


def test_the_same_numbers_every_time():
    arrays = data(7)
    one, two = identity_scores(*arrays), identity_scores(*arrays)
    np.testing.assert_array_equal(one.ci95, two.ci95)
    np.testing.assert_array_equal(one.aggregate.ci95, two.aggregate.ci95)


REFERENCES, SUBJECTS = np.eye(3, dtype=np.float32), np.arange(3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            (REFERENCES[0], SUBJECTS, REFERENCES, SUBJECTS),
            r"`references` to be a non-empty float array \[N, D\] but got float32 of shape \(3,\)",
        ),
        (
            (REFERENCES, SUBJECTS, REFERENCES[:0], SUBJECTS[:0]),
            r"`generations` to be a non-empty .* shape \(0, 3\)",
        ),
        ((REFERENCES, SUBJECTS, REFERENCES.astype(int), SUBJECTS), r"`generations` to be .* but got int64"),
        ((REFERENCES, SUBJECTS, REFERENCES[:, :2], SUBJECTS), r"dimension of `references`, 3, but got 2"),
        (
            (REFERENCES, SUBJECTS[:2], REFERENCES, SUBJECTS),
            r"`reference_subjects` to be an integer array of shape \(3,\)",
        ),
        (
            (REFERENCES, SUBJECTS, REFERENCES, SUBJECTS * 1.0),
            r"`generation_subjects` to be an integer array .* float64",
        ),
        (
            (REFERENCES, SUBJECTS + 1, REFERENCES, SUBJECTS),
            r"every number from 0 to its highest but got \[1, 2, 3\]",
        ),
        ((REFERENCES, SUBJECTS - 1, REFERENCES, SUBJECTS), r"every number from 0 .* but got \[-1, 0, 1\]"),
        ((REFERENCES, SUBJECTS // 2, REFERENCES, SUBJECTS), r"but got 3 subjects, and references of 2"),
        (
            (REFERENCES, SUBJECTS, REFERENCES * 0, SUBJECTS),
            r"`generations` to have finite embeddings .* but got 3 of norm 0\.0",
        ),
        (
            (REFERENCES * np.float32("nan"), SUBJECTS, REFERENCES, SUBJECTS),
            r"`references` to have finite embeddings .* norm nan",
        ),
        (
            (REFERENCES, SUBJECTS, np.where(REFERENCES > 0, np.inf, 1.0), SUBJECTS),
            r"`generations` .* 3 of norm inf",
        ),
    ],
)
def test_wrong_arguments_say_what_was_expected(arguments, message):
    with pytest.raises(ValueError, match=message):
        identity_scores(*arguments)


@pytest.mark.parametrize("held", [True, False], ids=["held", "made when needed"])
def test_references_that_are_known_already_give_the_same_numbers_to_the_bit(
    held: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(0)
    sizes = [1, 2, 5, 600, 3]  # of several blocks
    references = random.standard_normal((sum(sizes), 8)).astype(np.float32)
    of_references = random.permutation(np.repeat(np.arange(5), sizes))
    wanted, found = [], []
    monkeypatch.setattr(identity, "_HELD", 2**30 if held else 0)
    sets = identity.reference_sets(references, of_references)
    assert (sets.held is not None) == held
    for seed in range(2):
        random = np.random.default_rng(seed)
        generations = random.standard_normal((1200, 8)).astype(np.float32)
        of_generations = np.concatenate([np.arange(4), random.integers(4, size=1196)])
        found.append(identity.scores_beside(sets, generations, of_generations))
        monkeypatch.setattr(identity, "_HELD", 0 if held else 2**30)
        wanted.append(identity_scores(references, of_references, generations, of_generations))
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_equal(asdict(one), asdict(other))
