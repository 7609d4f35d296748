"""Rendered identities on disk, in both forms, read back with other libraries."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import datasets
import numpy as np
import pytest
import torch
from PIL import Image

from nearid_cli.errors import InputError, UsageError
from nearid_cli.layouts.walk import walk
from nearid_cli.synth import dataset as dataset_module
from nearid_cli.synth import writing
from nearid_cli.synth.dataset import write_dataset
from nearid_cli.synth.encoding import Identity, encode, render_identities
from nearid_cli.synth.folders import MANIFEST_COLUMNS, write_folders
from nearid_cli.synth.render import render
from nearid_cli.synth.sample import Sample, SynthOptions
from nearid_cli.synth.writing import (
    check_options,
    draw_sheet,
    find_backgrounds,
    next_command,
    sheet_length,
    write_identities,
)

OPTIONS = SynthOptions(size=40, distractors=2, seed=3)
NUMBERS = range(7, 10)


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """Rendering in this process must not leave torch with one thread for the tests that follow."""
    number = torch.get_num_threads()
    yield
    torch.set_num_threads(number)


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return list(render(OPTIONS, NUMBERS.start, NUMBERS.stop))


@pytest.fixture(scope="module")
def identities(samples: list[Sample]) -> list[Identity]:
    return [encode(sample) for sample in samples]


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Render in this process: starting others takes seconds, and test_workers.py has them."""
    monkeypatch.setattr(writing, "in_order", lambda work, tasks, *_: (work(task) for task in tasks))


def pixels(source: Path | bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(source) if isinstance(source, bytes) else source))


def test_encoding_loses_nothing(samples: list[Sample], identities: list[Identity]) -> None:
    for sample, identity in zip(samples, identities, strict=True):
        assert identity.number == sample.number
        assert identity.subject == f"{sample.category}_{sample.number:06d}"
        assert identity.changes == sample.changes
        np.testing.assert_array_equal([pixels(file) for file in identity.views], sample.views)
        np.testing.assert_array_equal([pixels(file) for file in identity.parts], sample.parts)
        np.testing.assert_array_equal([pixels(file) for file in identity.masks], sample.masks * 255)
        for index, looks in enumerate(identity.distractors):
            np.testing.assert_array_equal([pixels(file) for file in looks], sample.distractors[index])
            masks = [pixels(file) for file in identity.distractor_masks[index]]
            np.testing.assert_array_equal(masks, sample.distractor_masks[index] * 255)
        assert Image.open(BytesIO(identity.masks[0])).mode == "L"
        for prompt, context in zip(identity.prompts, sample.contexts, strict=True):
            assert prompt == f"{sample.description} {context}"


def test_one_process_renders_what_the_renderer_does(identities: list[Identity]) -> None:
    assert render_identities(OPTIONS, "cpu", NUMBERS) == identities
    assert torch.get_num_threads() == 1


def test_folders_hold_every_picture_once(tmp_path: Path, identities: list[Identity]) -> None:
    write_folders(tmp_path, identities)
    with (tmp_path / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == MANIFEST_COLUMNS
    assert len(rows) == len({row["path"] for row in rows}) == len(identities) * 3 * 3
    assert sorted(row["path"] for row in rows) == sorted(
        walk(tmp_path).names
    )  # the masks are left out by all readers
    contents = {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in tmp_path.rglob("*.png")}
    for identity in identities:
        own = {row["path"]: row for row in rows if row["subject"] == identity.subject}
        for view in range(3):
            file = f"{identity.subject}/{view + 1:02d}.png"
            role = "reference" if view < 2 else "generation"
            row = own[f"{role}s/{file}"]
            assert (row["role"], row["view"], row["prompt"]) == (role, str(view + 1), identity.prompts[view])
            assert contents[row["path"]] == identity.views[view]
            assert contents[row["mask"]] == identity.masks[view]
            assert contents[f"masks/parts/{file}"] == identity.parts[view]
            for index, name in enumerate(("distractors", "distractors-2")):
                row, change = own[f"{name}/{file}"], identity.changes[index]
                assert row["role"] == "distractor"
                assert contents[row["path"]] == identity.distractors[index][view]
                assert contents[row["mask"]] == identity.distractor_masks[index][view]
                assert (row["difficulty"], row["kinds"]) == (change.difficulty, "+".join(change.kinds))
                assert (float(row["amount"]), float(row["changed_pixels"])) == (change.amount, change.pixels)


def test_a_distractor_differs_from_its_view_only_where_an_object_is(
    tmp_path: Path, identities: list[Identity]
) -> None:
    write_folders(tmp_path, identities)
    seen = 0
    for path in [*tmp_path.glob("references/*/*.png"), *tmp_path.glob("generations/*/*.png")]:
        subject, view = path.parts[-2:]
        mask = pixels(tmp_path / "masks/views" / subject / view)
        parts = pixels(tmp_path / "masks/parts" / subject / view)
        np.testing.assert_array_equal(parts > 0, mask > 0)
        assert 0 < mask.mean() < 255
        for name in ("distractors", "distractors-2"):
            other = pixels(tmp_path / "masks" / name / subject / view)
            differs = (pixels(path) != pixels(tmp_path / name / subject / view)).any(axis=-1)
            assert differs.any()
            assert not differs[(mask == 0) & (other == 0)].any()
            # The background is seen around the object: otherwise this would say nothing.
            assert ((mask == 0) & (other == 0)).mean() > 0.2
            seen += 1
    assert seen == len(identities) * 3 * 2


def test_a_data_set_has_the_columns_of_nearid(tmp_path: Path, identities: list[Identity]) -> None:
    write_dataset(tmp_path, identities, distractors=2, seed=3)
    positives = datasets.load_from_disk(str(tmp_path / "positives"))
    assert isinstance(positives, datasets.Dataset)
    assert positives.split == "train"
    common = {"id", "category", "category_description", "n_images", "objaverse_id", "quality", "split"}
    slots = {f"{name}{slot}" for name in ("images", "masks", "parts", "prompts") for slot in (1, 2, 3)}
    assert set(positives.column_names) == common | slots
    assert positives.features["id"] == datasets.Value("int64")
    assert positives.features["images1"] == datasets.Image()
    assert positives["id"][:] == list(NUMBERS)
    assert positives["objaverse_id"][:] == ["synth-3-7", "synth-3-8", "synth-3-9"]
    assert set(positives["split"]) == {"train"}
    for row, identity in zip(positives, identities, strict=True):
        assert (row["category"], row["category_description"]) == (identity.category, identity.description)
        assert (row["n_images"], row["prompts2"]) == (3, identity.prompts[1])
        for slot in (1, 2, 3):
            np.testing.assert_array_equal(np.asarray(row[f"images{slot}"]), pixels(identity.views[slot - 1]))
            assert row[f"masks{slot}"].mode == "L"
            np.testing.assert_array_equal(np.asarray(row[f"masks{slot}"]), pixels(identity.masks[slot - 1]))
            np.testing.assert_array_equal(np.asarray(row[f"parts{slot}"]), pixels(identity.parts[slot - 1]))
    for index, name in enumerate(("distractors", "distractors-2")):
        looks = datasets.load_from_disk(str(tmp_path / name)).cast_column(
            "nimg1", datasets.Image(decode=False)
        )
        assert looks["id"][:] == list(NUMBERS)
        for row, identity in zip(looks, identities, strict=True):
            change = identity.changes[index]
            assert row["nimg1"] == {"bytes": identity.distractors[index][0], "path": None}
            masks = pixels(identity.distractor_masks[index][2])
            np.testing.assert_array_equal(np.asarray(row["nmasks3"]), masks)
            assert (row["difficulty"], row["kinds"]) == (change.difficulty, "+".join(change.kinds))
            assert (row["amount"], row["changed_pixels"]) == (change.amount, change.pixels)


def test_slots_of_views_that_there_are_not_hold_null(tmp_path: Path) -> None:
    options = SynthOptions(size=32, views=2, distractors=1)
    write_dataset(tmp_path, render_identities(options, "cpu", range(2)), distractors=1, seed=0)
    for name, columns in (
        ("positives", ("images", "masks", "parts", "prompts")),
        ("distractors", ("nimg", "nmasks")),
    ):
        table = datasets.load_from_disk(str(tmp_path / name))
        assert table["n_images"][:] == [2, 2]
        for column in columns:
            assert all(cell is not None for cell in table[f"{column}2"])
            assert table[f"{column}3"][:] == [None, None]


def test_a_data_set_grows_batch_by_batch(
    tmp_path: Path, identities: list[Identity], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset_module, "_BATCH_BYTES", 20_000)
    write_dataset(tmp_path, identities * 5, distractors=2, seed=3)
    positives = datasets.load_from_disk(str(tmp_path / "positives"))
    assert positives["id"][:] == list(NUMBERS) * 5
    assert 3 < len(positives.data.to_batches()) < 15
    np.testing.assert_array_equal(np.asarray(positives[14]["images3"]), pixels(identities[2].views[2]))


def test_what_the_library_caches_follows_the_rows(tmp_path: Path, identities: list[Identity]) -> None:
    fingerprints = []
    for name, rows in (("a", identities), ("b", identities), ("c", identities[:2])):
        (tmp_path / name).mkdir()
        write_dataset(tmp_path / name, rows, distractors=2, seed=3)
        fingerprints.append(datasets.load_from_disk(str(tmp_path / name / "positives"))._fingerprint)
    assert fingerprints[0] == fingerprints[1] != fingerprints[2]


def test_no_distractors_make_no_set_of_them(tmp_path: Path) -> None:
    options = SynthOptions(size=32, views=1, distractors=0)
    write_dataset(tmp_path, render_identities(options, "cpu", range(2)), distractors=0, seed=0)
    assert [path.name for path in tmp_path.iterdir()] == ["positives"]
    assert next_command(options, tmp_path, "dataset", 100) is None


def test_data_sets_need_their_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "datasets", None)
    check_options(SynthOptions(), "folders")
    with pytest.raises(UsageError, match=r'needs the datasets library: pip install "nearid-cli\[train\]"$'):
        check_options(SynthOptions(), "dataset")


def test_a_sheet_shows_views_above_their_distractors(identities: list[Identity]) -> None:
    sheet = Image.open(BytesIO(draw_sheet(identities)))
    assert sheet.size == (3 * (3 * 40 + 2 * 2 + 12) + 12, 3 * 40 + 2 * 2 + 2 * 12)
    drawn = np.asarray(sheet)
    for column, identity in enumerate(identities):
        rows = (identity.views, *identity.distractors)
        for row, pictures in enumerate(rows):
            for view, picture in enumerate(pictures):
                top, left = 12 + row * 42, 12 + column * 136 + view * 42
                np.testing.assert_array_equal(drawn[top : top + 40, left : left + 40], pixels(picture))
    assert (drawn[:, :12] == 255).all()


@pytest.mark.parametrize("views", [1, 2, 3])
def test_a_full_sheet_is_filled(views: int) -> None:
    identities = render_identities(SynthOptions(size=16, views=views), "cpu", range(sheet_length(views)))
    sheet = np.asarray(Image.open(BytesIO(draw_sheet(identities))))
    # The last block's lower right corner, and the margin after it.
    assert (sheet[-28:-12, -28:-12] != 255).any()
    assert (sheet[-12:] == 255).all()


def test_backgrounds_are_all_pictures_of_a_folder(tmp_path: Path) -> None:
    for name in ("b10.png", "b2.png", "deep/a.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (20, 20), "red").save(tmp_path / name, "PNG")
    assert [path.name for path in find_backgrounds(tmp_path)] == ["b2.png", "b10.png", "a.png"]
    assert find_backgrounds(None) == ()
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"^no pictures in .*empty to take backgrounds from$"):
        find_backgrounds(tmp_path / "empty")


def test_backgrounds_are_seen(tmp_path: Path) -> None:
    Image.new("RGB", (20, 20), (200, 10, 30)).save(tmp_path / "red.png")
    options = SynthOptions(size=32, backgrounds=find_backgrounds(tmp_path))
    (identity,) = render_identities(options, "cpu", range(1))
    outside = pixels(identity.masks[0]) == 0
    assert (pixels(identity.views[0])[outside] == (200, 10, 30)).all()


@pytest.mark.usefixtures("here")
def test_a_run_says_what_made_it_and_leaves_nothing_else(tmp_path: Path) -> None:
    written = write_identities(SynthOptions(size=32), tmp_path / "out", range(4, 6), workers=1)
    assert (written.identities, written.pictures) == (2, 12)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    made = json.loads((tmp_path / "out/made-by.json").read_text())
    assert made["schema"] == "nearid.synth/1"
    assert (made["start"], made["identities"], made["size"], made["seed"]) == (4, 2, 32, 0)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("already", ["nothing", "empty folder", "link to an empty folder"])
def test_where_it_may_write(tmp_path: Path, already: str) -> None:
    out = tmp_path / "deep" / "out"
    if already == "empty folder":
        out.mkdir(parents=True)
    elif already == "link to an empty folder":
        (tmp_path / "elsewhere").mkdir()
        out.parent.mkdir()
        out.symlink_to(tmp_path / "elsewhere")
    write_identities(SynthOptions(size=16), out, range(1), workers=1)
    assert (out / "manifest.csv").exists()
    assert out.is_symlink() == already.startswith("link")


def test_an_error_of_the_renderer_leaves_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    gone = SynthOptions(size=16, backgrounds=(tmp_path / "gone.png",))
    with pytest.raises(Exception, match=r"gone\.png"):
        write_identities(gone, out, range(1), workers=1)
    assert list(tmp_path.iterdir()) == []
