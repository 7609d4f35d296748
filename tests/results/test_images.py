"""Generations in columns are, in everything that is asked of them, the rows that these columns say."""

from __future__ import annotations

import json
import pickle
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nearid_cli.evaluate.compare import compare
from nearid_cli.reports.formats.data import to_json
from nearid_cli.results import Image, Images, PictureMask
from nearid_cli.results.base import plain
from nearid_cli.results.images import ImageColumns
from nearid_cli.results.pairing import match_runs
from tests.comparing import random_methods, scored

NAMES = st.text(st.sampled_from('aé#\x1b\u202e"\\/ 0'), min_size=1, max_size=6)
NUMBERS = st.floats(-1, 1) | st.just(float("nan"))
OTHERS: dict[str, st.SearchStrategy[Any]] = {
    "copy_of": NAMES,
    "prompt": NAMES,
    "seed": NAMES,
    "margins": st.dictionaries(NAMES, st.floats(-1, 1), max_size=2),
    "labels": st.dictionaries(NAMES, NAMES, min_size=1, max_size=2),
    "reasons": st.dictionaries(NAMES, NAMES, min_size=1, max_size=2),
    "maps": st.dictionaries(NAMES, NAMES, min_size=1, max_size=2),
    "mask": st.builds(PictureMask, st.none() | NAMES, st.none() | st.just((0, 1, 2, 3))),
    "near_copy_of": st.dictionaries(NAMES, NAMES, min_size=1, max_size=2),
    "near_copy_similarity": st.dictionaries(NAMES, st.floats(-1, 1), min_size=1, max_size=2),
}


@st.composite
def both_forms(draw: st.DrawFn) -> tuple[ImageColumns, tuple[Image, ...]]:
    """Columns, and the same as rows built one by one."""
    number = draw(st.integers(0, 5))
    metrics = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
    paths, subjects = (draw(st.lists(NAMES, min_size=number, max_size=number)) for _ in range(2))
    scores = {name: np.array(draw(st.lists(NUMBERS, min_size=number, max_size=number))) for name in metrics}
    given_others = [
        {name: value for name, kind in OTHERS.items() if (value := draw(st.none() | kind)) is not None}
        for _ in range(number)
    ]
    others = {
        name: {place: one[name] for place, one in enumerate(given_others) if name in one} for name in OTHERS
    }
    rows = tuple(
        Image(
            path,
            subject,
            scores={
                name: None if np.isnan(own[place]) else float(own[place]) for name, own in scores.items()
            },
            **{"copy_of": None, **given_others[place]},
        )
        for place, (path, subject) in enumerate(zip(paths, subjects, strict=True))
    )
    return ImageColumns(paths, subjects, scores, others), rows


@settings(deadline=None, max_examples=50)
@given(both_forms())
def test_columns_are_what_their_rows_are(forms: tuple[ImageColumns, tuple[Image, ...]]) -> None:
    columns, rows = forms
    images = Images(columns)
    assert len(images) == len(rows)
    for field in fields(Image):
        assert images.column(field.name) == Images(rows).column(field.name)
    for metric in columns.scores:
        assert images.scores(metric) == Images(rows).scores(metric)
    assert "_rows" not in vars(images)  # none of this made rows
    assert images == rows
    assert (*images,) == rows
    assert images[:2] == rows[:2]
    assert plain(images) == plain(rows)
    assert pickle.loads(pickle.dumps(images)) == rows


@settings(deadline=None, max_examples=50)
@given(both_forms())
def test_json_of_columns_is_that_of_rows_to_the_byte(forms: tuple[ImageColumns, tuple[Image, ...]]) -> None:
    columns, rows = forms
    result = replace(scored({"cat": [0.5]}), images=Images(columns))
    written = to_json(result)
    assert written == to_json(replace(result, images=Images(rows)))
    if rows:
        assert json.loads(written)["images"] == json.loads(json.dumps(plain(rows)))


@settings(deadline=None, max_examples=15)
@given(both_forms())
def test_json_of_a_comparison_is_as_that_of_rows(forms: tuple[ImageColumns, tuple[Image, ...]]) -> None:
    columns, rows = forms
    compared = compare(random_methods({"a": 0.1, "b": 0.0}, subjects=1))
    in_columns, in_rows = (
        compared.with_runs(lambda run, images=images: replace(run, images=Images(images)))
        for images in (columns, rows)
    )
    written = to_json(in_columns)
    assert all("_rows" not in vars(run.images) for run in in_columns.runs.values())
    assert written == to_json(in_rows)
    first = compared.methods[0]
    mixed = replace(
        in_columns, methods=(replace(first, result=in_rows.methods[0].result), *in_columns.methods[1:])
    )
    assert to_json(mixed) == written


def test_an_infinite_score_is_written_by_neither() -> None:
    columns = ImageColumns(["a"], ["cat"], {"m": np.array([np.inf])})
    for images in (Images(columns), Images(tuple(Images(columns)))):
        with pytest.raises(ValueError, match=r"infinite|Out of range"):
            to_json(replace(scored({"cat": [0.5]}), images=images))


def test_what_is_made_of_all_is_made_once() -> None:
    one, other = (scored({"cat": [0.5, 0.6], "dog": [0.1]}) for _ in range(2))
    first, again = match_runs(one, other), match_runs(one, other)
    assert first == again
    made = []
    images = Images(one.images)
    for _ in range(2):
        assert images.once(made.append) is None
    assert made == [images]
