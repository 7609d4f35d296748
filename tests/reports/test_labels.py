"""Labels: short enough for their column, no two alike, and names themselves wherever they fit."""

from __future__ import annotations

from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearid_cli.reports.gauge import spanned
from nearid_cli.reports.html.svg import fitted
from nearid_cli.reports.labels import apart, cut
from nearid_cli.text import printable
from tests.reporting import BEGINNING, END

# Few letters, so that names collide; marks, wide and escaped characters, and what labels themselves are made of.
NAMES = st.lists(
    st.text(alphabet="abM #1…\u0301\U0001f3fd馬\n", max_size=60), min_size=1, max_size=12, unique=True
)


def width(label: str) -> float:
    """About, and from below: no mark takes room."""
    return sum(category(character)[0] != "M" and character != "\U0001f3fd" for character in label)


@given(NAMES, st.integers(8, 40))
def test_labels_are_short_and_differ(names, most: int) -> None:
    labels = apart(names, most)
    assert len(set(labels)) == len(names)
    assert all(width(label) <= most for label in labels)


@given(NAMES)
def test_a_name_with_room_is_its_own_label(names) -> None:
    printed = [printable(name) for name in names]
    if len(set(printed)) == len(names):
        assert apart(names, 1000) == printed


@pytest.mark.parametrize("most", [14, 17, 32])
def test_what_differs_is_shown(most: int) -> None:
    middles = ("r4", "r16", "step-000500", "step-001000")
    labels = apart([f"{BEGINNING}{middle}{END}" for middle in middles], most)
    assert len(set(labels)) == 4
    assert [middle[-3:] in label for middle, label in zip(middles, labels, strict=True)] == [True] * 4
    assert all("#" not in label for label in labels)


def test_both_ends_are_kept() -> None:
    assert cut("dreambooth-lora-rank-16", 13) == "dream…ank-16"  # an m is wide


def test_no_accent_is_cut_from_its_letter() -> None:
    assert cut("e\u0301" * 30, 8) == "e\u0301" * 4 + "…" + "e\u0301" * 3


def test_a_name_that_is_somebody_elses_label_keeps_it() -> None:
    other = cut("a" * 60, 12)
    assert apart(["a" * 60, other], 12)[1] == other
    assert len(set(apart(["a" * 60, other], 12))) == 2


@given(st.floats(-1, 1), st.floats(0, 2), st.floats(0.01, 1))
def test_no_axis_covers_less_than_the_least(low: float, span: float, least: float) -> None:
    bounds = spanned(low, low + span, least)
    assert bounds[1] - bounds[0] == pytest.approx(max(span, least))
    assert sum(bounds) / 2 == pytest.approx(low + span / 2)
    scale = fitted([low, low + span], 0, 100, least)
    assert scale.low < low
    assert scale.high > low + span
