from __future__ import annotations

from pathlib import Path

import pytest
import torch

from nearid_cli.errors import InputError
from nearid_cli.images.preprocessing import Preprocessing
from nearid_cli.nearid_data import Identities
from nearid_cli.training.dataset import JointSet, TrainingSet, collate, open_mtg
from nearid_cli.training.options import Augmentations
from tests.nearid_data.making import png, saved, slots, table


def grey(level: int) -> bytes:
    return png((level,) * 3)


def columns(rows: int = 2) -> dict[str, list[bytes | None]]:
    """Row r: originals 10r + 1 and + 2, inpainted 10r + 101 and + 102, masks of the left half."""
    from PIL import Image

    from tests.nearid_data.making import encoded

    half = Image.new("L", (8, 8))
    half.paste(255, (0, 0, 4, 8))
    cells: dict[str, list[bytes | None]] = {}
    for number in (1, 2):
        cells[f"image_{number}_original"] = [grey(10 * row + number) for row in range(rows)]
        cells[f"image_{number}_inpainted"] = [grey(10 * row + 100 + number) for row in range(rows)]
        cells[f"image_{number}_object_mask"] = [encoded(half)] * rows
        cells[f"image_{number}_part_mask"] = [encoded(half)] * rows
    return cells


@pytest.fixture
def mtg(tmp_path: Path) -> str:
    return saved(table(columns()), tmp_path / "mtg")


@pytest.fixture
def preprocessing() -> Preprocessing:
    made = Preprocessing.from_config(
        {"image_processor_type": "SiglipImageProcessor", "size": {"height": 8, "width": 8}}, None
    )
    assert made is not None
    return made


@pytest.fixture
def own(tmp_path: Path, preprocessing: Preprocessing) -> TrainingSet:
    cells = slots("images", [(grey(200), grey(201), grey(202))] * 3 + [(grey(1), None, None)])
    cells |= slots("masks", [(png(255, mode="L"),) * 3] * 4)
    others = slots("nimg", [(grey(210), grey(211), grey(212))] * 4) | slots(
        "nmasks", [(png(255, mode="L"),) * 3] * 4
    )
    identities = Identities.open(
        saved(table(cells), tmp_path / "own"), [saved(table(others), tmp_path / "others")]
    )
    return TrainingSet(identities, preprocessing, Augmentations(mask_distractor=1, background=1), 5)


def test_originals_are_views_and_inpainted_pictures_their_distractors(mtg: str) -> None:
    row = open_mtg(mtg)[1]
    assert row.views == (grey(11), grey(12), None)
    assert row.distractors == ((grey(111), grey(112), None),)
    assert row.distractor_masks == ((None, None, None),)
    assert [mask is not None for mask in row.masks] == [True, True, False]


def test_joint_rows(own: TrainingSet, mtg: str) -> None:
    joint = JointSet(own, open_mtg(mtg), repeat=3)
    assert len(joint) == 3 + 3 * 2
    assert joint.left_out == 1
    batch = collate([joint[index] for index in range(len(joint))])
    assert batch["row"].tolist() == [0, 1, 2, 0, 1, 0, 1, 0, 1]
    assert batch["valid"][3:].tolist() == [[True, True, False] * 2] * 6
    for index in range(3, 9):
        row = int(batch["row"][index])
        pixels = batch["pixels"][index]
        order = [int(picture[0, 0, 0]) for picture in pixels[:2]]
        assert sorted(order) == [10 * row + 1, 10 * row + 2]
        for place in (0, 1):
            assert (pixels[place] == order[place]).all()  # no new background
            assert (pixels[place + 3, :, :, :4] == 100 + order[place]).all()
            assert (pixels[place + 3, :, :, 4:] == 0).all()


def test_each_repetition_and_epoch_draws_anew(
    mtg: str, preprocessing: Preprocessing, own: TrainingSet
) -> None:
    own.augmentations = Augmentations(jitter=1)
    joint = JointSet(own, open_mtg(mtg), repeat=2)

    def drawn() -> list[torch.Tensor]:
        return [joint[index]["pixels"] for index in (3, 5, 0)]

    first, second, ours = drawn()
    assert not torch.equal(first, second)
    joint.set_epoch(1)
    assert not any(map(torch.equal, drawn(), (first, second, ours)))
    joint.set_epoch(0)
    assert all(map(torch.equal, drawn(), (first, second, ours)))


def test_without_object_masks_nothing_is_masked(tmp_path: Path, own: TrainingSet) -> None:
    cells = {name: cell for name, cell in columns().items() if "mask" not in name}
    joint = JointSet(own, open_mtg(saved(table(cells), tmp_path / "bare")))
    assert joint[3]["pixels"][3].unique().numel() == 1


def test_another_data_set(tmp_path: Path) -> None:
    cells = columns()
    del cells["image_2_inpainted"]
    with pytest.raises(
        InputError, match="not in the form of Mind-the-Glitch: expected columns image_2_inpainted"
    ):
        open_mtg(saved(table(cells), tmp_path / "other"))
