"""Which of many hashes are nearly the same, against the number of bits that differ."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nearid_cli.encoders.descriptors import BITS, COPY_BITS
from nearid_cli.evaluate import nearness
from nearid_cli.evaluate.nearness import near


def plain(bits: np.ndarray) -> set[tuple[int, int]]:
    signed = np.where(bits, 1.0, -1.0)
    differing = (BITS - signed @ signed.T) / 2
    return set(zip(*np.nonzero(np.triu(differing <= COPY_BITS, 1)), strict=True))


def as_set(pairs: np.ndarray) -> set[tuple[int, int]]:
    found = {(min(pair), max(pair)) for pair in pairs.tolist()}
    assert len(found) == len(pairs)
    return found


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    number=st.integers(1, 150),
    originals=st.integers(1, 60),
    lit=st.floats(0, 1),
    changed=st.integers(0, 40),
)
def test_both_ways_equal_the_plain_formula(
    seed: int, number: int, originals: int, lit: float, changed: int
) -> None:
    """Bits of a few originals, of which each hash has about as many changed as decide, together or all over."""
    random = np.random.default_rng(seed)
    bits = (random.random((originals, BITS)) < lit)[random.integers(originals, size=number)]
    for own in bits:
        start = random.integers(BITS - changed)
        own[random.choice(BITS, changed) if seed % 2 else slice(start, start + changed)] ^= True
    packed = np.packbits(bits, axis=1)
    expected = plain(bits)
    assert as_set(near(packed)) == expected
    assert as_set(nearness._near_by_parts(packed, nearness._parts(packed))) == expected
    assert as_set(nearness._near_of_all(packed)) == expected


@pytest.mark.parametrize("differing", [COPY_BITS, COPY_BITS + 1])
def test_one_bit_of_each_part_may_differ(differing: int) -> None:
    """The worst that 28 bits can do: all parts but one differ."""
    bits = np.random.default_rng(0).random((3_000, BITS)) < 0.5
    bits[-1] = bits[0]
    bits[-1, :differing] ^= True
    found = near(np.packbits(bits, axis=1))
    assert as_set(found) == ({(0, 2_999)} if differing == COPY_BITS else set())


def test_both_ways_equal_the_plain_formula_over_blocks() -> None:
    random = np.random.default_rng(0)
    bits = (random.random((200, BITS)) < 0.5)[random.integers(200, size=1_200)]
    bits ^= random.random(bits.shape) < 14 / BITS
    packed = np.packbits(bits, axis=1)
    expected = plain(bits)
    assert as_set(nearness._near_by_parts(packed, nearness._parts(packed))) == expected
    assert as_set(nearness._near_of_all(packed)) == expected


def test_few_pairs_of_many_hashes_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearness, "_near_of_all", None)
    bits = np.random.default_rng(0).random((4_000, BITS)) < 0.5
    assert len(near(np.packbits(bits, axis=1))) == 0


def test_hashes_that_all_say_the_same_are_compared_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearness, "_near_by_parts", None)
    bits = np.zeros((200, BITS), bool)
    bits[np.arange(200), 3 * np.arange(200)] = True
    assert len(near(np.packbits(bits, axis=1))) == 200 * 199 // 2
