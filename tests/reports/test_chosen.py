"""A page that cannot hold all generations has of each subject those that people look for, and says where others are."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from nearid_cli.evaluate.compare import compare
from nearid_cli.reports.document import document
from nearid_cli.reports.html import Gallery, chosen, page_files, to_html
from nearid_cli.reports.html.data import page_data
from nearid_cli.results import ScoreResult
from tests.comparing import scored

NONE = Gallery((), {}, "no thumbnails")
SCORES = [0.5, 0.1, 0.9, 0.4, 0.6, 0.2, 0.8, 0.3, 0.7, 0.45]


def run(shift: int = 0) -> ScoreResult:
    return scored({"cat": SCORES[shift:] + SCORES[:shift], "dog": SCORES}, copied=1)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page with room for six generations of each of two subjects."""
    monkeypatch.setattr(chosen, "GENERATION_BYTES", chosen.generation_bytes(told(run())) * 6 // 10)


def told(result: ScoreResult):
    return document(result).story.result


def test_a_page_with_room_has_every_generation_and_no_word_of_it() -> None:
    those = chosen.chosen(told(run()))
    assert (len(those.images), those.note) == (20, "")


@pytest.mark.usefixtures("small")
def test_the_worst_the_best_and_copies_of_each_subject_are_there() -> None:
    first = run().metrics[0].name
    found = page_data(told(run()), NONE)["generations"]
    cat, dog = ({row[7][0] for row in found if row[1] == subject} for subject in (0, 1))
    scores = {
        subject: sorted(image.scores[first] for image in run().images if image.subject == subject)
        for subject in ("cat", "dog")
    }
    assert {*scores["cat"][:2], *scores["cat"][-2:]} <= cat
    assert cat & {image.scores[first] for image in run().images if image.copy_of}
    assert {*scores["dog"][:2], *scores["dog"][-2:]} <= dog
    assert len(dog) < 8


@pytest.mark.usefixtures("small")
def test_the_page_says_what_it_has_and_where_the_rest_is() -> None:
    html = to_html(document(run()), NONE)
    assert "Of 20 generations this page has 1" in html
    assert "All are in -o FILE.json and --images FILE.csv." in html
    data = json.loads(
        re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.S).group(1)
    )
    assert len(data["generations"]) == len(data["cells"]) < 20
    assert len(page_files(run())) < len(page_files_of_all())
    assert "20 generations" in html  # of which all numbers above are


def page_files_of_all() -> list[Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chosen, "GENERATION_BYTES", 10**9)
        return page_files(run())


@pytest.mark.usefixtures("small")
def test_a_row_keeps_what_stands_beside_each_other() -> None:
    result = compare({"a": run(), "b": run(3)})
    every, some = (
        {(row.subject, row.name): [(method, image.path) for method, image in row.images] for row in rows}
        for rows in (chosen.side_by_side(result.methods), chosen.chosen(result).rows)
    )
    assert len(some) < len(every)
    assert all(every[key] == images and len(images) == 2 for key, images in some.items())
