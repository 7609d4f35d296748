from __future__ import annotations

import itertools
import pickle
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from nearid_cli.errors import InputError, ModelError, UsageError
from nearid_cli.images.preprocessing import Preprocessing
from nearid_cli.nearid_data import BadRowError, Identities
from nearid_cli.training.dataset import Item, TrainingSet, collate
from nearid_cli.training.options import Augmentations
from tests.nearid_data.making import encoded, png, saved, slots, table

SIZE = 16
ROWS = 12
PLAIN = Augmentations()
EVERYTHING = Augmentations(
    flip=0.5,
    jitter=0.5,
    translate=0.5,
    mask_anchor=0.5,
    mask_positive=0.5,
    mask_distractor=0.5,
    background=0.5,
)
Cells = list[tuple[bytes | None, bytes | None, bytes | None]]


def preprocessing(size: int | dict[str, int] = SIZE) -> Preprocessing:
    edges = {"height": size, "width": size} if isinstance(size, int) else size
    made = Preprocessing.from_config({"image_processor_type": "SiglipImageProcessor", "size": edges}, None)
    assert made is not None
    return made


def level(row: int, slot: int, source: int = 0) -> int:
    """The grey level that tells a picture: source 0 are the views."""
    return row * 20 + source * 6 + slot * 2


def pictures(source: int, missing: frozenset[tuple[int, int]] = frozenset()) -> Cells:
    return [
        tuple(
            None if (row, slot) in missing else png((level(row, slot, source),) * 3, (SIZE, SIZE))
            for slot in range(3)
        )
        for row in range(ROWS)
    ]  # type: ignore[misc]


def outline(seed: int, size: int = SIZE) -> np.ndarray:
    """uint8 [size, size] of 0 and 255."""
    return np.random.default_rng(seed).integers(0, 2, (size, size), np.uint8) * np.uint8(255)


VIEW_OUTLINES = [[outline(row * 3 + slot) for slot in range(3)] for row in range(ROWS)]
OWN_OUTLINES = [[outline(100 + row * 3 + slot) for slot in range(3)] for row in range(ROWS)]
MISSING_VIEWS = frozenset({(1, 0), (2, 2), (3, 0), (3, 1), (4, 0), (4, 1), (4, 2)})
MISSING_FIRST = frozenset({(0, 1), (5, 0), (5, 1), (5, 2), (6, 2)})
MISSING_SECOND = frozenset({(0, 1), (6, 1)})


def masked_cells(outlines: list[list[np.ndarray]]) -> Cells:
    return [tuple(encoded(mask) for mask in row) for row in outlines]  # type: ignore[misc]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Positives, two rendered distractor sets, and one without masks."""
    root = tmp_path_factory.mktemp("sets")
    ids = list(range(0, 10 * ROWS, 10))
    views = slots("images", pictures(0, MISSING_VIEWS)) | slots("masks", masked_cells(VIEW_OUTLINES))
    saved(table(views, id=ids), root / "positives")
    for source, missing in ((1, MISSING_FIRST), (2, MISSING_SECOND)):
        cells = slots("nimg", pictures(source, missing)) | slots("nmasks", masked_cells(OWN_OUTLINES))
        saved(table(cells, id=ids), root / str(source))
    saved(table(slots("nimg", pictures(1)), id=ids), root / "plain")
    return root


@pytest.fixture
def training(folder: Path) -> Callable[..., TrainingSet]:
    def make(
        how: Augmentations = PLAIN, sources: tuple[str, ...] = ("1", "2"), seed: int = 0, **options: int
    ) -> TrainingSet:
        identities = Identities.open(str(folder / "positives"), [str(folder / source) for source in sources])
        return TrainingSet(identities, preprocessing(), how, seed, **options)

    return make


Make = Callable[..., TrainingSet]


def levels(item: Item) -> list[int | None]:
    """The grey level of each slot, None where it is empty."""
    found = []
    for pixels, valid in zip(item["pixels"], item["valid"].tolist(), strict=True):
        assert pixels.unique().numel() == 1
        found.append(int(pixels.unique()) if valid else None)
        assert valid or not pixels.any()
    return found


def test_rows_with_fewer_than_two_views_are_left_out_and_counted(training: Make) -> None:
    rows = training()
    assert [rows[i]["row"] for i in range(len(rows))] == [0, 1, 2, 5, 6, 7, 8, 9, 10, 11]
    assert rows.left_out == 2
    with pytest.raises(IndexError):
        rows[10]


def test_items_are_permuted_rows(training: Make) -> None:
    """Views that exist come first; each distractor stands under its view, in its slot of one of the sources."""
    rows = training()
    orders, chosen = Counter[tuple[int, ...]](), Counter[tuple[int, int, int]]()
    for epoch, index in itertools.product(range(20), range(len(rows))):
        rows.set_epoch(epoch)
        item = rows[index]
        row = item["row"]
        assert item["pixels"].shape == (6, 3, SIZE, SIZE)
        assert item["pixels"].dtype == torch.uint8
        found = levels(item)
        order = [(grey - level(row, 0)) // 2 for grey in found[:3] if grey is not None]
        assert sorted(order) == [slot for slot in range(3) if (row, slot) not in MISSING_VIEWS]
        assert found[len(order) : 3] == [None] * (3 - len(order))
        for place in range(3):
            grey = found[3 + place]
            slot = order[place] if place < len(order) else None
            having = [
                source
                for source, missing in ((1, MISSING_FIRST), (2, MISSING_SECOND))
                if slot is not None and (row, slot) not in missing
            ]
            if grey is None:
                assert not having
                continue
            source = (grey - level(row, slot or 0)) // 6
            assert source in having
            chosen[row, slot or 0, source] += 1
        if row == 7:
            orders[tuple(order)] += 1
    assert len(orders) >= 5  # 20 draws of 6 orders
    assert chosen[7, 0, 1] > 3
    assert chosen[7, 0, 2] > 3
    assert chosen[5, 0, 1] == 0
    assert chosen[5, 0, 2] == 20  # the only set that has a picture there


def test_sources_are_chosen_for_each_slot(training: Make) -> None:
    rows = training()
    mixed = 0
    for index in range(len(rows)):
        found = levels(rows[index])
        sources = {
            (d - v) // 6 for v, d in zip(found[:3], found[3:], strict=True) if v is not None and d is not None
        }
        mixed += len(sources) == 2
    assert mixed > 2


def test_without_distractors(training: Make) -> None:
    item = training(sources=())[0]
    assert item["valid"].tolist() == [True] * 3 + [False] * 3


def test_everything_follows_from_seed_stream_epoch_and_row(training: Make, folder: Path) -> None:
    def drawn(seed: int = 0, epoch: int = 0, stream: int = 0) -> list[torch.Tensor]:
        rows = training(EVERYTHING, seed=seed, stream=stream)
        rows.set_epoch(epoch)
        return [rows[index]["pixels"] for index in range(len(rows))]

    first = drawn()
    assert all(map(torch.equal, first, drawn()))
    for other in (drawn(seed=1), drawn(epoch=1), drawn(stream=1)):
        assert sum(map(torch.equal, first, other)) < 2
    rows = training(EVERYTHING)
    order = np.random.default_rng(0).permutation(len(rows)).tolist()
    assert all(torch.equal(rows[index]["pixels"], first[index]) for index in order)
    identities = Identities.open(str(folder / "positives"), [str(folder / "1"), str(folder / "2")])
    some = TrainingSet(identities.subset([8, 0]), preprocessing(), EVERYTHING, 0)
    assert torch.equal(some[1]["pixels"], first[0])


def test_one_option_does_not_change_what_another_draws(training: Make) -> None:
    plain, flipped = training(), training(Augmentations(flip=0.5, jitter=0.0))
    assert [levels(plain[i]) for i in range(len(plain))] == [levels(flipped[i]) for i in range(len(plain))]


def test_foreground_masking_by_role(training: Make) -> None:
    for how, places in (
        (Augmentations(mask_anchor=1), {0}),
        (Augmentations(mask_positive=1), {1, 2}),
        (Augmentations(mask_distractor=1), {3, 4, 5}),
    ):
        rows, plain = training(how), training()
        for index in range(len(rows)):
            item, before = rows[index], plain[index]
            row = item["row"]
            order = [None if grey is None else (grey - level(row, 0)) // 2 for grey in levels(before)[:3]]
            for place in range(6):
                slot = order[place % 3]
                expected = before["pixels"][place].numpy().copy()
                if place in places and slot is not None:
                    expected[:, VIEW_OUTLINES[row][slot] == 0] = 0
                np.testing.assert_array_equal(item["pixels"][place], expected)


def test_masks_of_another_size_are_stretched(tmp_path: Path) -> None:
    mask = np.zeros((4, 8), np.uint8)
    mask[:, 4:] = 1  # any level above 0 counts
    cells = slots("images", [(png((90, 90, 90), (10, 20)),) * 3]) | slots("masks", [(encoded(mask),) * 3])
    identities = Identities.open(saved(table(cells), tmp_path / "sizes"), [])
    item = TrainingSet(identities, preprocessing(), Augmentations(mask_anchor=1), 0)[0]
    assert (item["pixels"][0, :, :, :8] == 0).all()
    assert (item["pixels"][0, :, :, 8:] == 90).all()


def test_masking_leaves_alone_what_has_no_mask(tmp_path: Path) -> None:
    some = (png((90, 90, 90)), png((90, 90, 90)), None)
    cells = slots("images", [some]) | slots("masks", [(png(0, mode="L"), None, None)])
    identities = Identities.open(saved(table(cells), tmp_path / "some"), [])
    how = Augmentations(mask_anchor=1, mask_positive=1)
    pixels = TrainingSet(identities, preprocessing(), how, 0)[0]["pixels"]
    assert sorted(picture.float().mean().item() for picture in pixels[:2]) == [0, 90]


def test_a_view_and_its_distractor_get_the_same_new_background(training: Make) -> None:
    rows, plain = training(Augmentations(background=1)), training()
    scenes = []
    for index in range(len(rows)):
        item, before = rows[index], plain[index]
        row, valid = item["row"], item["valid"].tolist()
        assert valid == before["valid"].tolist()
        for place, grey in enumerate(levels(before)[:3]):
            if grey is None:
                continue
            slot = (grey - level(row, 0)) // 2
            mask, own = VIEW_OUTLINES[row][slot] > 0, OWN_OUTLINES[row][slot] > 0
            view, view_before = item["pixels"][place].numpy(), before["pixels"][place].numpy()
            np.testing.assert_array_equal(view[:, mask], view_before[:, mask])
            assert np.abs(view[:, ~mask].astype(int) - view_before[:, ~mask]).mean() > 1
            scenes.append(view[:, ~mask].mean())
            if valid[place + 3]:
                other, other_before = item["pixels"][place + 3].numpy(), before["pixels"][place + 3].numpy()
                np.testing.assert_array_equal(other[:, own], other_before[:, own])
                np.testing.assert_array_equal(other[:, ~mask & ~own], view[:, ~mask & ~own])
    assert len(set(scenes)) == len(scenes)


def test_no_new_background_where_an_outline_is_not_known(training: Make, folder: Path) -> None:
    rows, plain = training(Augmentations(background=1), ("1", "plain")), training(sources=("1", "plain"))
    replaced = Counter[bool]()
    for index, place in itertools.product(range(len(rows)), range(3)):
        item, before = rows[index], plain[index]
        same = [torch.equal(item["pixels"][place + i], before["pixels"][place + i]) for i in (0, 3)]
        if item["valid"][place] and item["valid"][place + 3]:
            assert same[0] == same[1]
            replaced[same[0]] += 1
    assert min(replaced[True], replaced[False]) > 5


def test_augmentations_that_lack_their_masks_are_refused(folder: Path, tmp_path: Path) -> None:
    bare = Identities.open(saved(table(slots("images", pictures(0))), tmp_path / "bare"), [])
    for how in (Augmentations(mask_positive=0.1), Augmentations(background=0.1)):
        with pytest.raises(UsageError, match="bare has no columns masks1 to masks3"):
            TrainingSet(bare, preprocessing(), how, 0)
    released = Identities.open(str(folder / "positives"), [str(folder / "plain")])
    with pytest.raises(UsageError, match="no distractor set has columns nmasks1 to nmasks3"):
        TrainingSet(released, preprocessing(), Augmentations(background=0.1), 0)
    TrainingSet(released, preprocessing(), Augmentations(mask_distractor=0.1), 0)


def test_pictures_are_prepared_as_the_checkpoint_asks(tmp_path: Path, photographs: dict[str, object]) -> None:
    from PIL import Image

    photos = [Image.fromarray(np.asarray(photo)).resize((70, 50)) for photo in photographs.values()][:3]
    cells = slots("images", [tuple(encoded(photo) for photo in photos)])  # type: ignore[list-item]
    identities = Identities.open(saved(table(cells), tmp_path / "photos"), [])
    for made in (
        preprocessing(),
        Preprocessing.from_config(
            {"image_processor_type": "CLIPImageProcessor", "size": 24, "crop_size": 20}, None
        ),
    ):
        assert made is not None
        found = TrainingSet(identities, made, PLAIN, 0)[0]["pixels"][:3].permute(0, 2, 3, 1).numpy()
        expected = [made.to_uint8(photo) for photo in photos]
        assert sorted(p.tobytes() for p in found) == sorted(p.tobytes() for p in expected)


def test_what_cannot_be_trained_on(folder: Path) -> None:
    identities = Identities.open(str(folder / "positives"), [])
    with pytest.raises(ModelError, match=r"pictures of one size: .* found: resize shortest edge 16 bicubic"):
        TrainingSet(identities, preprocessing({"shortest_edge": 16}), PLAIN, 0)
    with pytest.raises(InputError, match="expected rows with two views or more, found none in 2 rows"):
        TrainingSet(identities.subset([3, 4]), preprocessing(), PLAIN, 0)


def test_contents_are_the_files_of_an_item(training: Make) -> None:
    rows = training()
    for index in range(len(rows)):
        item = rows[index]
        files = [None if grey is None else png((grey,) * 3, (SIZE, SIZE)) for grey in levels(item)]
        assert list(rows.contents(index)) == files


@pytest.mark.parametrize("workers", [0, 1])
def test_a_bad_picture_is_an_error_of_one_line(tmp_path: Path, workers: int) -> None:
    good = png((5, 5, 5))
    source = saved(table(slots("images", [(good,) * 3, (good, good, good[:-25])])), tmp_path / "bad")
    rows = TrainingSet(Identities.open(source, []), preprocessing(), PLAIN, 0)
    with pytest.raises(BadRowError) as caught:
        list(DataLoader(rows, batch_size=2, num_workers=workers, collate_fn=collate))
    assert caught.value.message == (
        f"{source}, row 1, column images3: truncated PNG; mend the data set, or leave the row out with a list of rows"
    )
    assert str(caught.value) == caught.value.message


@pytest.mark.torture
def test_workers_that_were_spawned_draw_the_same(training: Make) -> None:
    rows = training(EVERYTHING)
    rows.set_epoch(3)
    (batch,) = DataLoader(
        rows, batch_size=len(rows), num_workers=1, collate_fn=collate, multiprocessing_context="spawn"
    )
    here = collate([rows[index] for index in range(len(rows))])
    assert here["pixels"].shape == (10, 6, 3, SIZE, SIZE)
    assert here["valid"].dtype == torch.bool
    assert here["row"].tolist() == [0, 1, 2, 5, 6, 7, 8, 9, 10, 11]
    for name in ("pixels", "valid", "row"):
        assert torch.equal(here[name], batch[name])  # type: ignore[literal-required]


def test_it_is_small_to_send(training: Make) -> None:
    rows = training(EVERYTHING)
    assert len(pickle.dumps(rows)) < 60_000
    assert torch.equal(pickle.loads(pickle.dumps(rows))[2]["pixels"], rows[2]["pixels"])
