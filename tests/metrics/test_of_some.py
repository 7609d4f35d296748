"""Some of the generations, as if there were no others: what is kept of each is all that their numbers are made of."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nearid_cli.metrics import identity_scores
from nearid_cli.metrics.scalars import pair_scores, scalar_scores
from nearid_cli.metrics.summary import IdentityScores, of_some
from tests.metrics.test_identity import data
from tests.metrics.test_scalars import nulled, pairs_of

CLOSE = {"rtol": 1e-12, "atol": 1e-12}
COMPUTED = [
    one.name for one in fields(IdentityScores) if one.name not in ("aggregate", "closeness", "ceiling_error")
]


def same(found: IdentityScores, expected: IdentityScores, without: tuple[str, ...] = ()) -> None:
    for name in COMPUTED:
        if name not in without:
            left, right = (np.asarray(getattr(one, name), float) for one in (found, expected))
            np.testing.assert_allclose(left, right, **CLOSE, err_msg=name)
    for name, value in vars(expected.aggregate).items():
        if name not in without:
            np.testing.assert_allclose(
                getattr(found.aggregate, name), value, **CLOSE, err_msg=f"aggregate {name}"
            )


worlds = settings(max_examples=50, deadline=None)


@worlds
@given(
    seed=st.integers(0, 10**6), subjects=st.integers(2, 6), clustered=st.booleans(), share=st.floats(0.1, 0.9)
)
def test_of_vectors_it_is_what_the_rest_alone_gives(
    seed: int, subjects: int, clustered: bool, share: float
) -> None:
    """From 3 references up, or with 1, how sure a ceiling is depends on no generation."""
    random = np.random.default_rng(seed)
    references, owners, generations, own = data(
        seed, subjects, references=random.choice([(1, 2), (3, 6)]).tolist()
    )
    clusters = random.integers(3, size=len(own)) if clustered else None
    some = random.random(len(own)) < share
    some[random.integers(len(own))] = True
    kept = None if clusters is None else clusters[some]
    found = of_some(
        identity_scores(references, owners, generations, own, clusters), own, kept, some, (-1.0, 1.0)
    )
    # Subjects that have generations come first, those without are strangers.
    present = np.unique(own[some])
    order = [*present, *np.setdiff1d(np.arange(owners.max() + 1), present)]
    place = np.argsort(order)
    expected = identity_scores(references, place[owners], generations[some], place[own[some]], kept)
    same(found, expected)


@worlds
@given(seed=st.integers(0, 10**6), holes=st.sampled_from([0.0, 0.3, 1.0]), distance=st.booleans())
def test_of_pairs_with_holes_too(seed: int, holes: float, distance: bool) -> None:
    random = np.random.default_rng(seed)
    references, owners, generations, own = data(seed, 4, references=(3, 6))
    some = random.random(len(own)) < 0.5
    some[random.integers(len(own))] = True
    arguments = pairs_of(references, owners, generations, own)
    arguments["values"] = nulled(random, arguments["values"], holes)
    whole = pair_scores(**arguments, higher_is_better=not distance)
    found = of_some(whole, own, None, some, (-1.0, 1.0), -1.0 if distance else 1.0)
    present = np.unique(own[some])
    order = [*present, *np.setdiff1d(np.arange(owners.max() + 1), present)]
    place = np.argsort(order)
    number = np.cumsum(some) - 1
    kept = some[arguments["pairs"][:, 0]]
    pairs = arguments["pairs"][kept]
    alone = arguments | {
        "pairs": np.stack([number[pairs[:, 0]], pairs[:, 1]], axis=1),
        "values": arguments["values"][kept],
        "generation_subjects": place[own[some]],
        "reference_subjects": place[owners],
    }
    same(found, pair_scores(**alone, higher_is_better=not distance))


@pytest.mark.parametrize("limits", [(0.0, 1.0), (None, None)])
def test_of_numbers_without_references(limits: tuple[float | None, float | None]) -> None:
    random = np.random.default_rng(1)
    values, own = nulled(random, random.random(40), 0.2), np.repeat(np.arange(5), 8)
    some = (np.arange(40) % 8 < 3) & (own != 2)
    found = of_some(scalar_scores(values, own, None, limits), own, None, some, limits)
    expected = scalar_scores(values[some], np.unique(own[some], return_inverse=True)[1], None, limits)
    same(found, expected)


def test_all_of_them_are_what_they_were() -> None:
    arrays = data(3, 4)
    whole = identity_scores(*arrays)
    same(of_some(whole, arrays[3], None, np.ones(len(arrays[3]), bool), (-1.0, 1.0)), whole)
