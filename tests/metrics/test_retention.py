"""The noise of a room, ceiling - floor, against loops over pairs: whether there is a retention hangs on it."""

import numpy as np
import pytest

from nearid_cli.metrics.retention import ceiling_errors, retention, room_errors
from nearid_cli.metrics.units import Units
from tests import retaining


def found(refs, gens, clusters=None):
    """The errors by subject, of pictures by subject; subjects without generations are strangers."""
    sizes = [len(rows) for rows in refs[: len(gens)]]
    subjects = np.repeat(np.arange(len(gens)), [len(rows) for rows in gens])
    closeness = np.concatenate([(rows @ rows.T).sum(axis=1) - 1 for rows in refs[: len(gens)]])
    own = [gens[s] @ refs[s].T for s in range(len(gens))]
    others = [np.concatenate([rows for t, rows in enumerate(refs) if t != s]) for s in range(len(refs))]
    strangers = np.concatenate([(gens[s] @ others[s].T).mean(axis=1) for s in range(len(gens))])
    errors = ceiling_errors(
        closeness,
        np.repeat(sizes, sizes) - 1,
        np.repeat(np.arange(len(gens)), sizes),
        squares=np.array([np.var(x) * x.size for x in own]),
        pairs=np.array([x.size for x in own]),
        single=np.bincount(subjects) == 1,
    )
    units = Units(subjects, None if clusters is None else np.concatenate(clusters))
    return room_errors(errors, strangers, units)


def pictures(random, sizes):
    rows = [random.standard_normal((size, 8)) + 2 * np.eye(8)[s] for s, size in enumerate(sizes)]
    return [own / np.linalg.norm(own, axis=1, keepdims=True) for own in rows]


@pytest.mark.parametrize("clustered", [False, True])
@pytest.mark.parametrize(
    ("references", "generations"),
    [
        ([3, 4, 5, 6], [2, 3, 4, 7]),
        ([2, 2, 2, 2], [2, 3, 1, 6]),  # a single pair shows no spread
        ([2, 3, 2, 1], [1, 1, 1, 1]),  # nor does a single generation
        ([2, 3, 2, 1], [1, 4, 2, 5]),
    ],
)
def test_standard_errors_are_what_loops_give(references, generations, clustered):
    random = np.random.default_rng(0)
    for _ in range(5):
        refs, gens = pictures(random, references), pictures(random, generations)
        clusters = [np.arange(size) // 2 if clustered else np.arange(size) for size in generations]
        expected = retaining.room_errors(refs, gens, clusters)
        np.testing.assert_allclose(found(refs, gens, clusters), expected, rtol=1e-9)


def test_a_single_generation_of_all_leaves_the_error_of_the_ceiling():
    refs = pictures(np.random.default_rng(1), [4, 2])
    without = [np.delete(refs[0], i, axis=0) for i in range(4)]
    ceilings = [(np.sum(rows @ rows.T) - 3) / 6 for rows in without]
    assert found(refs, pictures(np.random.default_rng(2), [1])) == pytest.approx(
        [np.sqrt(3 * np.var(ceilings))]
    )


@pytest.mark.parametrize(("mean", "known"), [(0.17, False), (0.18, True)])
def test_the_mean_room_must_be_above_its_standard_error_over_subjects(mean, known):
    rooms = mean + np.array([-0.3, 0.0, 0.3])  # standard error 0.3 / sqrt(3) = 0.173
    of_all = retention(rooms / 2, rooms, np.zeros(3), np.zeros(3)).of_all
    assert of_all == pytest.approx(0.5 if known else np.nan, nan_ok=True)
