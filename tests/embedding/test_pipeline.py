"""The pipeline: every good picture is embedded once, kept, and found again, whatever happens meanwhile."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from nearid_cli.embedding.cache import Cache, digest_bytes
from nearid_cli.embedding.pipeline import Embedded, embed
from nearid_cli.embedding.reading import GivenPicture
from nearid_cli.embedding.settings import Settings
from nearid_cli.embedding.stamps import FileState, Stamps, read_steadily
from nearid_cli.errors import ModelError
from nearid_cli.images.reading import Masking
from nearid_cli.layouts.dataset import Masked
from tests.commandline import cached_digests

from .conftest import GridEncoder, make_spec

Save = Callable[..., Path]


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture
def pictures(save: Save) -> list[Path]:
    paths = [save(f"pictures/{index}.png", crop=index * 4) for index in range(7)]
    time.sleep(0.02)  # a tick of the clock, for the memo
    return paths


def run(paths: Sequence[Path], encoder: GridEncoder, cache: Cache | None, **settings: object) -> Embedded:
    return embed(paths, [encoder.spec], lambda _: encoder, cache, Settings(**{"batch_size": 3, **settings}))


def direct(path: Path) -> np.ndarray:
    encoder = GridEncoder()
    return encoder.embed([encoder.prepare(Image.open(path).convert("RGB"))])[0]


def matrix(embedded: Embedded, encoder: GridEncoder) -> np.ndarray:
    return embedded.matrix(encoder.spec.name, [d for d in embedded.digests if d is not None])


def test_rows_equal_the_encoder_called_directly(
    pictures: list[Path], encoder: GridEncoder, cache: Cache
) -> None:
    embedded = run(pictures, encoder, cache)
    assert embedded.bad == ()
    np.testing.assert_array_equal(matrix(embedded, encoder), [direct(path) for path in pictures])
    assert encoder.batches == [3, 3, 1]


def test_a_warm_run_equals_the_cold_one_and_loads_no_encoder(
    pictures: list[Path], encoder: GridEncoder, cache: Cache
) -> None:
    cold = run(pictures, encoder, cache)

    def never(_: object) -> GridEncoder:
        raise AssertionError("nothing to load")

    warm = embed(pictures, [encoder.spec], never, Cache(cache.folder), Settings())
    assert warm.digests == cold.digests
    np.testing.assert_array_equal(matrix(warm, encoder), matrix(cold, encoder))


def test_a_warm_run_reads_no_picture(
    pictures: list[Path], encoder: GridEncoder, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    cold = run(pictures, encoder, cache)
    with monkeypatch.context() as patch:
        patch.setattr("nearid_cli.embedding.reading.read_steadily", None)
        assert run(pictures, encoder, Cache(cache.folder)).digests == cold.digests
    read: list[Path] = []

    def reading(path: Path, *how: Any) -> Any:
        read.append(path)
        return read_steadily(path, *how)

    monkeypatch.setattr("nearid_cli.embedding.reading.read_steadily", reading)
    assert run(pictures, encoder, Cache(cache.folder, verify_content=True)).digests == cold.digests
    assert sorted(read) == pictures


def test_copies_and_renamed_files_are_embedded_once(
    pictures: list[Path], encoder: GridEncoder, cache: Cache
) -> None:
    copy = pictures[0].with_name("copy.png")
    shutil.copy(pictures[0], copy)
    run([*pictures, copy, pictures[0]], encoder, cache)
    assert encoder.prepared == len(pictures)
    renamed = pictures[1].rename(pictures[1].with_name("renamed.png"))
    assert run([renamed], encoder, Cache(cache.folder)).digests[0] is not None
    assert encoder.prepared == len(pictures)


def test_a_changed_picture_is_embedded_again(
    pictures: list[Path], encoder: GridEncoder, cache: Cache, save: Save
) -> None:
    run(pictures, encoder, cache)
    save("pictures/0.png", "coffee")
    embedded = run(pictures, encoder, Cache(cache.folder))
    assert encoder.prepared == len(pictures) + 1
    np.testing.assert_array_equal(matrix(embedded, encoder)[0], direct(pictures[0]))


def test_an_added_metric_embeds_only_itself_and_shares_the_decode(pictures: list[Path], cache: Cache) -> None:
    first, second, third = (GridEncoder(make_spec(name, name * 32)) for name in ("aa", "bb", "cc"))
    encoders = {encoder.spec.name: encoder for encoder in (first, second, third)}
    run(pictures, first, cache)
    embed(
        pictures,
        [encoder.spec for encoder in encoders.values()],
        lambda spec: encoders[spec.name],
        Cache(cache.folder),
        Settings(),
    )
    assert [encoder.prepared for encoder in encoders.values()] == [7, 7, 0]


def test_bad_pictures_are_all_listed_after_the_good_are_cached(
    pictures: list[Path], encoder: GridEncoder, cache: Cache, tmp_path: Path
) -> None:
    empty, text, truncated, dead, gone = (
        tmp_path / name for name in ("empty.png", "text.png", "truncated.png", "dead.png", "gone.png")
    )
    empty.touch()
    text.write_text("not a picture")
    truncated.write_bytes(pictures[0].read_bytes()[:2000])
    dead.symlink_to(tmp_path / "nowhere.png")
    folder = tmp_path / "folder.png"
    folder.mkdir()
    bad = [empty, text, truncated, dead, gone, folder]
    embedded = run([pictures[0], *bad, *pictures[1:]], encoder, cache)
    assert [problem.path for problem in embedded.bad] == [str(path) for path in bad]
    reasons = {Path(problem.path).stem: problem.reason for problem in embedded.bad}
    assert "empty" in reasons["empty"]
    assert reasons["dead"] == f"dead symlink to {tmp_path / 'nowhere.png'}"
    assert reasons["gone"] == "no such file or directory"
    assert reasons["folder"] == "is a directory"
    assert embedded.digests[1:7] == (None,) * 6
    assert cached_digests(cache, encoder.spec) == {digest for digest in embedded.digests if digest}
    assert len(cached_digests(cache, encoder.spec)) == len(pictures)


def test_pictures_that_change_under_the_run_are_taken_as_they_are_then(
    pictures: list[Path], encoder: GridEncoder, cache: Cache, save: Save
) -> None:
    shutil.copy(pictures[2], pictures[3])  # one digest, of which only one file changes
    loads = []

    def load(_: object) -> GridEncoder:
        save("pictures/2.png", "coffee")  # after the digests, before the pictures are decoded
        loads.append(encoder)
        return encoder

    embedded = embed(pictures, [encoder.spec], load, cache, Settings(batch_size=3))
    assert embedded.bad == ()
    np.testing.assert_array_equal(matrix(embedded, encoder), [direct(path) for path in pictures])
    assert len(loads) == 1
    again = run(pictures, encoder, Cache(cache.folder))
    np.testing.assert_array_equal(matrix(again, encoder), matrix(embedded, encoder))


def test_a_mask_that_changes_under_the_run_is_taken_as_it_is_then(
    pictures: list[Path], encoder: GridEncoder, cache: Cache, tmp_path: Path
) -> None:
    mask = tmp_path / "mask.png"
    Image.new("L", (96, 96), 255).save(mask)
    part = Masked(pictures[0], mask, None, Masking())

    def load(_: object) -> GridEncoder:
        half = Image.new("L", (96, 96))
        half.paste(255, (0, 0, 48, 96))
        half.save(mask)
        return encoder

    embedded = embed([part, pictures[0]], [encoder.spec], load, cache, Settings())
    assert embedded.bad == ()
    fresh = embed([part], [encoder.spec], lambda _: encoder, None, Settings())
    np.testing.assert_array_equal(matrix(embedded, encoder)[0], matrix(fresh, encoder)[0])


def test_a_picture_that_is_another_each_time_is_bad(
    pictures: list[Path], encoder: GridEncoder, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(self: GivenPicture, *how: Any) -> Any:
        if self.source == pictures[2]:
            with pictures[2].open("ab") as file:  # as a program that writes to it all the time
                file.write(b"more")
        return open_(self, *how)

    open_ = GivenPicture.open
    monkeypatch.setattr(GivenPicture, "open", opened)
    embedded = run(pictures, encoder, cache)
    assert [(bad.path, bad.reason) for bad in embedded.bad] == [
        (str(pictures[2]), "keeps changing: it was another picture each time it was opened")
    ]
    assert len(matrix(embedded, encoder)) == len(pictures) - 1


def test_a_memo_that_is_wrong_is_corrected_when_its_picture_is_opened(
    pictures: list[Path], encoder: GridEncoder, cache: Cache, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = FileState.of(pictures[2], pictures[2].stat())
    cache.memo.remember(wrong, digest_bytes(b"other"), Stamps())
    cache.memo.flush()
    embedded = run(pictures, encoder, Cache(cache.folder))
    np.testing.assert_array_equal(matrix(embedded, encoder), [direct(path) for path in pictures])
    assert "1 file changed in a way that size and times do not show" in caplog.text
    caplog.clear()
    assert run(pictures, encoder, Cache(cache.folder)).digests == embedded.digests
    assert not caplog.text


def test_an_embedding_that_is_not_finite_is_an_error_and_not_kept(pictures: list[Path], cache: Cache) -> None:
    class Broken(GridEncoder):
        def embed(self, batch: Sequence[np.ndarray]) -> np.ndarray:
            rows = super().embed(batch)
            rows[0] = np.nan
            return rows

    encoder = Broken()
    with pytest.raises(ModelError, match="not finite") as caught:
        run(pictures, encoder, cache)
    assert caught.value.details == tuple(f"mean-colour: {pictures[index]}" for index in (0, 3, 6))
    assert len(cached_digests(cache, encoder.spec)) == 4


def test_every_encoder_that_cannot_be_loaded_is_named(pictures: list[Path], cache: Cache) -> None:
    def load(spec: object) -> GridEncoder:
        raise ModelError(f"{spec.name} is broken", ["some tensor"])  # type: ignore[attr-defined]

    with pytest.raises(ModelError, match="2 checkpoints cannot be loaded") as caught:
        embed(pictures, [make_spec("a", "a" * 64), make_spec("b", "b" * 64)], load, cache, Settings())
    assert caught.value.details == ("a is broken", "some tensor", "b is broken", "some tensor")


OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError(
        "[enforce fail at alloc_cpu.cpp:118] err == 0. DefaultCPUAllocator: can't allocate memory: you tried"
    ),
    RuntimeError(
        "[enforce fail at alloc_cpu.cpp:81] data. DefaultCPUAllocator: not enough memory: you tried"
    ),
    RuntimeError("MPS backend out of memory (MPS allocated: 8.00 GB)"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    MemoryError("Unable to allocate 3.00 GiB for an array"),
    MemoryError("std::bad_alloc"),
]


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=lambda error: str(error)[:30])
def test_out_of_memory_halves_the_batch_and_goes_on(
    pictures: list[Path], cache: Cache, error: Exception
) -> None:
    class Small(GridEncoder):
        def embed(self, batch: Sequence[np.ndarray]) -> np.ndarray:
            if len(batch) > 2:
                raise error
            return super().embed(batch)

    encoder = Small()
    embedded = run(pictures, encoder, cache, batch_size=7)
    assert encoder.batches == [1] * 7  # 7, 3, 1: and never larger again
    np.testing.assert_array_equal(matrix(embedded, encoder), [direct(path) for path in pictures])


def test_what_torch_says_when_there_is_no_memory_is_understood(pictures: list[Path], cache: Cache) -> None:
    class Greedy(GridEncoder):
        def embed(self, batch: Sequence[np.ndarray]) -> np.ndarray:
            if len(batch) > 1:
                torch.empty(1 << 60, dtype=torch.uint8)  # more than any machine has
            return super().embed(batch)

    encoder = Greedy()
    run(pictures, encoder, cache, batch_size=4)
    assert encoder.batches == [1] * 7


def test_no_memory_for_a_single_picture_is_one_line(pictures: list[Path], cache: Cache) -> None:
    class Huge(GridEncoder):
        def embed(self, batch: Sequence[np.ndarray]) -> np.ndarray:
            raise RuntimeError("MPS backend out of memory\n(MPS allocated: 8.00 GB)")

    with pytest.raises(ModelError) as caught:
        run(pictures, Huge(), cache, batch_size=4)
    assert caught.value.message == (
        'metric "mean-colour": out of memory, with a single picture a forward pass; free some, or choose another '
        "--device or a smaller --dtype (MPS backend out of memory (MPS allocated: 8.00 GB))"
    )


def test_an_embedding_of_zeros_is_no_embedding(pictures: list[Path], cache: Cache) -> None:
    class Zero(GridEncoder):
        def embed(self, batch: Sequence[np.ndarray]) -> np.ndarray:
            return super().embed(batch) * 0

    with pytest.raises(ModelError, match="not finite"):
        run(pictures, Zero(), cache)
    assert len(cached_digests(cache, make_spec())) == 0


def test_other_runtime_errors_pass_and_keep_what_is_done(pictures: list[Path], cache: Cache) -> None:
    class Failing(GridEncoder):
        def embed(self, batch: Sequence[np.ndarray]) -> np.ndarray:
            if self.batches:
                raise RuntimeError("shape mismatch")
            return super().embed(batch)

    encoder = Failing()
    with pytest.raises(RuntimeError, match="shape mismatch"):
        run(pictures, encoder, cache)
    assert len(cached_digests(cache, encoder.spec)) == 3


def test_an_interrupt_keeps_what_is_done(pictures: list[Path], cache: Cache) -> None:
    class Interrupted(GridEncoder):
        def embed(self, batch: Sequence[np.ndarray]) -> np.ndarray:
            if self.batches:
                raise KeyboardInterrupt
            return super().embed(batch)

    encoder = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        run(pictures, encoder, cache)
    again = GridEncoder()
    run(pictures, again, Cache(cache.folder))
    assert again.prepared == len(pictures) - 3


def test_few_prepared_pictures_are_held_at_once(save: Save, cache: Cache) -> None:
    paths = [save(f"many/{index}.png", crop=index) for index in range(40)]

    class Watched(GridEncoder):
        ahead = 0

        def embed(self, batch: Sequence[np.ndarray]) -> np.ndarray:
            time.sleep(0.05)  # the threads run ahead as far as they may
            self.ahead = max(self.ahead, self.prepared - sum(self.batches))
            return super().embed(batch)

    encoder = Watched()
    run(paths, encoder, cache, batch_size=2, workers=2)
    assert encoder.ahead <= 2 * 2 + 2 * 2


def test_without_a_cache_nothing_is_written(
    pictures: list[Path], encoder: GridEncoder, tmp_path: Path
) -> None:
    before = sorted(tmp_path.rglob("*"))
    embedded = run(pictures, encoder, None)
    assert matrix(embedded, encoder).shape == (7, 48)
    assert sorted(tmp_path.rglob("*")) == before
