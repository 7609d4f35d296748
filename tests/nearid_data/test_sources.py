from __future__ import annotations

import builtins
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import huggingface_hub.constants
import huggingface_hub.utils
import numpy as np
import pandas as pd
import pytest

from nearid_cli.errors import InputError
from nearid_cli.nearid_data import PictureColumns, open_source
from tests.bad_input.test_files import KINDS
from tests.nearid_data.making import png, saved, slots, table

PICTURES = [(png(1), None, png(3)), (png(4), png(5), None), (None, None, None)]


@pytest.fixture
def small() -> datasets.Dataset:
    return table(slots("images", PICTURES), id=[7, 70, 700], category=["cup", "car", "cup"])


def as_saved(small: datasets.Dataset, folder: Path) -> str:
    return saved(small, folder / "saved")


def as_dictionary(small: datasets.Dataset, folder: Path) -> str:
    both = datasets.DatasetDict({"test": small.select([0]), "train": small})
    return saved(both, folder / "dictionary")


def as_file(small: datasets.Dataset, folder: Path) -> str:
    small.to_parquet(folder / "one.parquet")
    return str(folder / "one.parquet")


def as_shards(small: datasets.Dataset, folder: Path) -> str:
    (folder / "hub" / "data").mkdir(parents=True)
    (folder / "hub" / "README.md").write_text("# data")
    for shard in range(3):
        small.select([shard]).to_parquet(folder / "hub" / "data" / f"train-{shard:05}-of-00003.parquet")
    small.to_parquet(folder / "hub" / "data" / "test-00000-of-00001.parquet")
    return str(folder / "hub")


def as_pandas(small: datasets.Dataset, folder: Path) -> str:
    """Written by someone who does not know `datasets`: bare bytes in two columns, nothing in the third."""
    rows = [(7, *PICTURES[0]), (70, *PICTURES[1]), (700, *PICTURES[2])]
    frame = pd.DataFrame(rows, columns=["id", "images1", "images2", "images3"])
    (folder / "plain").mkdir()
    frame.to_parquet(folder / "plain" / "part.parquet")
    return str(folder / "plain")


FORMS = [as_saved, as_dictionary, as_file, as_shards, as_pandas]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_pictures(
    small: datasets.Dataset, tmp_path: Path, form: Callable[..., str], capfd: pytest.CaptureFixture[str]
) -> None:
    source = form(small, tmp_path)
    capfd.readouterr()
    before = sorted(tmp_path.rglob("*"))
    opened = open_source(source)
    columns = PictureColumns.find(source, opened, "images")
    assert opened["id"][:] == [7, 70, 700]
    assert [columns.contents(row) for row in range(3)] == PICTURES
    assert columns.present.tolist() == [[picture is not None for picture in row] for row in PICTURES]
    assert sorted(tmp_path.rglob("*")) == before
    assert capfd.readouterr() == ("", "")


def test_pictures_are_not_decoded(small: datasets.Dataset, tmp_path: Path) -> None:
    opened = open_source(as_saved(small, tmp_path))
    assert opened[0]["images1"]["bytes"] == png(1)


def test_progress_bars_of_the_caller_are_left_as_they_were(small: datasets.Dataset, tmp_path: Path) -> None:
    source = as_file(small, tmp_path)
    datasets.enable_progress_bars()
    try:
        open_source(source)
        assert not datasets.are_progress_bars_disabled()
    finally:
        datasets.disable_progress_bars()


def test_a_parquet_file_that_was_written_again_is_read_again(small: datasets.Dataset, tmp_path: Path) -> None:
    assert len(open_source(as_file(small, tmp_path))) == 3
    assert len(open_source(as_file(small.select([0, 1]), tmp_path))) == 2


@pytest.mark.parametrize("form", [as_file, as_shards])
def test_other_content_under_the_path_and_time_of_a_parquet_file_is_read(
    small: datasets.Dataset, tmp_path: Path, form: Callable[..., str]
) -> None:
    """As `cp -p`, `rsync --times` and archives put files in place."""
    source = form(small, tmp_path)
    assert open_source(source)["id"][:] == [7, 70, 700]
    files = [Path(source), *Path(source).rglob("*.parquet")]
    before = {file: file.stat() for file in files if file.is_file()}
    turned = small.remove_columns("id").add_column("id", [8, 80, 800])
    shutil.rmtree(tmp_path / "hub", ignore_errors=True)
    form(turned, tmp_path)
    for file, status in before.items():
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert open_source(source)["id"][:] == [8, 80, 800]


def test_a_parquet_file_that_changes_while_it_is_converted_is_refused_and_not_kept(
    small: datasets.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "converted")
    source = as_file(small, tmp_path)
    whole = Path(source).read_bytes()
    convert = datasets.Dataset.from_parquet

    def changing(*args: Any, **options: Any) -> datasets.Dataset:
        as_file(small.select([0, 1]), tmp_path)
        return convert(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(datasets.Dataset, "from_parquet", changing)
        with pytest.raises(InputError, match="changed while it was read"):
            open_source(source)
    Path(source).write_bytes(whole)
    assert len(open_source(source)) == 3


def test_content_that_was_converted_is_not_converted_again(
    small: datasets.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = as_shards(small, tmp_path)
    first = open_source(source)
    monkeypatch.delattr(datasets.Dataset, "from_parquet")
    again = open_source(source)
    assert again.features == first.features
    assert again[:] == first[:]


@pytest.mark.parametrize(
    ("form", "known"), [(as_dictionary, "test, train"), (as_saved, "train"), (as_shards, "test, train")]
)
def test_another_split(small: datasets.Dataset, tmp_path: Path, form: Callable[..., str], known: str) -> None:
    source = form(small, tmp_path)
    if "test" in known:
        assert len(open_source(source, "test")) == (1 if form is as_dictionary else 3)
    with pytest.raises(InputError, match=f'has no split "other"; it has {known}'):
        open_source(source, "other")


def test_parquet_files_that_are_none_are_all_named(small: datasets.Dataset, tmp_path: Path) -> None:
    as_file(small, tmp_path)
    (tmp_path / "a.parquet").write_bytes(b"")
    (tmp_path / "b.parquet").write_bytes(b"PAR1 and more")
    with pytest.raises(InputError, match="2 files cannot be read as Parquet") as caught:
        open_source(str(tmp_path))
    assert [detail.split(":")[0] for detail in caught.value.details] == ["a.parquet", "b.parquet"]


def test_damaged_folders(small: datasets.Dataset, tmp_path: Path) -> None:
    source = as_saved(small, tmp_path)
    (arrow,) = Path(source).glob("*.arrow")
    arrow.write_bytes(arrow.read_bytes()[:100])
    with pytest.raises(InputError, match="saved cannot be opened: ") as caught:
        open_source(source)
    assert "\n" not in str(caught.value)
    (Path(source) / "state.json").write_text("{")
    with pytest.raises(InputError, match="saved cannot be opened: "):
        open_source(source)


def test_what_is_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no data set: expected a Hub id, a folder of save_to_disk"):
        open_source(str(tmp_path))
    with pytest.raises(InputError, match=r"no such file or folder, and not a Hub id"):
        open_source(str(tmp_path / "none"))
    (tmp_path / "text.parquet").write_text("hello")
    with pytest.raises(InputError, match="1 file cannot be read as Parquet"):
        open_source(str(tmp_path / "text.parquet"))


@pytest.mark.parametrize("form", [as_saved, as_file])
def test_no_rows(small: datasets.Dataset, tmp_path: Path, form: Callable[..., str]) -> None:
    with pytest.raises(InputError, match="has no rows"):
        open_source(form(small.select([]), tmp_path))


def test_a_hub_id_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match=r"no data set nobody/nothing: .*HF_HUB_OFFLINE is set"):
        open_source("nobody/nothing")


def test_a_hub_that_cannot_be_reached_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    httpx: Any = huggingface_hub.utils.httpx
    asked = []

    def refuse(*_: object, **__: object) -> Any:
        asked.append(1)
        raise httpx.ConnectError("refused")

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", refuse)
    notes: list[str] = []
    with pytest.raises(InputError, match=r"no data set nobody/nothing: .*set HF_HUB_OFFLINE=1") as caught:
        open_source("nobody/nothing", notify=notes.append)
    assert (asked, notes) == ([1], [])
    assert "\n" not in str(caught.value)


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def importing(name: str, *arguments: Any, **options: Any) -> Any:
        if name == "datasets":
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.delitem(sys.modules, "datasets")
    monkeypatch.setattr(builtins, "__import__", importing)
    with pytest.raises(InputError, match=r'pip install "nearid-cli\[bench\]", or "nearid-cli\[train\]"'):
        open_source("any/thing")


def test_columns_that_hold_no_pictures(tmp_path: Path) -> None:
    numbers = datasets.Dataset.from_dict({"images1": [1, 2]})
    with pytest.raises(InputError, match="expected pictures in column images1, found int64"):
        PictureColumns.find("numbers", numbers, "images")
    named = datasets.Dataset.from_dict({"images2": ["a.png", None]}).cast_column("images2", datasets.Image())
    with pytest.raises(InputError, match="column images2 holds names of files and not their bytes in 1 row"):
        PictureColumns.find("named", named, "images")


def test_a_cell_of_nothing_in_two_ways(tmp_path: Path) -> None:
    """`datasets` stores null for no picture; others store an object with null in it."""
    both = datasets.Dataset.from_dict(
        {"images1": [None, {"bytes": None, "path": None}, {"bytes": png(1), "path": "a"}]}
    )
    assert PictureColumns.find("both", both, "images").present[:, 0].tolist() == [False, False, True]


def test_present_is_as_wide_as_the_slots(small: datasets.Dataset) -> None:
    columns = PictureColumns.find("small", small, "nimg")
    assert not columns.exist
    np.testing.assert_array_equal(columns.present, np.zeros((3, 3), bool))


@pytest.mark.parametrize("name", ["dataset_dict.json", "state.json", "x.parquet"])
def test_a_pipe_in_a_folder_is_never_opened(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(InputError, match="1 file cannot be read") as error:
        open_source(str(tmp_path))
    assert list(error.value.details) == [f"{name}: is not a regular file"]


@pytest.mark.parametrize(
    "what", ["a pipe", "a socket", "a link to a pipe", "a link into the kernel", "2 GB of zeros"]
)
def test_what_is_no_file_of_data_is_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.chdir(tmp_path)
    KINDS[what](Path("odd"))
    with pytest.raises(InputError, match="1 file cannot be read as Parquet"):
        open_source("odd")
