from __future__ import annotations

import json
import pickle
from pathlib import Path

import datasets
import numpy as np
import pytest

from nearid_cli.errors import InputError
from nearid_cli.nearid_data import BadRowError, Identities
from tests.nearid_data.making import png, saved, slots, table

VIEWS = [(png(1), None, png(3)), (png(4), png(5), None), (None, None, None), (png(7), png(8), png(9))]
MASKS = [(png(255, mode="L"), None, None)] * 4
OTHERS = [(png(11), png(12), None), (None, None, None), (png(13), None, None), (png(14), png(15), png(16))]
IDS = [7, 70, 700, 7000]


@pytest.fixture
def positives(tmp_path: Path) -> str:
    cells = slots("images", VIEWS) | slots("masks", MASKS)
    return saved(table(cells, id=IDS, category=["cup", None, "car", "cup"]), tmp_path / "positives")


@pytest.fixture
def flux(tmp_path: Path) -> str:
    return saved(table(slots("nimg", OTHERS), id=IDS), tmp_path / "flux")


@pytest.fixture
def rendered(tmp_path: Path) -> str:
    return saved(table(slots("nimg", VIEWS) | slots("nmasks", MASKS), id=IDS), tmp_path / "rendered")


def test_rows_keep_their_slots(positives: str, flux: str, rendered: str) -> None:
    identities = Identities.open(positives, [flux, rendered])
    assert len(identities) == 4
    assert identities.sources == (flux, rendered)
    for number, row in enumerate(identities):
        assert (row.number, row.id, row.views, row.masks) == (
            number,
            IDS[number],
            VIEWS[number],
            MASKS[number],
        )
        assert row.distractors == (OTHERS[number], VIEWS[number])
        assert row.distractor_masks == ((None, None, None), MASKS[number])
    assert [row.category for row in identities] == ["cup", "", "car", "cup"]


def test_rows_of_a_list(positives: str, flux: str, tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_text(json.dumps({"indices": [3, 1]}))
    identities = Identities.open(positives, [flux], tmp_path / "rows.json")
    assert [row.number for row in identities] == [3, 1]
    assert identities[0].distractors == (OTHERS[3],)
    assert [row.number for row in identities.subset([2])] == [2]
    with pytest.raises(IndexError):
        identities.subset([4])
    with pytest.raises(IndexError):
        identities.subset([-1])


def test_it_travels_without_its_pictures(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, 100_000, np.uint8).tobytes()
    source = saved(table({"images1": [noise] * 3}), tmp_path / "large")
    identities = Identities.open(source, []).subset([2, 0])
    travelled = pickle.dumps(identities)
    assert len(travelled) < 20_000
    assert [row.views for row in pickle.loads(travelled)] == [(noise, None, None)] * 2


def test_the_other_name_of_the_view_columns(tmp_path: Path) -> None:
    source = saved(table({"img2": [png(2)], "img3": [png(3)]}), tmp_path / "card")
    (row,) = Identities.open(source, [])
    assert row.views == (None, png(2), png(3))
    assert (row.id, row.category) == (None, "")


def test_data_sets_of_other_lengths(positives: str, tmp_path: Path) -> None:
    short = saved(table(slots("nimg", OTHERS[:3])), tmp_path / "short")
    with pytest.raises(InputError, match=r"short has 3 rows and .*positives has 4: distractors go with"):
        Identities.open(positives, [short])


def test_ids_that_differ(positives: str, tmp_path: Path) -> None:
    swapped = saved(table(slots("nimg", OTHERS), id=[7, 700, 70, 7000]), tmp_path / "swapped")
    with pytest.raises(InputError, match="the ids of 2 rows of 4 differ") as caught:
        Identities.open(positives, [swapped])
    assert caught.value.details == ("row 1: 70 and 700", "row 2: 700 and 70")


@pytest.mark.parametrize(
    "ids", [["7", "70", "700", "7000"], [7, None, 700, None], [7.0, 70.0, 700.0, 7000.0]]
)
def test_ids_that_agree_in_another_type_or_are_not_there(
    positives: str, tmp_path: Path, ids: list[object]
) -> None:
    other = saved(table(slots("nimg", OTHERS), id=ids), tmp_path / "other")
    assert len(Identities.open(positives, [other])) == 4


def test_data_sets_of_something_else(positives: str, flux: str) -> None:
    with pytest.raises(
        InputError, match=r"flux: expected .* images1 to images3 or img1 to img3, found id, nimg1"
    ):
        Identities.open(flux, [])
    with pytest.raises(
        InputError, match="positives: expected picture columns nimg1 to nimg3, found id, category"
    ):
        Identities.open(positives, [positives])


@pytest.mark.parametrize(
    ("content", "reason"), [(png(1)[:-30], "truncated PNG"), (b"", "empty file"), (b"hello", "not an image")]
)
def test_a_picture_that_cannot_be_read_names_its_place(tmp_path: Path, content: bytes, reason: str) -> None:
    source = saved(table(slots("images", [VIEWS[0], (png(1), content, None)])), tmp_path / "bad")
    identities = Identities.open(source, [])
    assert identities[1].views[1] == content
    with pytest.raises(BadRowError, match=rf"bad, row 1, column images2: {reason}"):
        identities.views.picture(1, 1)
    picture = identities.views.picture(0, 0)
    assert picture is not None
    assert picture.getpixel((0, 0)) == (1, 0, 0)
    assert identities.views.picture(0, 1) is None


def test_an_indexed_data_set_is_not_misread(tmp_path: Path) -> None:
    """A selection that was saved is laid out anew by `datasets`, so that rows are where they seem to be."""
    chosen = table(slots("images", VIEWS), id=IDS).select([3, 1])
    assert [row.id for row in Identities.open(saved(chosen, tmp_path / "chosen"), [])] == [7000, 70]
    both = datasets.concatenate_datasets([chosen, chosen])
    assert [row.id for row in Identities.open(saved(both, tmp_path / "both"), [])] == [7000, 70] * 2
